"""Adam and AdamW on one vector of weights, every number an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

Array = Any

BETA1, BETA2 = 0.9, 0.999
#: Keras' value, which the sources used; Optax and PyTorch take 1e-8.
EPSILON = 1e-7


class Moments(NamedTuple):
    """What Adam remembers: steps done, mean of the gradient, mean of its square."""

    step: Array
    first: Array
    second: Array


def adam(
    weights: Array, gradient: Array, moments: Moments, rate: Array, hyperparameters: Mapping[str, Array], decays: Array
) -> tuple[Array, Moments]:
    """One step of AdamW (of Adam where ``weight_decay`` is 0): weights and moments after it.

    Args:
        weights, gradient: (P,).
        moments: as the last step left them.
        rate: learning rate of this step.
        hyperparameters: ``weight_decay`` (decoupled, Loshchilov & Hutter, ICLR 2019) and ``clip``, the largest norm of
        the
            whole gradient (0: any).
        decays: (P,) 1 where weight decay acts.
    """
    norm = jnp.sqrt(jnp.sum(gradient**2))
    limit = hyperparameters["clip"]
    gradient = gradient * jnp.where((limit > 0) & (norm > limit), limit / norm, 1.0)
    step = moments.step + 1
    first = BETA1 * moments.first + (1 - BETA1) * gradient
    second = BETA2 * moments.second + (1 - BETA2) * gradient**2
    # Keras' form: the corrections join the rate, so that epsilon is added to the uncorrected root.
    corrected = rate * jnp.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    change = corrected * first / (jnp.sqrt(second) + EPSILON)
    return weights - change - rate * hyperparameters["weight_decay"] * decays * weights, Moments(step, first, second)


def scheduled_rate(rate: Array, step: Array, total: Array, *, schedule: str, warmup: float) -> Array:
    """Learning rate at ``step`` of ``total``: up from 0 over the share ``warmup``, then constant or a cosine to 0."""
    done = step / jnp.maximum(total, 1)
    if schedule == "cosine":
        after = jnp.clip((done - warmup) / (1 - warmup), 0, 1)
        rate = rate * 0.5 * (1 + jnp.cos(jnp.pi * after))
    if warmup > 0:
        rate = rate * jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup * total, 1))
    return rate
