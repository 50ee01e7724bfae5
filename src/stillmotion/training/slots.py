"""Read and write the train states in a fleet's slots, each operation compiled as one program.

Without that, JAX compiles an operation for every array shape: it took two of the four seconds that a first fleet needs
to start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .rows import put_row, put_rows, take_row, take_rows
from .step import TrainState

Array = Any


def stack_states(states: Sequence[TrainState]) -> TrainState:
    """Stack train states along a leading slot axis."""
    stacked: TrainState = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *states))
    return stacked


def take_state(states: TrainState, at: int) -> TrainState:
    """Copy the train state of slot ``at`` to the host."""
    taken: TrainState = jax.device_get(_at(states, at))
    return taken


@jax.jit
def put_state(states: TrainState, at: Array, state: TrainState) -> TrainState:
    """Return the train states with ``state`` in slot ``at``."""
    stacked: TrainState = put_row(states, at, state)
    return stacked


@jax.jit
def select_states(where: Array, new: TrainState, old: TrainState) -> TrainState:
    """Return ``new`` in the slots where ``where`` (slots,) is true, ``old`` in the others."""

    def choose(new_leaf: Array, old_leaf: Array) -> Array:
        return jnp.where(where.reshape(-1, *[1] * (new_leaf.ndim - 1)), new_leaf, old_leaf)

    stacked: TrainState = jax.tree.map(choose, new, old)
    return stacked


@jax.jit
def take_slots(tree: Any, at: Array) -> Any:
    """Return the rows of slots ``at`` of every array; see ``take_rows``."""
    return take_rows(tree, at)


@jax.jit
def put_slots(tree: Any, places: Sequence[Array], parts: Sequence[Any]) -> Any:
    """Return the arrays with the rows of each part in its slots; see ``put_rows``."""
    for at, part in zip(places, parts, strict=True):
        tree = put_rows(tree, at, part)
    return tree


@jax.jit
def _at(states: TrainState, at: Array) -> TrainState:
    taken: TrainState = take_row(states, at)
    return taken
