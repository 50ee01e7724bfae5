"""What became of teachers that learnt beside their students, and what was learnt beside both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import Interval, compare_variants
from ..methods import get_method
from ..methods.method import Shapes
from ..training.distillation import AuxParams
from ..training.functional import Vector
from .plan import Planner
from .runs import Run
from .scoring import Counts, by_subject
from .selection import Key, Selection
from .store import Store
from .teacher_gap import as_confusion_matrices, teachers_by_fold
from .teachers import TeacherCache

#: Marks the counts of a run's teacher: ``validation/teacher`` beside ``validation``.
TEACHER = "/teacher"


@dataclass(frozen=True)
class CoTrainedTeacher:
    """A teacher that learnt beside the students of a variant, on the subjects who are reported.

    Args:
        variant: of the students.
        teacher: the network.
        score: its macro-F1 after that, pooled over subjects, mean over seeds.
        alone: of the same network trained alone, as other variants' teacher; None where it is not one run a fold.
        change: the first minus the second.
        learnt: what was learnt beside both networks, by name: mean over runs and standard deviation.
    """

    variant: str
    teacher: str
    score: Interval
    alone: Interval | None
    change: Interval | None
    learnt: Mapping[str, tuple[float, float]]

    def __str__(self) -> str:
        said = f"{self.variant}: {self.teacher} beside its students {self.score.in_percent()}"
        if self.alone is None or self.change is None:
            return said
        return f"{said}, trained alone {self.alone.in_percent()}: {self.change.in_percent('+')} points"


def compare_co_trained_teachers(
    planner: Planner,
    store: Store,
    choices: Mapping[Key, Selection | None],
    finals: Mapping[Key, Sequence[Run]],
    side: str,
) -> list[CoTrainedTeacher]:
    """The teacher of every variant in which both learn, on the subjects of ``side``."""
    after, before, learnt = store.counts(side + TEACHER), store.counts(side), store.learnt()
    found = []
    for name, variant in planner.study.all_variants.items():
        runs = {fold: each for (own, fold), each in finals.items() if own == name}
        every = [run for each in runs.values() for run in each]
        if not get_method(variant.method).trains_teacher or not every or any(run.id not in after for run in every):
            continue
        own = {key: choice for key, choice in choices.items() if key[0] == name}
        ((network, members),) = teachers_by_fold(planner, own).items()
        subjects = [(fold, subject) for fold in runs for subject in planner.study_data.folds[fold].subjects(side)]
        seeds = range(planner.study.seeds)
        beside = [[after[runs[fold][seed].id][subject] for fold, subject in subjects] for seed in seeds]
        sides = {"beside": beside}
        lone = all(len(each) == 1 and each[0].id in before for each in members.values())
        if lone:
            sides["alone"] = [[before[members[fold][0].id][subject] for fold, subject in subjects] for _ in seeds]
        confusion = as_confusion_matrices(sides, [str(fold) for fold, _ in subjects], planner.study_data)
        compared = compare_variants(confusion, against="alone" if lone else None)
        scores = {each.variant: each.macro_f1 for each in compared.standings}
        change = compared.comparisons[0].difference if lone else None
        found.append(
            CoTrainedTeacher(
                name, network, scores["beside"], scores.get("alone"), change, _spread(learnt, [r.id for r in every])
            )
        )
    return found


def count_co_trained_teachers(
    planner: Planner, store: Store, teacher_cache: TeacherCache, runs: Iterable[Run], side: str
) -> None:
    """Keep what such teachers say of the subjects of ``side``, and what was learnt beside, where it is lacking."""
    there, study_data = store.counts(side + TEACHER), planner.study_data
    mutual = [run for run in dict.fromkeys(runs) if not run.classical and get_method(run.method).trains_teacher]
    known = {run.id: run for run in planner.all_teachers()} if mutual else {}
    fresh: dict[str, dict[str, Counts]] = {}
    learnt: dict[str, dict[str, float]] = {}
    for run in mutual:
        kept = None if run.id in there else store.partner(run.id)
        if kept is None:
            continue
        weights, state, aux_params = kept
        network = teacher_cache.network(known[run.teachers[0]], run.method)
        rows = study_data.folds[run.fold].side(side)
        logits = network.answers(weights, state, study_data.values[rows])["logits"]
        fresh[run.id] = by_subject(study_data.labels, logits, rows, study_data)
        learnt[run.id] = _learnt(run, aux_params, teacher_cache.network(run, run.method).tap_shapes, network.tap_shapes)
    if fresh:
        # Counts come last: a run that has them is not looked at again.
        store.add_learnt(learnt)
        store.add_counts(side + TEACHER, fresh)


def _learnt(run: Run, aux_params: Vector, student: Shapes, teacher: Shapes) -> dict[str, float]:
    way = get_method(run.method, **run.options)
    if way.learnt is None:
        return {}
    beside = AuxParams(way.init_aux_params(student, teacher, 0))
    hyperparameters = {
        name: float(run.hyperparameters.get(name, number.default)) for name, number in way.hyperparameters.items()
    }
    return way.learnt(beside.named(aux_params), hyperparameters, student, teacher)


def _spread(learnt: Mapping[str, Mapping[str, float]], runs: Sequence[str]) -> dict[str, tuple[float, float]]:
    there = [learnt[run] for run in runs if run in learnt]
    names = there[0] if there else {}
    columns = {name: [each[name] for each in there] for name in names}
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
        for name, values in columns.items()
    }
