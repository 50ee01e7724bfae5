"""The result of a replica does not depend on the replicas that train at the same time."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.networks import build_network
from stillmotion.training import Recipe, Replica

from .small import CLASSES, TRAIN, VALIDATION, normed, problem, recurrent, same, train

STEPS_50 = Recipe(batch=8, epochs=1)


def lot(windows: int, count: int = 16) -> list[Replica]:
    """Runs that differ in everything that may differ: 50 steps each, and number 7 only 25."""
    rng = np.random.default_rng(5)
    chosen = []
    for number in range(count):
        rows = rng.permutation(windows)
        length = 200 if number == 7 else 400
        hyperparameters = {"learning_rate": 1e-3 * (1 + number % 3), "weight_decay": 0.01 * (number % 2)}
        hyperparameters["clip"] = 0.5 * (number % 4)
        mean, std = rng.normal(size=2).astype(np.float32), np.array([1, 2], np.float32)
        chosen.append(Replica(number + 3, rows[:length], rows[length : length + 40], hyperparameters, mean, std))
    return chosen


@pytest.mark.parametrize(
    ("student", "shape", "groups"),
    [
        pytest.param(normed, (8, 2, CLASSES), (1, 4, 16), id="norm-and-dropout"),
        pytest.param(recurrent, (8, 2, CLASSES), (4,), id="gru", marks=pytest.mark.slow),
        pytest.param("deepconvlstm-lm", (18, 2, CLASSES), (4,), id="deepconvlstm-lm"),
        pytest.param("tinierhar", (8, 2, CLASSES), (1, 4, 16), id="tinierhar", marks=pytest.mark.slow),
    ],
)
def test_alone_and_in_a_fleet_of_16_agree_after_50_steps(student, shape, groups):
    model = student() if callable(student) else build_network(student, shape)
    _, labels = problem(480)
    noise = np.random.default_rng(1).normal(size=(480, *shape[:2]))
    windows = (noise + 0.5 * labels[:, None, None]).astype(np.float32)
    runs = lot(len(windows))
    options = {"data": (windows, labels), "recipe": STEPS_50}
    alone = {number: train(model, [runs[number]], **options)[0] for number in (0, 15)}
    for together in groups:
        outcomes = train(model, runs, together=together, size=16, **options)
        for number, outcome in alone.items():
            same(outcomes[number], outcome, within=1e-5)
        # They are not all one and the same.
        assert np.abs(outcomes[0].weights - outcomes[15].weights).max() > 0.01


def test_the_same_plan_repeats_bit_for_bit():
    # Dropout, augmentation and a slot that is filled again are all drawn alike.
    runs = [Replica(seed, TRAIN, VALIDATION, {"jitter": 0.1}) for seed in (1, 2, 1)]
    recipe = Recipe(batch=8, epochs=3, augment=("jitter",))
    first = train(normed(), runs, recipe=recipe, size=2)
    again = train(normed(), runs, recipe=recipe, size=2)
    for one, other in zip(first, again, strict=True):
        same(one, other)
    same(first[0], first[2])
    assert np.abs(first[0].weights - first[1].weights).max() > 0.01
