"""Bouts: seen, fragmented, merged, deleted, inserted, and minutes by class, against loops over lists of windows."""

from itertools import groupby

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.evaluation import Predictions, count_confusion, score_bouts, score_events


def runs_of(labels):
    """(class, set of windows) of every run."""
    windows = enumerate(labels)
    return [(label, {at for at, _ in run}) for label, run in groupby(windows, key=lambda item: item[1])]


def count_by_hand(stretches, classes):
    """The seven counts by class, event by event."""
    names = ("true", "seen", "fragmented", "merged", "deleted", "predicted", "inserted")
    counts = {name: [0] * classes for name in names}
    for truth, predicted in stretches:
        real, given = runs_of(truth), runs_of(predicted)
        for label, windows in real:
            counts["true"][label] += 1
            near = windows | {min(windows) - 1, max(windows) + 1}
            counts["seen"][label] += any(0 <= at < len(predicted) and predicted[at] == label for at in near)
            touching = [other for name, other in given if name == label and other & windows]
            counts["fragmented"][label] += len(touching) > 1
            counts["deleted"][label] += not touching
            shared = [other for other in touching if sum(name == label and bool(other & w) for name, w in real) > 1]
            counts["merged"][label] += bool(shared)
        for label, windows in given:
            counts["predicted"][label] += 1
            counts["inserted"][label] += not any(name == label and other & windows for name, other in real)
    return counts


def timed(stretches, start=0):
    """Predictions of stretches, one recording each."""
    truth = np.concatenate([each for each, _ in stretches])
    recording = np.repeat(np.arange(start, start + len(stretches)), [len(each) for each, _ in stretches])
    time = np.concatenate([np.arange(len(each)) * 1.28 for each, _ in stretches])
    predicted = np.concatenate([each for _, each in stretches])
    return Predictions.of(
        "lm", subject="ann", fold=0, seed=0, y=truth, prediction=predicted, classes=list("abc"), recording=recording,
        time=time,
    )  # fmt: skip


def test_counts_are_those_of_loops_over_events():
    rng = np.random.default_rng(0)
    stretches = []
    for length in (1, 2, 30, 80, 81):
        truth = np.repeat(rng.integers(0, 3, length), rng.integers(1, 7, length))[:length]
        predicted = np.where(rng.random(length) < 0.35, rng.integers(0, 3, length), truth)
        stretches.append((truth.tolist(), predicted.tolist()))
    scores = score_bouts(timed(stretches))
    for name, expected in count_by_hand(stretches, 3).items():
        assert getattr(scores, name).tolist() == expected, name
    everything = [label for truth, _ in stretches for label in truth]
    assert scores.minutes.tolist() == pytest.approx([everything.count(c) * 1.28 / 60 for c in range(3)])


def test_a_transition_counts_as_seen_one_window_beside_it_and_not_two():
    truth = [0, 0, 0, 0, 1, 2, 2, 2, 2]
    for shift, seen in ((-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0)):
        predicted = [0] * (4 + shift) + [1] + [2] * (4 - shift)
        assert score_bouts(timed([(truth, predicted)])).seen[1] == seen


def test_shares_are_of_the_chosen_classes_only():
    scores = score_bouts(timed([([0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 2, 0, 0, 0, 0, 0])]))
    assert scores.shares([1]) == {
        "seen": 0.0,
        "fragmented": 0.0,
        "merged": 0.0,
        "deleted": 1.0,
        "inserted": None,
        "duration_error": 1.0,
    }
    whole = scores.shares()
    assert whole["fragmented"] == pytest.approx(1 / 3)
    assert whole["merged"] == pytest.approx(2 / 3)
    assert whole["inserted"] == pytest.approx(1 / 3)
    assert whole["duration_error"] == pytest.approx(2 / 8)
    assert scores.rows("abc")[1]["deleted"] == 1


def test_windows_without_a_class_break_stretches_and_are_not_scored():
    truth, predicted = [0, 0, -1, 0, 1, 1], [0, 0, 1, 0, 1, 0]
    whole, without = timed([(truth, predicted)]), timed([([0, 0], [0, 0]), ([0, 1, 1], [0, 1, 0])])
    assert whole.scored.tolist() == [True, True, False, True, True, True]
    for name in ("true", "seen", "fragmented", "predicted", "inserted", "minutes", "minutes_predicted"):
        assert getattr(score_bouts(whole), name).tolist() == getattr(score_bouts(without), name).tolist()
    assert score_events(whole).to_dict() == score_events(without).to_dict()
    assert count_confusion([whole]).counts.sum() == 5


def test_a_window_without_a_class_needs_its_place_in_a_recording():
    with pytest.raises(UserError, match="leave out windows without a class"):
        Predictions.of("lm", subject="ann", fold=0, seed=0, y=[0, -1], prediction=[0, 1])
    with pytest.raises(UserError, match="y is -2; classes go from 0"):
        timed([([0, -2], [0, 1])])
    with pytest.raises(UserError, match="no windows to score"):
        score_bouts(timed([([-1, -1], [0, 1])]))
