"""The methods that `python benchmarks/run.py methods` measures; nothing is timed here."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.methods import GOALS, PAIRS, SAME_AS_KD, Pair, _measured, kind
from stillmotion.methods import METHODS


def test_every_method_with_a_teacher_is_measured_somewhere():
    measured = {way.name for pair in PAIRS for way in pair.methods}
    assert measured | set(SAME_AS_KD) == {name for name, way in METHODS.items() if way.teacher_taps}
    assert {METHODS[name].objective for name in SAME_AS_KD} == {METHODS["kd"].objective}


@pytest.mark.parametrize(
    ("name", "looks_at"), [("kd", "logits"), ("ofa", "logits"), ("vid", "features"), ("hmkd", "mutual")]
)
def test_a_method_s_goal_follows_from_what_it_looks_at(name, looks_at):
    assert kind(METHODS[name]) == looks_at


def test_pairs_with_attention_show_the_methods_that_look_for_it():
    with_it = Pair("deepconvlstm-lm", "deepconvlstm-om", 1, attention="channel:r=2,spatial:k=5,after=2")
    assert [way.name for way in with_it.methods] == ["rab-kd", "rb-kd-att"]


def test_the_ratio_is_taken_turn_by_turn_before_its_median():
    # A machine that becomes four times slower half-way: the medians of each side would give 1.3.
    turns = np.array([[1.1, 1.0], [1.2, 1.0], [1.3, 1.0], [5.2, 4.0], [4.8, 4.0]])
    row = _measured(METHODS["kd"], turns, steps=1)
    assert row["ratio"] == pytest.approx(1.2)
    assert (row["low"], row["high"]) == (pytest.approx(1.2), pytest.approx(1.3))
    assert (row["goal"], row["met"]) == (f"≤ {GOALS['logits']}×", "no")
