"""Teacher gap: score of the teacher minus that of the plain student on validation subjects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import ConfusionMatrices, Interval, compare_variants
from ..formatting import format_points
from .baselines import Baseline
from .data import StudyData
from .plan import Planner
from .runs import Run
from .scoring import Counts, by_subject
from .selection import Key, Selection
from .store import RunStatus, Store
from .teachers import TeacherCache

#: Printed for a teacher that was not shown to be better than the student.
NO_GAP = "no teacher gap shown"


@dataclass(frozen=True)
class TeacherGap:
    """Difference between teacher and student on the validation subjects."""

    teacher: str
    difference: Interval

    @property
    def shown(self) -> bool:
        """Whether the interval lies above 0."""
        return self.difference.low is not None and self.difference.low > 0

    def __str__(self) -> str:
        text = f"{self.teacher} − lm on validation subjects: {format_points(self.difference)}"
        if self.difference.low is None:
            return f"{text} (one subject: no interval)"
        return text if self.shown else f"{text}: {NO_GAP}"


def compute_teacher_gaps(
    planner: Planner, store: Store, choices: Mapping[Key, Selection | None], finals: Mapping[Key, Sequence[Run]]
) -> list[TeacherGap]:
    """Compute the teacher gap of every teacher, on the validation subjects of the folds."""
    study, study_data = planner.study, planner.study_data
    if "lm" not in study.all_variants:
        return []
    counts = store.counts("validation")
    teacher_counts = store.counts("teachers")
    gaps = []
    for name in teachers_of_students(planner, choices):
        if name not in teacher_counts:
            continue
        subjects = [
            (fold, subject) for fold, each in enumerate(study_data.folds) for subject in each.validation_subjects
        ]
        rows, folds = [], []
        for fold, subject in subjects:
            runs = finals.get(("lm", fold), ())
            students = [counts[run.id][subject] for run in runs if subject in counts.get(run.id, {})]
            teacher = teacher_counts[name].get(f"{fold}/{subject}")
            if teacher is not None and students and len(students) == len(runs):
                rows.append((teacher, students))
                folds.append(str(fold))
        if not rows:
            continue
        seeds, title = range(len(rows[0][1])), name.partition("#")[0]
        by_network = {
            title: [[teacher for teacher, _ in rows] for _ in seeds],
            "lm": [[students[seed] for _, students in rows] for seed in seeds],
        }
        matrices = as_confusion_matrices(by_network, folds, study_data)
        gaps.append(TeacherGap(title, compare_variants(matrices, against="lm").comparisons[0].difference))
    return gaps


def as_confusion_matrices(
    counts: Mapping[str, Sequence[Sequence[Counts]]], folds: Sequence[str], study_data: StudyData
) -> ConfusionMatrices:
    """Build confusion matrices of one or two networks from counts by seed and subject, with the folds of subjects.

    Subjects are numbered: a subject in the validation sets of several folds counts in each.
    """
    table = np.array(list(counts.values()), np.int64)
    names = tuple(str(number) for number in range(len(folds)))
    return ConfusionMatrices(
        tuple(counts), tuple(range(table.shape[1])), names, tuple(folds), study_data.windows.spec.classes, table
    )


def count_teachers(
    planner: Planner,
    store: Store,
    teacher_cache: TeacherCache,
    choices: Mapping[Key, Selection | None],
    ended: Mapping[str, RunStatus],
) -> None:
    """Store missing confusion matrices of each teacher on validation subjects, including a file of scores."""
    study_data = planner.study_data
    counted = store.counts("teachers")
    for name, members in teachers_of_students(planner, choices).items():
        if name in counted or not all(run.id in ended for runs in members.values() for run in runs):
            continue
        table: dict[str, Counts] = {}
        for fold, runs in members.items():
            rows = study_data.folds[fold].validation
            matrices = by_subject(study_data.labels, teacher_cache.logits(runs)[rows], rows, study_data)
            table |= {f"{fold}/{subject}": counts for subject, counts in matrices.items()}
        store.add_counts("teachers", {name: table})


def teachers_of_students(
    planner: Planner, choices: Mapping[Key, Selection | None]
) -> dict[str, dict[int, tuple[Run, ...]]]:
    """Return the teachers of reported students, by name and a checksum of their runs."""
    teachers = {}
    for title, members in teachers_by_fold(planner, choices).items():
        ids = [run.id for fold in sorted(members) for run in members[fold]]
        teachers[f"{title}#{hashlib.sha256(repr(ids).encode()).hexdigest()[:12]}"] = members
    if planner.scores:
        teachers[f"{planner.study.scores}#{planner.scores}"] = dict.fromkeys(range(len(planner.study_data.folds)), ())
    return teachers


def teachers_by_fold(
    planner: Planner, choices: Mapping[Key, Selection | None]
) -> dict[str, dict[int, tuple[Run, ...]]]:
    """Return the teachers of reported students by name and fold, without self-distillation."""
    teachers: dict[str, dict[int, tuple[Run, ...]]] = {}
    for (name, fold), choice in choices.items():
        variant = planner.study.systems[name]
        if isinstance(variant, Baseline) or variant.teacher in ("none", "self"):
            continue
        # If all students failed, the teacher of the first attention configuration is shown.
        first = planner.study.attentions[0] if variant.attention else ""
        runs = planner.teachers(variant, fold, first if choice is None else choice.trial.attention)
        if runs:
            networks = " + ".join(dict.fromkeys(run.network for run in runs))
            networks += " as assistant" if variant.teacher == "assistant" else ""
            teachers.setdefault(networks + (" with attention" if runs[0].attention else ""), {})[fold] = runs
    return teachers
