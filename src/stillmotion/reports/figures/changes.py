"""Change of macro-F1 and accuracy of each variant against the reference, in points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_number, format_percent, format_score
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, INK, QUIET, RULE
from ..published import PROTOCOL, published_for

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

Row = dict[str, Value]
F1, RIGHT = COLOURS["series-1"][0], COLOURS["series-3"][0]


def changes(evidence: Evidence) -> list[Figure]:
    """Draw one figure, grouped by data set; none if there is nothing to compare."""
    base = evidence.reference
    ours: list[Row] = [
        {
            "set": evidence.results.data,
            "source": "here",
            "variant": row.variant,
            "f1_points": 100 * row.gain.score,
            "f1_low": None if row.gain.low is None else 100 * row.gain.low,
            "f1_high": None if row.gain.high is None else 100 * row.gain.high,
            "accuracy_points": 100 * (row.accuracy - base.accuracy),
        }
        for row in evidence.students
        if row.kind == "variant" and row.gain and base and row.accuracy is not None and base.accuracy is not None
    ]
    if not ours or base is None:
        return []
    scores = f"{base.variant}: F1 {format_score(base.macro_f1)}, accuracy {format_percent(base.accuracy)} %"
    panels = [(f"{evidence.results.data}, {evidence.results.protocol} (here)", scores, ours)]
    if evidence.published:
        for tables in published_for(evidence.results.data):
            rows: list[Row] = [
                {
                    "set": tables.title,
                    "source": "published",
                    "variant": name,
                    "f1_points": f1,
                    "accuracy_points": accuracy,
                }
                for name, (f1, accuracy, _, _) in tables.changes.items()
            ]
            reference = f"lm: F1 {tables.lm.f1}, accuracy {tables.lm.accuracy}"
            panels.append((f"{tables.title} (published, leaky)", reference, rows))

    def draw(sheet: Sheet, mark: Marks) -> None:
        heights = [len(rows) + 1.6 for *_, rows in panels]
        drawn = sheet.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, (title, reference, rows) in zip(drawn, panels, strict=True):
            _panel(panel, title, reference, rows, mark)
        sheet.legend(*_legend(), loc="outside lower center", ncols=2)

    rows = [row for *_, each in panels for row in each]
    gains = "; ".join(
        f"{row['variant']} ({row['set']}) {format_number(float(row['f1_points'] or 0), '+.1f')}" for row in rows
    )
    return [
        Figure(
            "changes",
            f"Change of macro-F1 and accuracy against {base.variant}, in points",
            f"Bars to the right are gains, with 95 % intervals of F1 if known. F1: {gains}. {scores}.",
            rows,
            draw,
            (5.0, 0.6 + sum(0.36 * len(each) + 0.95 for *_, each in panels)),
            f"Published: {PROTOCOL}." if evidence.published else "Lines: 95 % interval of the change of F1.",
        )
    ]


def _panel(panel: Axes, title: str, reference: str, rows: list[Row], mark: Marks) -> None:
    bare(panel, grid="x")
    panel.set_title(title)
    panel.axvline(0, color=QUIET, linewidth=1)
    for number, row in enumerate(rows):
        name = str(row["variant"]) if row["source"] == "here" else ""
        for shift, key, colour in ((-0.19, "f1_points", F1), (0.19, "accuracy_points", RIGHT)):
            value = float(row[key] or 0)
            (bar,) = panel.barh(number + shift, value, 0.36, color=colour, alpha=0.85)
            mark(
                bar,
                name,
                f"{row['variant']}: {key.partition('_')[0]} {format_number(value, '+.1f')} points ({row['source']})",
            )
        low, high = row.get("f1_low"), row.get("f1_high")
        if low is not None and high is not None:
            (line,) = panel.plot([float(low), float(high)], [number - 0.19] * 2, color=INK, linewidth=1.1)
            ends = ", ".join(format_number(float(end), "+.1f") for end in (low, high))
            mark(line, name, f"{row['variant']}: 95 % interval [{ends}] points")
    panel.set_yticks(range(len(rows)), [str(row["variant"]) for row in rows])
    panel.invert_yaxis()
    panel.set_xlabel(reference, fontsize=9, bbox={"boxstyle": "round,pad=0.35", "facecolor": "none", "edgecolor": RULE})


def _legend() -> tuple[list[Artist], list[str]]:
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=F1, alpha=0.85), Patch(color=RIGHT, alpha=0.85)]
    return handles, ["macro-F1, points", "accuracy, points"]
