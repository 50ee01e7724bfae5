"""Co-trained teachers: their scores against the same networks trained alone, and learned ensemble weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import Interval, compare_variants
from ..formatting import format_points, format_score
from ..methods import get_method
from .counts import Counts, pool_folds
from .runs import Run
from .state import StudyState


@dataclass(frozen=True)
class CoTrainedTeacher:
    """The score of a co-trained teacher of a variant, on the reported subjects.

    Args:
        variant: of the students.
        teacher: name of the network.
        score: its macro-F1 after co-training, pooled over subjects, mean over seeds.
        alone: macro-F1 of the same network trained alone; None if that is not evaluated.
        change: ``score`` minus ``alone``.
        learnt: learned auxiliary values (ensemble weights) by name: mean over runs and standard deviation.
    """

    variant: str
    teacher: str
    score: Interval
    alone: Interval | None
    change: Interval | None
    learnt: Mapping[str, tuple[float, float]]

    def __str__(self) -> str:
        text = f"{self.variant}: {self.teacher} co-trained {format_score(self.score)}"
        if self.alone is None or self.change is None:
            return text
        return f"{text}, trained alone {format_score(self.alone)}: {format_points(self.change)}"


def compare_co_trained_teachers(state: StudyState, split: str) -> list[CoTrainedTeacher]:
    """Compare the teacher of every variant with co-training, on the subjects of ``split``."""
    teachers = []
    for name, variant in state.study.all_variants.items():
        if not get_method(variant.method).trains_teacher:
            continue
        finals = {fold: runs for (each, fold), runs in sorted(state.finals.items()) if each == name}
        after = [[state.counts([run], split, role="teacher") for run in runs] for runs in finals.values()]
        if not after or any(counts is None for by_seed in after for counts in by_seed):
            continue
        runs = [run for each in finals.values() for run in each]
        alone = {fold: state.planner.teacher(each[0].teachers[0]) for fold, each in finals.items()}
        before = [[state.counts([run], split)] * state.study.seeds for run in alone.values()]
        columns: dict[str, list[list[Counts | None]]] = {"co-trained": after}
        known = all(counts is not None for by_seed in before for counts in by_seed)
        if known:
            columns["alone"] = before
        matrices = pool_folds(state.index, columns, split, state.study.seeds, folds=list(finals))
        compared = compare_variants(matrices, against="alone" if known else None)
        scores = {each.variant: each.macro_f1 for each in compared.standings}
        teachers.append(
            CoTrainedTeacher(
                name,
                next(iter(alone.values())).network,
                scores["co-trained"],
                scores.get("alone"),
                compared.comparisons[0].difference if known else None,
                _mean_and_deviation(state.store.auxiliary(), runs),
            )
        )
    return teachers


def _mean_and_deviation(
    values: Mapping[str, Mapping[str, float]], runs: Sequence[Run]
) -> dict[str, tuple[float, float]]:
    rows = [values[run.id] for run in runs if run.id in values]
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    return {
        name: (float(np.mean(column)), float(np.std(column, ddof=1)) if len(column) > 1 else 0.0)
        for name, column in columns.items()
    }
