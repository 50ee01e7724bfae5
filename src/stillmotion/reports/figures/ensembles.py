"""Learned weights of the stages in the ensembles of co-trained teachers and students."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_percent
from ...studies import CoTrainedTeacher
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

COLOUR_OF = {"student": COLOURS["series-1"][0], "teacher": COLOURS["series-2"][0]}


def ensembles(evidence: Evidence) -> list[Figure]:
    """Draw one figure for all variants that learn such weights."""
    teachers = [each for each in evidence.results.co_trained_teachers if each.learnt]
    if not teachers:
        return []

    def draw(sheet: Sheet, mark: Marks) -> None:
        heights = [len(each.learnt) for each in teachers]
        panels = sheet.subplots(len(teachers), 1, squeeze=False, sharex=True, height_ratios=heights)
        for (panel,), each in zip(panels, teachers, strict=True):
            _draw_one(bare(panel, grid="x"), mark, each)
        panels[-1, 0].set_xlabel("weight, percent; lines are one standard deviation over runs")
        panels[-1, 0].set_xlim(left=0)

    rows: list[dict[str, str | int | float | None]] = [
        {"variant": each.variant, "stage": name, "weight": mean, "deviation": deviation}
        for each in teachers
        for name, (mean, deviation) in each.learnt.items()
    ]
    return [
        Figure(
            "ensembles",
            "Weights of the stages in the ensemble",
            " ".join(
                f"{each.variant}: "
                + ", ".join(f"{name} {format_percent(mean)} %" for name, (mean, _) in each.learnt.items())
                + "."
                for each in teachers
            ),
            rows,
            draw,
            (5.0, 1.1 + 0.24 * len(rows) + 0.35 * len(teachers)),
            "Learned weights of the ensemble feature. In a joint ensemble the weights of all stages sum to 1; "
            "with an ensemble for each network, those of each network do.",
        )
    ]


def _draw_one(panel: Axes, mark: Marks, each: CoTrainedTeacher) -> None:
    for place, (name, (mean, deviation)) in enumerate(each.learnt.items()):
        (bar,) = panel.barh(place, 100 * mean, 0.62, color=COLOUR_OF[name.partition("/")[0]], alpha=0.85)
        mark(bar, each.variant, f"{each.variant}, {name}: {format_percent(mean)} % ± {format_percent(deviation)}")
        panel.plot([100 * (mean - deviation), 100 * (mean + deviation)], [place, place], color=INK, linewidth=1)
    panel.set_yticks(range(len(each.learnt)), [name.replace("/", ", ") for name in each.learnt])
    panel.invert_yaxis()
    panel.set_title(each.variant)
