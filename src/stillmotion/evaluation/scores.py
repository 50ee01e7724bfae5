"""Scores from confusion counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Counts = NDArray[np.int64]
Absent = Literal["zero", "skip"]


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: int) -> Counts:
    """Counts (true class, predicted class).

    Args:
        labels: (n,) true classes, 0 to ``classes`` - 1.
        predictions: (n,) predicted classes.
        classes: how many there are.
    """
    true, predicted = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise UserError(f"Labels {true.shape} and predictions {predicted.shape} must be two lists of one length.")
    for what, values in (("label", true), ("prediction", predicted)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise UserError(f"A {what} lies outside 0 … {classes - 1}: {values.min()} … {values.max()}.")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def f1_per_class(counts: ArrayLike) -> NDArray[np.float64]:
    """F1 of each class, 0 where a class was neither there nor predicted; (…, C, C) gives (…, C)."""
    table = np.asarray(counts, np.float64)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    size = table.sum(-1) + table.sum(-2)
    return np.asarray(np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0))


def macro_f1(counts: ArrayLike, *, absent: Absent = "zero") -> NDArray[np.float64]:
    """Mean of the classes' F1; (…, C, C) gives (…).

    Args:
        counts: confusion counts, pooled over whomever the score is about.
        absent: a class without a true sample counts 0 (``zero``, as benchmarks over fixed classes do), or is left
            out of the mean (``skip``).
    """
    scores = f1_per_class(counts)
    if absent == "zero":
        return np.asarray(scores.mean(-1))
    there = np.asarray(counts).sum(-1) > 0
    return np.asarray((scores * there).sum(-1) / np.maximum(there.sum(-1), 1))


def accuracy(counts: ArrayLike) -> NDArray[np.float64]:
    """Share of samples on the diagonal; (…, C, C) gives (…), 0 for no sample at all."""
    table = np.asarray(counts, np.float64)
    return np.asarray(np.trace(table, axis1=-2, axis2=-1) / np.maximum(table.sum((-2, -1)), 1))
