"""Compare the embeddings of a batch: normalised rows (B, features), squared distances (B, B), Huber loss."""

from __future__ import annotations

import jax.numpy as jnp

from .method import Array, Taps

#: Added to a sum of squares before its root is taken.
LEAST = 1e-12


def flat(taps: Taps) -> dict[str, Array]:
    """Keep the logits and the embedding flattened to rows: the view of methods that use embeddings."""
    rows = taps["embedding"]
    return {"logits": taps["logits"], "embedding": rows.reshape(rows.shape[0], -1)}


def unit(x: Array) -> Array:
    """Scale rows to length 1; a row of zeros stays zero."""
    return x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + LEAST)


def squared_distances(x: Array) -> Array:
    """Return ‖x_i − x_j‖² (B, B) from inner products of centred rows, without an array of size B² F."""
    x = x - x.mean(0)
    inner = x @ x.T
    squares = jnp.diagonal(inner)
    return jnp.maximum(squares[:, None] + squares[None, :] - 2 * inner, 0.0)


def huber(difference: Array) -> Array:
    """Return the Huber loss of each element: ½ d² up to |d| = 1, |d| − ½ beyond."""
    size = jnp.abs(difference)
    return jnp.where(size < 1, 0.5 * difference**2, size - 0.5)
