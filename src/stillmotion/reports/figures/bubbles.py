"""Macro-F1 against FLOPs, each network as a bubble whose area shows its parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...formatting import format_amount, format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, INK, colours
from ..published import published_for

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Sheet

Row = dict[str, Value]
#: Colours of published variants that this study lacks.
OTHERS = {"mm": COLOURS["teacher-1"][0], "om": COLOURS["teacher-0"][0]}


def bubbles(evidence: Evidence) -> list[Figure]:
    """Draw one figure with a panel for each data set; none before there are scores."""
    ours: list[Row] = [
        _row(
            evidence.results.data,
            "here",
            row.variant,
            row.macro_f1.score,
            row.parameters or 0,
            evidence.costs[row.variant].flops_convolutions,
        )
        for row in evidence.networks
        if row.macro_f1
    ]
    if not ours:
        return []
    panels = [(f"{evidence.results.data}, {evidence.results.protocol} (here)", ours)]
    if evidence.published:
        for tables in published_for(evidence.results.data):
            rows = [
                _row(tables.title, "published", row.variant, row.f1 / 100, row.params, round(1000 * row.kflops))
                for row in tables.rows
            ]
            panels.append((f"{tables.title} (published, leaky)", rows))
    shades = {**OTHERS, **colours(evidence.rows)}
    rows = [row for _, each in panels for row in each]
    # Networks without convolutions have 0, which a log scale cannot show.
    floor = min((float(row["flops_convolutions"] or 0) for row in rows if row["flops_convolutions"]), default=1.0)

    def draw(sheet: Sheet, mark: Marks) -> None:
        named: dict[str, Artist] = {}
        for panel, (title, each) in zip(sheet.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
            bare(panel, grid="both")
            panel.set_title(title)
            panel.set_xscale("log")
            most = max(float(row["params"] or 1) for row in each)
            # Large bubbles first, so that small ones stay visible.
            for row in sorted(each, key=lambda row: -float(row["params"] or 1)):
                name = str(row["variant"])
                size = 8 + 34 * math.sqrt(float(row["params"] or 1) / most)
                x, y = max(floor, float(row["flops_convolutions"] or 0)), 100 * float(row["f1"] or 0)
                colour = shades.get(name, INK)
                (bubble,) = panel.plot(x, y, "o", color=colour, markersize=size, alpha=0.55, markeredgecolor=INK)
                bubble.set_markeredgewidth(0.6)
                costs = f"{format_amount(x)}FLOPs, {format_amount(float(row['params'] or 0))} parameters"
                tip = f"{name}: macro-F1 {format_percent(y / 100)} %, {costs}"
                mark(bubble, name if row["source"] == "here" else "", f"{tip} ({row['source']})")
                named.setdefault(name, _dot(colour))
            panel.margins(x=0.12, y=0.18)
            panel.set_ylabel("macro-F1, percent")
        panel.set_xlabel("FLOPs of convolutions a window")
        order = sorted(named, key=list(shades).index) if set(named) <= set(shades) else list(named)
        sheet.legend([named[name] for name in order], order, loc="outside lower center", ncols=2)

    scores = "; ".join(f"{row['variant']} ({row['set']}) {format_percent(float(row['f1'] or 0))} %" for row in rows)
    return [
        Figure(
            "bubbles",
            "Macro-F1 against FLOPs; bubble area shows parameters",
            f"F1: {scores}.",
            rows,
            draw,
            (5.0, 0.6 + 2.6 * len(panels) + 0.11 * len({row["variant"] for row in rows})),
            "Areas are comparable within a panel. FLOPs count convolutions only, as in the published results.",
        )
    ]


def _row(where: str, source: str, name: str, f1: float, params: int, flops: int) -> Row:
    return {
        "set": where,
        "source": source,
        "variant": name,
        "f1": f1,
        "params": params,
        "flops_convolutions": flops,
    }


def _dot(colour: str) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker="o", linestyle="", alpha=0.7, markersize=8)
