"""Scores as rows of a table: a row a subject, a row a class."""

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


def rows_by_subject(tally: ConfusionMatrices) -> list[Row]:
    """Score each variant on each subject, averaged over the seeds that tested them.

    A subject may lack classes: his macro-F1 is over those that he has (``absent="skip"``), so it is not comparable
    with a pooled one, and with one window of a class it is mostly luck.

    Args:
        tally: counts.

    Returns:
        A row for every variant and subject.

    Example:
        >>> from stillmotion.evaluation import Predictions, rows_by_subject, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> [(row["subject"], row["accuracy"]) for row in rows_by_subject(count_confusion([predictions]))]
        [('ann', 1.0), ('bob', 0.5)]
    """
    rows: list[Row] = []
    tested = tally.tested
    for v, variant in enumerate(tally.variants):
        for p in np.flatnonzero(np.any(tested[v], axis=0)):
            tables = tally.counts[v, tested[v, :, p], p]
            rows.append(
                {
                    "variant": variant,
                    "subject": tally.subjects[p],
                    "fold": tally.folds[p],
                    "windows": round(float(tables.sum((-2, -1)).mean())),
                    "macro_f1": float(macro_f1(tables, absent="skip").mean()),
                    "weighted_f1": float(weighted_f1(tables).mean()),
                    "accuracy": float(accuracy(tables).mean()),
                    "balanced_accuracy": float(balanced_accuracy(tables).mean()),
                    "kappa": float(cohen_kappa(tables).mean()),
                }
            )
    return rows


def rows_by_class(tally: ConfusionMatrices) -> list[Row]:
    """Score each variant on each class, pooled over subjects, averaged over seeds: precision, recall and F1.

    A class that nobody has stands with 0 windows and scores of 0.

    Args:
        tally: counts.

    Returns:
        A row for every variant and class.

    Example:
        >>> from stillmotion.evaluation import Predictions, rows_by_class, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> [(row["class"], row["recall"]) for row in rows_by_class(count_confusion([predictions]))]
        [('0', 0.5), ('1', 1.0)]
    """
    rows: list[Row] = []
    for variant in tally.variants:
        own, _ = tally.basis(variant)
        pooled = own.counts[0].sum(1)  # (S, C, C)
        by_class: list[Floats] = [
            np.asarray(score(pooled)).mean(0) for score in (precision_per_class, recall_per_class, f1_per_class)
        ]
        for c, name in enumerate(tally.classes):
            precision, recall, f1 = (float(values[c]) for values in by_class)
            rows.append(
                {
                    "variant": variant,
                    "class": name,
                    "windows": round(float(pooled[:, c].sum(-1).mean())),
                    "subjects": int(np.count_nonzero(np.any(own.counts[0, :, :, c] > 0, axis=(0, 2)))),
                    "precision": precision,
                    "recall": recall,
                    "f1": f1,
                }
            )
    return rows
