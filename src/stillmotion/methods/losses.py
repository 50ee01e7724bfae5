"""Losses that several methods share: sums over classes, means over the batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .method import Batch

Array = Any


def cross_entropy(batch: Batch, logits: Array) -> Array:
    """Return the weighted cross-entropy −Σ_c y_c log p_c, averaged over the B windows (not the sum of weights)."""
    log_p = jax.nn.log_softmax(logits + batch.offset)
    return jnp.mean(-jnp.sum(batch.targets * log_p, axis=-1) * batch.weights)


def kl_divergence(teacher: Array, student: Array, temperature: Array, weights: Array = 1.0) -> Array:
    """Return KL(p_T ‖ p_S) of logits softened by ``temperature``: mean over the batch of the sum over classes.

    Some libraries average over classes too, which makes the term C times smaller and changes the meaning of α.
    ``weights`` (B,) multiply the divergences of the windows, as they do in ``cross_entropy``.
    """
    log_t = jax.nn.log_softmax(teacher / temperature)
    log_s = jax.nn.log_softmax(student / temperature)
    return jnp.mean(jnp.sum(jnp.exp(log_t) * (log_t - log_s), axis=-1) * weights)
