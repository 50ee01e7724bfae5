"""Recommend a row of a study's table: the model to put on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .row import Row

#: A recommendation is withheld where the 95 % interval of its macro-F1 covers more than this share of the range.
WIDEST = 0.5


@dataclass(frozen=True)
class Recommendation:
    """The recommended row.

    Args:
        row: the recommended student or baseline; None before there are scores.
        student: the best supported student; the same row unless a baseline beats it.
        reason: why the student is the best supported: ``better`` (shown to be better than the reference), ``cheaper``
            (and not inferior to it), ``cheapest`` (no other was shown to be better), ``unknown`` (nothing to compare)
            or ``none`` (no score). With a budget: ``budget``, or ``too large`` if nothing fits. ``too wide`` if the
            recommendation is withheld, since the interval of its score covers most of the range: ``student`` is then
            the row that it would be. ``collapsed`` if the trainings of every row predict one class only.
        baselines: those that score as high as the student, best first.
    """

    row: Row | None
    student: Row | None
    reason: str
    baselines: tuple[Row, ...] = ()


def recommend(rows: Sequence[Row], *, budget: int | None = None, withhold: bool = True) -> Recommendation:
    """Recommend the best student that was shown to be better, else the cheapest; a baseline that beats it instead.

    Students are networks without teachers among them. A higher score alone decides nothing between students. A
    baseline beats the student if it scores higher and either was shown to be better than the reference, or takes no
    more bytes: the burden of proof is on the network.

    A row of which half or more of the trainings predict one class only is never recommended. Nothing is recommended
    where the interval of the score is wider than half of the range: so few people or so little data say nothing.

    Args:
        rows: of one table, with scores of the same subjects.
        budget: most bytes that the recommended model may store on the device. Then the row within it that scores
            highest on *validation* subjects is recommended, network or baseline: test subjects decide nothing. The
            score is that of windows in sequence where the rows have one, as that is how the model will answer.
        withhold: whether nothing is recommended where the interval is too wide.

    Returns:
        The recommended row, and what the decision rests on.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.studies import Row, recommend
        >>> lm = Row("lm", "student", "reference", flops=9000, bytes=4000, macro_f1=Interval(0.6, 0.5, 0.7, 9, 0.95))
        >>> score = Interval(0.7, 0.6, 0.8, 9, 0.95)
        >>> forest = Row("forest", "trees", "baseline", bytes=90_000, macro_f1=score, verdict="better")
        >>> recommend([lm, forest]).row.variant, recommend([lm, forest]).student.variant
        ('forest', 'lm')
    """
    recommendation = _recommend([row for row in rows if row.macro_f1 is not None and not is_collapsed(row)], budget)
    if recommendation.reason == "none" and any(is_collapsed(row) for row in rows):
        return replace(recommendation, reason="collapsed")
    if withhold and recommendation.row is not None and is_too_wide(recommendation.row):
        return replace(recommendation, row=None, student=recommendation.row, reason="too wide")
    return recommendation


def _recommend(scored: Sequence[Row], budget: int | None) -> Recommendation:
    if budget is not None:
        return _recommend_within(budget, [row for row in scored if row.kind != "teacher"])
    student, reason = _choose_student([row for row in scored if row.kind not in ("baseline", "teacher")])
    baselines = sorted((row for row in scored if row.kind == "baseline"), key=_score, reverse=True)
    if student is None:
        return Recommendation(None, None, reason)
    as_high = tuple(row for row in baselines if _score(row) >= _score(student))
    row = next((row for row in as_high if _beats(row, student)), student)
    return Recommendation(row, student, reason, as_high)


def _recommend_within(budget: int, rows: Sequence[Row]) -> Recommendation:
    within = [row for row in rows if row.bytes_int8 is not None and row.bytes_int8 <= budget]
    if not within:
        return Recommendation(None, None, "too large" if rows else "none")
    best = max(within, key=lambda row: (validation_score(row) or 0.0, -(row.bytes_int8 or 0)))
    as_high = (row for row in rows if row.kind == "baseline" and row is not best and _score(row) >= _score(best))
    return Recommendation(best, best, "budget", tuple(sorted(as_high, key=_score, reverse=True)))


def validation_score(row: Row) -> float | None:
    """Return the score on validation subjects that decides within a budget: in sequence where there is one."""
    return row.validation if row.validation_in_sequence is None else row.validation_in_sequence


def is_collapsed(row: Row) -> bool:
    """Return whether half or more of the trainings of a network predict one class only."""
    return 0 < row.runs <= 2 * row.collapsed


def is_too_wide(row: Row) -> bool:
    """Return whether the interval of a row's score covers most of the range."""
    score = row.macro_f1
    return score is not None and score.low is not None and score.high is not None and score.high - score.low > WIDEST


def is_better(row: Row) -> bool:
    """Return whether a row was shown to be better than the reference, if only in one run."""
    return row.verdict.startswith("better")


def is_worse(row: Row) -> bool:
    """Return whether a row was shown to be worse than the reference, if only in one run."""
    return row.verdict.startswith("worse")


def price(row: Row) -> tuple[int, int]:
    """Return FLOPs and parameters, by which networks are ordered."""
    return row.flops or 0, row.parameters or 0


def _choose_student(students: Sequence[Row]) -> tuple[Row | None, str]:
    if not students:
        return None, "none"
    reference = next((row for row in students if row.kind == "reference"), None)
    if reference is None or len(students) == 1:
        return min(students, key=price), "unknown"
    better = [row for row in students if is_better(row)]
    if better:
        return max(better, key=_score), "better"
    cheaper = [row for row in students if row.not_inferior and price(row) < price(reference)]
    if cheaper:
        return min(cheaper, key=price), "cheaper"
    cheapest = min((row for row in students if not is_worse(row)), key=price, default=reference)
    return (reference if price(cheapest) == price(reference) else cheapest), "cheapest"


def _beats(baseline: Row, student: Row) -> bool:
    smaller = baseline.bytes is not None and student.bytes is not None and baseline.bytes <= student.bytes
    return _score(baseline) > _score(student) and (is_better(baseline) or smaller)


def _score(row: Row) -> float:
    return row.macro_f1.score if row.macro_f1 else 0.0
