"""Features of windows for feature classifiers.

``extract_features`` computes statistics of the windows of a data set, ``extract_array_features`` those of an array;
``fit_classifier`` fits a forest or a regression to them.
"""

from .classifiers import FittedClassifier, classifier_code, fit_classifier, own_classifiers, register_classifier
from .window_features import Features, extract_array_features, extract_features

__all__ = [
    "Features",
    "FittedClassifier",
    "classifier_code",
    "extract_array_features",
    "extract_features",
    "fit_classifier",
    "own_classifiers",
    "register_classifier",
]
