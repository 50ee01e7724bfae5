"""What a study came to: one row a variant, and whether the teacher had anything to teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import ConfusionMatrices, Interval, compare_variants, macro_f1
from ..evaluation.compare import ComparedVariants
from ..networks import network_cost
from .baselines import Baseline
from .co_trained import CoTrainedTeacher, compare_co_trained_teachers
from .plan import Planner
from .runs import Run
from .scoring import pooled_reliability
from .search import Trial, count_trials
from .selection import Key, Selection, final_runs, run_of
from .spec import Study
from .store import RunStatus, Store
from .teacher_gap import TeacherGap, compute_teacher_gaps, teachers_by_fold
from .teachers import model_of

#: Confusion counts by run and subject, as the store gives them.
Counted = Mapping[str, Mapping[str, NDArray[np.int64]]]


@dataclass(frozen=True)
class Row:
    """One variant's results.

    Args:
        variant: its name, title and role: ``reference``, ``variant``, ``control``, ``baseline`` or ``teacher``.
        trials: settings tried in each fold, failed ones included.
        seeds: students a fold.
        params, flops: of the student that a device runs; None for a baseline, which none runs.
        validation: macro-F1 of the validation subjects, pooled over them, mean over seeds.
        test: the same of the test subjects with its interval, or None while they have not been scored.
        accuracy: of the test subjects.
        ece: expected calibration error (15 bins) of the test subjects, of the validation subjects before; mean over
        seeds. seed_spread: standard deviation of the test score (the validation score before) over seeds.
        gain: test score minus the reference's, with its interval.
        p: of the sign-flip test, after the max-statistic correction.
        verdict: in words.
        settings: what was chosen, by fold.
        epochs, seconds: of all its runs together.
        failed: runs that failed.
        size: what a baseline would have to store, a mean over its reported runs.
    """

    variant: str
    title: str
    role: str
    trials: int
    seeds: int
    params: int | None
    flops: int | None
    validation: float | None
    test: Interval | None
    accuracy: float | None
    seed_spread: float | None
    gain: Interval | None
    p: float | None
    verdict: str
    settings: tuple[str, ...]
    epochs: int
    seconds: float
    failed: int
    size: str = ""
    ece: float | None = None


@dataclass(frozen=True)
class Results:
    """A study's results.

    Args:
        name: of the study.
        reference: what variants are compared with.
        protocol: and whether it ``leaks``.
        subjects: how many test subjects there are.
        leads: teachers against the plain student.
        partners: teachers that learnt beside their students.
        rows: one a variant, the reference first.
        compared: the statistics behind them, None while test subjects have not been scored.
        looks: how many times test subjects were looked at.
        complete: whether nothing is missing.
        seconds: of training, all fleets together.
    """

    name: str
    data: str
    reference: str
    protocol: str
    leaks: bool
    subjects: int
    leads: tuple[TeacherGap, ...]
    partners: tuple[CoTrainedTeacher, ...]
    rows: tuple[Row, ...]
    compared: ComparedVariants | None
    looks: int
    complete: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def compute_results(
    planner: Planner,
    store: Store,
    trial: Mapping[Key, Sequence[Trial]],
    choices: Mapping[Key, Selection | None],
    *,
    test: bool,
    complete: bool,
) -> Results:
    """The table of a study from what its store holds."""
    study, ended = planner.study, store.ended()
    finals = final_runs(planner, choices)
    side = "test" if test else "validation"
    counts = {each: store.counts(each) for each in ("validation", "test", f"{side}-confidence")}
    confusion = student_confusion(planner, counts[side], finals, side)
    reference = study.compare[1] if study.compare else next(iter(study.all_variants))
    compared = None
    if confusion is not None:
        compared = compare_variants(
            confusion, against=reference if reference in confusion.variants else None, apart=study.baselines
        )
    rows = [
        _row(planner, counts, name, trial, choices, finals, ended, compared if test else None, reference)
        for name in study.systems
    ]
    for number, row in enumerate(rows):
        if row.role == "baseline":
            runs = [run for (name, _), each in finals.items() if name == row.variant for run in dict.fromkeys(each)]
            rows[number] = replace(row, size=_size([store.history(run.id) for run in runs]))
    rows += _teacher_rows(planner, counts, ended, choices, test=test)
    sure = counts[f"{side}-confidence"]
    teachers_of_students = teachers_by_fold(planner, choices)
    rows = [
        replace(
            row,
            ece=_ece(
                sure,
                list(teachers_of_students[row.variant].values())
                if row.role == "teacher"
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
        leads=tuple(compute_teacher_gaps(planner, store, choices, finals)),
        partners=tuple(compare_co_trained_teachers(planner, store, choices, finals, side)),
        rows=tuple(rows),
        compared=compared if test else None,
        looks=len(store.test_evaluations()),
        complete=complete,
        seconds=sum(each.seconds for each in ended.values()),
    )


def student_confusion(
    planner: Planner, counts: Counted, finals: Mapping[Key, Sequence[Run]], side: str
) -> ConfusionMatrices | None:
    """Confusion counts of the reported runs that have been counted, as the statistics want them."""
    study, study_data = planner.study, planner.study_data
    there = {name: runs for (name, _), runs in finals.items() if any(run.id in counts for run in runs)}
    if not there:
        return None
    names = [name for name in study.systems if name in there]
    # Subjects may be in several folds' validation: each fold's subject counts by itself then.
    subjects = [(fold, subject) for fold, each in enumerate(study_data.folds) for subject in each.subjects(side)]
    plain = len({subject for _, subject in subjects}) == len(subjects)
    table = np.zeros((len(names), study.seeds, len(subjects), study_data.classes, study_data.classes), np.int64)
    for (name, fold), runs in finals.items():
        for seed, run in enumerate(runs):
            for number, (own, subject) in enumerate(subjects):
                if own == fold and subject in counts.get(run.id, {}):
                    table[names.index(name), seed, number] = counts[run.id][subject]
    return ConfusionMatrices(
        variants=tuple(names),
        seeds=tuple(range(study.seeds)),
        subjects=tuple(subject if plain else f"{subject} (fold {fold})" for fold, subject in subjects),
        folds=tuple(str(fold) for fold, _ in subjects),
        classes=study_data.windows.spec.classes,
        counts=table,
    )


def _row(
    planner: Planner,
    counts: Mapping[str, Counted],
    name: str,
    trial: Mapping[Key, Sequence[Trial]],
    choices: Mapping[Key, Selection | None],
    finals: Mapping[Key, Sequence[Run]],
    ended: Mapping[str, RunStatus],
    compared: ComparedVariants | None,
    reference: str,
) -> Row:
    study = planner.study
    variant = study.systems[name]
    mine = [choice for (own, _), choice in sorted(choices.items()) if own == name and choice is not None]
    runs = [run for (own, _), each in sorted(finals.items()) if own == name for run in each]
    trials = [
        run_of(planner, own, fold, each) for (own, fold), made in sorted(trial.items()) for each in made if own == name
    ]
    there = [ended[run.id] for run in dict.fromkeys([*trials, *runs]) if run.id in ended]
    validation, spread = _pooled(counts["validation"], finals, name, study.seeds)
    test, accuracy, gain, p, verdict = None, None, None, None, ""
    if compared is not None:
        standing = next((each for each in compared.standings if each.variant == name), None)
        if standing is not None:
            test, accuracy = standing.macro_f1, standing.accuracy
            _, spread = _pooled(counts["test"], finals, name, study.seeds)
        against = next((each for each in compared.comparisons if each.variant == name), None)
        if against is not None:
            gain, p, verdict = against.difference, against.p_adjusted, against.verdict
    baseline = isinstance(variant, Baseline)
    said = None if baseline else network_cost(model_of((runs or trials)[0], planner.study_data))
    return Row(
        variant=name,
        title=variant.title,
        role="reference" if name == reference else "baseline" if baseline else _role(study, name),
        trials=len({run.id for run in trials}) // len(planner.study_data.folds) if baseline else count_trials(study),
        seeds=study.seeds,
        params=None if said is None else said.params,
        flops=None if said is None else said.flops,
        validation=validation,
        test=test,
        accuracy=accuracy,
        seed_spread=spread,
        gain=gain,
        p=p,
        verdict=verdict if runs else "failed",
        settings=tuple(_setting(choice) for choice in mine),
        epochs=sum(each.epochs for each in there),
        seconds=sum(each.seconds for each in there),
        failed=sum(each.status == "failed" for each in there),
    )


def _teacher_rows(
    planner: Planner,
    counts: Mapping[str, Counted],
    ended: Mapping[str, RunStatus],
    choices: Mapping[Key, Selection | None],
    *,
    test: bool,
) -> list[Row]:
    """Teachers as rows of their own: what a student could reach."""
    found: list[Row] = []
    for title, members in teachers_by_fold(planner, choices).items():
        runs = [run for each in members.values() for run in each]
        if not all(run.id in ended for run in runs):
            continue
        lone = all(len(each) == 1 for each in members.values())
        finals = {(title, fold): each for fold, each in members.items()} if lone else {}
        validation, _ = _pooled(counts["validation"], finals, title, 1)
        interval = accuracy = None
        confusion = teacher_confusion(planner, counts["test"], members) if test and lone else None
        if confusion is not None:
            (standing,) = compare_variants(confusion).standings
            interval, accuracy = standing.macro_f1, standing.accuracy
        said = network_cost(model_of(runs[0], planner.study_data))
        there = [ended[run.id] for run in dict.fromkeys(runs)]
        found.append(
            Row(
                variant=title,
                title="teacher",
                role="teacher",
                trials=1,
                seeds=planner.study.teaching.seeds,
                params=said.params,
                flops=said.flops,
                validation=validation,
                test=interval,
                accuracy=accuracy,
                seed_spread=None,
                gain=None,
                p=None,
                verdict="",
                settings=(),
                epochs=sum(each.epochs for each in there),
                seconds=sum(each.seconds for each in there),
                failed=sum(each.status == "failed" for each in there),
            )
        )
    return found


def teacher_confusion(
    planner: Planner, counts: Counted, members: Mapping[int, tuple[Run, ...]]
) -> ConfusionMatrices | None:
    """Test counts of a teacher alone."""
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
    """Macro-F1 from counts pooled over subjects and folds: mean and standard deviation over seeds."""
    scores = []
    for seed in range(seeds):
        runs = [each[seed] for (own, _), each in finals.items() if own == name and seed < len(each)]
        if runs and all(run.id in counts for run in runs):
            scores.append(float(macro_f1(sum(table for run in runs for table in counts[run.id].values()))))
    if not scores:
        return None, None
    return float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def _ece(sure: Counted, folds: Sequence[Sequence[Run]]) -> float | None:
    """Of each seed, pooled over subjects and folds; the mean over seeds. None where a run was not counted."""
    if not folds or any(run.id not in sure for runs in folds for run in runs) or len({len(runs) for runs in folds}) > 1:
        return None
    seeds = [[table for run in runs for table in sure[run.id].values()] for runs in zip(*folds, strict=True)]
    return float(np.mean([pooled_reliability(tables).ece for tables in seeds])) if seeds else None


def _role(study: Study, name: str) -> str:
    return "variant" if name in study.variants else "control"


def _size(histories: Sequence[Sequence[Mapping[str, float]]]) -> str:
    """What a baseline would have to store: its parts, and bytes at 32 bits a number."""
    rows = [history[0] for history in histories if history]
    for part in ("nodes", "coefficients"):
        if rows and part in rows[0]:
            many, stored = (float(np.mean([row[name] for row in rows])) for name in (part, "stored"))
            return f"{many:,.0f} {part}, {4 * stored / 1024:,.0f} KiB"
    return ""


def _setting(choice: Selection) -> str:
    parts = [f"{name} {value:.3g}" for name, value in choice.trial.hyperparameters.items()]
    return ", ".join([*parts, *([choice.trial.attention] if choice.trial.attention else [])]) or "defaults"
