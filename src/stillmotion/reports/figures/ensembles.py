"""What each stage weighs in the ensembles that teacher and student learnt together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...studies import CoTrainedTeacher
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

SIDES = {"student": COLOURS["series-1"][0], "teacher": COLOURS["series-2"][0]}


def ensembles(evidence: Evidence) -> list[Figure]:
    """One figure for all variants that learn weights."""
    found = [one for one in evidence.results.partners if one.learnt]
    if not found:
        return []

    def draw(sheet: Sheet, mark: Marks) -> None:
        heights = [len(one.learnt) for one in found]
        panels = sheet.subplots(len(found), 1, squeeze=False, sharex=True, height_ratios=heights)
        for (panel,), one in zip(panels, found, strict=True):
            _draw_one(bare(panel, grid="x"), mark, one)
        panels[-1, 0].set_xlabel("weight, percent; lines are one standard deviation over runs")
        panels[-1, 0].set_xlim(left=0)

    rows: list[dict[str, str | int | float | None]] = [
        {"variant": one.variant, "stage": name, "weight": mean, "deviation": spread}
        for one in found
        for name, (mean, spread) in one.learnt.items()
    ]
    return [
        Figure(
            "ensembles",
            "What stages weigh in the ensemble",
            " ".join(
                f"{one.variant}: "
                + ", ".join(f"{name} {100 * mean:.0f} %" for name, (mean, _) in one.learnt.items())
                + "."
                for one in found
            ),
            rows,
            draw,
            (5.0, 1.1 + 0.24 * len(rows) + 0.35 * len(found)),
            "Learnt weights of the ensemble feature. Stages of student and teacher share a whole where the ensemble is "
            "joint; where each network has its own, each side is a whole.",
        )
    ]


def _draw_one(panel: Axes, mark: Marks, one: CoTrainedTeacher) -> None:
    for place, (name, (mean, spread)) in enumerate(one.learnt.items()):
        (bar,) = panel.barh(place, 100 * mean, 0.62, color=SIDES[name.partition("/")[0]], alpha=0.85)
        mark(bar, one.variant, f"{one.variant}, {name}: {100 * mean:.1f} % ± {100 * spread:.1f}")
        panel.plot([100 * (mean - spread), 100 * (mean + spread)], [place, place], color=INK, linewidth=1)
    panel.set_yticks(range(len(one.learnt)), [name.replace("/", ", ") for name in one.learnt])
    panel.invert_yaxis()
    panel.set_title(one.variant)
