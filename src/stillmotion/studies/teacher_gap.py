"""Teacher gap: score of the teacher minus that of the plain student on validation subjects."""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation import Interval, compare_variants
from ..formatting import format_points
from .counts import Counts, count_subjects, pool_folds
from .state import StudyState

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


def compute_teacher_gaps(state: StudyState) -> list[TeacherGap]:
    """Compute the gap of every teacher of reported students, on the validation subjects of the folds with both."""
    if "lm" not in state.study.all_variants:
        return []
    teachers: dict[str, dict[int, Counts | None]] = {
        name: {fold: state.counts(runs, "validation") for fold, runs in members.items()}
        for name, members in state.teachers.items()
    }
    if state.index.scores:
        teachers[str(state.study.scores)] = _counts_of_scores(state)
    gaps = []
    for name, by_fold in teachers.items():
        columns: dict[str, list[list[Counts | None]]] = {name: [], "lm": []}
        folds = []
        for fold, teacher in sorted(by_fold.items()):
            students = [state.counts([run], "validation") for run in state.finals.get(("lm", fold), ())]
            if teacher is not None and students and all(each is not None for each in students):
                folds.append(fold)
                columns[name].append([teacher] * len(students))
                columns["lm"].append(students)
        if folds:
            matrices = pool_folds(state.index, columns, "validation", state.study.seeds, folds=folds)
            gaps.append(TeacherGap(name, compare_variants(matrices, against="lm").comparisons[0].difference))
    return gaps


def _counts_of_scores(state: StudyState) -> dict[int, Counts | None]:
    """Count the confusion matrices of the file of scores on the validation windows of each fold."""
    logits = state.store.predictions(state.index.scores, "all")
    if logits is None:
        return {}
    rows = {fold: state.index.rows(fold, "validation") for fold in range(len(state.index.folds))}
    return {fold: count_subjects(state.index, each, logits[each]) for fold, each in rows.items()}
