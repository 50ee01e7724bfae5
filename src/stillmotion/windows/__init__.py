"""Cut, label, split by subject, audit for leaks.

``cut`` gives windows as places in a signal, ``make_splits`` says which of them train, validate and test, and
``audit_splits`` proves that nothing crosses. ``fit_statistics`` is all that a normaliser may know.
"""

from .audit import audit_extents, audit_splits
from .cut import cut
from .findings import Audit, Finding
from .protocols import make_splits
from .splits import Fold, Splits, differences
from .statistics import Statistics, fit_statistics
from .windows import Windows

__all__ = [
    "Audit",
    "Finding",
    "Fold",
    "Splits",
    "Statistics",
    "Windows",
    "audit_extents",
    "audit_splits",
    "cut",
    "differences",
    "fit_statistics",
    "make_splits",
]
