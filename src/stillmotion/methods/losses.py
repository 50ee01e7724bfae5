"""Losses that several methods share. Sums over classes, means over the batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .method import Batch

Array = Any


def cross_entropy(batch: Batch, logits: Array) -> Array:
    """−Σ_c y_c log p_c, times each window's weight, as a mean over the batch (B windows, not the sum of weights)."""
    log_p = jax.nn.log_softmax(logits + batch.offset)
    return jnp.mean(-jnp.sum(batch.targets * log_p, axis=-1) * batch.weights)


def kl_divergence(teacher: Array, student: Array, temperature: Array) -> Array:
    """KL(p_T ‖ p_S) of logits softened by ``temperature``: mean over the batch of the sum over classes.

    Libraries disagree here: some average over the elements too, which makes it C times smaller and means another α.
    """
    log_t = jax.nn.log_softmax(teacher / temperature)
    log_s = jax.nn.log_softmax(student / temperature)
    return jnp.mean(jnp.sum(jnp.exp(log_t) * (log_t - log_s), axis=-1))
