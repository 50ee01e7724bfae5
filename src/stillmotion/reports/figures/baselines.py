"""Networks trained on labels alone: scores as bars, cost as lines on a log scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_amount, format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, Value
from ..palette import COLOURS, INK, RULE
from ..published import PROTOCOL, published_for

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

Row = dict[str, Value]
F1, RIGHT = COLOURS["series-1"][0], COLOURS["series-3"][0]
PARAMS, FLOPS = COLOURS["series-2"][0], COLOURS["series-4"][0]


def baselines(evidence: Evidence) -> list[Figure]:
    """Draw one figure with a panel for this study and one for each published table; none before there are scores."""
    panels = [(f"{evidence.results.data}, {evidence.results.protocol} (here)", _ours(evidence))]
    if not panels[0][1]:
        return []
    if evidence.published:
        for tables in published_for(evidence.results.data):
            rows: list[Row] = [
                {
                    "set": tables.title,
                    "source": "published",
                    "variant": row.variant,
                    "f1": row.f1 / 100,
                    "accuracy": row.accuracy / 100,
                    "params": row.params,
                    "flops_convolutions": round(1000 * row.kflops),
                }
                for row in tables.baselines
            ]
            panels.append((f"{tables.title} (published, leaky)", rows))

    def draw(sheet: Sheet, mark: Marks) -> None:
        for panel, (title, rows) in zip(sheet.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
            _panel(panel, title, rows, mark)
        sheet.legend(*_legend(), loc="outside lower center", ncols=2)

    rows = [row for _, each in panels for row in each]
    scores = "; ".join(
        f"{row['variant']} ({row['set']}) F1 {format_percent(float(row['f1'] or 0))} %, "
        f"{format_amount(float(row['params'] or 0))} parameters"
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


def _ours(evidence: Evidence) -> list[Row]:
    return [
        {
            "set": evidence.results.data,
            "source": "here",
            "variant": row.variant,
            "f1": row.macro_f1.score,
            "accuracy": row.accuracy,
            "params": row.parameters,
            "flops_convolutions": evidence.costs[row.variant].flops_convolutions,
        }
        for row in evidence.networks
        if row.kind in ("reference", "teacher") and row.macro_f1
    ]


def _panel(panel: Axes, title: str, rows: list[Row], mark: Marks) -> None:
    panel.set_title(title)
    panel.set_ylim(0, 118)
    panel.set_yticks([0, 25, 50, 75, 100])
    panel.tick_params(length=0)
    panel.set_ylabel("percent")
    names = [str(row["variant"]).replace(" with attention", "\nwith attention") for row in rows]
    panel.set_xticks(range(len(rows)), names)
    for number, row in enumerate(rows):
        for shift, key, colour in ((-0.18, "f1", F1), (0.18, "accuracy", RIGHT)):
            value = row[key]
            if value is None:
                continue
            (bar,) = panel.bar(number + shift, 100 * float(value), 0.34, color=colour, alpha=0.85)
            name = str(row["variant"]) if row["source"] == "here" else ""
            mark(bar, name, f"{row['variant']}: {key} {format_percent(float(value))} % ({row['source']})")
            panel.text(number + shift, 100 * float(value) + 2, format_percent(float(value)), ha="center", fontsize=8)
    right = panel.twinx()
    right.spines["right"].set_visible(True)
    right.set_yscale("log")
    for key, colour, symbol in (("params", PARAMS, "o"), ("flops_convolutions", FLOPS, "^")):
        values = [max(1.0, float(row[key] or 0)) for row in rows]
        right.plot(range(len(rows)), values, color=colour, linewidth=1.5)
        for number, value in enumerate(values):
            (point,) = right.plot(number, value, symbol, color=colour, markersize=7, markeredgecolor=RULE)
            mark(point, "", f"{rows[number]['variant']}: {format_amount(value)} {key.replace('_', ' of ')}")
    right.set_ylabel("parameters, FLOPs", color=INK)
    right.tick_params(length=0, labelcolor=INK)
    panel.set_xlim(-0.6, len(rows) - 0.4)


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
