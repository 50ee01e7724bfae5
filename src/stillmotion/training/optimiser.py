"""Adam and AdamW on one vector of weights; hyperparameters are arrays."""

from __future__ import annotations

from collections.abc import Mapping
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


def adam(
    weights: Array, gradient: Array, moments: Moments, rate: Array, hyperparameters: Mapping[str, Array], decays: Array
) -> tuple[Array, Moments]:
    """Take one step of AdamW (Adam where ``weight_decay`` is 0); return the new weights and moments.

    Args:
        weights, gradient: (P,).
        moments: those of the step before.
        rate: learning rate of this step.
        hyperparameters: ``weight_decay`` (decoupled, Loshchilov & Hutter, ICLR 2019) and ``clip``, the largest norm of
            the whole gradient (0: no limit).
        decays: (P,) mask of weight decay.
    """
    norm = jnp.sqrt(jnp.sum(gradient**2))
    limit = hyperparameters["clip"]
    gradient = gradient * jnp.where((limit > 0) & (norm > limit), limit / norm, 1.0)
    step = moments.step + 1
    first = BETA1 * moments.first + (1 - BETA1) * gradient
    second = BETA2 * moments.second + (1 - BETA2) * gradient**2
    # Keras' form: bias correction acts on the rate, so that epsilon is added to the uncorrected root.
    corrected = rate * jnp.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    change = corrected * first / (jnp.sqrt(second) + EPSILON)
    return weights - change - rate * hyperparameters["weight_decay"] * decays * weights, Moments(step, first, second)


def scheduled_rate(rate: Array, step: Array, total: Array, *, schedule: str, warmup: float) -> Array:
    """Return the learning rate at ``step`` of ``total``: warm-up from 0, then constant or a cosine to 0."""
    done = step / jnp.maximum(total, 1)
    if schedule == "cosine":
        after = jnp.clip((done - warmup) / (1 - warmup), 0, 1)
        rate = rate * 0.5 * (1 + jnp.cos(jnp.pi * after))
    if warmup > 0:
        rate = rate * jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup * total, 1))
    return rate
