"""False activations and rejected windows, counted again window by window."""

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.evaluation import Predictions, score_rejections


def draw(windows=400):
    rng = np.random.default_rng(0)
    recording = np.repeat(["a", "b", "c", "d"], windows // 4)
    time = np.tile(np.arange(windows // 4) * 0.5, 4)
    time[250:] += 5  # a gap within c
    y = np.repeat(rng.integers(-1, 3, windows // 5), 5)
    prediction = np.repeat(rng.integers(0, 3, windows // 2), 2)
    rejected = rng.random(windows) < 0.3
    columns = {"subject": recording, "fold": 0, "seed": 0, "recording": recording, "time": time}
    return Predictions.of("lm", y=y, prediction=prediction, **columns), rejected


def test_scores_are_those_counted_window_by_window():
    predictions, rejected = draw()
    shuffled = np.random.default_rng(1).permutation(len(predictions))
    scores = score_rejections(predictions.take(shuffled), rejected[shuffled])
    bouts, before = 0, None
    for at in range(len(predictions)):
        here = (predictions.recording[at], predictions.time[at], predictions.prediction[at])
        active = predictions.y[at] < 0 and not rejected[at]
        if active:
            bouts += before is None or (before[0], before[1] + 0.5, before[2]) != here
        before = here if active else None
    null = predictions.y < 0
    assert scores.hours == pytest.approx(null.sum() * 0.5 / 3600)
    assert scores.activations == pytest.approx(bouts / scores.hours)
    assert scores.answered == pytest.approx(np.mean(~rejected[null]))
    assert scores.rejected == pytest.approx(np.mean(rejected[~null]))
    kept = ~null & ~rejected
    f1 = [
        2 * np.sum(kept & (predictions.y == c) & (predictions.prediction == c))
        / (np.sum(kept & (predictions.y == c)) + np.sum(kept & (predictions.prediction == c)))
        for c in range(3)
    ]  # fmt: skip
    assert scores.macro_f1 == pytest.approx(np.mean(f1))
    everything = score_rejections(predictions)
    assert everything.rejected == 0
    assert everything.answered == 1


def test_without_windows_of_no_class_there_are_no_activations():
    predictions, _ = draw()
    scores = score_rejections(predictions.labelled()).to_dict()
    assert (scores["activations"], scores["answered"], scores["hours"]) == (None, None, 0)


def test_what_does_not_fit_is_refused():
    predictions, _ = draw()
    with pytest.raises(UserError, match="one value for each of 400 rows"):
        score_rejections(predictions, [True])
    with pytest.raises(UserError, match="recording and time"):
        score_rejections(Predictions.of("lm", subject="a", fold=0, seed=0, y=[0, 1], prediction=[0, 1]))
