"""Whether confidence means what it says: how often a variant is right where it is so sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import MARKERS, QUIET, colours
from ..wording import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


def reliability(evidence: Evidence) -> list[Figure]:
    """One figure, a line a variant; none where nobody has been scored, or by an earlier version."""
    lines = [line for line in evidence.lines if line.name in evidence.reliabilities]
    if not lines:
        return []
    found = {line.name: evidence.reliabilities[line.name] for line in lines}
    shades = colours(evidence.lines)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="both")
        panel.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=":")
        for line in lines:
            # A bin of a few windows is noise: its point stays, and is small.
            rows = found[line.name].rows()
            most = max(row["samples"] for row in rows)
            sure, right = ([100 * row[part] for row in rows] for part in ("confidence", "accuracy"))
            (course,) = panel.plot(sure, right, color=shades[line.name], linewidth=1.3, alpha=0.6)
            mark(course, line.name, f"{line.name}: ECE {percent(line.row.ece)} %")
            for row, x, y in zip(rows, sure, right, strict=True):
                size = 2 + 7 * (row["samples"] / most) ** 0.5
                (point,) = panel.plot(x, y, MARKERS[line.role], color=shades[line.name], markersize=size)
                mark(point, line.name, f"{line.name}: {x:.0f} % sure, {y:.0f} % right, {row['samples']:,.0f} answers")
            panel.plot([], [], MARKERS[line.role], color=shades[line.name], label=line.name)
        panel.set_xlim(0, 101)
        panel.set_ylim(0, 101)
        panel.set_xlabel("confidence, percent")
        panel.set_ylabel("right, percent")
        sheet.legend(loc="outside lower center", ncols=2, handletextpad=0.3, columnspacing=1.2)

    rows: list[dict[str, Value]] = [
        {"variant": line.name, "role": line.role, **row} for line in lines for row in found[line.name].rows()
    ]
    said = "; ".join(f"{line.name} {_lean(found[line.name].rows())}, ECE {percent(line.row.ece)} %" for line in lines)
    return [
        Figure(
            "reliability",
            f"Confidence and how often it is right, {evidence.subjects}",
            f"On the dotted line a variant is right as often as it is sure; below it is too sure. {said}.",
            rows,
            draw,
            (5.0, 4.0 + 0.1 * len(lines)),
            "15 bins of equal width, all reported runs and subjects together; the larger a point, the more answers. "
            "The table's ECE is that of each seed, averaged.",
        )
    ]


def _lean(rows: list[dict[str, float]]) -> str:
    """Whether confidence is above or below what is right, over all answers."""
    total = sum(row["samples"] for row in rows)
    gap = 100 * sum(row["samples"] * (row["confidence"] - row["accuracy"]) for row in rows) / total
    if abs(gap) < 0.5:
        return "is as sure as it is right"
    return f"is {'too' if gap > 0 else 'not'} sure {'by' if gap > 0 else 'enough by'} {abs(gap):.0f} points"
