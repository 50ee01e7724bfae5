"""Feature classifiers: scikit-learn models on window features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

Floats = NDArray[np.float32]
#: Trees of a forest.
TREES = 100
BUILT_IN = ("random-forest", "logistic-regression", "majority")
#: Classifiers of the user's own, by name.
_OWN: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A fitted feature classifier.

    Args:
        predict: function from features (n, F) to log-probabilities (n, C).
        size: what a device would have to store, by part; ``stored`` is the number of values.
    """

    predict: Callable[[Floats], Floats]
    size: Mapping[str, float]


def fit_classifier(
    name: str,
    features: Floats,
    labels: NDArray[np.int64],
    classes: int,
    *,
    weights: NDArray[Any] | None = None,
    subtract_prior: bool = False,
    seed: int = 0,
    hyperparameters: Mapping[str, float] | None = None,
) -> FittedClassifier:
    """Fit a classifier on standardised features.

    Args:
        name: ``random-forest``, ``logistic-regression``, ``majority``, or that of a registered one.
        features: (n, F).
        labels: (n,) classes.
        classes: number of classes; those without a window get the smallest log-probability.
        weights: (C,) weight of each class.
        subtract_prior: whether log-priors are subtracted from predictions, which stands for logit adjustment (Menon et
            al.), since scikit-learn has no offsets in training.
        seed: of the forest.
        hyperparameters: of the scikit-learn estimator.

    Returns:
        A function that predicts, and the size of the model.

    Raises:
        UserError: the training windows are all of one class.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import fit_classifier
        >>> features = np.array([[0.0], [1.0], [10.0], [11.0]], np.float32)
        >>> classifier = fit_classifier("logistic-regression", features, np.array([0, 0, 1, 1]), 2)
        >>> classifier.predict(features).argmax(1)
        array([0, 0, 1, 1])
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    prior = _logarithm(counts / counts.sum())
    if name == "majority":
        return FittedClassifier(lambda rows: np.repeat(prior[None], len(rows), axis=0), {"stored": 1})
    present = np.flatnonzero(counts)
    if len(present) < 2:
        raise UserError(f"{name} needs at least two classes, but all its training windows are of one.")
    mean, std = features.mean(0, np.float64), features.std(0, np.float64)
    std[std == 0] = 1.0

    def scaled(rows: Floats) -> Floats:
        return np.asarray((rows - mean) / std, np.float32)

    by_class = None if weights is None else {int(each): float(weights[each]) for each in present}
    model = _estimator(name, by_class, seed, dict(hyperparameters or {}))
    own_weights = {} if name not in _OWN or weights is None else {"sample_weight": weights[labels]}
    _single_threaded(model.fit, scaled(features), labels, **own_weights)

    def predict(rows: Floats) -> Floats:
        logits = np.full((len(rows), classes), _logarithm(np.zeros(1))[0], np.float32)
        if len(rows):
            logits[:, present] = _logarithm(_single_threaded(model.predict_proba, scaled(rows)))
        if subtract_prior:
            logits[:, present] -= prior[present]
        return logits

    return FittedClassifier(predict, _size(model, classes))


def register_classifier(name: str, classifier: Any) -> str:
    """Add a classifier of one's own, which studies fit to window features beside their baselines.

    Args:
        name: small letters, digits and hyphens.
        classifier: an estimator as scikit-learn has them: ``fit``, ``predict_proba``, ``get_params``; it is cloned for
            every fit, and a parameter ``random_state`` is set to the seed. ``fit`` is given ``sample_weight`` where the
            recipe weighs classes.

    Returns:
        The name. An own classifier of the same name is replaced.

    Raises:
        UserError: it lacks one of these functions, or a built-in classifier has this name.

    Example:
        >>> from sklearn.ensemble import ExtraTreesClassifier
        >>> from stillmotion.features import register_classifier
        >>> register_classifier("extra-trees", ExtraTreesClassifier(50))
        'extra-trees'
    """
    missing = [part for part in ("fit", "predict_proba", "get_params") if not hasattr(classifier, part)]
    if missing:
        raise UserError(
            f"{name} ({type(classifier).__name__}) lacks {' and '.join(missing)}: a classifier needs fit and "
            f"predict_proba as scikit-learn's have; wrap one without probabilities in CalibratedClassifierCV."
        )
    if name in BUILT_IN:
        raise UserError(f"{name} is a built-in classifier; give yours another name.")
    _OWN[name] = classifier
    return name


def own_classifiers() -> dict[str, Any]:
    """Return the classifiers of the user's own.

    Returns:
        The classifiers by name.

    Example:
        >>> from sklearn.ensemble import ExtraTreesClassifier
        >>> from stillmotion.features import own_classifiers, register_classifier
        >>> register_classifier("extra-trees", ExtraTreesClassifier())
        'extra-trees'
        >>> list(own_classifiers())
        ['extra-trees']
    """
    return dict(_OWN)


def classifier_code(name: str) -> str:
    """Fingerprint a classifier of one's own by its class and parameters.

    Args:
        name: of a classifier.

    Returns:
        A text; empty for a built-in classifier.

    Example:
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from stillmotion.features import classifier_code, register_classifier
        >>> register_classifier("bayes", GaussianNB())
        'bayes'
        >>> classifier_code("bayes")
        "sklearn.naive_bayes.GaussianNB([('priors', None), ('var_smoothing', 1e-09)])"
    """
    if name not in _OWN:
        return ""
    own = _OWN[name]
    if (code := getattr(own, "code", None)) is not None:
        return str(code)  # Of a classifier that is not here, as it was when it was fitted.
    return f"{type(own).__module__}.{type(own).__qualname__}({sorted(own.get_params().items())!r})"


def _estimator(name: str, weights: dict[int, float] | None, seed: int, hyperparameters: dict[str, float]) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    if name in _OWN:
        from sklearn.base import clone

        own = clone(_OWN[name])
        return own.set_params(**({"random_state": seed} if "random_state" in own.get_params() else {}))
    if name == "random-forest":
        return RandomForestClassifier(TREES, class_weight=weights, random_state=seed, **hyperparameters)
    return LogisticRegression(class_weight=weights, solver="newton-cg", max_iter=1000, **hyperparameters)


def _single_threaded(work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Run with one thread of linear algebra: with two, on two busy cores, a fit of 0.4 s took 24 s."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The solver warns of its last steps although it has practically converged.
        return work(*given, **named)


def _size(model: Any, classes: int) -> dict[str, float]:
    """Count the numbers that a device would have to store to run the model."""
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
    return np.asarray(np.log(np.maximum(shares, 1e-12)), np.float32)
