"""The answer of a network taken apart: the window's own class, and the others among themselves."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .method import Array, Batch

#: In place of the logit of a class that is left out: its probability is 0, and nothing is infinite.
NEVER = -1e9


def own_class(batch: Batch) -> Array:
    """(B, C) 1 at each window's class; of windows that were mixed, at the class with the larger share or the first."""
    return jax.nn.one_hot(jnp.argmax(batch.targets, -1), batch.targets.shape[-1])


def log_others(logits: Array, own: Array) -> Array:
    """(B, C) log softmax over all classes but the own one, whose place holds a very negative number."""
    return jax.nn.log_softmax(jnp.where(own > 0, NEVER, logits))


def log_own_and_rest(logits: Array, own: Array) -> Array:
    """(B, 2) log probability of the own class and of all others together."""
    log_p = jax.nn.log_softmax(logits)
    rest = jax.nn.logsumexp(jnp.where(own > 0, NEVER, log_p), axis=-1)
    return jnp.stack([jnp.sum(log_p * own, -1), rest], axis=-1)


def warmed(batch: Batch, share: Array) -> Array:
    """From 0 to 1 over the first ``share`` of the run; 1 throughout at 0."""
    return jnp.where(share > 0, jnp.minimum(batch.done / jnp.maximum(share, 1e-6), 1.0), 1.0)
