"""Differences to the reference with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...evaluation import Comparison
from ...formatting import format_points
from ..compared import differences_table
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import INK, MARKERS, QUIET, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def differences(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none if there is nothing to compare."""
    compared = evidence.compared
    if compared is None or not compared.comparisons:
        return []
    kinds = {row.variant: row.kind for row in evidence.rows}
    shades = colours(evidence.rows)
    margin = 100 * compared.comparisons[0].margin
    shown = _within(compared.comparisons, kinds)
    far = [each for each in compared.comparisons if each not in shown]

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        panel.axvline(0, color=INK, linewidth=1)
        panel.axvline(-margin, color=QUIET, linewidth=1, linestyle=":")
        for number, each in enumerate(shown):
            gap, colour = each.difference, shades[each.variant]
            tip = f"{each.variant} − {each.against}: {format_points(gap)}, {each.verdict}"
            if gap.low is not None and gap.high is not None:
                ends = [100 * gap.low, 100 * gap.high]
                (bar,) = panel.plot(ends, [number] * 2, color=colour, linewidth=4, alpha=0.5, solid_capstyle="round")
                mark(bar, each.variant, tip)
            marker = MARKERS[kinds[each.variant]]
            (point,) = panel.plot(100 * gap.score, number, marker, color=colour, markersize=8)
            mark(point, each.variant, tip)
        panel.set_yticks(range(len(shown)), [each.variant for each in shown])
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.set_xlabel(f"macro-F1 minus {compared.against}'s, points")

    gains = "; ".join(f"{_describe(each)}, {each.verdict}" for each in compared.comparisons)
    return [
        Figure(
            "differences",
            f"Difference to {compared.against}, {evidence.subjects}",
            f"Points with 95 % intervals over subjects and seeds: {gains}.",
            differences_table(compared).records(),
            draw,
            (5.0, 1.1 + 0.36 * len(shown)),
            f"An interval that includes 0 shows no gain. Dotted: non-inferiority margin of {margin:g} point."
            + (f" Outside this scale: {', '.join(map(_describe, far))}." if far else ""),
        )
    ]


def _within(comparisons: Sequence[Comparison], kinds: Mapping[str, str]) -> list[Comparison]:
    """Drop baselines that lie more than three times as far out as all variants: they would compress the scale."""
    ends = [
        abs(end)
        for each in comparisons
        if kinds[each.variant] != "baseline"
        for end in (each.difference.score, each.difference.low, each.difference.high)
        if end is not None
    ]
    most = 3 * max(ends, default=1.0)
    return [each for each in comparisons if kinds[each.variant] != "baseline" or abs(each.difference.score) <= most]


def _describe(comparison: Comparison) -> str:
    return f"{comparison.variant} {format_points(comparison.difference)}"
