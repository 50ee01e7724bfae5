"""Adam and AdamW; hyperparameters are arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

Array = Any

BETA1, BETA2 = 0.9, 0.999
#: Keras' value, as used by Agac & Incel; Optax and PyTorch take 1e-8.
EPSILON = 1e-7


class Moments(NamedTuple):
    """State of Adam: steps done, moving mean of the gradient and of its square."""

    step: Array
    first: Array
    second: Array


def sum_of_squares(arrays: Sequence[Array]) -> Array:
    """Return the squared norm of a gradient; it is finite only where each of its numbers is."""
    return sum((jnp.sum(array**2) for array in arrays), jnp.zeros(()))


def adam(
    weights: Sequence[Array],
    gradient: Sequence[Array],
    moments: Moments,
    squares: Array,
    rate: Array,
    hyperparameters: Mapping[str, Array],
    decays: Sequence[Array],
    go: Array,
) -> tuple[tuple[Array, ...], Moments]:
    """Take one step of AdamW (Adam where ``weight_decay`` is 0); return the new weights and moments.

    Args:
        weights, gradient: arrays of all trained numbers.
        moments: those of the step before, in arrays of the same sizes.
        squares: the squared norm of the gradient.
        rate: learning rate of this step.
        hyperparameters: ``weight_decay`` (decoupled, Loshchilov & Hutter, ICLR 2019) and ``clip``, the largest norm of
            the whole gradient (0: no limit).
        decays: mask of weight decay for each array.
        go: whether to take the step; weights and moments stay as they are where not.
    """
    norm, limit = jnp.sqrt(squares), hyperparameters["clip"]
    shrink = jnp.where((limit > 0) & (norm > limit), limit / norm, 1.0)
    step = jnp.where(go, moments.step + 1, moments.step)
    # Keras' form: bias correction acts on the rate, so that epsilon is added to the uncorrected root.
    corrected = rate * jnp.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    new = []
    for before, change, first, second, decay in zip(
        weights, gradient, moments.first, moments.second, decays, strict=True
    ):
        change = change * shrink
        first = jnp.where(go, BETA1 * first + (1 - BETA1) * change, first)
        second = jnp.where(go, BETA2 * second + (1 - BETA2) * change**2, second)
        # From the moments that are kept: otherwise XLA computes them a second time, and copies the old ones for that.
        moved = before - corrected * first / (jnp.sqrt(second) + EPSILON)
        moved = moved - rate * hyperparameters["weight_decay"] * decay * before
        new.append((jnp.where(go, moved, before), first, second))
    after, firsts, seconds = zip(*new, strict=True)
    return after, Moments(step, firsts, seconds)


def scheduled_rate(rate: Array, step: Array, total: Array, *, schedule: str, warmup: float) -> Array:
    """Return the learning rate at ``step`` of ``total``: warm-up from 0, then constant or a cosine to 0."""
    done = step / jnp.maximum(total, 1)
    if schedule == "cosine":
        after = jnp.clip((done - warmup) / (1 - warmup), 0, 1)
        rate = rate * 0.5 * (1 + jnp.cos(jnp.pi * after))
    if warmup > 0:
        rate = rate * jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup * total, 1))
    return rate
