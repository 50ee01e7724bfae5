"""What happens to the learners of a fleet between two epochs, each compiled as one program.

Leaf by leaf, every new shape is compiled by itself: a first fleet spent two of its four seconds of start on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .program import Learner

Array = Any


def stacked(learners: Sequence[Learner]) -> Learner:
    """One learner a slot, with a leading slot axis."""
    whole: Learner = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *learners))
    return whole


def taken(learners: Learner, at: int) -> Learner:
    """The learner in slot ``at``, in the computer's memory."""
    one: Learner = jax.device_get(_at(learners, at))
    return one


@jax.jit
def put(learners: Learner, at: Array, learner: Learner) -> Learner:
    """The learners with ``learner`` in slot ``at``."""
    whole: Learner = jax.tree.map(lambda leaves, leaf: leaves.at[at].set(leaf), learners, learner)
    return whole


@jax.jit
def chosen(where: Array, new: Learner, old: Learner) -> Learner:
    """``new`` in the slots where ``where`` (slots,) holds, ``old`` in the rest."""

    def choose(one: Array, other: Array) -> Array:
        return jnp.where(where.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    whole: Learner = jax.tree.map(choose, new, old)
    return whole


@jax.jit
def _at(learners: Learner, at: Array) -> Learner:
    one: Learner = jax.tree.map(lambda leaves: leaves[at], learners)
    return one
