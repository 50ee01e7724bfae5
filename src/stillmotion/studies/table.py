"""The results of a study: a row for each variant, and the teacher gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import ConfusionMatrices, compare_variants, macro_f1
from ..evaluation.compare import ComparedVariants
from ..formatting import format_count, format_kib
from ..networks import network_cost
from .baselines import Baseline
from .co_trained import CoTrainedTeacher, compare_co_trained_teachers
from .plan import Planner
from .recommend import recommend
from .row import Row
from .runs import Run
from .scoring import pooled_reliability
from .search import Trial, count_trials
from .selection import Key, Selection, final_runs, run_of
from .spec import Study
from .store import RunStatus, Store
from .teacher_gap import TeacherGap, compute_teacher_gaps, teachers_by_fold
from .teachers import model_of

#: Confusion matrices by run and subject, as in the store.
Counted = Mapping[str, Mapping[str, NDArray[np.int64]]]


@dataclass(frozen=True)
class Results:
    """The results of a study.

    Args:
        name: of the study.
        reference: variant that others are compared with.
        protocol: of the split, and whether it ``leaks``.
        subjects: number of test subjects.
        teacher_gaps: teachers against the plain student.
        co_trained_teachers: their scores beside those of the same networks trained alone.
        rows: a row for each variant, the reference first.
        compared: statistics, None before test subjects are evaluated.
        test_evaluations: number of test-set evaluations.
        complete: whether nothing is missing.
        seconds: training time of all fleets.
        classes: their names, in the order of confusion matrices.
        confusion: (true, predicted) counts of the test subjects, pooled over subjects, for each seed of each variant
            and teacher; None before test subjects are evaluated.
    """

    name: str
    data: str
    reference: str
    protocol: str
    leaks: bool
    subjects: int
    teacher_gaps: tuple[TeacherGap, ...] = ()
    co_trained_teachers: tuple[CoTrainedTeacher, ...] = ()
    rows: tuple[Row, ...] = ()
    compared: ComparedVariants | None = None
    test_evaluations: int = 0
    complete: bool = True
    seconds: float = 0.0
    classes: tuple[str, ...] = ()
    confusion: Mapping[str, Sequence[Sequence[Sequence[int]]]] | None = None

    @property
    def recommended(self) -> str | None:
        """Name of the recommended row, a student or a baseline; None before test subjects are evaluated."""
        row = recommend(self.rows).row if self.compared else None
        return None if row is None else row.variant

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; ``rows`` have the keys of ``results.csv``."""
        confusion = None if self.confusion is None else {"classes": self.classes, "counts": self.confusion}
        values = asdict(replace(self, rows=(), confusion=None)) | {
            "recommended": self.recommended,
            "rows": [row.to_dict() for row in self.rows],
            "confusion": confusion,
        }
        del values["classes"]
        return values


def compute_results(
    planner: Planner,
    store: Store,
    trials: Mapping[Key, Sequence[Trial]],
    choices: Mapping[Key, Selection | None],
    *,
    test: bool,
    complete: bool,
) -> Results:
    """Compute the results of a study from its store."""
    study, ended = planner.study, store.ended()
    finals = final_runs(planner, choices)
    split = "test" if test else "validation"
    counts = {each: store.counts(each) for each in ("validation", "test", f"{split}-confidence")}
    matrices = student_confusion(planner, counts[split], finals, split)
    reference = study.compare[1] if study.compare else next(iter(study.all_variants))
    compared = None
    if matrices is not None:
        compared = compare_variants(
            matrices, against=reference if reference in matrices.variants else None, apart=study.baselines
        )
    rows = [
        _row(planner, counts, name, trials, choices, finals, ended, compared if test else None, reference)
        for name in study.systems
    ]
    for number, row in enumerate(rows):
        if row.kind == "baseline":
            runs = [run for (name, _), each in finals.items() if name == row.variant for run in dict.fromkeys(each)]
            size, stored = _size([store.history(run.id) for run in runs])
            rows[number] = replace(row, size=size, bytes=stored)
    rows += _teacher_rows(planner, counts, ended, choices, test=test)
    confidence = counts[f"{split}-confidence"]
    teachers = teachers_by_fold(planner, choices)
    rows = [
        replace(
            row,
            ece=_ece(
                confidence,
                list(teachers[row.variant].values())
                if row.kind == "teacher"
                else [runs for (name, _), runs in finals.items() if name == row.variant],
            ),
        )
        for row in rows
    ]
    return Results(
        name=study.name,
        data=study.data.name,
        reference=reference,
        protocol=study.split.protocol,
        leaks=bool(planner.study_data.leaks),
        subjects=len({subject for fold in planner.study_data.folds for subject in fold.test_subjects}),
        teacher_gaps=tuple(compute_teacher_gaps(planner, store, choices, finals)),
        co_trained_teachers=tuple(compare_co_trained_teachers(planner, store, choices, finals, split)),
        rows=tuple(rows),
        compared=compared if test else None,
        test_evaluations=len(store.test_evaluations()),
        complete=complete,
        seconds=sum(each.seconds for each in ended.values()),
        classes=planner.study_data.windows.spec.classes,
        confusion=_pool_confusion(planner, counts["test"], matrices, teachers) if test else None,
    )


def student_confusion(
    planner: Planner, counts: Counted, finals: Mapping[Key, Sequence[Run]], split: str
) -> ConfusionMatrices | None:
    """Collect the confusion matrices of the reported runs; None if there are none yet."""
    study, study_data = planner.study, planner.study_data
    evaluated = {name: runs for (name, _), runs in finals.items() if any(run.id in counts for run in runs)}
    if not evaluated:
        return None
    names = [name for name in study.systems if name in evaluated]
    # A subject may be in the validation set of several folds; each (fold, subject) then counts separately.
    subjects = [(fold, subject) for fold, each in enumerate(study_data.folds) for subject in each.subjects(split)]
    unique = len({subject for _, subject in subjects}) == len(subjects)
    table = np.zeros((len(names), study.seeds, len(subjects), study_data.classes, study_data.classes), np.int64)
    for (name, fold), runs in finals.items():
        for seed, run in enumerate(runs):
            for number, (subject_fold, subject) in enumerate(subjects):
                if subject_fold == fold and subject in counts.get(run.id, {}):
                    table[names.index(name), seed, number] = counts[run.id][subject]
    return ConfusionMatrices(
        variants=tuple(names),
        seeds=tuple(range(study.seeds)),
        subjects=tuple(subject if unique else f"{subject} (fold {fold})" for fold, subject in subjects),
        folds=tuple(str(fold) for fold, _ in subjects),
        classes=study_data.windows.spec.classes,
        counts=table,
    )


def _pool_confusion(
    planner: Planner,
    counts: Counted,
    students: ConfusionMatrices | None,
    teachers: Mapping[str, Mapping[int, tuple[Run, ...]]],
) -> dict[str, list[list[list[int]]]]:
    """Pool the test confusion matrices of students and single teachers over subjects, for each seed."""
    pooled: dict[str, list[list[list[int]]]] = {}
    if students is not None:
        pooled = dict(zip(students.variants, students.counts.sum(2).tolist(), strict=True))
    for title, members in teachers.items():
        matrices = teacher_confusion(planner, counts, members) if all(len(e) == 1 for e in members.values()) else None
        if matrices is not None:
            pooled[title] = matrices.counts[0].sum(1).tolist()
    return pooled


def _row(
    planner: Planner,
    counts: Mapping[str, Counted],
    name: str,
    trials: Mapping[Key, Sequence[Trial]],
    choices: Mapping[Key, Selection | None],
    finals: Mapping[Key, Sequence[Run]],
    ended: Mapping[str, RunStatus],
    compared: ComparedVariants | None,
    reference: str,
) -> Row:
    study = planner.study
    variant = study.systems[name]
    selected = [choice for (key, _), choice in sorted(choices.items()) if key == name and choice is not None]
    runs = [run for (key, _), each in sorted(finals.items()) if key == name for run in each]
    trial_runs = [
        run_of(planner, key, fold, each)
        for (key, fold), group in sorted(trials.items())
        for each in group
        if key == name
    ]
    finished = [ended[run.id] for run in dict.fromkeys([*trial_runs, *runs]) if run.id in ended]
    validation, deviation = _pooled(counts["validation"], finals, name, study.seeds)
    score, accuracy, gain, p, verdict, not_inferior = None, None, None, None, "", None
    if compared is not None:
        standing = next((each for each in compared.standings if each.variant == name), None)
        if standing is not None:
            score, accuracy = standing.macro_f1, standing.accuracy
            _, deviation = _pooled(counts["test"], finals, name, study.seeds)
        against = next((each for each in compared.comparisons if each.variant == name), None)
        if against is not None:
            gain, p, verdict = against.difference, against.p_adjusted, against.verdict
            not_inferior = against.not_inferior
    baseline = isinstance(variant, Baseline)
    cost = None if baseline else network_cost(model_of((runs or trial_runs)[0], planner.study_data))
    return Row(
        variant=name,
        title=variant.title,
        kind="reference" if name == reference else "baseline" if baseline else _kind(study, name),
        trials=len({run.id for run in trial_runs}) // len(planner.study_data.folds)
        if baseline
        else count_trials(study),
        seeds=study.seeds,
        parameters=None if cost is None else cost.params,
        bytes=None if cost is None else cost.weight_bytes,
        flops=None if cost is None else cost.flops,
        validation=validation,
        macro_f1=score,
        accuracy=accuracy,
        seed_std=deviation,
        gain=gain,
        p=p,
        verdict=verdict if runs else "failed",
        settings=tuple(_setting(choice) for choice in selected),
        epochs=sum(each.epochs for each in finished),
        seconds=sum(each.seconds for each in finished),
        failed=sum(each.status == "failed" for each in finished),
        not_inferior=not_inferior,
    )


def _teacher_rows(
    planner: Planner,
    counts: Mapping[str, Counted],
    ended: Mapping[str, RunStatus],
    choices: Mapping[Key, Selection | None],
    *,
    test: bool,
) -> list[Row]:
    """Make a row for each teacher."""
    rows: list[Row] = []
    for title, members in teachers_by_fold(planner, choices).items():
        runs = [run for each in members.values() for run in each]
        if not all(run.id in ended for run in runs):
            continue
        single = all(len(each) == 1 for each in members.values())
        finals = {(title, fold): each for fold, each in members.items()} if single else {}
        validation, _ = _pooled(counts["validation"], finals, title, 1)
        interval = accuracy = None
        matrices = teacher_confusion(planner, counts["test"], members) if test and single else None
        if matrices is not None:
            (standing,) = compare_variants(matrices).standings
            interval, accuracy = standing.macro_f1, standing.accuracy
        cost = network_cost(model_of(runs[0], planner.study_data))
        finished = [ended[run.id] for run in dict.fromkeys(runs)]
        rows.append(
            Row(
                variant=title,
                title="teacher",
                kind="teacher",
                seeds=planner.study.teaching.seeds,
                parameters=cost.params,
                bytes=cost.weight_bytes,
                flops=cost.flops,
                validation=validation,
                macro_f1=interval,
                accuracy=accuracy,
                epochs=sum(each.epochs for each in finished),
                seconds=sum(each.seconds for each in finished),
                failed=sum(each.status == "failed" for each in finished),
            )
        )
    return rows


def teacher_confusion(
    planner: Planner, counts: Counted, members: Mapping[int, tuple[Run, ...]]
) -> ConfusionMatrices | None:
    """Collect the test confusion matrices of a teacher."""
    folds = planner.study_data.folds
    subjects = [(fold, subject) for fold in members for subject in folds[fold].test_subjects]
    if not all(members[fold][0].id in counts for fold in members) or not subjects:
        return None
    table = np.stack([counts[members[fold][0].id][subject] for fold, subject in subjects])
    names = tuple(subject for _, subject in subjects)
    if len(set(names)) < len(names):
        return None
    classes = planner.study_data.windows.spec.classes
    return ConfusionMatrices(
        ("teacher",), (0,), names, tuple(str(fold) for fold, _ in subjects), classes, table[None, None]
    )


def _pooled(
    counts: Counted, finals: Mapping[Key, Sequence[Run]], name: str, seeds: int
) -> tuple[float | None, float | None]:
    """Compute macro-F1 pooled over subjects and folds: mean and standard deviation over seeds."""
    scores = []
    for seed in range(seeds):
        runs = [each[seed] for (key, _), each in finals.items() if key == name and seed < len(each)]
        if runs and all(run.id in counts for run in runs):
            scores.append(float(macro_f1(sum(table for run in runs for table in counts[run.id].values()))))
    if not scores:
        return None, None
    return float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def _ece(confidence: Counted, folds: Sequence[Sequence[Run]]) -> float | None:
    """Compute the mean over seeds of the pooled calibration error; None if a run has no confidence sums."""
    if (
        not folds
        or any(run.id not in confidence for runs in folds for run in runs)
        or len({len(runs) for runs in folds}) > 1
    ):
        return None
    seeds = [[table for run in runs for table in confidence[run.id].values()] for runs in zip(*folds, strict=True)]
    return float(np.mean([pooled_reliability(tables).ece for tables in seeds])) if seeds else None


def _kind(study: Study, name: str) -> str:
    return "variant" if name in study.variants else "control"


def _size(histories: Sequence[Sequence[Mapping[str, float]]]) -> tuple[str, int | None]:
    """Describe the storage of a baseline: its parts with KiB, and bytes, at 32 bits per number."""
    rows = [history[0] for history in histories if history]
    if not rows:
        return "", None
    stored = 4 * float(np.mean([row["stored"] for row in rows]))
    for part in ("nodes", "coefficients"):
        if part in rows[0]:
            count = float(np.mean([row[part] for row in rows]))
            return f"{format_count(count)} {part}, {format_kib(stored)} KiB", round(stored)
    return "", round(stored)


def _setting(choice: Selection) -> str:
    parts = [f"{name} {value:.3g}" for name, value in choice.trial.hyperparameters.items()]
    return ", ".join([*parts, *([choice.trial.attention] if choice.trial.attention else [])]) or "defaults"
