"""Differences to the reference with confidence intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..evidence import Evidence, Line
from ..figure import Figure, Marks, bare
from ..palette import INK, MARKERS, QUIET, colours
from ..wording import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def differences(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none if there is nothing to compare."""
    lines = [line for line in evidence.students if line.comparison]
    if not lines or evidence.compared is None:
        return []
    shades = colours(evidence.lines)
    margin = 100 * (lines[0].comparison.margin if lines[0].comparison else 0)
    reference = evidence.compared.against
    shown = _within(lines)
    far = [line for line in lines if line not in shown]

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        panel.axvline(0, color=INK, linewidth=1)
        panel.axvline(-margin, color=QUIET, linewidth=1, linestyle=":")
        for number, line in enumerate(shown):
            if line.comparison is None:
                continue
            gap = line.comparison.difference
            tip = f"{line.name} − {reference}: {interval(gap, sign='+')} points, {line.comparison.verdict}"
            if gap.low is not None and gap.high is not None:
                (bar,) = panel.plot(
                    [100 * gap.low, 100 * gap.high],
                    [number] * 2,
                    color=shades[line.name],
                    linewidth=4,
                    alpha=0.5,
                    solid_capstyle="round",
                )
                mark(bar, line.name, tip)
            (point,) = panel.plot(100 * gap.score, number, MARKERS[line.role], color=shades[line.name], markersize=8)
            mark(point, line.name, tip)
        panel.set_yticks(range(len(shown)), [line.name for line in shown])
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.set_xlabel(f"macro-F1 minus {reference}'s, points")

    gains = "; ".join(
        f"{line.name} {interval(line.comparison.difference, sign='+')}, {line.comparison.verdict}"
        for line in lines
        if line.comparison
    )
    return [
        Figure(
            "differences",
            f"Difference to {reference}, {evidence.subjects}",
            f"Points with 95 % intervals over subjects and seeds: {gains}.",
            [
                {
                    "variant": line.name,
                    "role": line.role,
                    "difference": line.comparison.difference.score,
                    "low": line.comparison.difference.low,
                    "high": line.comparison.difference.high,
                    "p": line.comparison.flips.p if line.comparison.flips else None,
                    "p_adjusted": line.comparison.p_adjusted,
                    "p_folds": line.comparison.folds_t.p if line.comparison.folds_t else None,
                    "effect": line.comparison.effect,
                    "subjects_gaining": line.comparison.gaining,
                    "verdict": line.comparison.verdict,
                }
                for line in lines
                if line.comparison
            ],
            draw,
            (5.0, 1.1 + 0.36 * len(shown)),
            f"An interval that includes 0 shows no gain. Dotted: non-inferiority margin of {margin:g} point."
            + (f" Outside this scale: {', '.join(_far(line) for line in far)}." if far else ""),
        )
    ]


def _within(lines: list[Line]) -> list[Line]:
    """Drop baselines that lie more than three times as far out as all variants: they would compress the scale."""
    ends = [
        abs(end)
        for line in lines
        if line.comparison and line.role != "baseline"
        for end in (line.comparison.difference.score, line.comparison.difference.low, line.comparison.difference.high)
        if end is not None
    ]
    most = 3 * max(ends, default=1.0)
    return [
        line
        for line in lines
        if line.role != "baseline" or (line.comparison and abs(line.comparison.difference.score) <= most)
    ]


def _far(line: Line) -> str:
    return f"{line.name} {interval(line.comparison.difference, sign='+')} points" if line.comparison else line.name
