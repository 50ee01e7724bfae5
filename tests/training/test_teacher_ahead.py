"""The published teacher is better than the published student on simulated subjects unseen in training."""

from __future__ import annotations

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.evaluation import confusion_matrix, macro_f1
from stillmotion.networks import build_network
from stillmotion.training import Fleet, Recipe, Replica

LIGHT, LARGE = "deepconvlstm-lm", "deepconvlstm-om"


@pytest.mark.slow
def test_om_is_5_to_12_points_ahead_of_lm_on_subjects_never_seen():
    """Wrist, 12.5 Hz, windows of 2.56 s; three splits by subject, three seeds of LM and one of OM in each."""
    data = sm.resample(sm.load("simulated", sensors="wrist.acc,wrist.gyr"), 12.5)
    windows = sm.cut(data, spec=data.spec.with_window(32, 16))
    classes, values, labels = len(windows.spec.classes), windows.values(), np.asarray(windows.labels, np.int64)
    scores: dict[str, list[float]] = {LIGHT: [], LARGE: []}
    for seed in range(3):
        fold = sm.make_splits(windows, "subjects:3", seed=seed).folds[0]
        fitted = sm.fit_statistics(windows, fold.train)
        statistics = fitted.mean.astype(np.float32), fitted.std.astype(np.float32)
        for name, seeds, rate, epochs in ((LIGHT, 3, 3e-3, 60), (LARGE, 1, 1e-3, 12)):
            runs = [
                Replica(number, fold.train, fold.validation, {"learning_rate": rate}, *statistics)
                for number in range(seeds)
            ]
            recipe = Recipe(epochs=epochs, patience=15)
            fleet = Fleet(
                build_network(name, windows.spec, seed=0), "lm", runs, values, labels, classes=classes, recipe=recipe
            )
            for outcome in fleet.train():
                logits = fleet.student.predict_taps(outcome.weights, outcome.state, values[fold.test])["logits"]
                scores[name].append(float(macro_f1(confusion_matrix(labels[fold.test], logits.argmax(1), classes))))
    gap = np.mean(scores[LARGE]) - np.mean(scores[LIGHT])
    print({name: np.round(each, 3).tolist() for name, each in scores.items()}, f"gap {100 * gap:.1f} points")
    assert 0.05 <= gap <= 0.12
    assert max(scores[LARGE]) <= 0.95
