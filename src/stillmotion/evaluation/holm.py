"""Several comparisons, one error rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .scores import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values (Holm 1979): the k-th smallest of m is multiplied by m - k + 1, never below one before it.

    Args:
        p: (m,) of one family, which has to be named with them.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
