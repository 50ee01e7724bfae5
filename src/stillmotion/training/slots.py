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

from .rows import put_row, take_row
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
def take_rows(tree: Any, at: Array) -> Any:
    """Return the rows ``at`` of every array; a row that is not there is the last one."""
    return jax.tree.map(lambda leaves: leaves.at[at].get(mode="clip"), tree)


@jax.jit
def put_rows(tree: Any, places: Sequence[Array], parts: Sequence[Any]) -> Any:
    """Return the arrays with each part's rows at its places; rows for places that are not there are dropped."""
    for at, part in zip(places, parts, strict=True):
        tree = jax.tree.map(lambda leaves, rows, at=at: leaves.at[at].set(rows, mode="drop"), tree, part)
    return tree


@jax.jit
def _at(states: TrainState, at: Array) -> TrainState:
    taken: TrainState = take_row(states, at)
    return taken
