"""Event scores: matches, delays and false transitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from stillmotion.errors import UserError
from stillmotion.evaluation import Predictions, score_events


def stretch(truth, predicted, *, hop=2.0, recording="r", times=None, seed=0, subject="anna"):
    """One continuous recording, windows ``hop`` seconds apart; classes are letters."""
    y, prediction = ([ord(letter) - ord("a") for letter in text] for text in (truth, predicted))
    return Predictions.of(
        "x",
        subject=[subject] * len(y),
        fold=0,
        seed=seed,
        y=y,
        prediction=prediction,
        classes=["sit", "walk", "run"],
        recording=recording,
        time=np.arange(len(y)) * hop if times is None else times,
    )


def test_a_perfect_model_finds_every_event_at_once():
    found = score_events(stretch("aaabbbccca", "aaabbbccca"))
    assert found.segment_f1 == 1
    assert found.delays.tolist() == [0, 0, 0]
    assert (found.missed, found.false_transitions, found.onset_delay) == (0, 0, 0)
    assert found.hours == pytest.approx(20 / 3600)


def test_a_late_model_is_late_by_seconds_and_makes_no_false_change():
    found = score_events(stretch("aaabbbcccc", "aaaabbbccc"))
    assert found.delays.tolist() == [2, 2]
    assert found.false_transitions == 0
    # a: 3 of 4 windows, b: 2 of 4 (0.5 is enough), c: 3 of 4
    assert found.segment_f1 == 1
    assert score_events(stretch("aaabbbcccc", "aaaabbbccc"), overlap=0.6).segment_f1 == pytest.approx(2 * 2 / 6)


def test_a_flicker_is_two_false_changes_and_splits_an_event():
    found = score_events(stretch("aaaaabbbbb", "aabaabbbbb"))
    assert found.false_transitions == pytest.approx(2 / found.hours)
    # Predicted: aa, b, aa, bbbbb. Only bbbbb matches: each half of the a's covers 2 of 5.
    assert found.segment_f1 == pytest.approx(2 * 1 / (2 + 4))
    assert found.f1_per_class.tolist()[:2] == pytest.approx([0, 2 / 3])
    assert np.isnan(found.f1_per_class[2])


def test_a_change_one_window_early_is_explained_and_two_early_is_not():
    assert score_events(stretch("aaaabbbb", "aaabbbbb")).false_transitions == 0
    early = stretch("aaaabbbb", "aabbbbbb")
    assert score_events(early).false_transitions > 0
    assert score_events(early, tolerance=4.0).false_transitions == 0


def test_an_event_never_detected_is_missed_and_has_no_delay():
    found = score_events(stretch("aaabbaaa", "aaaaaaaa"))
    assert found.delays.tolist() == [0]
    assert found.missed == 0.5
    assert found.segment_f1 == pytest.approx(2 * 0 / (3 + 1)), "8 windows against 3 overlap by 3/8"


def test_nothing_reaches_over_a_gap_a_recording_a_subject_or_a_run():
    times = np.array([0, 2, 4, 10, 12, 14.0])
    gap = score_events(stretch("aaabbb", "aaabbb", times=times))
    assert gap.delays.tolist() == [], "the onset of b lies within the gap"
    assert np.isnan(gap.missed)
    assert gap.segment_f1 == 1
    one, other = stretch("aaa", "aaa"), stretch("bbb", "ccc")
    for change in ({"recording": "s"}, {"seed": 1}, {"subject": "ben"}):
        other = stretch("bbb", "ccc", **change)
        columns = ("subject", "fold", "seed", "y", "prediction", "recording", "time")
        mixed = {name: np.stack([getattr(one, name), getattr(other, name)], 1).ravel() for name in columns}
        both = Predictions.of("x", classes=["sit", "walk", "run"], **mixed)
        found = score_events(both)
        assert (found.false_transitions, len(found.delays)) == (0, 0)
        assert found.segment_f1 == pytest.approx(2 * 1 / 4)


def runs(text):
    """(letter, begin, end) of each run, one step at a time."""
    found = []
    for at, letter in enumerate(text):
        if found and found[-1][0] == letter:
            found[-1][2] = at + 1
        else:
            found.append([letter, at, at + 1])
    return found


words = st.integers(2, 24).flatmap(
    lambda n: st.tuples(st.text("abc", min_size=n, max_size=n), st.text("abc", min_size=n, max_size=n))
)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(words)
def test_segment_f1_and_delays_are_those_of_a_plain_loop(drawn):
    truth, predicted = drawn
    true, guessed = runs(truth), runs(predicted)
    fits = np.zeros((len(true), len(guessed)))
    for i, (letter, begin, end) in enumerate(true):
        for j, (other, first, last) in enumerate(guessed):
            common = max(0, min(end, last) - max(begin, first))
            fits[i, j] = letter == other and common / (end - begin + last - first - common) >= 0.6
    rows, columns = linear_sum_assignment(-fits)  # above one half no event has two partners: any matching is the best
    found = score_events(stretch(truth, predicted), overlap=0.6)
    assert found.segment_f1 == pytest.approx(2 * fits[rows, columns].sum() / (len(true) + len(guessed)))
    delays = [predicted[begin:end].find(letter) for letter, begin, end in true[1:]]
    assert found.delays.tolist() == [2.0 * delay for delay in delays if delay >= 0]
    if delays:
        assert found.missed == pytest.approx(np.mean([delay < 0 for delay in delays]))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"time": None}, {}, "x: event scores need the columns recording and time"),
        ({}, {"overlap": 0}, "overlap must be above 0"),
        ({}, {"hop": -1.0}, "hop must be longer than 0 s"),
        ({"time": np.zeros(4)}, {}, "two windows of one recording and run begin at the same time"),
    ],
)
def test_invalid_times_and_arguments_are_refused(change, options, message):
    from dataclasses import replace

    with pytest.raises(UserError, match=message):
        score_events(replace(stretch("aabb", "aabb"), **change), **options)


def test_single_windows_need_a_hop():
    one = stretch("a", "a")
    with pytest.raises(UserError, match="one window only; give the hop, or leave out the time"):
        score_events(one)
    assert score_events(one, hop=1.0).segment_f1 == 1
