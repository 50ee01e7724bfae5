"""Macro-F1 of each subject and variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...evaluation import rows_by_subject
from ...formatting import format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks
from ..heat import heat

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def subjects(evidence: Evidence) -> list[Figure]:
    """Draw one figure, a row for each subject (lowest score of the reference first); none before there are scores."""
    if evidence.confusion is None:
        return []
    rows = rows_by_subject(evidence.confusion)
    variants = list(dict.fromkeys(str(row["variant"]) for row in rows))
    scores = {(str(row["subject"]), str(row["variant"])): float(row["macro_f1"]) for row in rows}
    windows = {str(row["subject"]): int(row["windows"]) for row in rows}
    base = evidence.results.reference if evidence.results.reference in variants else variants[0]
    names = sorted(windows, key=lambda name: scores.get((name, base), 0.0))
    table = np.array([[scores.get((name, variant), np.nan) for variant in variants] for name in names])

    def draw(sheet: Sheet, mark: Marks) -> None:
        tips = [
            [
                f"{name}, {variant}: {format_percent(table[r, c])} % of {windows[name]} windows"
                for c, variant in enumerate(variants)
            ]
            for r, name in enumerate(names)
        ]
        low = float(np.floor(10 * np.nanmin(table)) / 10)
        heat(sheet.subplots(), table, names, variants, mark, tips=tips, variants=variants, low=low)

    worst, best = names[0], names[-1]
    return [
        Figure(
            "subjects",
            "Macro-F1 of each subject, percent",
            f"Rows are subjects, columns variants. With {base}: lowest {worst} "
            f"({format_percent(scores.get((worst, base), 0))} %), highest {best} "
            f"({format_percent(scores.get((best, base), 0))} %).",
            rows,
            draw,
            (5.0, 1.5 + 0.27 * len(names)),
            "Over the classes of each subject, mean over seeds; not comparable with pooled scores.",
        )
    ]
