"""Macro-F1 with its interval against what a window costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..advice import front
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import MARKERS, QUIET, colours
from ..wording import amount, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def pareto(evidence: Evidence) -> list[Figure]:
    """One figure; none where nothing has a score."""
    lines = [line for line in evidence.scored if line.cost is not None]
    if not lines:
        return []
    best = front(lines)
    shades = colours(evidence.lines)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="both")
        steps = [(line.cost.flops, 100 * line.f1.score) for line in best if line.cost and line.f1]
        if len(steps) > 1:
            panel.step(*zip(*steps, strict=True), where="post", color=QUIET, linewidth=1, linestyle=":", zorder=1)
        seen: dict[int, int] = {}
        for line in lines:
            if line.cost is None or line.f1 is None:
                continue
            # Those that cost the same stand beside each other, or their intervals would hide each other.
            place = seen.get(line.cost.flops, 0)
            seen[line.cost.flops] = place + 1
            x, y = line.cost.flops * 1.12**place, 100 * line.f1.score
            tip = f"{line.name}: macro-F1 {interval(line.f1)} %, {amount(line.cost.flops)}FLOPs"
            if line.f1.low is not None and line.f1.high is not None:
                ends = [100 * line.f1.low, 100 * line.f1.high]
                (bar,) = panel.plot([x, x], ends, color=shades[line.name], linewidth=2, alpha=0.45, zorder=2)
                mark(bar, line.name, tip)
            (point,) = panel.plot(
                x, y, MARKERS[line.role], color=shades[line.name], markersize=8, zorder=3, label=line.name
            )
            mark(point, line.name, tip)
        panel.set_xscale("log")
        panel.set_xlabel("FLOPs a window (equal costs are drawn side by side)")
        panel.set_ylabel("macro-F1, percent")
        sheet.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=1.2)

    said = "; ".join(
        f"{line.name} {interval(line.f1)} % at {amount(line.cost.flops)}FLOPs" for line in best if line.cost
    )
    return [
        Figure(
            "pareto",
            f"Macro-F1 of {evidence.people} against FLOPs",
            f"Points for {len(lines)} students and teachers with 95 % intervals. "
            f"Nothing cheaper scores as high as: {said}.",
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
            "Dotted: the front; whoever lies below it is beaten by something that costs no more.",
        )
    ]
