"""The same variants under two protocols: how much one of them flatters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...studies.protocol_gap import INTERVAL
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import MARKERS, PAPER, colours
from ..wording import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def protocols(evidence: Evidence) -> list[Figure]:
    """One figure; none where no other study stands beside this one."""
    found = evidence.beside
    if found is None:
        return []
    shades = colours(evidence.lines)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        for number, row in enumerate(found.rows):
            ends, colour = [100 * row.score, 100 * row.other], shades[row.variant]
            tip = f"{row.variant}: {ends[0]:.1f} % under {found.protocol}, {ends[1]:.1f} % under {found.other_protocol}"
            (line,) = panel.plot(ends, [number, number], color=colour, linewidth=2.5, alpha=0.45)
            mark(line, row.variant, tip)
            for value, fill in zip(ends, (colour, PAPER), strict=True):
                (point,) = panel.plot(value, number, MARKERS[row.role], color=colour, markersize=8)
                point.set(markerfacecolor=fill, markeredgewidth=1.8)
                mark(point, row.variant, tip)
        panel.set_yticks(range(len(found.rows)), [row.variant for row in found.rows])
        panel.set_ylim(len(found.rows) - 0.5, -0.5)
        panel.set_xlabel(f"macro-F1, percent; filled: {found.protocol}, open: {found.other_protocol}")

    said = "; ".join(f"{row.variant} {interval(row.difference, sign='+')}" for row in found.rows)
    return [
        Figure(
            "protocols",
            f"{found.other_protocol} beside {found.protocol}: macro-F1 of the same {found.subjects} subjects",
            f"Two points a variant. Points gained under {found.other_protocol}: {said}.",
            [
                {
                    "variant": row.variant,
                    "role": row.role,
                    "f1": row.score,
                    "f1_other": row.other,
                    "difference": row.difference.score,
                    "low": row.difference.low,
                    "high": row.difference.high,
                }
                for row in found.rows
            ],
            draw,
            (5.0, 1.1 + 0.36 * len(found.rows)),
            f"{INTERVAL[0].upper()}{INTERVAL[1:]}.",
        )
    ]
