"""Window features, defined once, and what is fitted on them.

``extract_features`` computes statistics of windows for classifiers that learn no features of their own.
"""

from .window_features import Features, extract_array_features, extract_features

__all__ = ["Features", "extract_array_features", "extract_features"]
