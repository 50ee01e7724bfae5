"""Embeddings of a batch compared with each other: rows (B, features), squares (B, B)."""

from __future__ import annotations

import jax.numpy as jnp

from .method import Array, Taps

#: Added to a sum of squares before its root is taken.
LEAST = 1e-12


def flat(taps: Taps) -> dict[str, Array]:
    """The view of methods that look at the embedding: its rows, and the logits."""
    rows = taps["embedding"]
    return {"logits": taps["logits"], "embedding": rows.reshape(rows.shape[0], -1)}


def unit(x: Array) -> Array:
    """Rows of length 1; a row of zeros stays one."""
    return x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + LEAST)


def squared_distances(x: Array) -> Array:
    """(B, B) ‖x_i − x_j‖² from inner products, after the mean is taken off: B² F steps and no array of B² F."""
    x = x - x.mean(0)
    inner = x @ x.T
    squares = jnp.diagonal(inner)
    return jnp.maximum(squares[:, None] + squares[None, :] - 2 * inner, 0.0)


def huber(difference: Array) -> Array:
    """½ d² up to |d| = 1, |d| − ½ beyond."""
    size = jnp.abs(difference)
    return jnp.where(size < 1, 0.5 * difference**2, size - 0.5)
