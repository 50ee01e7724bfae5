"""Reliability diagram: accuracy against confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import MARKERS, QUIET, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def reliability(evidence: Evidence) -> list[Figure]:
    """Draw one figure, a line for each variant; none before there are scores, or for stores of an earlier version."""
    shown = [row for row in evidence.rows if row.variant in evidence.reliabilities]
    if not shown:
        return []
    found = {row.variant: evidence.reliabilities[row.variant] for row in shown}
    shades = colours(evidence.rows)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="both")
        panel.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=":")
        for row in shown:
            # Bins with few windows are noisy, so their points are small.
            bins = found[row.variant].rows()
            most = max(each["samples"] for each in bins)
            confidence, accuracy = ([100 * each[part] for each in bins] for part in ("confidence", "accuracy"))
            (curve,) = panel.plot(confidence, accuracy, color=shades[row.variant], linewidth=1.3, alpha=0.6)
            mark(curve, row.variant, f"{row.variant}: ECE {format_percent(row.ece)} %")
            for each, x, y in zip(bins, confidence, accuracy, strict=True):
                size = 2 + 7 * (each["samples"] / most) ** 0.5
                (point,) = panel.plot(x, y, MARKERS[row.kind], color=shades[row.variant], markersize=size)
                mark(
                    point,
                    row.variant,
                    f"{row.variant}: confidence {x:.0f} %, accuracy {y:.0f} %, {each['samples']:,.0f} windows",
                )
            panel.plot([], [], MARKERS[row.kind], color=shades[row.variant], label=row.variant)
        panel.set_xlim(0, 101)
        panel.set_ylim(0, 101)
        panel.set_xlabel("confidence, percent")
        panel.set_ylabel("accuracy, percent")
        sheet.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=1.2)

    rows: list[dict[str, Value]] = [
        {"variant": row.variant, "kind": row.kind, **each} for row in shown for each in found[row.variant].rows()
    ]
    calibration = "; ".join(
        f"{row.variant} {_lean(found[row.variant].rows())}, ECE {format_percent(row.ece)} %" for row in shown
    )
    return [
        Figure(
            "reliability",
            f"Accuracy against confidence, {evidence.subjects}",
            f"On the dotted line confidence equals accuracy; below it a variant is overconfident. {calibration}.",
            rows,
            draw,
            (5.0, 4.0 + 0.1 * len(shown)),
            "15 bins of equal width, all reported runs and subjects together; larger points hold more windows. "
            "The ECE in the table is the mean over seeds.",
        )
    ]


def _lean(rows: list[dict[str, float]]) -> str:
    """Say whether confidence is above or below accuracy, over all windows."""
    total = sum(row["samples"] for row in rows)
    gap = 100 * sum(row["samples"] * (row["confidence"] - row["accuracy"]) for row in rows) / total
    if abs(gap) < 0.5:
        return "is calibrated within 0.5 points"
    return f"is {'over' if gap > 0 else 'under'}confident by {abs(gap):.0f} points"
