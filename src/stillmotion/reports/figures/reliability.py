"""Reliability diagram: accuracy against confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import MARKERS, QUIET, colours
from ..wording import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def reliability(evidence: Evidence) -> list[Figure]:
    """Draw one figure, a line for each variant; none before there are scores, or for stores of an earlier version."""
    lines = [line for line in evidence.lines if line.name in evidence.reliabilities]
    if not lines:
        return []
    found = {line.name: evidence.reliabilities[line.name] for line in lines}
    shades = colours(evidence.lines)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="both")
        panel.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=":")
        for line in lines:
            # Bins with few windows are noisy, so their points are small.
            rows = found[line.name].rows()
            most = max(row["samples"] for row in rows)
            confidence, accuracy = ([100 * row[part] for row in rows] for part in ("confidence", "accuracy"))
            (curve,) = panel.plot(confidence, accuracy, color=shades[line.name], linewidth=1.3, alpha=0.6)
            mark(curve, line.name, f"{line.name}: ECE {percent(line.row.ece)} %")
            for row, x, y in zip(rows, confidence, accuracy, strict=True):
                size = 2 + 7 * (row["samples"] / most) ** 0.5
                (point,) = panel.plot(x, y, MARKERS[line.role], color=shades[line.name], markersize=size)
                mark(
                    point,
                    line.name,
                    f"{line.name}: confidence {x:.0f} %, accuracy {y:.0f} %, {row['samples']:,.0f} windows",
                )
            panel.plot([], [], MARKERS[line.role], color=shades[line.name], label=line.name)
        panel.set_xlim(0, 101)
        panel.set_ylim(0, 101)
        panel.set_xlabel("confidence, percent")
        panel.set_ylabel("accuracy, percent")
        sheet.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=1.2)

    rows: list[dict[str, Value]] = [
        {"variant": line.name, "role": line.role, **row} for line in lines for row in found[line.name].rows()
    ]
    calibration = "; ".join(
        f"{line.name} {_lean(found[line.name].rows())}, ECE {percent(line.row.ece)} %" for line in lines
    )
    return [
        Figure(
            "reliability",
            f"Accuracy against confidence, {evidence.subjects}",
            f"On the dotted line confidence equals accuracy; below it a variant is overconfident. {calibration}.",
            rows,
            draw,
            (5.0, 4.0 + 0.1 * len(lines)),
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
