"""Window features, defined once: as NumPy arrays for feature classifiers, and as a Keras layer inside networks.

``FeatureSet`` describes them, ``extract_features`` computes those of a data set's windows, ``WindowFeatures`` is the
layer, ``fit_scale`` fits their standardisation; ``fit_classifier`` fits a forest or a regression to them.
"""

import importlib as _importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .classifiers import FittedClassifier, classifier_code, fit_classifier, own_classifiers, register_classifier
    from .cost import FeatureCost, feature_cost
    from .feature_layer import WindowFeatures
    from .feature_set import FeatureSet
    from .scale import FeatureScale, fit_scale
    from .window_features import Features, extract_array_features, extract_features

_PLACES = {
    "FeatureCost": "cost",
    "FeatureScale": "scale",
    "FeatureSet": "feature_set",
    "Features": "window_features",
    "FittedClassifier": "classifiers",
    "WindowFeatures": "feature_layer",
    "classifier_code": "classifiers",
    "extract_array_features": "window_features",
    "extract_features": "window_features",
    "feature_cost": "cost",
    "fit_classifier": "classifiers",
    "fit_scale": "scale",
    "own_classifiers": "classifiers",
    "register_classifier": "classifiers",
}

__all__ = [
    "FeatureCost",
    "FeatureScale",
    "FeatureSet",
    "Features",
    "FittedClassifier",
    "WindowFeatures",
    "classifier_code",
    "extract_array_features",
    "extract_features",
    "feature_cost",
    "fit_classifier",
    "fit_scale",
    "own_classifiers",
    "register_classifier",
]


def __getattr__(name: str) -> object:
    # On first use: a saved model needs the layer but no reader of data sets, an array of features needs no Keras.
    if name in _PLACES:
        return getattr(_importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
