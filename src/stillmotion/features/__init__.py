"""Window features, defined once: as NumPy arrays for feature classifiers, and as a Keras layer inside networks.

``FeatureSet`` describes them, ``extract_features`` computes those of a data set's windows, ``WindowFeatures`` is the
layer, ``fit_scale`` fits their standardisation; ``fit_classifier`` fits a forest or a regression to them, which are
plain arrays: ``TreeArrays`` and ``LinearArrays``.
"""

import importlib as _importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .array_files import pack_arrays, unpack_arrays
    from .arrays import ClassifierArrays, LinearArrays, TreeArrays
    from .arrays_cost import ClassifierCost, classifier_cost, count_stored
    from .classifiers import FittedClassifier, fit_classifier
    from .cost import FeatureCost, feature_cost
    from .feature_layer import WindowFeatures
    from .feature_set import FeatureSet, parse_selection
    from .registered import classifier_code, own_classifiers, register_classifier
    from .scale import FeatureScale, fit_scale
    from .window_features import Features, extract_array_features, extract_features

_PLACES = {
    "ClassifierArrays": "arrays",
    "ClassifierCost": "arrays_cost",
    "FeatureCost": "cost",
    "FeatureScale": "scale",
    "FeatureSet": "feature_set",
    "Features": "window_features",
    "FittedClassifier": "classifiers",
    "LinearArrays": "arrays",
    "TreeArrays": "arrays",
    "WindowFeatures": "feature_layer",
    "classifier_code": "registered",
    "classifier_cost": "arrays_cost",
    "count_stored": "arrays_cost",
    "extract_array_features": "window_features",
    "extract_features": "window_features",
    "feature_cost": "cost",
    "fit_classifier": "classifiers",
    "fit_scale": "scale",
    "own_classifiers": "registered",
    "pack_arrays": "array_files",
    "parse_selection": "feature_set",
    "register_classifier": "registered",
    "unpack_arrays": "array_files",
}

__all__ = [
    "ClassifierArrays",
    "ClassifierCost",
    "FeatureCost",
    "FeatureScale",
    "FeatureSet",
    "Features",
    "FittedClassifier",
    "LinearArrays",
    "TreeArrays",
    "WindowFeatures",
    "classifier_code",
    "classifier_cost",
    "count_stored",
    "extract_array_features",
    "extract_features",
    "feature_cost",
    "fit_classifier",
    "fit_scale",
    "own_classifiers",
    "pack_arrays",
    "parse_selection",
    "register_classifier",
    "unpack_arrays",
]


def __getattr__(name: str) -> object:
    # On first use: a saved model needs the layer but no reader of data sets, an array of features needs no Keras.
    if name in _PLACES:
        return getattr(_importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
