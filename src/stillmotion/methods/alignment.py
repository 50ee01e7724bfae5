"""Resize maps and sequences to a common size: interpolate to a longer one, average to a shorter one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .method import Array


def interpolation_matrix(source: int, target: int) -> NDArray[np.float32]:
    """Return weights (target, source) of linear interpolation; the ends stay in place, a target of 1 is the mean."""
    if target == 1:
        return np.full((1, source), 1 / source, np.float32)
    places = np.linspace(0, source - 1, target)
    identity = np.eye(source)
    columns = [np.interp(places, np.arange(source), column) for column in identity]
    return np.stack(columns, axis=1).astype(np.float32)


def averaging_matrix(source: int, target: int) -> NDArray[np.float32]:
    """Return weights (target, source) that average equal stretches, for a target shorter than the source."""
    ends = np.linspace(0, source, target + 1)
    low, high = np.maximum.outer(ends[:-1], np.arange(source)), np.minimum.outer(ends[1:], np.arange(1, source + 1))
    return np.asarray(np.maximum(high - low, 0) * target / source, np.float32)


def resize(x: Array, length: int) -> Array:
    """Resize ``x`` (B, moments, features) to ``length`` moments: average to fewer, interpolate to more."""
    source = x.shape[1]
    if source == length:
        return x
    if source % length == 0:
        # A product with the matrix, and its transpose in the gradient, took a tenth of tinierhar's step.
        return x.reshape(x.shape[0], length, source // length, x.shape[2]).mean(2)
    weights = averaging_matrix(source, length) if length < source else interpolation_matrix(source, length)
    return jnp.einsum("os,bsf->bof", jnp.asarray(weights), x)


def align(x: Array, size: tuple[int, ...]) -> Array:
    """Interpolate ``x`` (B, positions …) to the positions ``size``; repeat along missing axes, average extra ones.

    A map over time alone is compared with a map over time and sensors as (time, 1).
    """
    while len(x.shape) - 1 < len(size):
        x = x[..., None]
    while len(x.shape) - 1 > len(size):
        x = x.mean(-1)
    for axis, length in enumerate(size, start=1):
        if x.shape[axis] != length:
            weights = jnp.asarray(interpolation_matrix(x.shape[axis], length))
            x = jnp.moveaxis(jnp.tensordot(weights, x, axes=(1, axis)), 0, axis)
    return x
