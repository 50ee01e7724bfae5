"""The recommended model, from the rows of a table alone."""

import itertools
from dataclasses import replace

import pytest

from stillmotion.evaluation import Interval
from stillmotion.studies import Row, recommend


def row(name, kind, score, verdict="", *, flops=100, size=4000, not_inferior=None):
    """A row with a score; a baseline has no FLOPs."""
    estimate = None if score is None else Interval(score, score - 0.05, score + 0.05, 9, 0.95)
    network = kind != "baseline"
    return Row(
        name,
        name,
        kind,
        parameters=size // 4 if network else None,
        flops=flops if network else None,
        bytes=size,
        macro_f1=estimate,
        verdict=verdict,
        not_inferior=not_inferior,
    )


REFERENCE = row("lm", "reference", 0.7)


def test_nothing_is_recommended_without_a_score():
    assert recommend([]).row is None
    assert recommend([row("lm", "reference", None)]).row is None
    assert recommend([row("om", "teacher", 0.9), row("forest", "baseline", 0.9)]).row is None


@pytest.mark.parametrize(
    ("others", "name", "reason"),
    [
        ([], "lm", "unknown"),
        ([row("a", "variant", 0.8, "better"), row("b", "variant", 0.9, "not distinguishable")], "a", "better"),
        ([row("a", "variant", 0.8, "better"), row("b", "variant", 0.81, "better in one run")], "b", "better"),
        ([row("s", "variant", 0.69, flops=50, not_inferior=True), row("b", "variant", 0.9)], "s", "cheaper"),
        ([row("s", "variant", 0.6, "worse", flops=50)], "lm", "cheapest"),
        ([row("s", "variant", 0.6, "not distinguishable", flops=50)], "s", "cheapest"),
        ([row("om", "teacher", 0.95, flops=1)], "lm", "unknown"),
    ],
)
def test_the_best_student_that_was_shown_to_be_better_else_the_cheapest(others, name, reason):
    found = recommend([REFERENCE, *others])
    assert (found.row.variant, found.row, found.reason) == (name, found.student, reason)


@pytest.mark.parametrize(
    ("score", "verdict", "size", "taken"),
    [
        (0.9, "better", 10**6, True),
        (0.9, "not distinguishable", 10**6, False),  # larger, and not shown
        (0.9, "not distinguishable", 1000, True),  # no larger, and higher
        (0.8, "better", 1000, False),  # as high only
        (0.75, "better", 1000, False),
    ],
)
def test_a_baseline_that_beats_the_student_is_recommended_in_its_place(score, verdict, size, taken):
    student, forest = row("a", "variant", 0.8, "better"), row("forest", "baseline", score, verdict, size=size)
    found = recommend([REFERENCE, student, forest])
    assert found.student is student
    assert found.row is (forest if taken else student)
    assert found.baselines == ((forest,) if score >= 0.8 else ())


def test_no_student_is_recommended_that_a_baseline_shown_to_be_better_outscores():
    verdicts, scores = ("better", "not distinguishable", "worse"), (0.6, 0.75, 0.9)
    for (one, a), (two, b), (three, c) in itertools.product(itertools.product(verdicts, scores), repeat=3):
        rows = [REFERENCE, row("a", "variant", a, one), row("b", "variant", b, two), row("f", "baseline", c, three)]
        found = recommend(rows).row
        assert found.kind == "baseline" or three != "better" or found.macro_f1.score >= c


def test_a_row_whose_trainings_collapsed_is_not_recommended():
    collapsed = replace(row("a", "variant", 0.8, "better"), runs=4, collapsed=2)
    assert recommend([REFERENCE, collapsed]).row.variant == "lm"
    assert recommend([REFERENCE, replace(collapsed, collapsed=1)]).row.variant == "a"
    assert collapsed.warning == "2 of 4 trainings predict one class only"
    everything = recommend([replace(REFERENCE, runs=2, collapsed=2)])
    assert (everything.row, everything.reason) == (None, "collapsed")


@pytest.mark.parametrize(("low", "high", "recommended"), [(0.2, 0.7, True), (0.19, 0.7, False), (0.0, 1.0, False)])
def test_nothing_is_recommended_where_the_interval_covers_most_of_the_range(low, high, recommended):
    wide = replace(REFERENCE, macro_f1=Interval(0.4, low, high, 3, 0.95))
    found = recommend([wide])
    assert (found.row is not None) == recommended
    assert found.student.variant == "lm"
    assert (found.reason == "too wide") == (not recommended)
    # What is shipped is the same all the same.
    assert recommend([wide], withhold=False).row.variant == "lm"
