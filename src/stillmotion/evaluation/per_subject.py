"""Scores as rows of a table: one per subject, or one per class."""

from __future__ import annotations

import numpy as np

from .confusion import ConfusionMatrices
from .metrics import (
    Floats,
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    f1_per_class,
    macro_f1,
    precision_per_class,
    recall_per_class,
    weighted_f1,
)

Row = dict[str, str | int | float]


def rows_by_subject(matrices: ConfusionMatrices) -> list[Row]:
    """Score each variant on each subject, averaged over the seeds that tested them.

    A subject may lack classes: its macro-F1 is over the classes it has (``absent="skip"``), so it is not comparable
    with a pooled one, and with one window of a class it is mostly chance.

    Args:
        matrices: confusion matrices.

    Returns:
        One row per variant and subject.

    Example:
        >>> from stillmotion.evaluation import Predictions, rows_by_subject, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> [(row["subject"], row["accuracy"]) for row in rows_by_subject(count_confusion([predictions]))]
        [('ann', 1.0), ('bob', 0.5)]
    """
    rows: list[Row] = []
    tested = matrices.tested
    for v, variant in enumerate(matrices.variants):
        for p in np.flatnonzero(np.any(tested[v], axis=0)):
            runs = matrices.counts[v, tested[v, :, p], p]
            rows.append(
                {
                    "variant": variant,
                    "subject": matrices.subjects[p],
                    "fold": matrices.folds[p],
                    "windows": round(float(runs.sum((-2, -1)).mean())),
                    "macro_f1": float(macro_f1(runs, absent="skip").mean()),
                    "weighted_f1": float(weighted_f1(runs).mean()),
                    "accuracy": float(accuracy(runs).mean()),
                    "balanced_accuracy": float(balanced_accuracy(runs).mean()),
                    "kappa": float(cohen_kappa(runs).mean()),
                }
            )
    return rows


def rows_by_class(matrices: ConfusionMatrices) -> list[Row]:
    """Score each variant on each class, pooled over subjects, averaged over seeds: precision, recall and F1.

    A class that no subject has gets 0 windows and scores of 0.

    Args:
        matrices: confusion matrices.

    Returns:
        One row per variant and class.

    Example:
        >>> from stillmotion.evaluation import Predictions, rows_by_class, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> [(row["class"], row["recall"]) for row in rows_by_class(count_confusion([predictions]))]
        [('0', 0.5), ('1', 1.0)]
    """
    rows: list[Row] = []
    for variant in matrices.variants:
        tested, _ = matrices.basis(variant)
        pooled = tested.counts[0].sum(1)  # (S, C, C)
        by_class: list[Floats] = [
            np.asarray(score(pooled)).mean(0) for score in (precision_per_class, recall_per_class, f1_per_class)
        ]
        for c, name in enumerate(matrices.classes):
            precision, recall, f1 = (float(values[c]) for values in by_class)
            rows.append(
                {
                    "variant": variant,
                    "class": name,
                    "windows": round(float(pooled[:, c].sum(-1).mean())),
                    "subjects": int(np.count_nonzero(np.any(tested.counts[0, :, :, c] > 0, axis=(0, 2)))),
                    "precision": precision,
                    "recall": recall,
                    "f1": f1,
                }
            )
    return rows
