"""Put the recommendation of a study into words, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..formatting import (
    format_amount,
    format_kib,
    format_list,
    format_number,
    format_p,
    format_percent,
    format_points,
    format_score,
    format_several,
)
from ..studies import Row, recommend
from ..studies.recommend import is_better, is_worse, price, validation_score
from .evidence import Evidence
from .results import describe_too_wide


@dataclass(frozen=True)
class Advice:
    """A recommendation in words.

    Args:
        row: the recommended student or baseline, or None.
        take: the recommendation, a sentence.
        sure: whether a gain was ``shown``, ``not shown`` or is ``unknown``.
        why: the evidence, a sentence each.
        without: baselines that score as high as the best supported student, a sentence; empty if none does.
    """

    row: Row | None
    take: str
    sure: str
    why: tuple[str, ...]
    without: str = ""


def advise(evidence: Evidence) -> Advice:
    """Describe what ``recommend`` decides on the rows of a report."""
    recommendation, base = recommend(evidence.rows, budget=evidence.results.budget), evidence.reference
    row, student, reason = recommendation.row, recommendation.student, recommendation.reason
    if reason == "too large":
        return _describe_too_large(evidence)
    if reason == "too wide" and student is not None:
        take = f"No recommendation: {describe_too_wide(student)}."
        return Advice(None, take, "unknown", _limits(evidence))
    if reason == "collapsed":
        take = "No recommendation: half or more of the trainings of every network predict one class only."
        return Advice(None, take, "unknown", _limits(evidence))
    if row is None or student is None:
        return Advice(None, "No recommendation yet: no student has a score.", "unknown", ())
    without = _describe_baselines(evidence, recommendation.baselines)
    others = [each for each in evidence.students if each.kind not in ("baseline", "teacher")]
    if reason == "budget":
        return _describe_within(evidence, row, without)
    if row is not student:
        every = all(_score(row) > _score(each) for each in others)
        take = (
            f"Take {row.variant}, a baseline without a network: it beats "
            f"{'every student' if every else f'{student.variant}, the best supported student'}."
        )
        why = [_describe_gain(row, base), f"It stores {format_kib(row.bytes)} KiB, {_describe_student(student)}."]
        return Advice(row, take, "shown" if is_better(row) else "not shown", (*why, *_limits(evidence)), without)
    if reason == "better" and base:
        take, sure, why = _describe_better(evidence, row, base, others)
    elif reason == "cheaper" and base:
        take = f"Take {row.variant}: it costs less than {base.variant} and is not inferior to it (margin: one point)."
        sure, why = "shown", [_describe_gain(row, base)]
    elif reason == "cheapest" and base:
        take, sure, why = _describe_cheapest(row, base, others)
    else:
        only = f"{row.variant} is the only student with a score."
        take = only if len(others) == 1 else f"Take {row.variant}: it is the cheapest."
        sure, why = "unknown", ["There is no other student to compare it with."]
    return Advice(row, take, sure, (*why, *_limits(evidence)), without)


def _describe_within(evidence: Evidence, row: Row, without: str) -> Advice:
    limit = evidence.record.study.budget
    how = "" if row.validation_in_sequence is None else " in sequence"
    score = format_percent(validation_score(row))
    within = f"of the models within {limit} it scores highest on validation subjects{how}, {score} %"
    size = f"It stores {format_kib(row.bytes_int8)} KiB" + (" with int8 weights." if row.parameters else ".")
    beaten = [
        each.variant
        for each in evidence.students
        if each.kind == "baseline" and each is not row and _score(each) < _score(row)
    ]
    why = [size, *([f"It scores higher than {format_list(beaten)} on {evidence.subjects}."] if beaten else [])]
    return Advice(row, f"Take {row.variant}: {within}.", "selected", (*why, *_limits(evidence)), without)


def _describe_too_large(evidence: Evidence) -> Advice:
    sized = [row for row in evidence.students if row.bytes_int8 is not None]
    smallest = min(sized, key=lambda row: row.bytes_int8 or 0)
    text = f"No model fits into {evidence.record.study.budget}: the smallest, {smallest.variant}, stores "
    return Advice(None, f"{text}{format_kib(smallest.bytes_int8)} KiB.", "unknown", ())


def pareto_front(rows: Sequence[Row]) -> list[Row]:
    """Return the Pareto front of macro-F1 against FLOPs, cheapest first; of equal rows the first."""
    front: list[Row] = []
    for row in sorted(rows, key=lambda each: (price(each), -_score(each))):
        if row.macro_f1 and (not front or _score(row) > _score(front[-1])):
            front.append(row)
    return front


def describe_front(evidence: Evidence) -> list[str]:
    """Describe the Pareto front, a sentence for each of its rows."""
    steps = pareto_front(evidence.networks)
    sentences = []
    for before, row in zip([None, *steps], steps, strict=False):
        text = f"{row.variant}: {format_score(row.macro_f1)} for {format_amount(row.flops or 0)}FLOPs per window"
        text += f" and {format_amount(row.parameters or 0)} parameters"
        if before and before.flops and row.flops:
            more = row.flops / before.flops
            factor = f"{more:.0f} times the" if more >= 2 else f"{100 * (more - 1):.1f} % more"
            points = format_percent(_score(row) - _score(before), sign="+")
            text += f"; {points} points over {before.variant} at {factor} FLOPs"
            if row.kind != "teacher" and not is_better(row):
                text += ", a gain that was not shown"
        sentences.append(text + (" (a teacher, not for a device)" if row.kind == "teacher" else "") + ".")
    return sentences


def _describe_better(evidence: Evidence, row: Row, base: Row, others: Sequence[Row]) -> tuple[str, str, list[str]]:
    one_run = row.verdict.endswith("run")
    where = f"shown on {evidence.subjects}" if not one_run else "shown for one training run of each"
    why = [_describe_gain(row, base), _describe_price(row, base)]
    also = [each.variant for each in others if is_better(each) and each is not row]
    if also:
        why.append(f"Also better than {base.variant}: {format_list(also)}. They were not tested against each other.")
    rival = max((each for each in others if each.kind == "control"), key=_score, default=None)
    if row.kind == "control":
        why.append(f"{row.variant} is a control: the gain did not come from the distillation method under test.")
    elif rival and _score(rival) >= _score(row):
        why.append(
            f"{rival.variant}, a control, scores as high ({format_percent(_score(rival))} %), so the gain may not come "
            "from the teacher."
        )
    return f"Take {row.variant}: better than {base.variant}, {where}.", "shown", why


def _describe_cheapest(row: Row, base: Row, others: Sequence[Row]) -> tuple[str, str, list[str]]:
    able = [each for each in others if each is not row and each.gain and not is_worse(each)]
    # Controls are not under test, unless there is nothing else.
    rivals = [each for each in able if each.kind == "variant"] or able
    ends = [each.gain for each in rivals if each.gain]
    high = max((each.high for each in ends if each.high is not None), default=None)
    low = min((each.low for each in ends if each.low is not None), default=None)
    why = []
    if high is not None and low is not None:
        small = ": too wide to show that they are equal to it" if max(-low, high) > 0.01 else ""
        text = f"The 95 % intervals of their differences to {base.variant} lie between"
        why.append(f"{text} {format_percent(low, sign='+')} and {format_percent(high, sign='+')} points{small}.")
    top = max(others, key=_score)
    if top is not row and top.gain:
        gain = f"{format_points(top.gain)} against {base.variant}"
        why.append(f"The student with the highest score is {top.variant}: {gain}, {top.verdict}.")
    plain = "the plain student and the " if row is base else "the "
    return f"Take {row.variant}, {plain}cheapest: no other student was shown to be better.", "not shown", why


def _limits(evidence: Evidence) -> tuple[str, ...]:
    """List the limits of the study, a sentence each."""
    results, sentences = evidence.results, []
    if results.leaks:
        sentences.append(
            f"The protocol {results.protocol} leaks: test subjects, or parts of their recordings, are in the training "
            "set. The scores say little about new subjects."
        )
    if not evidence.tested:
        sentences.append(
            "Scores are of the validation subjects, on which hyperparameters and epochs were chosen, so they are "
            "optimistic. Evaluate on the test subjects with still study … --score-test."
        )
    if evidence.confusion is not None and len(evidence.confusion.subjects) == 1:
        sentences.append("Only one subject was scored, so there is no confidence interval over subjects.")
    collapsed = [f"{each.variant} ({each.collapsed} of {each.runs})" for each in evidence.rows if each.collapsed]
    if collapsed:
        sentences.append(
            f"Trainings never left the majority class: {format_list(collapsed)}. A lower learning rate, more epochs or "
            "a window that fits the actions may help."
        )
    if not results.complete:
        sentences.append("The study is not finished; further runs may change this.")
    if evidence.record.study.seeds == 1:
        sentences.append("One seed: the variation between training runs is unknown.")
    return tuple(sentences)


def _describe_baselines(evidence: Evidence, baselines: Sequence[Row]) -> str:
    as_high = []
    for each in baselines:
        words = f"{each.variant} {format_percent(_score(each))} %"
        if each.gain and evidence.reference:
            words += f" ({format_points(each.gain)} against {evidence.reference.variant}: {each.verdict})"
        as_high.append(words)
    if not as_high:
        return ""
    return (
        f"Baselines without a network that score as high: {format_list(as_high)}. They classify standard features of "
        "the windows and had as many trials; no device code is generated for them."
    )


def _describe_student(student: Row) -> str:
    score = format_score(student.macro_f1)
    return f"{student.variant}, the best supported student, {format_kib(student.bytes)} KiB and reaches {score}"


def _describe_gain(row: Row, base: Row | None) -> str:
    if row.gain is None or base is None:
        return f"It reaches {format_score(row.macro_f1)}."
    corrected = "" if row.p is None else f", p = {format_p(row.p)} after the max-statistic correction"
    text = f"{format_points(row.gain)} of macro-F1 against {base.variant}{corrected}"
    return f"{text}, over {format_several(row.gain.subjects, 'subject')} and {format_several(row.seeds, 'seed')}."


def _describe_price(row: Row, base: Row) -> str:
    flops, parameters = (
        format_number(100 * ((own or 0) / other - 1), "+.1f") if other else "–"
        for own, other in ((row.flops, base.flops), (row.parameters, base.parameters))
    )
    return f"Its cost against {base.variant}: {flops} % FLOPs and {parameters} % parameters."


def _score(row: Row) -> float:
    return row.macro_f1.score if row.macro_f1 else 0.0
