"""Cut, label, split by person, audit for leaks.

``cut`` gives windows as places in a signal, ``splits`` says which of them train, choose and test, and ``audit``
proves that nothing crosses. ``fit_statistics`` is all that a normaliser may know.
"""

from .audit import audit, audit_extents
from .cut import cut
from .findings import Audit, Finding
from .folds import Fold, Splits, differences
from .protocols import splits
from .statistics import Statistics, fit_statistics
from .views import Windows

__all__ = [
    "Audit",
    "Finding",
    "Fold",
    "Splits",
    "Statistics",
    "Windows",
    "audit",
    "audit_extents",
    "cut",
    "differences",
    "fit_statistics",
    "splits",
]
