"""Scores of the same variants under two protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_gain, format_percent
from ...studies.protocol_gap import INTERVAL
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import MARKERS, PAPER, colours
from ..protocols import protocols_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def protocols(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none without a second study."""
    gap = evidence.beside
    if gap is None:
        return []
    shades = colours(evidence.rows)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        for number, row in enumerate(gap.rows):
            ends, colour = [100 * row.score, 100 * row.other], shades[row.variant]
            own, other = format_percent(row.score), format_percent(row.other)
            tip = f"{row.variant}: {own} % under {gap.protocol}, {other} % under {gap.other_protocol}"
            (line,) = panel.plot(ends, [number, number], color=colour, linewidth=2.5, alpha=0.45)
            mark(line, row.variant, tip)
            for value, fill in zip(ends, (colour, PAPER), strict=True):
                (point,) = panel.plot(value, number, MARKERS[row.kind], color=colour, markersize=8)
                point.set(markerfacecolor=fill, markeredgewidth=1.8)
                mark(point, row.variant, tip)
        panel.set_yticks(range(len(gap.rows)), [row.variant for row in gap.rows])
        panel.set_ylim(len(gap.rows) - 0.5, -0.5)
        panel.set_xlabel(f"macro-F1, percent; filled: {gap.protocol}, open: {gap.other_protocol}")

    gains = "; ".join(f"{row.variant} {format_gain(row.difference)}" for row in gap.rows)
    return [
        Figure(
            "protocols",
            f"{gap.other_protocol} compared with {gap.protocol}: macro-F1 of the same {gap.subjects} subjects",
            f"Two points for each variant. Difference of {gap.other_protocol} in points: {gains}.",
            protocols_table(gap).records(),
            draw,
            (5.0, 1.1 + 0.36 * len(gap.rows)),
            f"{INTERVAL[0].upper()}{INTERVAL[1:]}.",
        )
    ]
