"""Train one Keras model on arrays, with or without a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..methods import Method
from ..methods import method as find_method
from ..networks.normaliser import normaliser, set_statistics
from .fleet import Fleet
from .lesson import teacher_network
from .plan import Recipe, Replica
from .progress import Progress
from .teacher import Teacher

#: Share of the windows that choose the best epoch when no validation is given: the last ones.
HELD_BACK = 0.15


@dataclass(frozen=True)
class Fitted:
    """How a training went: best validation score and epoch, epochs run, a row an epoch."""

    best: float
    best_epoch: int
    epochs: int
    history: tuple[dict[str, float], ...]


def fit(
    model: keras.Model,
    windows: ArrayLike,
    labels: ArrayLike,
    *,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    teacher: keras.Model | ArrayLike | None = None,
    method: str | Method | None = None,
    numbers: Mapping[str, float] | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Fitted:
    """Train ``model`` in place, from the weights it has, and leave it with those of its best epoch.

    Args:
        model: any built ``keras.Model`` from windows (T, D) to logits.
        windows: (n, T, D) training windows.
        labels: (n,) their classes, from 0.
        validation: windows and labels of *other people*; without them the last 15 % of the windows are held back.
        teacher: a trained ``keras.Model``, or its logits for the training windows and then the validation windows
            (enough for methods that want nothing else).
        method: ``lm`` without a teacher, ``rb-kd`` with one, by default.
        numbers: numbers of the method and the optimiser (``learning_rate``, ``temperature`` …).
        recipe: batch, epochs, patience, …
        seed: of the order of windows, augmentation and dropout.
        progress: show how it goes.
    """
    x, y = np.asarray(windows, np.float32), np.asarray(labels, np.int64)
    if validation is None:
        held = max(1, round(HELD_BACK * len(x)))
        train, chosen = np.arange(len(x) - held), np.arange(len(x) - held, len(x))
    else:
        others, truths = np.asarray(validation[0], np.float32), np.asarray(validation[1], np.int64)
        train, chosen = np.arange(len(x)), np.arange(len(x), len(x) + len(others))
        if others.shape[1:] != x.shape[1:]:
            raise UserError(f"Validation windows are {others.shape[1:]}, training windows {x.shape[1:]}.")
        x, y = np.concatenate([x, others]), np.concatenate([y, truths])
    classes = int(model.output_shape[-1])
    if len(train) == 0:
        raise UserError("There is no training window.")
    if y.min() < 0 or y.max() >= classes:
        raise UserError(f"Labels run from {y.min()} to {y.max()}; {model.name} has classes 0 … {classes - 1}.")
    way = find_method(method or ("lm" if teacher is None else "rb-kd"))
    teachers = [] if teacher is None else [_teacher(teacher, way)]
    fleet = Fleet(
        model,
        way,
        [Replica(seed, train, chosen, dict(numbers or {}), name=model.name)],
        x,
        y,
        classes=classes,
        recipe=recipe,
        teachers=teachers,
        own_weights=True,
    )
    _adapt(model, x[train])
    (outcome,) = fleet.train(Progress(enabled=progress))
    if outcome.status == "failed":
        raise UserError(f"Training {model.name} failed: {outcome.reason}; a smaller learning_rate may help.")
    fleet.student.put(outcome.weights, outcome.state)
    return Fitted(outcome.best, outcome.best_epoch, outcome.epochs, outcome.history)


def _adapt(model: keras.Model, windows: NDArray[np.float32]) -> None:
    """Give a normaliser that has no statistics yet those of the training windows."""
    try:
        layer = normaliser(model)
    except UserError:
        return
    if np.allclose(np.asarray(layer.adapt_mean), 0) and np.allclose(np.asarray(layer.adapt_variance), 1):
        std = windows.std((0, 1))
        set_statistics(model, windows.mean((0, 1)), np.where(std > 0, std, 1))


def _teacher(given: keras.Model | ArrayLike, method: Method) -> Teacher:
    if isinstance(given, keras.Model):
        network = teacher_network(given, method)
        weights, state = network.own()
        return Teacher(network, weights, state, name=given.name)
    return Teacher(outputs={"logits": np.asarray(given, np.float32)}, name="the given logits")
