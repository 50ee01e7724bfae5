"""Networks trained on labels alone: scores as bars, cost as lines on a log scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_amount, format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks
from ..palette import COLOURS, INK, RULE
from ..published import PROTOCOL
from .panels import Panel, collect_panels, number_of, own_name, own_scores, published_scores, stack_panels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

F1, RIGHT = COLOURS["series-1"][0], COLOURS["series-3"][0]
PARAMS, FLOPS = COLOURS["series-2"][0], COLOURS["series-4"][0]


def baselines(evidence: Evidence) -> list[Figure]:
    """Draw one figure with a panel for this study and one for each published table; none before there are scores."""
    own = own_scores(evidence, "reference", "teacher")
    panels = collect_panels(evidence, own, lambda each: published_scores(each.baselines))
    if not own:
        return []

    def draw(sheet: Sheet, mark: Marks) -> None:
        for axes, panel in zip(stack_panels(sheet, panels), panels, strict=True):
            _panel(axes, panel, mark)
        sheet.legend(*_legend(), loc="outside lower center", ncols=2)

    rows = [row for panel in panels for row in panel.rows]
    scores = "; ".join(
        f"{row['variant']} ({row['set']}) F1 {format_percent(number_of(row, 'f1'))} %, "
        f"{format_amount(number_of(row, 'params'))} parameters"
        for row in rows
    )
    return [
        Figure(
            "baselines",
            "Baselines: macro-F1 and accuracy, with parameters and FLOPs",
            f"Bars of scores, lines of cost on a log scale: {scores}.",
            rows,
            draw,
            (5.0, 0.7 + 2.3 * len(panels)),
            f"Published: {PROTOCOL}."
            if evidence.published
            else "FLOPs of the convolutions only, as counted by Agac & Incel.",
        )
    ]


def _panel(axes: Axes, panel: Panel, mark: Marks) -> None:
    axes.set_title(panel.title)
    axes.set_ylim(0, 118)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.tick_params(length=0)
    axes.set_ylabel("percent")
    names = [str(row["variant"]).replace(" with attention", "\nwith attention") for row in panel.rows]
    axes.set_xticks(range(len(names)), names)
    for number, row in enumerate(panel.rows):
        for place, key, colour in ((number - 0.18, "f1", F1), (number + 0.18, "accuracy", RIGHT)):
            if row[key] is None:
                continue
            value, shown = 100 * number_of(row, key), format_percent(number_of(row, key))
            (bar,) = axes.bar(place, value, 0.34, color=colour, alpha=0.85)
            mark(bar, own_name(row), f"{row['variant']}: {key} {shown} % ({row['source']})")
            axes.text(place, value + 2, shown, ha="center", fontsize=8)
    right = axes.twinx()
    right.spines["right"].set_visible(True)
    right.set_yscale("log")
    for key, colour, symbol in (("params", PARAMS, "o"), ("flops_convolutions", FLOPS, "^")):
        values = [max(1.0, number_of(row, key)) for row in panel.rows]
        right.plot(range(len(values)), values, color=colour, linewidth=1.5)
        for number, value in enumerate(values):
            (point,) = right.plot(number, value, symbol, color=colour, markersize=7, markeredgecolor=RULE)
            mark(point, "", f"{panel.rows[number]['variant']}: {format_amount(value)} {key.replace('_', ' of ')}")
    right.set_ylabel("parameters, FLOPs", color=INK)
    right.tick_params(length=0, labelcolor=INK)
    axes.set_xlim(-0.6, len(names) - 0.4)


def _legend() -> tuple[list[Artist], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(color=F1, alpha=0.85),
        Patch(color=RIGHT, alpha=0.85),
        Line2D([], [], color=PARAMS, marker="o"),
        Line2D([], [], color=FLOPS, marker="^"),
    ]
    return handles, ["macro-F1", "accuracy", "parameters (log)", "FLOPs of convolutions (log)"]
