"""What is advised follows from verdicts and costs, never from a score alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillmotion.evaluation import Interval
from stillmotion.reports.advice import advise, pareto_front
from stillmotion.reports.evidence import Evidence, Line
from stillmotion.reports.figures.differences import differences
from stillmotion.studies import read_study_state


@pytest.fixture
def evidence(dense: Path, recordings: Path) -> Iterator[Evidence]:
    record = read_study_state(dense, data=recordings)
    yield Evidence(record)
    record.store.close()


def with_lines(evidence: Evidence, *lines: Line) -> Evidence:
    made = Evidence(evidence.record)
    made.__dict__["lines"] = lines
    return made


def changed(line: Line, name: str, *, f1: float, flops: int, role: str = "variant", **found: Any) -> Line:
    assert line.cost
    compared = None
    if found:
        assert line.comparison
        gap = Interval(found.pop("gap"), found.pop("low"), found.pop("high"), 9, 0.95)
        compared = replace(line.comparison, variant=name, difference=gap, **found)
    row = replace(line.row, variant=name, role=role)
    score = Interval(f1, f1 - 0.05, f1 + 0.05, 9, 0.95)
    return replace(line, row=row, f1=score, cost=replace(line.cost, flops=flops), comparison=compared)


def lines_of(evidence: Evidence) -> tuple[Line, Line]:
    named = {line.name: line for line in evidence.lines}
    return named["rb-kd"], changed(named["rb-kd"], "lm", f1=0.7, flops=100, role="reference")


def test_a_gain_that_was_shown_is_taken(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    better = changed(line, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better", p_adjusted=0.01)
    higher = changed(
        line, "b", f1=0.85, flops=90, gap=0.15, low=-0.2, high=0.5, verdict="not distinguishable", not_inferior=False
    )
    said = advise(with_lines(evidence, base, better, higher))
    assert said.line is better
    assert said.sure == "shown"
    assert (
        "+10.0 (+5.0 to +15.0) points of macro-F1 against lm, p = 0.01 after the max-statistic correction"
        in said.why[0]
    )


def test_a_control_that_scores_as_high_is_named(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    better = changed(line, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better")
    control = changed(
        line, "c", f1=0.81, flops=100, role="control", gap=0.11, low=-0.05, high=0.2, verdict="not distinguishable"
    )
    said = advise(with_lines(evidence, base, better, control))
    assert any(each.startswith("c, a control, scores as high") for each in said.why)


def test_a_baseline_that_scores_as_high_is_named_and_never_taken(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    better = changed(line, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better")
    forest = replace(changed(line, "forest", f1=0.9, flops=1, role="baseline"), cost=None)
    worse = replace(changed(line, "majority", f1=0.1, flops=1, role="baseline"), cost=None)
    said = advise(with_lines(evidence, base, better, forest, worse))
    assert said.line is better
    assert said.without.startswith("Baselines without a network that score as high: forest 90.0 %. They classify")
    assert "majority" not in said.without
    alone = advise(with_lines(evidence, base, forest))
    assert (alone.line, alone.sure) == (base, "unknown")
    assert alone.without.startswith("Baselines without a network that score as high: forest 90.0 %.")
    gap = {"gap": 0.2, "low": 0.1, "high": 0.3, "verdict": "better"}
    tested = replace(changed(line, "forest", f1=0.9, flops=1, role="baseline", **gap), cost=None)
    assert (
        "forest 90.0 % (+20.0 (+10.0 to +30.0) points against lm: better)"
        in advise(with_lines(evidence, base, better, tested)).without
    )
    assert advise(with_lines(evidence, base, better)).without == ""


def test_without_a_shown_gain_the_cheapest_is_taken_and_equality_is_not_claimed(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    higher = changed(
        line, "b", f1=0.75, flops=120, gap=0.05, low=-0.02, high=0.12, verdict="not distinguishable", not_inferior=False
    )
    said = advise(with_lines(evidence, base, higher))
    assert said.line is base
    assert said.sure == "not shown"
    assert "lie between −2 and +12 points" in said.why[0]


def test_what_is_cheaper_and_not_inferior_is_taken(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    small = changed(
        line, "s", f1=0.7, flops=50, gap=0.0, low=-0.005, high=0.005, verdict="not distinguishable", not_inferior=True
    )
    said = advise(with_lines(evidence, base, small))
    assert said.line is small
    assert said.sure == "shown"


def test_the_front_holds_what_nothing_beats_at_no_more_cost(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    dear = changed(line, "dear", f1=0.8, flops=300)
    beaten = changed(line, "beaten", f1=0.79, flops=400)
    assert pareto_front([beaten, dear, base]) == [base, dear]


def test_a_baseline_far_off_is_told_and_does_not_squeeze_the_others(evidence: Evidence) -> None:
    line, base = lines_of(evidence)
    near = changed(line, "a", f1=0.72, flops=120, gap=0.02, low=-0.03, high=0.07, verdict="not distinguishable")
    forest = changed(line, "forest", f1=0.85, flops=1, role="baseline", gap=0.15, low=0.1, high=0.2, verdict="better")
    most = changed(line, "majority", f1=0.1, flops=1, role="baseline", gap=-0.6, low=-0.7, high=-0.5, verdict="worse")
    (figure,) = differences(with_lines(evidence, base, near, forest, most))
    assert [row["variant"] for row in figure.rows] == ["a", "forest", "majority"]
    assert "Outside this scale: majority −60.0 (−70.0 to −50.0) points." in figure.note
    assert "forest" not in figure.note
