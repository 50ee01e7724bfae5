"""Changes of each variant against the reference: of scores in points, and of cost in percent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...formatting import format_amount, format_number, format_percent, format_score
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import COLOURS, INK, QUIET, RULE
from ..published import PROTOCOL, PublishedSet
from .panels import Panel, Values, collect_panels, number_of, own_name, stack_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

#: What a bar shows, its colour and its key in a row.
Bar = tuple[str, str, Callable[[Values], str]]
SCORES: tuple[Bar, ...] = (
    ("macro-F1", COLOURS["series-1"][0], lambda row: "f1_points"),
    ("accuracy", COLOURS["series-3"][0], lambda row: "accuracy_points"),
)
#: FLOPs count all layers here and convolutions only in the published results.
COSTS: tuple[Bar, ...] = (
    ("parameters", COLOURS["series-2"][0], lambda row: "params_percent"),
    (
        "FLOPs",
        COLOURS["series-4"][0],
        lambda row: "flops_percent" if row["source"] == "here" else "flops_convolutions_percent",
    ),
)


def changes(evidence: Evidence) -> list[Figure]:
    """Draw the change of macro-F1 and accuracy; none if there is nothing to compare."""
    base = evidence.reference
    own: list[Values] = [
        {
            "variant": row.variant,
            "f1_points": 100 * row.gain.score,
            "f1_low": None if row.gain.low is None else 100 * row.gain.low,
            "f1_high": None if row.gain.high is None else 100 * row.gain.high,
            "accuracy_points": 100 * (row.accuracy - base.accuracy),
        }
        for row in evidence.students
        if row.kind == "variant" and row.gain and base and row.accuracy is not None and base.accuracy is not None
    ]
    if not own or base is None:
        return []
    reference = f"{base.variant}: F1 {format_score(base.macro_f1)}, accuracy {format_percent(base.accuracy)} %"

    def published(each: PublishedSet) -> list[Values]:
        changes = each.changes.items()
        return [{"variant": name, "f1_points": f1, "accuracy_points": right} for name, (f1, right, *_) in changes]

    panels = collect_panels(
        evidence,
        own,
        published,
        reference=reference,
        describe=lambda each: f"lm: F1 {each.lm.f1}, accuracy {each.lm.accuracy}",
    )
    return [
        _figure(
            "changes",
            f"Change of macro-F1 and accuracy against {base.variant}, in points",
            f"Bars to the right are gains, with 95 % intervals of F1 if known. F1: {{}}. {reference}.",
            panels,
            SCORES,
            "points",
            f"Published: {PROTOCOL}." if evidence.published else "Lines: 95 % interval of the change of F1.",
        )
    ]


def overhead(evidence: Evidence) -> list[Figure]:
    """Draw the change of parameters and FLOPs; none if there is nothing to compare."""
    base = evidence.reference
    others = [row for row in evidence.students if row.kind == "variant" and row.flops]
    if base is None or not others:
        return []
    costs, base_cost = evidence.costs, evidence.costs[base.variant]
    own: list[Values] = [
        {
            "variant": row.variant,
            "params_percent": _more(costs[row.variant].params, base_cost.params),
            "flops_convolutions_percent": _more(costs[row.variant].flops_convolutions, base_cost.flops_convolutions),
            "flops_percent": _more(costs[row.variant].flops, base_cost.flops),
        }
        for row in others
    ]
    reference = f"{base.variant}: {format_amount(base_cost.params)} parameters, {format_amount(base_cost.flops)}FLOPs"

    def published(each: PublishedSet) -> list[Values]:
        return [
            {"variant": name, "params_percent": params, "flops_convolutions_percent": flops}
            for name, (_, _, params, flops) in each.changes.items()
            if params is not None
        ]

    def describe(each: PublishedSet) -> str:
        flops = format_amount(1000 * each.lm.kflops)
        return f"lm: {format_amount(each.lm.params)} parameters, {flops}FLOPs of convolutions"

    panels = collect_panels(evidence, own, published, reference=reference, describe=describe)
    return [
        _figure(
            "overhead",
            f"Change of parameters and FLOPs against {base.variant}, in percent",
            f"Bars to the right cost more. Parameters: {{}}. {reference}.",
            panels,
            COSTS,
            "%",
            "FLOPs count all layers here and convolutions only in the published results; the values include both.",
        )
    ]


def _figure(
    name: str, title: str, text: str, panels: Sequence[Panel], bars: Sequence[Bar], unit: str, note: str
) -> Figure:
    """Return a figure of two bars for each row; ``text`` has a place for the values of the first bar."""

    def draw(sheet: Sheet, mark: Marks) -> None:
        from matplotlib.patches import Patch

        heights = [len(panel.rows) + 1.6 for panel in panels]
        for axes, panel in zip(stack_panels(sheet, panels, heights), panels, strict=True):
            bare(axes, grid="x")
            axes.set_title(panel.title)
            axes.axvline(0, color=QUIET, linewidth=1)
            for number, row in enumerate(panel.rows):
                for shift, (label, colour, key) in zip((-0.19, 0.19), bars, strict=True):
                    value, place = number_of(row, key(row)), number + shift
                    (bar,) = axes.barh(place, value, 0.36, color=colour, alpha=0.85)
                    shown = format_number(value, "+.1f")
                    mark(bar, own_name(row), f"{row['variant']}: {label} {shown} {unit} ({row['source']})")
                    axes.text(value, place, f" {shown}", va="center", ha="left" if value >= 0 else "right", fontsize=8)
                _draw_interval(panel, axes, number, mark)
            axes.margins(x=0.12)
            axes.set_yticks(range(len(panel.rows)), [str(row["variant"]) for row in panel.rows])
            axes.invert_yaxis()
            box = {"boxstyle": "round,pad=0.35", "facecolor": "none", "edgecolor": RULE}
            axes.set_xlabel(panel.reference, fontsize=9, bbox=box)
        handles = [Patch(color=colour, alpha=0.85, label=f"{label}, {unit}") for label, colour, _ in bars]
        sheet.legend(handles=handles, loc="outside lower center", ncols=2)

    rows = [row for panel in panels for row in panel.rows]
    _, _, first = bars[0]
    values = (f"{row['variant']} ({row['set']}) {format_number(number_of(row, first(row)), '+.1f')}" for row in rows)
    size = (5.0, 0.6 + sum(0.36 * len(panel.rows) + 0.95 for panel in panels))
    return Figure(name, title, text.format("; ".join(values)), rows, draw, size, note)


def _draw_interval(panel: Panel, axes: Axes, number: int, mark: Marks) -> None:
    row = panel.rows[number]
    if row.get("f1_low") is None or row.get("f1_high") is None:
        return
    low, high = number_of(row, "f1_low"), number_of(row, "f1_high")
    (line,) = axes.plot([low, high], [number - 0.19] * 2, color=INK, linewidth=1.1)
    ends = f"[{format_number(low, '+.1f')}, {format_number(high, '+.1f')}]"
    mark(line, own_name(row), f"{row['variant']}: 95 % interval {ends} points")


def _more(value: float, base: float) -> float:
    return 100 * (value / base - 1) if base else 0.0
