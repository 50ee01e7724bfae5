"""Cut, label, split by subject, audit for leaks.

``cut`` gives windows as places in a signal, ``splits`` says which of them train, choose and test, and ``audit``
proves that nothing crosses. ``fit_statistics`` is all that a normaliser may know; ``features`` are for classifiers
that learn none of their own.
"""

from .audit import audit_extents, audit_splits
from .cut import cut
from .features import Features, extract_array_features, extract_features
from .findings import Audit, Finding
from .folds import Fold, Splits, differences
from .protocols import make_splits
from .statistics import Statistics, fit_statistics
from .views import Windows

__all__ = [
    "Audit",
    "Features",
    "Finding",
    "Fold",
    "Splits",
    "Statistics",
    "Windows",
    "audit_extents",
    "audit_splits",
    "cut",
    "differences",
    "extract_array_features",
    "extract_features",
    "fit_statistics",
    "make_splits",
]
