"""Fit feature classifiers: scikit-learn fits them, plain arrays are what is kept of forests and regressions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .arrays import LEAF, SMALLEST, ClassifierArrays, Floats, LinearArrays, TreeArrays
from .arrays_cost import count_stored
from .compute import compress
from .feature_set import FeatureSet
from .registered import own_classifiers
from .scale import LIMIT, fit_scale

#: Trees of a forest, unless its hyperparameters name another number.
TREES = 100
#: Hyperparameters that are whole numbers, by the name that scikit-learn gives them; below 1, the smallest leaf is a
#: share of the windows.
WHOLE = ("n_estimators", "max_depth", "min_samples_leaf", "max_iter", "max_leaf_nodes")
#: Penalty of the ridge regression on random convolutions.
ALPHA = 100.0
#: Logit of a class without a training window, beside logits of the others whose largest is about 0 or more.
ABSENT = -30.0


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A fitted feature classifier.

    Args:
        predict: function from features (n, F) to logits (n, C).
        size: what a device would have to store, by part; ``stored`` is the number of values.
        arrays: what ``predict`` computes, as plain arrays; None for one that has no such form. Their features are
            computed from windows, ``predict``'s are those that it was fitted to.
    """

    predict: Callable[[Floats], Floats]
    size: Mapping[str, float]
    arrays: ClassifierArrays | None = None


def fit_classifier(
    name: str,
    table: Floats,
    labels: NDArray[np.int64],
    classes: int,
    *,
    features: FeatureSet,
    weights: NDArray[Any] | None = None,
    subtract_prior: bool = False,
    seed: int = 0,
    hyperparameters: Mapping[str, float] | None = None,
) -> FittedClassifier:
    """Fit a classifier to a table of features.

    Trees are fitted to the features as they are. A regression passes them through sign(x) · log(1 + \\|x\\|) first, and
    standardises and clips them, which makes powers and energies as even as the rest; a classifier of one's own gets
    them standardised and clipped.

    Args:
        name: ``random-forest``, ``extra-trees``, ``gradient-boosting``, ``random-convolutions``,
            ``logistic-regression``, ``majority``, or that of a registered one.
        table: (n, F) features, uncompressed; for ``random-convolutions`` the windows (n, T, D) themselves.
        labels: (n,) classes.
        classes: number of classes; those without a window get the smallest logit.
        features: what the columns of the table are.
        weights: (C,) weight of each class.
        subtract_prior: whether log-priors are subtracted from predictions, which stands for logit adjustment (Menon et
            al.), since scikit-learn has no offsets in training.
        seed: of trees.
        hyperparameters: of the scikit-learn estimator; whole numbers for those in ``WHOLE``.

    Returns:
        A function that predicts, the size of the model, and its arrays.

    Raises:
        UserError: the training windows are all of one class, or a feature is not finite.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, extract_array_features, fit_classifier
        >>> calm, wild = np.random.default_rng(0).normal(size=(2, 20, 50, 1)) * [[[[1]]], [[[9]]]]
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",))
        >>> table = extract_array_features(np.concatenate([calm, wild]), rate=25.0, names=["pulse"]).values
        >>> classifier = fit_classifier("logistic-regression", table, np.arange(40) // 20, 2, features=features)
        >>> classifier.predict(table[[0, 39]]).argmax(1)
        array([0, 1])
        >>> classifier.arrays.weights.shape
        (16, 2)
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    prior = counts / counts.sum()
    if name == "majority":
        return _constant(prior, features)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise UserError(f"{name} needs at least two classes, but all its training windows are of one.")
    by_class = None if weights is None else {int(each): float(weights[each]) for each in present}
    offset = _logarithm(prior) if subtract_prior else np.zeros(classes)
    if name == "random-convolutions":
        return _fit_convolutions(table, labels, present, weights, offset, seed, dict(hyperparameters or {}))
    model = _estimator(name, by_class, seed, dict(hyperparameters or {}))
    if name == "logistic-regression":
        linear = _fit_regression(
            model, compress(np, table), labels, replace(features, compressed=True), present, offset
        )
        return FittedClassifier(lambda rows: linear.predict_logits(compress(np, rows)), count_stored(linear), linear)
    if name in ("random-forest", "extra-trees"):
        _single_threaded(model.fit, table, labels)
        trees = _flatten(model, features, present, np.exp(-offset))
        return FittedClassifier(trees.predict_logits, count_stored(trees), trees)
    scale = fit_scale(table)
    by_window = {} if weights is None else {"sample_weight": weights[labels]}
    _single_threaded(model.fit, scale.apply(table), labels, **by_window)

    def predict(rows: Floats) -> Floats:
        logits = np.full((len(rows), classes), np.log(SMALLEST), np.float32)
        if len(rows):
            logits[:, present] = _logarithm(_single_threaded(model.predict_proba, scale.apply(rows)))
        logits[:, present] -= offset[present]
        return logits

    return FittedClassifier(predict, _size_of_own(model, classes))


def _constant(prior: NDArray[np.float64], features: FeatureSet) -> FittedClassifier:
    """Return a classifier whose logits are the classes' shares of the training windows, whatever the window."""
    count, bias = len(features.names), _logarithm(prior)
    zero, one = np.zeros(count, np.float32), np.ones(count, np.float32)
    linear = LinearArrays(features, np.zeros((count, len(prior)), np.float32), bias, zero, one, LIMIT)
    return FittedClassifier(lambda rows: np.repeat(bias[None], len(rows), axis=0), {"stored": 1}, linear)


def _fit_regression(
    model: Any,
    table: Floats,
    labels: NDArray[np.int64],
    features: FeatureSet,
    present: NDArray[np.int64],
    offset: NDArray[Any],
) -> LinearArrays:
    scale, classes = fit_scale(table), len(offset)
    weights, bias = np.zeros((table.shape[1], classes), np.float32), np.full(classes, ABSENT, np.float32)
    linear = LinearArrays(features, weights, bias, scale.mean, scale.std, LIMIT)
    # In float64: in float32 the solver stops far from the optimum.
    _single_threaded(model.fit, linear.scaled(table).astype(np.float64), labels)
    kernel, intercept = model.coef_.T, model.intercept_
    if len(intercept) == 1:  # Of two classes it is the difference: the first one's logit is 0.
        kernel, intercept = np.concatenate([0 * kernel, kernel], axis=1), np.array([0.0, intercept[0]])
    weights[:, present], bias[present] = kernel, intercept - offset[present]
    return replace(linear, weights=weights, bias=bias)


def _fit_convolutions(
    windows: Floats,
    labels: NDArray[np.int64],
    present: NDArray[np.int64],
    weights: NDArray[Any] | None,
    offset: NDArray[Any],
    seed: int,
    hyperparameters: dict[str, float],
) -> FittedClassifier:
    from .random_convolutions import fit_random_convolutions, fit_ridge

    convolutions = fit_random_convolutions(windows, seed=seed)
    each = np.ones(len(labels)) if weights is None else weights[labels]
    alpha, own = hyperparameters.get("alpha", ALPHA), np.searchsorted(present, labels)
    head = _single_threaded(
        fit_ridge, convolutions.transform(windows), own, len(present), alpha=alpha, weights=np.asarray(each, np.float64)
    )

    def predict(rows: Floats) -> Floats:
        logits = np.full((len(rows), len(offset)), ABSENT, np.float32)
        if len(rows):
            scores = head.predict_logits(convolutions.transform(rows)) - offset[present]
            logits[:, present] = scores - scores.max(1, keepdims=True)
        return logits

    return FittedClassifier(predict, {})


def _flatten(model: Any, features: FeatureSet, present: NDArray[np.int64], factors: NDArray[np.float64]) -> TreeArrays:
    """Put the trees of a forest after one another; the values of class c are multiplied by ``factors[c]``."""
    trees = [each.tree_ for each in model.estimators_]
    starts = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
    joined = {
        name: np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("feature", "threshold", "children_left", "children_right", "value")
    }
    leaf = joined["children_left"] < 0
    offset = np.repeat(starts[:-1], np.diff(starts))
    left, right = (np.where(leaf, LEAF, joined[name] + offset) for name in ("children_left", "children_right"))
    shares = joined["value"][:, 0, :]
    value = np.zeros((len(leaf), len(factors)), np.float32)
    # One factor for all classes changes nothing; this keeps values between 0 and 1.
    value[:, present] = shares / shares.sum(1, keepdims=True) * (factors[present] / factors[present].max())
    return TreeArrays(
        features,
        roots=starts[:-1],
        feature=np.where(leaf, LEAF, joined["feature"]),
        threshold=np.where(leaf, 0.0, _round_down(joined["threshold"])),
        left=left,
        right=right,
        value=value,
    )


def _round_down(threshold: NDArray[np.float64]) -> Floats:
    """Round thresholds down to float32: a feature, which is float32, compares with the result as with the original."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _estimator(name: str, weights: dict[int, float] | None, seed: int, hyperparameters: dict[str, float]) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    if name in own_classifiers():
        from sklearn.base import clone

        own = clone(own_classifiers()[name])
        return own.set_params(**({"random_state": seed} if "random_state" in own.get_params() else {}))
    values = {key: int(value) if key in WHOLE and value >= 1 else value for key, value in hyperparameters.items()}
    if name == "logistic-regression":
        return LogisticRegression(class_weight=weights, solver="newton-cg", max_iter=1000, **values)
    if name == "gradient-boosting":
        # Weights by class would need classes 0 … C - 1 that all have windows; it is given those of windows.
        return HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **values)
    forest = RandomForestClassifier if name == "random-forest" else ExtraTreesClassifier
    return forest(**{"n_estimators": TREES, **values}, class_weight=weights, random_state=seed)


def _single_threaded(work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Run with one thread of linear algebra: with two, on two busy cores, a fit of 0.4 s took 24 s."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The solver warns of its last steps although it has practically converged.
        return work(*given, **named)


def _size_of_own(model: Any, classes: int) -> dict[str, float]:
    """Count the numbers that a device would have to store to run a model of the user's own."""
    if hasattr(model, "coef_") and hasattr(model, "intercept_"):
        coefficients = model.coef_.size + model.intercept_.size
        return {"coefficients": coefficients, "stored": coefficients + 2 * model.n_features_in_}
    try:
        trees = [each.tree_ for each in np.ravel(model.estimators_)]
    except AttributeError:
        return {}  # How much another model stores is not known.
    nodes, leaves = (int(sum(getattr(tree, name) for tree in trees)) for name in ("node_count", "n_leaves"))
    # A node stores a feature, a threshold and two children; a leaf stores a share for each class.
    return {"nodes": nodes, "stored": 4 * (nodes - leaves) + classes * leaves}


def _logarithm(shares: NDArray[Any]) -> Floats:
    return np.asarray(np.log(np.maximum(shares, SMALLEST)), np.float32)
