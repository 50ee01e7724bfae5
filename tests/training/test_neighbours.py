"""A replica does not depend on who trains beside it."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.networks import build
from stillmotion.training import Recipe, Replica

from .small import CLASSES, normed, problem, same, train

RECIPE = Recipe(batch=8, epochs=1, augment=("jitter",))


def lot(windows: int, count: int = 16) -> list[Replica]:
    """Runs that differ in everything that may differ: 50 steps each, and one of 25."""
    rng = np.random.default_rng(5)
    chosen = []
    for number in range(count):
        rows = rng.permutation(windows)
        length = 200 if number == 7 else 400
        numbers = {"learning_rate": 1e-3 * (1 + number % 3), "weight_decay": 0.01 * (number % 2), "jitter": 0.1}
        numbers["clip"] = 0.5 * (number % 4)
        mean, std = rng.normal(size=2).astype(np.float32), np.float32([1, 2])
        chosen.append(Replica(number + 3, rows[:length], rows[length : length + 40], numbers, mean, std))
    return chosen


@pytest.mark.parametrize(
    ("student", "shape", "groups"),
    [
        pytest.param(normed, (8, 2, CLASSES), (1, 4, 16), id="norm-and-dropout"),
        pytest.param("deepconvlstm-lm", (18, 2, CLASSES), (1, 4), id="deepconvlstm-lm"),
        pytest.param("tinierhar", (8, 2, CLASSES), (4,), id="tinierhar"),
    ],
)
def test_alone_and_in_a_fleet_of_16_agree_after_50_steps(student, shape, groups):
    model = student() if callable(student) else build(student, shape)
    rng = np.random.default_rng(1)
    _, labels = problem(480)
    windows = (rng.normal(size=(480, *shape[:2])) + 0.5 * labels[:, None, None]).astype(np.float32)
    runs = lot(len(windows))
    options = {"data": (windows, labels), "recipe": RECIPE}
    alone = {number: train(model, [runs[number]], **options)[0] for number in (0, 7, 15)}
    for together in groups:
        outcomes = train(model, runs, together=together, size=16, **options)
        for number, outcome in alone.items():
            assert outcome.epochs == 1
            same(outcomes[number], outcome, within=1e-5)
        # They are not all one and the same.
        assert np.abs(outcomes[0].weights - outcomes[15].weights).max() > 0.01


def test_the_same_plan_repeats_bit_for_bit():
    runs = lot(480, 3)
    data = problem(480)
    recipe = Recipe(batch=16, epochs=4, augment=("jitter",))
    first = train(normed(), runs, data=data, recipe=recipe, size=2)
    again = train(normed(), runs, data=data, recipe=recipe, size=2)
    for one, other in zip(first, again, strict=True):
        same(one, other)


def test_a_run_depends_on_its_seed():
    one, other = train(normed(), [Replica(seed, np.arange(80), np.arange(80, 120)) for seed in (1, 2)])
    assert np.abs(one.weights - other.weights).max() > 0.01
