"""Baselines are fitted here: standard features of windows, and a classifier of scikit-learn on them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import accuracy, confusion_matrix, macro_f1
from ..methods import IncompatibleNetworks
from ..training import RunResult
from ..training.replicas import class_weights
from .data import StudyData
from .runs import Run
from .store import Store

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
TREES = 100
#: Training windows of a fit that is measured for a plan.
MEASURED = 1000


def train(run: Run, study_data: StudyData) -> RunResult:
    """Fit a baseline on its fold's training subjects.

    What is kept is its answers to the fold's validation and test windows, not the model: the trees of a hard set take
    tens of megabytes a run. Nothing is scored here but the validation windows.
    """
    fold = study_data.folds[run.fold]
    answer, size = _fitted(run, study_data, fold.train)
    rows = np.union1d(fold.validation, fold.test)
    said = answer(rows)
    guess = said[np.searchsorted(rows, fold.validation)].argmax(1)
    table = confusion_matrix(study_data.labels[fold.validation], guess, study_data.classes)
    score = float(macro_f1(table) if run.recipe["select"] == "macro-f1" else accuracy(table))
    nothing = np.zeros(0, np.float32)
    return RunResult(
        replica=0,
        status="done",
        reason="",
        best=score,
        best_epoch=1,
        epochs=1,
        history=({"validation": score, **size},),
        weights=nothing,
        state=[rows, said],
        teacher_weights=nothing,
        teacher_state=[],
        aux_params=nothing,
    )


def answers(run: Run, store: Store, rows: Rows) -> Floats:
    """(n, C) logarithms of the probabilities that a baseline gave to these windows of its fold."""
    _, (there, said) = store.weights(run.id)
    return np.asarray(said[np.searchsorted(there, rows)], np.float32)


def seconds(run: Run, study_data: StudyData) -> float:
    """How long a fit takes on all training windows, from one on some of them."""
    rows = study_data.folds[run.fold].train
    some = np.random.default_rng(0).permutation(rows)[:MEASURED]
    if run.method != "majority":
        _ = study_data.features  # Made once for the study, so no part of a fit.
    started = time.monotonic()
    _fitted(run, study_data, some)
    return (time.monotonic() - started) * len(rows) / len(some)


def _fitted(run: Run, study_data: StudyData, train: Rows) -> tuple[Callable[[Rows], Floats], dict[str, float]]:
    """What answers windows, and how large it is."""
    labels = study_data.labels[train]
    counts = np.bincount(labels, minlength=study_data.classes).astype(np.float64)
    prior = _logarithm(counts / counts.sum())
    if run.method == "majority":
        return lambda rows: np.repeat(prior[None], len(rows), axis=0), {"stored": 1}
    there = np.flatnonzero(counts)
    if len(there) < 2:
        only = study_data.windows.spec.classes[int(there[0])]
        raise IncompatibleNetworks(
            f"{run.method} needs two classes to tell apart; in fold {run.fold} subjects train on {only} alone."
        )
    known = study_data.features[train]
    mean, std = known.mean(0, np.float64), known.std(0, np.float64)
    std[std == 0] = 1.0

    def scaled(rows: Rows) -> Floats:
        return np.asarray((study_data.features[rows] - mean) / std, np.float32)

    weights = None
    if run.recipe["imbalance"] in ("weights", "sqrt-weights"):
        factors = class_weights(counts, str(run.recipe["imbalance"]))
        weights = {int(each): float(factors[each]) for each in there}
    model = _estimator(run, weights)
    _calmly(model.fit, scaled(train), labels)

    def answer(rows: Rows) -> Floats:
        found = np.full((len(rows), study_data.classes), _logarithm(np.zeros(1))[0], np.float32)
        if len(rows):
            found[:, there] = _logarithm(_calmly(model.predict_proba, scaled(rows)))
        if run.recipe["imbalance"] == "logit-adjustment":
            # In place of offsets in training, which no estimator has, priors are taken off afterwards (Menon et al.).
            found[:, there] -= prior[there]
        return found

    return answer, _size(model, study_data.classes)


def _estimator(run: Run, weights: dict[int, float] | None) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    given = dict(run.hyperparameters)
    if run.method == "random-forest":
        return RandomForestClassifier(TREES, class_weight=weights, random_state=run.seed, **given)
    return LogisticRegression(class_weight=weights, solver="newton-cg", max_iter=1000, **given)


def _calmly(work: Callable[..., Any], *given: Any) -> Any:
    """On one thread of the linear algebra: with two, on two busy cores, a fit of 0.4 s took 24 s."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The last steps of a solver that has as good as arrived.
        return work(*given)


def _size(model: Any, classes: int) -> dict[str, float]:
    """How many numbers would have to be stored to answer with it: those of its parts, a threshold or a share each."""
    if hasattr(model, "coef_"):
        coefficients = model.coef_.size + model.intercept_.size
        return {"coefficients": coefficients, "stored": coefficients + 2 * model.n_features_in_}
    trees = [each.tree_ for each in model.estimators_]
    nodes, leaves = (int(sum(getattr(tree, name) for tree in trees)) for name in ("node_count", "n_leaves"))
    # A node asks for a feature and its threshold and names two others; a leaf holds a share for each class.
    return {"nodes": nodes, "stored": 4 * (nodes - leaves) + classes * leaves}


def _logarithm(shares: NDArray[Any]) -> Floats:
    return np.asarray(np.log(np.maximum(shares, 1e-12)), np.float32)
