"""Scores from confusion matrices.

Every function takes confusion matrices (…, C, C), true class by predicted class, and works along the last two axes, so
matrices of many subjects, seeds or resamples are scored in one call. Division by 0 gives 0.
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
        classes: number of classes.

    Returns:
        (C, C) counts.

    Raises:
        UserError: the lists differ in length, or a class is out of range.

    Example:
        >>> from stillmotion.evaluation import confusion_matrix
        >>> confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], classes=2)
        array([[1, 1],
               [1, 2]])
    """
    true, predicted = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise UserError(f"Labels {true.shape} and predictions {predicted.shape} must be two lists of equal length.")
    for what, values in (("label", true), ("prediction", predicted)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise UserError(f"Expected every {what} in 0 … {classes - 1}, not {values.min()} … {values.max()}.")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def precision_per_class(counts: ArrayLike) -> Floats:
    """Compute the precision of each class, 0 if it was never predicted.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per class: (…, C).

    Example:
        >>> from stillmotion.evaluation import precision_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> precision_per_class(counts).round(3)
        array([0.727, 0.778])
    """
    matrices = np.asarray(counts, np.float64)
    return _ratio(_hits(matrices), matrices.sum(-2))


def recall_per_class(counts: ArrayLike) -> Floats:
    """Compute the recall of each class, 0 if it has no sample.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per class: (…, C).

    Example:
        >>> from stillmotion.evaluation import recall_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> recall_per_class(counts)
        array([0.8, 0.7])
    """
    matrices = np.asarray(counts, np.float64)
    return _ratio(_hits(matrices), matrices.sum(-1))


def f1_per_class(counts: ArrayLike) -> Floats:
    """Compute the F1 of each class, 0 if it has no sample and was never predicted.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per class: (…, C).

    Example:
        >>> from stillmotion.evaluation import f1_per_class
        >>> counts = [[8, 2], [3, 7]]
        >>> f1_per_class(counts).round(3)
        array([0.762, 0.737])
    """
    matrices = np.asarray(counts, np.float64)
    return _ratio(2 * _hits(matrices), matrices.sum(-1) + matrices.sum(-2))


def macro_f1(counts: ArrayLike, *, absent: Absent = "zero") -> Floats:
    """Compute macro-F1, the mean F1 of the classes.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.
        absent: a class without a true sample counts 0 (``zero``, as in benchmarks over fixed classes), or is left
            out of the mean (``skip``).

    Returns:
        One value per matrix: (…).

    Example:
        >>> from stillmotion.evaluation import macro_f1
        >>> counts = [[8, 2], [3, 7]]
        >>> round(float(macro_f1(counts)), 3)
        0.749
    """
    scores = f1_per_class(counts)
    if absent == "zero":
        return np.asarray(scores.mean(-1))
    present = np.asarray(counts).sum(-1) > 0
    return np.asarray((scores * present).sum(-1) / np.maximum(present.sum(-1), 1))


def weighted_f1(counts: ArrayLike) -> Floats:
    """Compute weighted F1, the mean F1 of the classes weighted by their true samples.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per matrix: (…).

    Example:
        >>> from stillmotion.evaluation import weighted_f1
        >>> counts = [[8, 2], [3, 7]]
        >>> round(float(weighted_f1(counts)), 3)
        0.749
    """
    support = np.asarray(counts, np.float64).sum(-1)
    return _ratio((f1_per_class(counts) * support).sum(-1), support.sum(-1))


def accuracy(counts: ArrayLike) -> Floats:
    """Compute the accuracy, 0 without any sample.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per matrix: (…).

    Example:
        >>> from stillmotion.evaluation import accuracy
        >>> counts = [[8, 2], [3, 7]]
        >>> float(accuracy(counts))
        0.75
    """
    matrices = np.asarray(counts, np.float64)
    return np.asarray(np.trace(matrices, axis1=-2, axis2=-1) / np.maximum(matrices.sum((-2, -1)), 1))


def balanced_accuracy(counts: ArrayLike) -> Floats:
    """Compute balanced accuracy, the mean recall of the classes that have a true sample.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per matrix: (…).

    Example:
        >>> from stillmotion.evaluation import balanced_accuracy
        >>> counts = [[8, 2], [3, 7]]
        >>> float(balanced_accuracy(counts))
        0.75
    """
    present = np.asarray(counts).sum(-1) > 0
    return np.asarray((recall_per_class(counts) * present).sum(-1) / np.maximum(present.sum(-1), 1))


def cohen_kappa(counts: ArrayLike) -> Floats:
    """Compute Cohen's kappa, (p_o - p_e) / (1 - p_e) (Cohen 1960); 0 if p_e is 1.

    Args:
        counts: (…, C, C) confusion matrices, true class by predicted class.

    Returns:
        One value per matrix: (…).

    Example:
        >>> from stillmotion.evaluation import cohen_kappa
        >>> counts = [[8, 2], [3, 7]]
        >>> float(cohen_kappa(counts))
        0.5
    """
    matrices = np.asarray(counts, np.float64)
    total = matrices.sum((-2, -1))
    by_chance = _ratio((matrices.sum(-1) * matrices.sum(-2)).sum(-1), total**2)
    return _ratio(accuracy(matrices) - by_chance, 1 - by_chance)


def _hits(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _ratio(part: Floats, whole: Floats) -> Floats:
    part, whole = np.asarray(part), np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part, np.float64), where=whole > 0))
