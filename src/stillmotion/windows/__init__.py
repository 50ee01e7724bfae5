"""Cut recordings into labelled windows, split them, and audit the splits for leaks.

``cut`` returns windows as positions in a signal, ``make_splits`` divides them into training, validation and test
windows, and ``audit_splits`` checks that these share nothing. ``fit_statistics`` computes the normaliser's means and
standard deviations from training windows.
"""

from .audit import audit_extents, audit_splits
from .cut import cut
from .findings import Audit, Finding
from .protocols import make_splits
from .segments import split_segments
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
    "split_segments",
]
