"""Feature classifiers of the user's own: any estimator as scikit-learn has them, by name."""

from __future__ import annotations

from typing import Any

from ..errors import UserError

#: Built-in classifiers, whose names an own one cannot take.
BUILT_IN = (
    "random-forest",
    "extra-trees",
    "gradient-boosting",
    "random-convolutions",
    "logistic-regression",
    "majority",
)
_OWN: dict[str, Any] = {}


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
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from stillmotion.features import register_classifier
        >>> register_classifier("bayes", GaussianNB())
        'bayes'
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
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from stillmotion.features import own_classifiers, register_classifier
        >>> register_classifier("bayes", GaussianNB())
        'bayes'
        >>> list(own_classifiers())
        ['bayes']
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
