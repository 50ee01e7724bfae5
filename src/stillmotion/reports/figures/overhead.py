"""Change of parameters and FLOPs of each variant against the reference, in percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_amount, format_number
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, QUIET, RULE
from ..published import published_for

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Sheet

Row = dict[str, Value]
PARAMS, FLOPS = COLOURS["series-2"][0], COLOURS["series-4"][0]


def overhead(evidence: Evidence) -> list[Figure]:
    """Draw one figure, grouped by data set; none if there is nothing to compare."""
    base = evidence.reference
    others = [row for row in evidence.students if row.kind == "variant" and row.flops]
    if base is None or not others:
        return []
    ours: list[Row] = [
        {
            "set": evidence.results.data,
            "source": "here",
            "variant": row.variant,
            "params_percent": _more(row.parameters, base.parameters),
            "flops_convolutions_percent": _more(
                evidence.costs[row.variant].flops_convolutions, evidence.costs[base.variant].flops_convolutions
            ),
            "flops_percent": _more(row.flops, base.flops),
        }
        for row in others
    ]
    cost = f"{base.variant}: {format_amount(base.parameters or 0)} parameters, {format_amount(base.flops or 0)}FLOPs"
    panels = [(f"{evidence.results.data} (here)", cost, ours)]
    if evidence.published:
        for tables in published_for(evidence.results.data):
            rows: list[Row] = [
                {
                    "set": tables.title,
                    "source": "published",
                    "variant": name,
                    "params_percent": params,
                    "flops_convolutions_percent": flops,
                }
                for name, (_, _, params, flops) in tables.changes.items()
                if params is not None
            ]
            reference = (
                f"lm: {format_amount(tables.lm.params)} parameters, "
                f"{format_amount(1000 * tables.lm.kflops)}FLOPs of convolutions"
            )
            panels.append((f"{tables.title} (published)", reference, rows))

    def draw(sheet: Sheet, mark: Marks) -> None:
        heights = [len(rows) + 1.6 for *_, rows in panels]
        drawn = sheet.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, (title, reference, rows) in zip(drawn, panels, strict=True):
            bare(panel, grid="x")
            panel.set_title(title)
            panel.axvline(0, color=QUIET, linewidth=1)
            for number, row in enumerate(rows):
                name = str(row["variant"]) if row["source"] == "here" else ""
                # FLOPs count all layers here and convolutions only in the published results.
                second = "flops_percent" if row["source"] == "here" else "flops_convolutions_percent"
                for shift, key, colour in ((-0.19, "params_percent", PARAMS), (0.19, second, FLOPS)):
                    value = float(row[key] or 0)
                    (bar,) = panel.barh(number + shift, value, 0.36, color=colour, alpha=0.85)
                    what = key.removesuffix("_percent").replace("_", " of ")
                    mark(bar, name, f"{row['variant']}: {what} {format_number(value, '+.1f')} % ({row['source']})")
                    panel.text(value, number + shift, f" {format_number(value, '+.1f')}", va="center", fontsize=8)
            panel.margins(x=0.12)
            panel.set_yticks(range(len(rows)), [str(row["variant"]) for row in rows])
            panel.invert_yaxis()
            box = {"boxstyle": "round,pad=0.35", "facecolor": "none", "edgecolor": RULE}
            panel.set_xlabel(reference, fontsize=9, bbox=box)
        sheet.legend(*_legend(), loc="outside lower center", ncols=2)

    rows = [row for *_, each in panels for row in each]
    changes = "; ".join(
        f"{row['variant']} ({row['set']}) {format_number(float(row['params_percent'] or 0), '+.1f')} %" for row in rows
    )
    return [
        Figure(
            "overhead",
            f"Change of parameters and FLOPs against {base.variant}, in percent",
            f"Bars to the right cost more. Parameters: {changes}. {cost}.",
            rows,
            draw,
            (5.0, 0.6 + sum(0.36 * len(each) + 0.95 for *_, each in panels)),
            "FLOPs count all layers here and convolutions only in the published results; the values include both.",
        )
    ]


def _more(value: float | None, base: float | None) -> float:
    return 100 * (value / base - 1) if value is not None and base else 0.0


def _legend() -> tuple[list[Artist], list[str]]:
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=PARAMS, alpha=0.85), Patch(color=FLOPS, alpha=0.85)]
    return handles, ["parameters, percent", "FLOPs, percent"]
