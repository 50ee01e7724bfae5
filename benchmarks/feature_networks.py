"""Compare networks on window features with feature classifiers, on subjects that none of them has seen.

``python -m benchmarks.feature_networks --data DIR [NETWORK …]`` cuts HAPT into windows of 128 samples every 64, trains
every network on the five folds of ``subjects:5`` (validation subjects choose the epoch; one seed), fits a random forest
and a logistic regression to the same features and training subjects, and prints macro-F1 on the test subjects.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import stillmotion as sm
from stillmotion.evaluation import confusion_matrix, macro_f1
from stillmotion.features import extract_features, fit_scale
from stillmotion.networks import build_network, network_cost
from stillmotion.training import Fleet, Recipe, Replica
from stillmotion.training.progress import Progress

NETWORKS = ("feature-net-xs", "feature-net-s", "hybrid-net-s")
RECIPE = Recipe(batch=128, epochs=60, patience=60, schedule="cosine", warmup=0.3, imbalance="sqrt-weights")
HYPERPARAMETERS = {"learning_rate": 3e-3, "weight_decay": 1e-3}

Predictions = list[NDArray[Any]]


def main() -> None:
    """Train, fit and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds hapt/")
    options = parser.parse_args()
    dataset = sm.load("hapt", data=options.data)
    windows = sm.cut(dataset, spec=dataset.spec.with_window(128, 64))
    splits = sm.make_splits(windows, "subjects:5", seed=0)
    print(f"{len(windows)} windows, {len(splits.folds)} folds")
    for name in options.networks:
        start = time.monotonic()
        predictions = train(name, windows, splits)
        params = f"{network_cost(build_network(name, windows.spec)).params:,}"
        report(name, params, predictions, windows, splits, time.monotonic() - start)
    features = extract_features(windows).values
    for name in ("random forest", "logistic regression"):
        start = time.monotonic()
        report(name, "–", fit(name, features, windows, splits), windows, splits, time.monotonic() - start)


def train(name: str, windows: sm.windows.Windows, splits: sm.windows.Splits) -> Predictions:
    """Train a network on every fold as one fleet; return its predictions for the test windows."""
    x, classes = np.ascontiguousarray(windows.values(), np.float32), len(windows.spec.classes)
    statistics = [sm.fit_statistics(windows, fold.train) for fold in splits.folds]
    replicas = [
        Replica(0, fold.train, fold.validation, HYPERPARAMETERS, each.mean, each.std)  # type: ignore[arg-type]
        for fold, each in zip(splits.folds, statistics, strict=True)
    ]
    student = build_network(name, windows.spec)
    fleet = Fleet(student, "lm", replicas, x, windows.labels, classes=classes, recipe=RECIPE)
    results = fleet.train(Progress(enabled=False))
    return [
        fleet.student.predict_taps(result.weights, result.state, x[fold.test])["logits"].argmax(1)
        for result, fold in zip(results, splits.folds, strict=True)
    ]


def fit(
    name: str, features: NDArray[np.float32], windows: sm.windows.Windows, splits: sm.windows.Splits
) -> Predictions:
    """Fit a classifier to every fold; return its predictions for the test windows."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    predictions = []
    for fold in splits.folds:
        scale = fit_scale(features[fold.train])
        forest = RandomForestClassifier(200, random_state=0, n_jobs=1, class_weight="balanced")
        model = forest if name == "random forest" else LogisticRegression(max_iter=2000)
        model.fit(scale.apply(features[fold.train]), windows.labels[fold.train])
        predictions.append(model.predict(scale.apply(features[fold.test])))
    return predictions


def report(
    name: str,
    params: str,
    predictions: Predictions,
    windows: sm.windows.Windows,
    splits: sm.windows.Splits,
    seconds: float,
) -> None:
    """Print macro-F1, the mean of the folds and of all test windows together."""
    tables = [
        confusion_matrix(windows.labels[fold.test], each, len(windows.spec.classes))
        for fold, each in zip(splits.folds, predictions, strict=True)
    ]
    folds = [float(macro_f1(table)) for table in tables]
    pooled = float(macro_f1(np.sum(tables, axis=0)))
    each = " ".join(f"{value:.3f}" for value in folds)
    print(
        f"{name:20} {params:>7} mean {np.mean(folds):.3f} pooled {pooled:.3f} folds {each} ({seconds:.0f} s)",
        flush=True,
    )


if __name__ == "__main__":
    main()
