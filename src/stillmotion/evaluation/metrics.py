"""Scores from confusion counts.

Every function takes counts (…, C, C), true class by predicted class, and works along the last two axes, so tables of
many subjects, seeds or resamples are scored in one call. A quotient without anything below the line is 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Absent = Literal["zero", "skip"]


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, classes: int) -> Counts:
    """Count labels and predictions into a confusion matrix (true class, predicted class).

    Args:
        labels: (n,) true classes, 0 to ``classes`` - 1.
        predictions: (n,) predicted classes.
        classes: how many there are.

    Returns:
        (C, C) counts.

    Raises:
        UserError: the lists differ in length, or a class lies outside.

    Example:
        >>> from stillmotion.evaluation import confusion_matrix
        >>> confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], classes=2)
        array([[1, 1],
               [1, 2]])
    """
    true, predicted = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise UserError(f"Labels {true.shape} and predictions {predicted.shape} must be two lists of one length.")
    for what, values in (("label", true), ("prediction", predicted)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise UserError(f"A {what} lies outside 0 … {classes - 1}: {values.min()} … {values.max()}.")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def precision_per_class(counts: ArrayLike) -> Floats:
    """Compute the share of each class's predictions that are right, 0 where it was never predicted.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a class: (…, C).

    Example:
        >>> from stillmotion.evaluation import precision_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> precision_per_class(counts).round(3)
        array([0.727, 0.778])
    """
    table = np.asarray(counts, np.float64)
    return _share(_hits(table), table.sum(-2))


def recall_per_class(counts: ArrayLike) -> Floats:
    """Compute the share of each class's samples that are predicted, 0 where it has none.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a class: (…, C).

    Example:
        >>> from stillmotion.evaluation import recall_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> recall_per_class(counts)
        array([0.8, 0.7])
    """
    table = np.asarray(counts, np.float64)
    return _share(_hits(table), table.sum(-1))


def f1_per_class(counts: ArrayLike) -> Floats:
    """Compute the F1 of each class, 0 where a class was neither there nor predicted.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a class: (…, C).

    Example:
        >>> from stillmotion.evaluation import f1_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> f1_per_class(counts).round(3)
        array([0.762, 0.737])
    """
    table = np.asarray(counts, np.float64)
    return _share(2 * _hits(table), table.sum(-1) + table.sum(-2))


def macro_f1(counts: ArrayLike, *, absent: Absent = "zero") -> Floats:
    """Average the classes' F1; (…, C, C) gives (…).

    Args:
        counts: confusion counts, pooled over whomever the score is about.
        absent: a class without a true sample counts 0 (``zero``, as benchmarks over fixed classes do), or is left
            out of the mean (``skip``).

    Returns:
        One number a table: (…).

    Example:
        >>> from stillmotion.evaluation import macro_f1
        >>> counts = [[8, 2], [3, 7]]
        >>> round(float(macro_f1(counts)), 3)
        0.749
    """
    scores = f1_per_class(counts)
    if absent == "zero":
        return np.asarray(scores.mean(-1))
    there = np.asarray(counts).sum(-1) > 0
    return np.asarray((scores * there).sum(-1) / np.maximum(there.sum(-1), 1))


def weighted_f1(counts: ArrayLike) -> Floats:
    """Average the classes' F1, each weighing as many as its true samples, so an absent class nothing.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a table: (…).

    Example:
        >>> from stillmotion.evaluation import weighted_f1
        >>> counts = [[8, 2], [3, 7]]
        >>> round(float(weighted_f1(counts)), 3)
        0.749
    """
    support = np.asarray(counts, np.float64).sum(-1)
    return _share((f1_per_class(counts) * support).sum(-1), support.sum(-1))


def accuracy(counts: ArrayLike) -> Floats:
    """Compute the share of samples on the diagonal, 0 for no sample at all.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a table: (…).

    Example:
        >>> from stillmotion.evaluation import accuracy
        >>> counts = [[8, 2], [3, 7]]
        >>> float(accuracy(counts))
        0.75
    """
    table = np.asarray(counts, np.float64)
    return np.asarray(np.trace(table, axis1=-2, axis2=-1) / np.maximum(table.sum((-2, -1)), 1))


def balanced_accuracy(counts: ArrayLike) -> Floats:
    """Average the recall of the classes that have a true sample; an absent class has no recall and is left out.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a table: (…).

    Example:
        >>> from stillmotion.evaluation import balanced_accuracy
        >>> counts = [[8, 2], [3, 7]]
        >>> float(balanced_accuracy(counts))
        0.75
    """
    there = np.asarray(counts).sum(-1) > 0
    return np.asarray((recall_per_class(counts) * there).sum(-1) / np.maximum(there.sum(-1), 1))


def cohen_kappa(counts: ArrayLike) -> Floats:
    """Compute the agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960); 0 where chance alone agrees always.

    Args:
        counts: (…, C, C) confusion counts, true class by predicted class.

    Returns:
        One number a table: (…).

    Example:
        >>> from stillmotion.evaluation import cohen_kappa
        >>> counts = [[8, 2], [3, 7]]
        >>> float(cohen_kappa(counts))
        0.5
    """
    table = np.asarray(counts, np.float64)
    total = table.sum((-2, -1))
    by_chance = _share((table.sum(-1) * table.sum(-2)).sum(-1), total**2)
    return _share(accuracy(table) - by_chance, 1 - by_chance)


def _hits(table: Floats) -> Floats:
    return np.diagonal(table, axis1=-2, axis2=-1)


def _share(part: Floats, whole: Floats) -> Floats:
    part, whole = np.asarray(part), np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0))
