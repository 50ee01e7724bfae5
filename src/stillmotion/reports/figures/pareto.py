"""Macro-F1 with its interval against FLOPs, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...formatting import format_amount, format_score
from ...studies import Row
from ..advice import pareto_front
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import MARKERS, PAPER, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet


def pareto(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none before there are scores."""
    networks = evidence.networks
    if not networks:
        return []
    best = pareto_front(networks)
    shades = colours(evidence.rows)

    students = [row for row in networks if row.kind != "teacher"]
    teachers = [row for row in networks if row.kind == "teacher"]
    groups = [each for each in (students, teachers) if each]

    def draw(sheet: Sheet, mark: Marks) -> None:
        widths = [3.0, 1.4][: len(groups)]
        panels = sheet.subplots(1, len(groups), squeeze=False, sharey=True, width_ratios=widths)[0]
        for panel, group in zip(panels, groups, strict=True):
            bare(panel, grid="y")
            panel.set_title("students" if group is students else "teachers")
            _points(panel, group, best, shades, mark)
        panels[0].set_ylabel("macro-F1, percent")
        panels[0].set_xlabel("FLOPs per window (equal ones side by side)")
        sheet.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=1.2)

    front = "; ".join(
        f"{row.variant} {format_score(row.macro_f1)} at {format_amount(row.flops or 0)}FLOPs" for row in best
    )
    keys = ("variant", "kind", "flops", "parameters", "macro_f1", "low", "high")
    values = [(row, row.to_dict()) for row in networks]
    return [
        Figure(
            "pareto",
            f"Macro-F1 of {evidence.subjects} against FLOPs",
            f"Points for {len(networks)} students and teachers with 95 % intervals. Pareto front: {front}.",
            [{key: value[key] for key in keys} | {"on_front": int(row in best)} for row, value in values],
            draw,
            (5.0, 3.6 + 0.1 * len(networks)),
            "Filled: on the Pareto front. The front ignores uncertainty; the verdicts say whether a "
            "difference was shown.",
        )
    ]


def _points(panel: Axes, group: Sequence[Row], best: Sequence[Row], shades: Mapping[str, str], mark: Marks) -> None:
    """Draw rows by cost, cheapest first; rows of equal cost side by side."""
    costs = sorted({row.flops or 0 for row in group})
    place, ticks = 0.0, []
    for flops in costs:
        equal = [row for row in group if row.flops == flops]
        ticks.append(place + (len(equal) - 1) / 2)
        for row in equal:
            score, colour = row.macro_f1, shades[row.variant]
            if score is None:
                continue
            tip = f"{row.variant}: macro-F1 {format_score(score)}, {format_amount(flops)}FLOPs"
            if score.low is not None and score.high is not None:
                ends = [100 * score.low, 100 * score.high]
                (bar,) = panel.plot([place, place], ends, color=colour, linewidth=2.5, alpha=0.45, zorder=2)
                mark(bar, row.variant, tip)
            fill = colour if row in best else PAPER
            (point,) = panel.plot(
                place, 100 * score.score, MARKERS[row.kind], color=colour, label=row.variant, zorder=3
            )
            point.set(markersize=8, markerfacecolor=fill, markeredgewidth=1.8)
            mark(point, row.variant, tip)
            place += 1
        place += 0.8
    panel.set_xticks(ticks, [format_amount(flops) for flops in costs])
    panel.set_xlim(-0.8, place - 1)
