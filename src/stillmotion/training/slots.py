"""What happens to the learners of a fleet between two epochs, each compiled as one program.

Leaf by leaf, every new shape is compiled by itself: a first fleet spent two of its four seconds of start on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .program import TrainState

Array = Any


def stack_states(learners: Sequence[TrainState]) -> TrainState:
    """One learner a slot, with a leading slot axis."""
    whole: TrainState = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *learners))
    return whole


def take_state(learners: TrainState, at: int) -> TrainState:
    """The learner in slot ``at``, in the computer's memory."""
    one: TrainState = jax.device_get(_at(learners, at))
    return one


@jax.jit
def put_state(learners: TrainState, at: Array, learner: TrainState) -> TrainState:
    """The learners with ``learner`` in slot ``at``."""
    whole: TrainState = jax.tree.map(lambda leaves, leaf: leaves.at[at].set(leaf), learners, learner)
    return whole


@jax.jit
def select_states(where: Array, new: TrainState, old: TrainState) -> TrainState:
    """``new`` in the slots where ``where`` (slots,) holds, ``old`` in the rest."""

    def choose(one: Array, other: Array) -> Array:
        return jnp.where(where.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    whole: TrainState = jax.tree.map(choose, new, old)
    return whole


@jax.jit
def _at(learners: TrainState, at: Array) -> TrainState:
    one: TrainState = jax.tree.map(lambda leaves: leaves[at], learners)
    return one
