"""Macro-F1 with its interval against FLOPs, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..advice import pareto_front
from ..evidence import Evidence, Line
from ..figure import Figure, Marks, bare
from ..palette import MARKERS, PAPER, colours
from ..wording import amount, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet


def pareto(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none before there are scores."""
    lines = [line for line in evidence.scored if line.cost is not None]
    if not lines:
        return []
    best = pareto_front(lines)
    shades = colours(evidence.lines)

    students = [line for line in lines if line.role != "teacher"]
    teachers = [line for line in lines if line.role == "teacher"]
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
        f"{line.name} {interval(line.f1)} % at {amount(line.cost.flops)}FLOPs" for line in best if line.cost
    )
    return [
        Figure(
            "pareto",
            f"Macro-F1 of {evidence.subjects} against FLOPs",
            f"Points for {len(lines)} students and teachers with 95 % intervals. Pareto front: {front}.",
            [
                {
                    "variant": line.name,
                    "role": line.role,
                    "flops": line.cost.flops if line.cost else None,
                    "params": line.cost.params if line.cost else None,
                    "f1": line.f1.score if line.f1 else None,
                    "f1_low": line.f1.low if line.f1 else None,
                    "f1_high": line.f1.high if line.f1 else None,
                    "on_front": int(line in best),
                }
                for line in lines
            ],
            draw,
            (5.0, 3.6 + 0.1 * len(lines)),
            "Filled: on the Pareto front. The front ignores uncertainty; the verdicts say whether a "
            "difference was shown.",
        )
    ]


def _points(panel: Axes, group: list[Line], best: list[Line], shades: Mapping[str, str], mark: Marks) -> None:
    """Draw lines by cost, cheapest first; lines of equal cost side by side."""
    costs = sorted({line.cost.flops for line in group if line.cost})
    place, ticks = 0.0, []
    for flops in costs:
        equal = [line for line in group if line.cost and line.cost.flops == flops]
        ticks.append(place + (len(equal) - 1) / 2)
        for line in equal:
            if line.f1 is None:
                continue
            colour, tip = shades[line.name], f"{line.name}: macro-F1 {interval(line.f1)} %, {amount(flops)}FLOPs"
            if line.f1.low is not None and line.f1.high is not None:
                ends = [100 * line.f1.low, 100 * line.f1.high]
                (bar,) = panel.plot([place, place], ends, color=colour, linewidth=2.5, alpha=0.45, zorder=2)
                mark(bar, line.name, tip)
            fill = colour if line in best else PAPER
            (point,) = panel.plot(
                place, 100 * line.f1.score, MARKERS[line.role], color=colour, label=line.name, zorder=3
            )
            point.set(markersize=8, markerfacecolor=fill, markeredgewidth=1.8)
            mark(point, line.name, tip)
            place += 1
        place += 0.8
    panel.set_xticks(ticks, [amount(flops) for flops in costs])
    panel.set_xlim(-0.8, place - 1)
