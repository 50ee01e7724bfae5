"""Co-trained teachers: their scores against the same networks trained alone, and learned ensemble weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import Interval, compare_variants
from ..formatting import format_points, format_score
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

#: Suffix for the counts of co-trained teachers: ``validation/teacher``.
TEACHER = "/teacher"


@dataclass(frozen=True)
class CoTrainedTeacher:
    """The score of a co-trained teacher of a variant, on the reported subjects.

    Args:
        variant: of the students.
        teacher: name of the network.
        score: its macro-F1 after co-training, pooled over subjects, mean over seeds.
        alone: macro-F1 of the same network trained alone; None if that is not one run per fold.
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


def compare_co_trained_teachers(
    planner: Planner,
    store: Store,
    choices: Mapping[Key, Selection | None],
    finals: Mapping[Key, Sequence[Run]],
    split: str,
) -> list[CoTrainedTeacher]:
    """Compare the teacher of every variant with co-training, on the subjects of ``split``."""
    after, before, learnt = store.counts(split + TEACHER), store.counts(split), store.learnt()
    teachers = []
    for name, variant in planner.study.all_variants.items():
        runs = {fold: each for (variant_name, fold), each in finals.items() if variant_name == name}
        every = [run for each in runs.values() for run in each]
        if not get_method(variant.method).trains_teacher or not every or any(run.id not in after for run in every):
            continue
        choices_of_variant = {key: choice for key, choice in choices.items() if key[0] == name}
        ((network, members),) = teachers_by_fold(planner, choices_of_variant).items()
        subjects = [(fold, subject) for fold in runs for subject in planner.study_data.folds[fold].subjects(split)]
        seeds = range(planner.study.seeds)
        co_trained = [[after[runs[fold][seed].id][subject] for fold, subject in subjects] for seed in seeds]
        counts = {"co-trained": co_trained}
        single = all(len(each) == 1 and each[0].id in before for each in members.values())
        if single:
            counts["alone"] = [[before[members[fold][0].id][subject] for fold, subject in subjects] for _ in seeds]
        confusion = as_confusion_matrices(counts, [str(fold) for fold, _ in subjects], planner.study_data)
        compared = compare_variants(confusion, against="alone" if single else None)
        scores = {each.variant: each.macro_f1 for each in compared.standings}
        change = compared.comparisons[0].difference if single else None
        teachers.append(
            CoTrainedTeacher(
                name,
                network,
                scores["co-trained"],
                scores.get("alone"),
                change,
                _mean_and_deviation(learnt, [r.id for r in every]),
            )
        )
    return teachers


def count_co_trained_teachers(
    planner: Planner, store: Store, teacher_cache: TeacherCache, runs: Iterable[Run], split: str
) -> None:
    """Store the missing confusion matrices of co-trained teachers on ``split``, and learned auxiliary values."""
    counted, study_data = store.counts(split + TEACHER), planner.study_data
    mutual = [run for run in dict.fromkeys(runs) if not run.classical and get_method(run.method).trains_teacher]
    known = {run.id: run for run in planner.all_teachers()} if mutual else {}
    fresh: dict[str, dict[str, Counts]] = {}
    learnt: dict[str, dict[str, float]] = {}
    for run in mutual:
        kept = None if run.id in counted else store.co_trained_teacher(run.id)
        if kept is None:
            continue
        weights, state, aux_params = kept
        network = teacher_cache.network(known[run.teachers[0]], run.method)
        rows = study_data.folds[run.fold].side(split)
        logits = network.answers(weights, state, study_data.values[rows])["logits"]
        fresh[run.id] = by_subject(study_data.labels, logits, rows, study_data)
        learnt[run.id] = _learnt(run, aux_params, teacher_cache.network(run, run.method).tap_shapes, network.tap_shapes)
    if fresh:
        # Counts are written last: a run with counts is skipped from then on.
        store.add_learnt(learnt)
        store.add_counts(split + TEACHER, fresh)


def _learnt(run: Run, aux_params: Vector, student: Shapes, teacher: Shapes) -> dict[str, float]:
    method = get_method(run.method, **run.options)
    if method.learnt is None:
        return {}
    named_params = AuxParams(method.init_aux_params(student, teacher, 0))
    hyperparameters = {
        name: float(run.hyperparameters.get(name, number.default)) for name, number in method.hyperparameters.items()
    }
    return method.learnt(named_params.named(aux_params), hyperparameters, student, teacher)


def _mean_and_deviation(
    learnt: Mapping[str, Mapping[str, float]], runs: Sequence[str]
) -> dict[str, tuple[float, float]]:
    rows = [learnt[run] for run in runs if run in learnt]
    names = rows[0] if rows else {}
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
        for name, values in columns.items()
    }
