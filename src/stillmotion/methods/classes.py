"""Split a network's probabilities into those of the window's class and those of the other classes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .method import Array, Batch

#: Logit of a class that is left out: its probability is 0, and all values stay finite.
NEVER = -1e9


def own_class(batch: Batch) -> Array:
    """Return one-hot rows (B, C) of each window's class; for mixed labels, of the class with the larger share.

    At equal shares it is the first class.
    """
    return jax.nn.one_hot(jnp.argmax(batch.targets, -1), batch.targets.shape[-1])


def log_others(logits: Array, own: Array) -> Array:
    """Return the log softmax (B, C) over all classes but the window's own, whose entry is very negative."""
    return jax.nn.log_softmax(jnp.where(own > 0, NEVER, logits))


def log_own_and_rest(logits: Array, own: Array) -> Array:
    """Return log probabilities (B, 2) of the window's own class and of all others together."""
    log_p = jax.nn.log_softmax(logits)
    rest = jax.nn.logsumexp(jnp.where(own > 0, NEVER, log_p), axis=-1)
    return jnp.stack([jnp.sum(log_p * own, -1), rest], axis=-1)


def warmed(batch: Batch, share: Array) -> Array:
    """Return the warm-up factor: rises from 0 to 1 over the first ``share`` of the run; 1 where the share is 0."""
    return jnp.where(share > 0, jnp.minimum(batch.done / jnp.maximum(share, 1e-6), 1.0), 1.0)
