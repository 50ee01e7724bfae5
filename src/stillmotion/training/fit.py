"""Train one Keras model on arrays, with or without a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..methods import Method
from ..methods import get_method as find_method
from ..networks.normaliser import (
    feature_normalisers,
    get_normaliser,
    has_normaliser,
    set_feature_statistics,
    set_statistics,
)
from ..networks.quantisation_plan import QuantisationPlan
from ..networks.taps import count_classes
from .arrays import check_labels, check_scores, check_windows, hold_out_subjects, number_names
from .distillation import teacher_network
from .fleet import Fleet
from .progress import Progress
from .recipe import Recipe, Replica
from .teacher import Teacher, join_teachers


@dataclass(frozen=True)
class Fitted:
    """The result of ``fit``.

    Args:
        best: best validation score.
        best_epoch: its epoch.
        epochs: number of epochs.
        history: a row for each epoch.
        classes: names of the classes in the order of the model's outputs, if labels were names.
    """

    best: float
    best_epoch: int
    epochs: int
    history: tuple[dict[str, float], ...]
    classes: tuple[str, ...] = ()


def fit(
    model: keras.Model,
    windows: ArrayLike,
    labels: ArrayLike,
    *,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    subjects: ArrayLike | None = None,
    teacher: keras.Model | Sequence[keras.Model] | ArrayLike | None = None,
    method: str | Method | None = None,
    hyperparameters: Mapping[str, float] | None = None,
    recipe: Recipe | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    quantise: QuantisationPlan | None = None,
    progress: bool = True,
) -> Fitted:
    """Train a model in place from its current weights, and restore those of its best epoch.

    The best epoch is chosen on subjects that are not trained on: pass either ``validation`` or ``subjects``.

    Args:
        model: any ``keras.Model`` from windows (T, D) to logits. If it ends in softmax, its logits are trained, and it
            still gives probabilities afterwards.
        windows: (n, T, D) training windows.
        labels: (n,) class of each window: numbers from 0, or names, which are numbered in sorted order
            (``Fitted.classes``).
        validation: windows and labels of *other subjects*.
        subjects: (n,) subject of each window; about 20 % of the subjects, drawn by ``seed``, are held out.
        teacher: a trained ``keras.Model``, or a list of several, whose probabilities are averaged; or its logits or
            probabilities for ``windows`` and then the validation windows. The last two teach logits alone. With
            augmentation models answer the very windows that the student sees.
        method: by default ``lm`` without a teacher, ``rb-kd`` with one.
        hyperparameters: hyperparameters of the method and the optimiser (``learning_rate``, ``temperature`` …).
        recipe: batch, epochs, patience …; see ``Recipe``.
        epochs, learning_rate: the two that are set most often, instead of those of ``recipe`` and
            ``hyperparameters``.
        seed: seed of the held-out subjects, the order of windows, augmentation and dropout.
        quantise: train for int8: every step, and the validation score, round as the exported model will; from
            ``deploy.plan_quantisation(model)``. A trained model may be its own ``teacher`` then.
        progress: whether progress is shown.

    Returns:
        Best score, best epoch and history.

    Raises:
        UserError: arrays, model and teacher do not fit each other, or not exactly one of ``validation`` and
            ``subjects`` is given.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.training import Recipe
        >>> labels, subjects = np.arange(60) % 2, np.arange(60) // 10
        >>> windows = np.random.default_rng(0).normal(size=(60, 20, 3)) + 3 * labels[:, None, None]
        >>> model = build_network("mlp-small", (20, 3, 2), seed=0)
        >>> fitted = sm.fit(
        ...     model,
        ...     windows,
        ...     labels,
        ...     subjects=subjects,
        ...     recipe=Recipe(batch=8),
        ...     epochs=4,
        ...     learning_rate=0.01,
        ...     progress=False,
        ... )
        >>> fitted.epochs, fitted.best > 0.9
        (4, True)
    """
    labels, validation, names = number_names(labels, validation)
    x, y = check_windows(windows), check_labels(labels)
    if len(x) == 0:
        raise UserError("There is no training window.")
    _build(model, x)
    classes = count_classes(model)
    if (validation is None) == (subjects is None):
        given = "neither was" if validation is None else "both were"
        raise UserError(
            "The best epoch is chosen on subjects that are not trained on: give either validation=(windows, labels) "
            f"of others or subjects=, one for each window, to hold some out; {given} given."
        )
    if validation is not None:
        others, truths = _check_validation(validation, x)
        train, chosen = np.arange(len(x)), np.arange(len(x), len(x) + len(others))
        x, y = np.concatenate([x, others]), np.concatenate([y, truths])
    else:
        assert subjects is not None
        train, chosen = hold_out_subjects(subjects, len(x), seed)
    if names and len(names) > classes:
        raise UserError(f"{len(names)} names of classes occur, but {model.name} has {classes} classes.")
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise UserError(f"Labels run from {y.min()} to {y.max()}; {model.name} has classes 0 … {classes - 1}.")
    if epochs is not None:
        recipe = replace(recipe or Recipe(), epochs=epochs)
    chosen_values = dict(hyperparameters or {}) | ({} if learning_rate is None else {"learning_rate": learning_rate})
    way = find_method(method or ("lm" if teacher is None else "rb-kd"))
    teachers = [] if teacher is None else [_teacher(teacher, way)]
    fleet = Fleet(
        model,
        way,
        [Replica(seed, train, chosen, chosen_values, name=model.name)],
        x,
        y,
        classes=classes,
        recipe=recipe,
        teachers=teachers,
        own_weights=True,
        quantise=quantise,
    )
    _adapt(model, x[train])
    (outcome,) = fleet.train(Progress(enabled=progress))
    if outcome.status == "failed":
        raise UserError(f"Training {model.name} failed: {outcome.reason}; a smaller learning_rate may help.")
    fleet.student.put(outcome.weights, outcome.state)
    return Fitted(outcome.best, outcome.best_epoch, outcome.epochs, outcome.history, names)


def _build(model: keras.Model, windows: NDArray[np.float32]) -> None:
    """Build a model that was never called, as Keras' own ``fit`` does."""
    if not isinstance(model, keras.Model):
        raise UserError(f"fit trains a keras.Model, not {type(model).__name__}.")
    if model.built:
        return
    try:
        model(windows[:1])
    except Exception as problem:
        reason = str(problem).splitlines()[0].rstrip(".")
        raise UserError(f"{model.name} cannot be called on windows {windows.shape[1:]}: {reason}.") from problem


def _check_validation(
    given: tuple[ArrayLike, ArrayLike], windows: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise UserError(f"validation must be (windows, labels), not {type(given).__name__}.")
    others, truths = check_windows(given[0], "Validation windows"), check_labels(given[1], "Validation labels")
    if others.shape[1:] != windows.shape[1:]:
        raise UserError(f"Validation windows are {others.shape[1:]}, training windows {windows.shape[1:]}.")
    if len(others) != len(truths):
        raise UserError(f"There are {len(others)} validation windows and {len(truths)} labels of them.")
    return others, truths


def _adapt(model: keras.Model, windows: NDArray[np.float32]) -> None:
    """Set the statistics of new normalisers, of the signal and of window features, to those of the training windows."""
    if all(_is_new(layer) for _, layer in feature_normalisers(model)):
        set_feature_statistics(model, windows)
    if has_normaliser(model) and _is_new(get_normaliser(model)):
        std = windows.std((0, 1))
        set_statistics(model, windows.mean((0, 1)), np.where(std > 0, std, 1))


def _is_new(layer: keras.layers.Normalization) -> bool:
    return np.allclose(np.asarray(layer.adapt_mean), 0) and np.allclose(np.asarray(layer.adapt_variance), 1)


def _teacher(given: keras.Model | Sequence[keras.Model] | ArrayLike, method: Method) -> Teacher:
    if isinstance(given, list | tuple) and given and all(isinstance(each, keras.Model) for each in given):
        return join_teachers([_teacher(each, method) for each in given])
    if isinstance(given, keras.Model):
        network = teacher_network(given, method)
        weights, state = network.own()
        return Teacher(network, weights, state, name=given.name)
    if isinstance(given, str):
        raise UserError(
            f"teacher must be a trained keras.Model or its logits, not the text {given!r}: build a network with "
            f"networks.build_network and train it first."
        )
    return Teacher(outputs={"logits": check_scores(given, "A teacher that is no keras.Model")}, name="the given logits")
