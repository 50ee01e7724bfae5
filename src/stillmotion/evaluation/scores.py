"""Scores from confusion counts.

Every function takes counts (…, C, C), true class by predicted class, and works along the last two axes, so tables of
many people, seeds or resamples are scored in one call. A quotient without anything below the line is 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
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


def precision_per_class(counts: ArrayLike) -> Floats:
    """Share of each class's predictions that are right, 0 where it was never predicted; (…, C, C) gives (…, C)."""
    table = np.asarray(counts, np.float64)
    return _share(_hits(table), table.sum(-2))


def recall_per_class(counts: ArrayLike) -> Floats:
    """Share of each class's samples that are found, 0 where it has none; (…, C, C) gives (…, C)."""
    table = np.asarray(counts, np.float64)
    return _share(_hits(table), table.sum(-1))


def f1_per_class(counts: ArrayLike) -> Floats:
    """F1 of each class, 0 where a class was neither there nor predicted; (…, C, C) gives (…, C)."""
    table = np.asarray(counts, np.float64)
    return _share(2 * _hits(table), table.sum(-1) + table.sum(-2))


def macro_f1(counts: ArrayLike, *, absent: Absent = "zero") -> Floats:
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


def weighted_f1(counts: ArrayLike) -> Floats:
    """Mean of the classes' F1, each weighing as many as its true samples, so an absent class nothing."""
    support = np.asarray(counts, np.float64).sum(-1)
    return _share((f1_per_class(counts) * support).sum(-1), support.sum(-1))


def accuracy(counts: ArrayLike) -> Floats:
    """Share of samples on the diagonal; (…, C, C) gives (…), 0 for no sample at all."""
    table = np.asarray(counts, np.float64)
    return np.asarray(np.trace(table, axis1=-2, axis2=-1) / np.maximum(table.sum((-2, -1)), 1))


def balanced_accuracy(counts: ArrayLike) -> Floats:
    """Mean recall of the classes that have a true sample; an absent class has no recall and is left out."""
    there = np.asarray(counts).sum(-1) > 0
    return np.asarray((recall_per_class(counts) * there).sum(-1) / np.maximum(there.sum(-1), 1))


def cohen_kappa(counts: ArrayLike) -> Floats:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960); 0 where chance alone agrees always."""
    table = np.asarray(counts, np.float64)
    total = table.sum((-2, -1))
    by_chance = _share((table.sum(-1) * table.sum(-2)).sum(-1), total**2)
    return _share(accuracy(table) - by_chance, 1 - by_chance)


def _hits(table: Floats) -> Floats:
    return np.diagonal(table, axis1=-2, axis2=-1)


def _share(part: Floats, whole: Floats) -> Floats:
    part, whole = np.asarray(part), np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0))
