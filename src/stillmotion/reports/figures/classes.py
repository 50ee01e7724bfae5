"""F1 of each class, and the confusion matrix of the recommended model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...evaluation import rows_by_class
from ...formatting import format_percent
from ..advice import advise
from ..evidence import Evidence
from ..figure import Figure, Marks, Value
from ..heat import heat

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def classes(evidence: Evidence) -> list[Figure]:
    """Draw F1 of each class and variant; none before there are scores."""
    if evidence.confusion is None:
        return []
    rows = rows_by_class(evidence.confusion)
    variants = list(dict.fromkeys(str(row["variant"]) for row in rows))
    names = list(evidence.confusion.classes)
    scores = {(str(row["class"]), str(row["variant"])): float(row["f1"]) for row in rows}
    table = np.array([[scores[name, variant] for variant in variants] for name in names])

    def draw(sheet: Sheet, mark: Marks) -> None:
        tips = [
            [f"{name}, {variant}: F1 {format_percent(table[r, c])} %" for c, variant in enumerate(variants)]
            for r, name in enumerate(names)
        ]
        heat(sheet.subplots(), table, names, variants, mark, tips=tips, variants=variants)

    mean = table.mean(1)
    return [
        Figure(
            "classes",
            "F1 of each class, percent",
            f"Rows are classes, columns variants. Lowest on average: {names[int(mean.argmin())]} "
            f"({format_percent(mean.min())} %); highest: {names[int(mean.argmax())]} ({format_percent(mean.max())} %).",
            rows,
            draw,
            (5.0, 1.5 + 0.29 * len(names)),
            "Pooled over subjects, mean over seeds; a class without windows counts 0.",
        )
    ]


def confusion(evidence: Evidence) -> list[Figure]:
    """Draw the confusion matrix of the recommended model; none before there are scores."""
    row = advise(evidence).row
    if evidence.confusion is None or row is None or row.variant not in evidence.confusion.variants:
        return []
    matrices, name = evidence.confusion, row.variant
    pooled = np.asarray(matrices.counts[matrices.number(name)].sum((0, 1)), np.float64)
    total = pooled.sum(1, keepdims=True)
    table = np.divide(pooled, total, out=np.full_like(pooled, np.nan), where=total > 0)
    names = list(matrices.classes)

    def draw(sheet: Sheet, mark: Marks) -> None:
        tips = [
            [
                f"{true} predicted as {predicted}: {format_percent(table[r, c])} % ({pooled[r, c]:.0f} windows)"
                for c, predicted in enumerate(names)
            ]
            for r, true in enumerate(names)
        ]
        panel = sheet.subplots()
        heat(panel, table, names, names, mark, tips=tips, annotate=len(names) <= 12)
        panel.set_ylabel("true")
        panel.set_xlabel("predicted")

    wrong = np.where(np.eye(len(names), dtype=bool), -1.0, np.nan_to_num(table))
    r, c = np.unravel_index(int(wrong.argmax()), wrong.shape)
    rows: list[dict[str, Value]] = [
        {
            "true": true,
            "predicted": predicted,
            "windows": int(pooled[i, j]),
            "share": None if np.isnan(table[i, j]) else table[i, j],
        }
        for i, true in enumerate(names)
        for j, predicted in enumerate(names)
    ]
    return [
        Figure(
            "confusion",
            f"Confusion matrix of {name}, percent of each true class",
            f"Rows are true classes, columns the predictions of {name}. Most confused: {names[int(r)]} predicted as "
            f"{names[int(c)]} ({format_percent(wrong.max())} %).",
            rows,
            draw,
            (5.0, 1.8 + 0.28 * len(names)),
            "All subjects and seeds together.",
        )
    ]
