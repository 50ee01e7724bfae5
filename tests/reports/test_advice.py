"""What is advised follows from verdicts and costs, never from a score alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillmotion.evaluation import Interval
from stillmotion.reports.advice import advise, pareto_front
from stillmotion.reports.evidence import Evidence
from stillmotion.reports.figures.differences import differences
from stillmotion.studies import Row, read_study_state


@pytest.fixture
def evidence(dense: Path) -> Iterator[Evidence]:
    with read_study_state(dense) as state:
        yield Evidence(state)


def with_rows(evidence: Evidence, *rows: Row) -> Evidence:
    made = Evidence(evidence.record)
    made.__dict__["rows"] = rows
    return made


def changed(row: Row, name: str, *, f1: float, flops: int, kind: str = "variant", **found: Any) -> Row:
    gap = Interval(found.pop("gap"), found.pop("low"), found.pop("high"), 9, 0.95) if found else None
    untested = {"verdict": "", "p": None, "not_inferior": None}
    score = Interval(f1, f1 - 0.05, f1 + 0.05, 9, 0.95)
    return replace(row, variant=name, kind=kind, macro_f1=score, flops=flops, gain=gap, **(untested | found))


def rows_of(evidence: Evidence) -> tuple[Row, Row]:
    named = {row.variant: row for row in evidence.rows}
    return named["rb-kd"], changed(named["rb-kd"], "lm", f1=0.7, flops=100, kind="reference")


def test_a_gain_that_was_shown_is_taken(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    better = changed(row, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better", p=0.01)
    higher = changed(
        row, "b", f1=0.85, flops=90, gap=0.15, low=-0.2, high=0.5, verdict="not distinguishable", not_inferior=False
    )
    said = advise(with_rows(evidence, base, better, higher))
    assert said.row is better
    assert said.sure == "shown"
    assert (
        "+10.0 points [+5.0, +15.0] of macro-F1 against lm, p = 0.01 after the max-statistic correction" in said.why[0]
    )


def test_a_control_that_scores_as_high_is_named(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    better = changed(row, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better")
    control = changed(
        row, "c", f1=0.81, flops=100, kind="control", gap=0.11, low=-0.05, high=0.2, verdict="not distinguishable"
    )
    said = advise(with_rows(evidence, base, better, control))
    assert any(each.startswith("c, a control, scores as high") for each in said.why)


def test_a_baseline_that_scores_as_high_is_named(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    better = changed(row, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better")
    forest = replace(changed(row, "forest", f1=0.9, flops=1, kind="baseline"), bytes=None)
    worse = replace(changed(row, "majority", f1=0.1, flops=1, kind="baseline"), bytes=4)
    said = advise(with_rows(evidence, base, better, forest, worse))
    assert said.row is better
    assert said.without.startswith("Baselines without a network that score as high: forest 90.0 %. They classify")
    assert "majority" not in said.without
    alone = advise(with_rows(evidence, base, forest))
    assert (alone.row, alone.sure) == (base, "unknown")
    assert alone.without.startswith("Baselines without a network that score as high: forest 90.0 %.")
    assert advise(with_rows(evidence, base, better)).without == ""


def test_a_baseline_that_beats_every_student_is_taken_instead(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    better = changed(row, "a", f1=0.8, flops=120, gap=0.1, low=0.05, high=0.15, verdict="better")
    gap = {"gap": 0.2, "low": 0.1, "high": 0.3, "verdict": "better"}
    forest = replace(changed(row, "forest", f1=0.9, flops=1, kind="baseline", **gap), bytes=1 << 20)
    said = advise(with_rows(evidence, base, better, forest))
    assert (said.row, said.sure) == (forest, "shown")
    assert said.take == "Take forest, a baseline without a network: it beats every student."
    assert "forest 90.0 % (+20.0 points [+10.0, +30.0] against lm: better)" in said.without
    assert said.why[0].startswith("+20.0 points [+10.0, +30.0] of macro-F1 against lm")
    stored = f"{row.bytes / 1024:,.1f} KiB"
    assert said.why[1].startswith("It stores 1,024.0 KiB, a, the best supported student, " + stored)
    higher = changed(row, "b", f1=0.95, flops=90, gap=0.25, low=-0.2, high=0.7, verdict="not distinguishable")
    said = advise(with_rows(evidence, base, better, higher, forest))
    assert said.take == "Take forest, a baseline without a network: it beats a, the best supported student."


def test_without_a_shown_gain_the_cheapest_is_taken_and_equality_is_not_claimed(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    higher = changed(
        row, "b", f1=0.75, flops=120, gap=0.05, low=-0.02, high=0.12, verdict="not distinguishable", not_inferior=False
    )
    said = advise(with_rows(evidence, base, higher))
    assert said.row is base
    assert said.sure == "not shown"
    assert "lie between −2.0 and +12.0 points" in said.why[0]


def test_what_is_cheaper_and_not_inferior_is_taken(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    small = changed(
        row, "s", f1=0.7, flops=50, gap=0.0, low=-0.005, high=0.005, verdict="not distinguishable", not_inferior=True
    )
    said = advise(with_rows(evidence, base, small))
    assert said.row is small
    assert said.sure == "shown"


def test_the_front_holds_what_nothing_beats_at_no_more_cost(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    dear = changed(row, "dear", f1=0.8, flops=300)
    beaten = changed(row, "beaten", f1=0.79, flops=400)
    assert pareto_front([beaten, dear, base]) == [base, dear]


def test_a_baseline_far_off_is_told_and_does_not_squeeze_the_others(evidence: Evidence) -> None:
    row, base = rows_of(evidence)
    near = changed(row, "a", f1=0.72, flops=120, gap=0.02, low=-0.03, high=0.07, verdict="not distinguishable")
    forest = changed(row, "forest", f1=0.85, flops=1, kind="baseline", gap=0.15, low=0.1, high=0.2, verdict="better")
    most = changed(row, "majority", f1=0.1, flops=1, kind="baseline", gap=-0.6, low=-0.7, high=-0.5, verdict="worse")
    made = with_rows(evidence, base, near, forest, most)
    assert evidence.compared
    made.__dict__["compared"] = replace(
        evidence.compared,
        comparisons=tuple(
            replace(evidence.compared.comparisons[0], variant=each.variant, difference=each.gain, verdict=each.verdict)
            for each in (near, forest, most)
        ),
    )
    (figure,) = differences(made)
    assert [row["variant"] for row in figure.rows] == ["a", "forest", "majority"]
    assert "Outside this scale: majority −60.0 points [−70.0, −50.0]." in figure.note
    assert "forest" not in figure.note
