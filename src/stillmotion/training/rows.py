"""Rows of many arrays at once, inside compiled programs."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

Array = Any


def take_row(tree: Any, at: Array) -> Any:
    """Return row ``at``, which must be there, of every array.

    An index in brackets may be negative, and an update by one is a scatter: both for each array of a fleet took a
    quarter of the time that its programs are traced.
    """
    take = partial(jax.lax.dynamic_index_in_dim, keepdims=False, allow_negative_indices=False)
    return jax.tree.map(lambda leaves: take(leaves, at), tree)


def put_row(tree: Any, at: Array, row: Any) -> Any:
    """Return the arrays with ``row`` in place of their row ``at``, which must be there."""
    put = partial(jax.lax.dynamic_update_index_in_dim, axis=0, allow_negative_indices=False)
    return jax.tree.map(lambda leaves, leaf: put(leaves, leaf, index=at), tree, row)


def take_rows(tree: Any, at: Array) -> Any:
    """Return the rows ``at`` of every array; a row that is not there is the last one."""
    return jax.tree.map(lambda leaves: leaves.at[at].get(mode="clip"), tree)


def put_rows(tree: Any, at: Array, rows: Any) -> Any:
    """Return the arrays with ``rows`` in place of their rows ``at``; rows for places that are not there are dropped."""
    return jax.tree.map(lambda leaves, leaf: leaves.at[at].set(leaf, mode="drop"), tree, rows)
