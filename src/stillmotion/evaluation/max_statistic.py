"""Correction for several comparisons by the max-statistic under the same sign flips."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .metrics import Floats

#: A root mean square below this is rounding: confusion matrices whose difference is 0, summed in another order.
NOTHING = 1e-9
#: Two statistics this close are equal, summed in another order.
TIE = 1e-6


def max_statistic(differences: ArrayLike) -> Floats:
    """Adjust two-sided p-values of a family by the step-down max-statistic (Westfall & Young 1993, algorithm 2.8).

    A comparison's statistic T is the absolute difference over the root mean square of that difference under all
    flips. It is a function of Student's t of the subjects' differences: for a mean of n of them, t² =
    (n - 1) · T² / (n - T²) under every flip. So a comparison with a large variance does not dominate the others, as it
    would if the differences themselves were compared; and unlike the smallest p under each flip, T has as many
    values as there are flips, so that few subjects do not cause ties.

    The comparison with the largest T is compared with the largest T of the whole family under each flip, the next with
    the largest T of the rest, and no p is smaller than the one before. The correlation between comparisons (all share
    the reference) is kept, because a flip is applied to all of them at once.

    Args:
        differences: (R, K) of K comparisons; the first row as observed, each further row under a flip applied to all
            comparisons: all flips, or a sample.

    Returns:
        (K,) adjusted p-values: shares of the R rows, the observed one included, so none is 0. With one comparison it
        is the p-value of the sign-flip test.

    Raises:
        UserError: the array has the wrong shape, or a difference is not finite.

    Example:
        >>> from stillmotion.evaluation import max_statistic
        >>> max_statistic([[0.3, 0.1], [0.1, -0.1], [-0.1, 0.1], [-0.3, -0.1]])
        array([0.5, 1. ])
    """
    values = np.asarray(differences, np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise UserError(f"A family needs finite differences of shape (flips, comparisons), not {values.shape}.")
    scale = np.sqrt(np.square(values).mean(0))
    sizes = np.abs(np.divide(values, scale, out=np.zeros_like(values), where=scale > NOTHING))
    order = np.argsort(-sizes[0], kind="stable")
    largest = np.maximum.accumulate(sizes[:, order[::-1]], axis=1)[:, ::-1]  # [r, j]: over order[j:]
    stepped = np.maximum.accumulate((largest >= sizes[0, order] - TIE).mean(0))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted
