"""Macro-F1 against FLOPs, each network as a bubble whose area shows its parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...formatting import format_amount, format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import COLOURS, INK, colours
from .panels import collect_panels, number_of, own_name, own_scores, published_scores, stack_panels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Sheet

#: Colours of published variants that this study lacks.
OTHERS = {"mm": COLOURS["teacher-1"][0], "om": COLOURS["teacher-0"][0]}


def bubbles(evidence: Evidence) -> list[Figure]:
    """Draw one figure with a panel for each data set; none before there are scores."""
    own = own_scores(evidence, "reference", "variant", "control", "teacher")
    panels = collect_panels(evidence, own, lambda each: published_scores(each.rows))
    if not own:
        return []
    shades = {**OTHERS, **colours(evidence.rows)}
    rows = [row for panel in panels for row in panel.rows]
    # Networks without convolutions have 0, which a log scale cannot show.
    floor = min((number_of(row, "flops_convolutions") for row in rows if row["flops_convolutions"]), default=1.0)

    def draw(sheet: Sheet, mark: Marks) -> None:
        from matplotlib.lines import Line2D

        named: dict[str, Artist] = {}
        for axes, panel in zip(stack_panels(sheet, panels), panels, strict=True):
            bare(axes, grid="both")
            axes.set_title(panel.title)
            axes.set_xscale("log")
            most = max(number_of(row, "params") for row in panel.rows)
            # Large bubbles first, so that small ones stay visible.
            for row in sorted(panel.rows, key=lambda row: -number_of(row, "params")):
                name, params = str(row["variant"]), number_of(row, "params")
                x, score = max(floor, number_of(row, "flops_convolutions")), number_of(row, "f1")
                colour, size = shades.get(name, INK), 8 + 34 * math.sqrt(params / most)
                (bubble,) = axes.plot(
                    x, 100 * score, "o", color=colour, markersize=size, alpha=0.55, markeredgecolor=INK
                )
                bubble.set_markeredgewidth(0.6)
                costs = f"{format_amount(x)}FLOPs, {format_amount(params)} parameters"
                mark(bubble, own_name(row), f"{name}: macro-F1 {format_percent(score)} %, {costs} ({row['source']})")
                dot = Line2D([], [], color=colour, marker="o", linestyle="", alpha=0.7, markersize=8)
                named.setdefault(name, dot)
            axes.margins(x=0.12, y=0.18)
            axes.set_ylabel("macro-F1, percent")
        axes.set_xlabel("FLOPs of convolutions a window")
        order = sorted(named, key=list(shades).index) if set(named) <= set(shades) else list(named)
        sheet.legend([named[name] for name in order], order, loc="outside lower center", ncols=2)

    scores = "; ".join(f"{row['variant']} ({row['set']}) {format_percent(number_of(row, 'f1'))} %" for row in rows)
    return [
        Figure(
            "bubbles",
            "Macro-F1 against FLOPs; bubble area shows parameters",
            f"F1: {scores}.",
            [{key: value for key, value in row.items() if key != "accuracy"} for row in rows],
            draw,
            (5.0, 0.6 + 2.6 * len(panels) + 0.11 * len({row["variant"] for row in rows})),
            "Areas are comparable within a panel. FLOPs count convolutions only, as in the published results.",
        )
    ]
