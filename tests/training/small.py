"""A problem so small that a fleet compiles in a second: three kinds of motion, two channels, eight samples."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from stillmotion.methods import Method
from stillmotion.networks.normaliser import Normaliser
from stillmotion.training import Fleet, Recipe, Replica, RunResult
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress

TIME, CHANNELS, CLASSES = 8, 2, 3
TRAIN, VALIDATION = np.arange(80), np.arange(80, 120)


def problem(count: int = 120, *, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Windows whose level tells their class, and noise upon it; classes in shares of 1/2, 1/3 and 1/6."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, count, p=[1 / 2, 1 / 3, 1 / 6])
    levels = np.array([[0.0, 0.0], [1.0, -1.0], [-1.0, 0.5]])[labels]
    windows = levels[:, None, :] + noise * rng.normal(size=(count, TIME, CHANNELS))
    return windows.astype(np.float32), labels.astype(np.int64)


def linear() -> keras.Model:
    """Softmax regression, whose gradient one writes down by hand."""
    inputs = keras.Input((TIME, CHANNELS))
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(layers.Flatten()(inputs)), name="linear")


def dense() -> keras.Model:
    """A hidden layer, behind a normaliser."""
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.Flatten()(Normaliser(axis=-1)(inputs))
    x = layers.Dense(4, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name="dense")


def normed() -> keras.Model:
    """All kinds of state: a normaliser's statistics, a batch norm's averages, the seed of a dropout."""
    inputs = keras.Input((TIME, CHANNELS))
    # No bias before the batch norm: its gradient is rounding alone, which Adam blows up to whole steps.
    x = layers.Dense(4, use_bias=False, name="hidden")(layers.Flatten()(Normaliser(axis=-1)(inputs)))
    x = layers.Dropout(0.3)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name="normed")


def recurrent() -> keras.Model:
    """A GRU in both directions."""
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.Bidirectional(layers.GRU(3))(Normaliser(axis=-1)(inputs))
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name="recurrent")


def replica(seed: int = 0, **hyperparameters: float) -> Replica:
    """A run on the usual windows."""
    return Replica(seed, TRAIN, VALIDATION, hyperparameters)


def fleet(
    student: keras.Model, replicas: list[Replica], *, teaching: str | Method = "lm", data: Any = None, **options: Any
) -> Fleet:
    """A fleet on the small problem."""
    windows, labels = problem() if data is None else data
    options.setdefault("recipe", Recipe(batch=8, epochs=1))
    return Fleet(student, teaching, replicas, windows, labels, classes=CLASSES, **options)


def train(*arguments: Any, **options: Any) -> list[RunResult]:
    """What comes of a fleet on the small problem."""
    return fleet(*arguments, **options).train(Progress(enabled=False))


def with_weights(model: keras.Model, outcome: RunResult) -> keras.Model:
    """The model that a replica became."""
    Functional(model, ["logits"]).put(outcome.weights, outcome.state)
    return model


def same(one: RunResult, other: RunResult, *, within: float = 0.0) -> None:
    """Weights, state and history agree, bit for bit unless a distance is given."""
    assert (one.status, one.epochs, one.best_epoch) == (other.status, other.epochs, other.best_epoch)
    ours = [one.weights, *one.state, one.teacher_weights, *one.teacher_state]
    theirs = [other.weights, *other.state, other.teacher_weights, *other.teacher_state]
    for mine, yours in zip(ours, theirs, strict=True):
        if within == 0:
            np.testing.assert_array_equal(mine, yours)
        else:
            np.testing.assert_allclose(mine, yours, rtol=0, atol=within)
    for mine, yours in zip(one.history, other.history, strict=True):
        np.testing.assert_allclose(list(mine.values()), list(yours.values()), rtol=0, atol=within)
