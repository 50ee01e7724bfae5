"""Count confusion matrices of subjects from predictions, and add up those of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation import ConfusionMatrices
from .index import Rows, WindowIndex
from .store import Logits

Counts = NDArray[np.int64]


def count_subjects(index: WindowIndex, rows: Rows, logits: Logits) -> Counts:
    """Count confusion matrices (P, C, C) of all subjects from the logits (n, C) of some windows.

    Logits that are not finite are never the highest.
    """
    return count_labels(index, rows, np.where(np.isfinite(logits), logits, -np.inf).argmax(1))


def count_labels(index: WindowIndex, rows: Rows, predicted: NDArray[np.int64]) -> Counts:
    """Count confusion matrices (P, C, C) of all subjects from the predicted classes (n,) of some windows."""
    shape = (len(index.subjects), index.classes, index.classes)
    cells = np.ravel_multi_index((index.subject_codes[rows], index.labels[rows], predicted), shape)
    return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)


def any_known(values: Sequence[Counts | None]) -> bool:
    """Return whether any confusion matrix is known."""
    return any(value is not None for value in values)


def pool_folds(
    index: WindowIndex,
    columns: Mapping[str, Sequence[Sequence[Counts | None]]],
    split: str,
    seeds: int,
    *,
    folds: Sequence[int] | None = None,
) -> ConfusionMatrices:
    """Add up the confusion matrices of folds.

    Args:
        index: the windows.
        columns: matrices (P, C, C) by name, fold and seed; None where a run has none.
        split: whose subjects are kept.
        seeds: number of seeds.
        folds: numbers of the folds; all by default.
    """
    numbers = range(len(index.folds)) if folds is None else folds
    tested: dict[str, list[str]] = {}
    for number in numbers:
        for subject in index.folds[number].subjects(split):
            tested.setdefault(subject, []).append(str(number))
    at = [index.subjects.index(subject) for subject in tested]
    table = np.zeros((len(columns), seeds, len(at), index.classes, index.classes), np.int64)
    for row, by_fold in zip(table, columns.values(), strict=True):
        for by_seed in by_fold:
            for cells, counts in zip(row, by_seed, strict=False):
                if counts is not None:
                    cells += counts[at]
    return ConfusionMatrices(
        variants=tuple(columns),
        seeds=tuple(range(seeds)),
        subjects=tuple(tested),
        folds=tuple(" + ".join(each) for each in tested.values()),
        classes=index.spec.classes,
        counts=table,
    )
