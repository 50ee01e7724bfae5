"""A t-test over folds, corrected for the overlap of their training subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError


@dataclass(frozen=True)
class CorrectedT:
    """Mean difference over folds, its t and two-sided p-value; t is None if all folds have the same difference."""

    difference: float
    t: float | None
    p: float
    folds: int


def corrected_t_test(differences: ArrayLike, *, share: float) -> CorrectedT:
    """Test the mean difference over folds by the corrected resampled t-test (Nadeau & Bengio 2003).

    t = mean / √((1/J + share) · variance) with J - 1 degrees of freedom. Folds share most of their training subjects,
    so their differences vary less than independent ones would; ``share`` corrects for it.

    Args:
        differences: (J,) one per fold, each averaged over seeds.
        share: test subjects over training subjects; 1 / (J - 1) in cross-validation.

    Returns:
        The mean difference, t and the two-sided p-value.

    Raises:
        UserError: there are fewer than two differences.

    Example:
        >>> from stillmotion.evaluation import corrected_t_test
        >>> test = corrected_t_test([0.02, 0.03, 0.01, 0.02, 0.04], share=0.25)
        >>> round(test.t, 2), round(test.p, 3)
        (3.14, 0.035)
    """
    from scipy.special import stdtr

    values = np.asarray(differences, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise UserError(f"A t-test over folds needs two or more differences, not {values.shape}.")
    mean = float(values.mean())
    error = float(np.sqrt((1 / len(values) + share) * values.var(ddof=1)))
    if error == 0:
        return CorrectedT(mean, None, float(mean == 0), len(values))
    t = mean / error
    return CorrectedT(mean, t, float(2 * stdtr(len(values) - 1, -abs(t))), len(values))


def fold_share(folds: Sequence[object]) -> float:
    """Divide the test subjects of a mean fold by all others, since predictions do not name validation subjects."""
    names, size = np.unique(np.asarray([str(fold) for fold in folds]), return_counts=True)
    mean = float(size.mean())
    return mean / (size.sum() - mean) if len(names) > 1 else float("inf")
