"""The results of a study: a row for each variant and teacher, computed from its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluation import Reliability, compare_variants, confidence_sums, macro_f1
from ..evaluation.compare import ComparedVariants
from ..formatting import format_count, format_kib
from ..networks import Cost, named_network_cost
from .baselines import Baseline
from .budget import parse_budget
from .co_trained import CoTrainedTeacher, compare_co_trained_teachers
from .collapsed import MAJORITY, count_collapsed
from .ensembles import teacher_kinds, weigh_kinds
from .recommend import recommend
from .refit_scores import RefitScore, compare_refits
from .row import Row
from .runs import Run
from .search import count_trials
from .sequences import SequenceRow, score_sequences, score_validation
from .state import StudyState
from .store import Logits
from .teacher_gap import TeacherGap, compute_teacher_gaps


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
        sequences: scores of windows alone and in sequence, by variant and delay; empty without ``[decoding]``.
        budget: most bytes that the recommended model may store; None without a limit.
        windows: their length and hop in seconds and samples.
        findings: errors and warnings about the recordings, a sentence each.
        refits: scores of refits on training and validation subjects, if the study has them.
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
    budget: int | None = None
    refits: tuple[RefitScore, ...] = ()
    sequences: tuple[SequenceRow, ...] = ()
    windows: str = ""
    findings: tuple[str, ...] = ()

    @property
    def recommended(self) -> str | None:
        """Name of the recommended row, a student or a baseline; None before test subjects are evaluated."""
        row = recommend(self.rows, budget=self.budget).row if self.compared else None
        return None if row is None else row.variant

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame`` with the columns of ``results.csv``; needs pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise UserError("to_pandas needs pandas: python -m pip install pandas.") from None
        return pandas.DataFrame([row.to_dict() for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; ``rows`` have the keys of ``results.csv``."""
        confusion = None if self.confusion is None else {"classes": self.classes, "counts": self.confusion}
        values = asdict(replace(self, rows=(), confusion=None, sequences=())) | {
            "recommended": self.recommended,
            "rows": [row.to_dict() for row in self.rows],
            "sequences": [row.to_dict() for row in self.sequences],
            "confusion": confusion,
        }
        del values["classes"]
        return values


def compute_results(state: StudyState) -> Results:
    """Compute the results of a study."""
    study, index = state.study, state.index
    split = "test" if state.tested else "validation"
    matrices = state.confusion(split)
    reference = study.compare[1] if study.compare else next(iter(study.all_variants))
    compared = None
    if matrices is not None:
        against = reference if reference in matrices.variants else None
        compared = compare_variants(matrices, against=against, apart=study.baselines)
    scored = compared if state.tested else None
    rows = [_variant_row(state, name, scored, reference) for name in study.systems]
    rows += [_teacher_row(state, name) for name in state.trained_teachers]
    return Results(
        name=study.name,
        data=study.data.name,
        reference=reference,
        protocol=study.split.protocol,
        leaks=bool(index.leaks),
        subjects=len(index.subjects_of("test")),
        teacher_gaps=tuple(compute_teacher_gaps(state)),
        co_trained_teachers=tuple(compare_co_trained_teachers(state, split)),
        rows=tuple(rows),
        compared=scored,
        test_evaluations=len(state.store.test_evaluations()),
        complete=state.complete,
        seconds=sum(each.seconds for each in state.ended.values()),
        classes=index.spec.classes,
        budget=parse_budget(study.budget),
        confusion=_pool_confusion(state) if state.tested else None,
        refits=tuple(compare_refits(state)) if state.tested else (),
        sequences=score_sequences(state),
        windows=index.spec.describe_window(),
        findings=index.findings,
    )


def cost_of(state: StudyState, run: Run) -> Cost:
    """Count the cost of the network of a run."""
    return named_network_cost(run.network, state.index.spec_of(run), **run.options_of_network)


def reliability_of(state: StudyState, members: Sequence[Sequence[Run]], split: str) -> Reliability | None:
    """Compute the calibration of runs, pooled over their windows; None if one has no predictions.

    Args:
        state: of the study.
        members: runs, or several whose mean is one teacher.
        split: ``validation`` or ``test``.
    """
    sums = [_confidence(state, runs, split) for runs in members]
    return None if not sums or any(each is None for each in sums) else Reliability.of(np.sum(sums, axis=0))


def _pool_confusion(state: StudyState) -> dict[str, list[list[list[int]]]]:
    """Pool the test confusion matrices of students and single teachers over subjects, for each seed."""
    named = {name: state.confusion_of_teacher(name, "test") for name in state.trained_teachers}
    students = state.confusion("test")
    pooled = {} if students is None else dict(zip(students.variants, students.counts.sum(2).tolist(), strict=True))
    return pooled | {name: each.counts[0].sum(1).tolist() for name, each in named.items() if each is not None}


def _variant_row(state: StudyState, name: str, compared: ComparedVariants | None, reference: str) -> Row:
    study, variant = state.study, state.study.systems[name]
    baseline = isinstance(variant, Baseline)
    by_fold = [runs for (key, _), runs in sorted(state.finals.items()) if key == name]
    by_seed = [[(run,) for run in runs] for runs in zip(*by_fold, strict=True)]
    split = "validation" if compared is None else "test"
    scores = {each: _pooled(state, by_seed, each) for each in ("validation", split)}
    score = accuracy = gain = p = not_inferior = None
    verdict, deviation = "", _deviation(scores[split])
    for standing in compared.standings if compared else ():
        if standing.variant == name:
            score, accuracy = standing.macro_f1, standing.accuracy
    for comparison in compared.comparisons if compared else ():
        if comparison.variant == name:
            gain, p, verdict = comparison.difference, comparison.p_adjusted, comparison.verdict
            not_inferior = comparison.not_inferior
    runs = state.runs_of(name)
    ended = [state.ended[run.id] for run in runs if run.id in state.ended]
    cost = None if baseline else cost_of(state, runs[0])
    trials = count_trials(study)
    if baseline:
        # A baseline without ranges is fitted once, however many trials the others have.
        distinct = {state.planner.run(t).id for (key, _), ts in state.trials.items() for t in ts if key == name}
        trials = len(distinct) // len(state.index.folds)
    size, stored = _size([state.store.size(run.id) for runs in by_fold for run in dict.fromkeys(runs)])
    return Row(
        variant=name,
        title=variant.title or (variant.classifier if isinstance(variant, Baseline) else ""),
        kind="reference"
        if name == reference
        else "baseline"
        if baseline
        else "variant"
        if name in study.variants
        else "control",
        trials=trials,
        seeds=study.seeds,
        parameters=None if cost is None else cost.params,
        flops=None if cost is None else cost.flops,
        bytes=stored if cost is None else cost.weight_bytes,
        bytes_int8=stored if cost is None else cost.weight_bytes_int8,
        runs=0 if name == MAJORITY else sum(map(len, by_fold)),
        collapsed=0 if name == MAJORITY else count_collapsed(state, by_fold),
        validation=_mean(scores["validation"]),
        validation_in_sequence=score_validation(state, list(zip(*by_fold, strict=True))),
        macro_f1=score,
        accuracy=accuracy,
        seed_std=deviation,
        gain=gain,
        p=p,
        verdict=verdict if by_fold else "failed",
        settings=tuple(str(trial) for (key, _), trial in sorted(state.selected.items()) if key == name and trial),
        epochs=sum(each.epochs for each in ended),
        seconds=sum(each.seconds for each in ended),
        failed=sum(each.status == "failed" for each in ended),
        size=size,
        not_inferior=not_inferior,
        ece=_mean_ece(state, by_seed, split),
    )


def _teacher_row(state: StudyState, name: str) -> Row:
    members = [runs for _, runs in sorted(state.trained_teachers[name].items())]
    runs = list(dict.fromkeys(run for each in members for run in each))
    split = "test" if state.tested else "validation"
    score = accuracy = None
    matrices = state.confusion_of_teacher(name, "test") if state.tested else None
    if matrices is not None:
        (standing,) = compare_variants(matrices).standings
        score, accuracy = standing.macro_f1, standing.accuracy
    ended = [state.ended[run.id] for run in runs]
    # Several networks of a fold are one teacher; the size of feature classifiers is not counted here.
    costs = [cost_of(state, run) for run in members[0] if run.kind == "network"]
    return Row(
        variant=name,
        title="teacher",
        kind="teacher",
        seeds=state.study.teaching.seeds,
        parameters=sum(cost.params for cost in costs) or None,
        flops=sum(cost.flops for cost in costs) or None,
        bytes=sum(cost.weight_bytes for cost in costs) or None,
        bytes_int8=sum(cost.weight_bytes_int8 for cost in costs) or None,
        validation=_mean(_pooled(state, [members], "validation")),
        settings=_fitted_weights(state, members),
        macro_f1=score,
        accuracy=accuracy,
        epochs=sum(each.epochs for each in ended),
        seconds=sum(each.seconds for each in ended),
        ece=_mean_ece(state, [members], split),
        runs=len(runs),
        collapsed=count_collapsed(state, [runs]),
    )


def _fitted_weights(state: StudyState, members: Sequence[Sequence[Run]]) -> tuple[str, ...]:
    """Return the fitted weights of unlike teachers in each fold as text."""
    if state.study.teaching.weights == "equal" or len(teacher_kinds(members[0])) == 1:
        return ()
    weighed = [weigh_kinds(runs, shares) for runs in members if (shares := state.shares(runs)) is not None]
    return tuple(", ".join(f"{kind} {weight:.2f}" for kind, weight in each.items()) for each in weighed)


def _pooled(state: StudyState, by_seed: Sequence[Sequence[Sequence[Run]]], split: str) -> list[float]:
    """Compute macro-F1 of each seed, pooled over subjects and folds; without seeds that lack predictions.

    Args:
        state: of the study.
        by_seed: for each seed and fold a run, or several whose mean is one teacher.
        split: ``validation`` or ``test``.
    """
    scores = []
    for members in by_seed:
        counts = [each for runs in members if (each := state.counts(runs, split)) is not None]
        if counts and len(counts) == len(members):
            scores.append(float(macro_f1(np.sum(counts, axis=(0, 1)))))
    return scores


def _mean_ece(state: StudyState, by_seed: Sequence[Sequence[Sequence[Run]]], split: str) -> float | None:
    """Compute the mean over seeds of the expected calibration error; None if a run has no predictions."""
    errors = [reliability_of(state, members, split) for members in by_seed]
    known = [each.ece for each in errors if each is not None]
    return float(np.mean(known)) if known and len(known) == len(errors) else None


def _confidence(state: StudyState, runs: Sequence[Run], split: str) -> Any:
    """Compute ``confidence_sums`` of a run, or of several whose mean is one teacher."""
    logits = state.logits(runs, split)
    if logits is None:
        return None
    rows = state.index.rows(runs[0].fold, split)
    return confidence_sums(state.index.labels[rows], _probabilities(logits))


def _probabilities(logits: Logits) -> Any:
    from scipy.special import softmax

    return softmax(np.where(np.isfinite(logits), logits, -1e9).astype(np.float64), axis=1)


def _mean(scores: Sequence[float]) -> float | None:
    return float(np.mean(scores)) if scores else None


def _deviation(scores: Sequence[float]) -> float | None:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def _size(sizes: Sequence[dict[str, float]]) -> tuple[str, int | None]:
    """Describe the storage of a feature classifier: its parts with KiB, and bytes, at 32 bits per number."""
    sizes = [each for each in sizes if "stored" in each]
    if not sizes:
        return "", None
    stored = 4 * float(np.mean([each["stored"] for each in sizes]))
    for part in ("nodes", "coefficients"):
        if part in sizes[0]:
            count = float(np.mean([each[part] for each in sizes]))
            return f"{format_count(count)} {part}, {format_kib(stored)} KiB", round(stored)
    return "", round(stored)
