"""Features of windows for feature classifiers.

``extract_features`` computes statistics of the windows of a data set, ``extract_array_features`` those of an array.
"""

from .window_features import Features, extract_array_features, extract_features

__all__ = ["Features", "extract_array_features", "extract_features"]
