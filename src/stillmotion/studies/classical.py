"""Fit baselines: scikit-learn classifiers on standard features of the windows."""

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
#: Training windows of the fit that is timed for a plan.
MEASURED = 1000


def train(run: Run, study_data: StudyData) -> RunResult:
    """Fit a baseline on its fold's training subjects.

    The logits of the validation and test windows are kept, not the model: the trees of a hard data set take tens of
    megabytes per run. Only the validation windows are scored here.
    """
    fold = study_data.folds[run.fold]
    predict, size = _fit(run, study_data, fold.train)
    rows = np.union1d(fold.validation, fold.test)
    logits = predict(rows)
    predictions = logits[np.searchsorted(rows, fold.validation)].argmax(1)
    table = confusion_matrix(study_data.labels[fold.validation], predictions, study_data.classes)
    score = float(macro_f1(table) if run.recipe["select"] == "macro-f1" else accuracy(table))
    empty = np.zeros(0, np.float32)
    return RunResult(
        replica=0,
        status="done",
        reason="",
        best=score,
        best_epoch=1,
        epochs=1,
        history=({"validation": score, **size},),
        weights=empty,
        state=[rows, logits],
        teacher_weights=empty,
        teacher_state=[],
        aux_params=empty,
    )


def stored_logits(run: Run, store: Store, rows: Rows) -> Floats:
    """Return the stored (n, C) log-probabilities of a baseline for windows of its fold."""
    _, (stored_rows, logits) = store.weights(run.id)
    return np.asarray(logits[np.searchsorted(stored_rows, rows)], np.float32)


def seconds(run: Run, study_data: StudyData) -> float:
    """Estimate the time of a fit on all training windows from a fit on some of them."""
    rows = study_data.folds[run.fold].train
    sample = np.random.default_rng(0).permutation(rows)[:MEASURED]
    if run.method != "majority":
        _ = study_data.features  # Computed once per study, so not part of a fit.
    started = time.monotonic()
    _fit(run, study_data, sample)
    return (time.monotonic() - started) * len(rows) / len(sample)


def _fit(run: Run, study_data: StudyData, train: Rows) -> tuple[Callable[[Rows], Floats], dict[str, float]]:
    """Fit a baseline; return a function from windows to log-probabilities, and its size."""
    labels = study_data.labels[train]
    counts = np.bincount(labels, minlength=study_data.classes).astype(np.float64)
    prior = _logarithm(counts / counts.sum())
    if run.method == "majority":
        return lambda rows: np.repeat(prior[None], len(rows), axis=0), {"stored": 1}
    present = np.flatnonzero(counts)
    if len(present) < 2:
        only = study_data.windows.spec.classes[int(present[0])]
        raise IncompatibleNetworks(
            f"{run.method} needs at least two classes; the training windows of fold {run.fold} are all {only}."
        )
    features = study_data.features[train]
    mean, std = features.mean(0, np.float64), features.std(0, np.float64)
    std[std == 0] = 1.0

    def scaled(rows: Rows) -> Floats:
        return np.asarray((study_data.features[rows] - mean) / std, np.float32)

    weights = None
    if run.recipe["imbalance"] in ("weights", "sqrt-weights"):
        factors = class_weights(counts, str(run.recipe["imbalance"]))
        weights = {int(each): float(factors[each]) for each in present}
    model = _estimator(run, weights)
    _single_threaded(model.fit, scaled(train), labels)

    def predict(rows: Rows) -> Floats:
        logits = np.full((len(rows), study_data.classes), _logarithm(np.zeros(1))[0], np.float32)
        if len(rows):
            logits[:, present] = _logarithm(_single_threaded(model.predict_proba, scaled(rows)))
        if run.recipe["imbalance"] == "logit-adjustment":
            # Scikit-learn has no offsets in training, so priors are subtracted afterwards (Menon et al.).
            logits[:, present] -= prior[present]
        return logits

    return predict, _size(model, study_data.classes)


def _estimator(run: Run, weights: dict[int, float] | None) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    given = dict(run.hyperparameters)
    if run.method == "random-forest":
        return RandomForestClassifier(TREES, class_weight=weights, random_state=run.seed, **given)
    return LogisticRegression(class_weight=weights, solver="newton-cg", max_iter=1000, **given)


def _single_threaded(work: Callable[..., Any], *given: Any) -> Any:
    """Run with one thread of linear algebra: with two, on two busy cores, a fit of 0.4 s took 24 s."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The solver warns of its last steps although it has practically converged.
        return work(*given)


def _size(model: Any, classes: int) -> dict[str, float]:
    """Count the numbers that a device would have to store to run the model."""
    if hasattr(model, "coef_"):
        coefficients = model.coef_.size + model.intercept_.size
        return {"coefficients": coefficients, "stored": coefficients + 2 * model.n_features_in_}
    trees = [each.tree_ for each in model.estimators_]
    nodes, leaves = (int(sum(getattr(tree, name) for tree in trees)) for name in ("node_count", "n_leaves"))
    # A node stores a feature, a threshold and two children; a leaf stores a share for each class.
    return {"nodes": nodes, "stored": 4 * (nodes - leaves) + classes * leaves}


def _logarithm(shares: NDArray[Any]) -> Floats:
    return np.asarray(np.log(np.maximum(shares, 1e-12)), np.float32)
