"""What a budget of trials buys: the best validation score to expect from some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .metrics import Floats


@dataclass(frozen=True, eq=False)
class ExpectedBest:
    """Row n - 1 is for n trials.

    Args:
        expected: (N,) expected best validation score.
        low: (N,) the 5 % quantile of the best.
        high: (N,) the 95 % quantile.
        chosen: (N,) expected other score (such as the test score) of the trial that validates best, if given.
    """

    expected: Floats
    low: Floats
    high: Floats
    chosen: Floats | None = None


def expected_best(validation: ArrayLike, other: ArrayLike | None = None) -> ExpectedBest:
    """Compute the expected best of n trials out of the N that were made, drawn without replacement; exact.

    With scores sorted ascending, the i-th is the best of n with chance C(i - 1, n - 1) / C(N, n). Drawing with
    replacement (Dodge et al. 2019) is biased downwards; this one is unbiased for a search at random.

    Args:
        validation: (N,) scores of independent trials at random; those that a search steered are not such.
        other: (N,) another score of the same trials; of trials that validate equally it is the mean.

    Returns:
        The curve over n, with its 5 % and 95 % quantiles.

    Raises:
        UserError: a score is not finite, or the lists differ in length.

    Example:
        >>> from stillmotion.evaluation import expected_best
        >>> expected_best([0.1, 0.2, 0.3]).expected.round(3)
        array([0.2  , 0.267, 0.3  ])
    """
    scores = np.asarray(validation, np.float64)
    if scores.ndim != 1 or len(scores) == 0 or not np.isfinite(scores).all():
        raise UserError("A curve over trials needs one finite score a trial, and at least one.")
    order = np.argsort(scores, kind="stable")
    ranked, chance = scores[order], _chances(len(scores))
    below = np.cumsum(chance, axis=1)
    low, high = (ranked[(below < share - 1e-12).sum(1)] for share in (0.05, 0.95))
    chosen = None
    if other is not None:
        values = np.asarray(other, np.float64)
        if values.shape != scores.shape:
            raise UserError(f"{len(values)} other scores are given for {len(scores)} trials.")
        _, tied, size = np.unique(scores, return_inverse=True, return_counts=True)
        chosen = chance @ (np.bincount(tied, weights=values) / size)[tied][order]
    return ExpectedBest(chance @ ranked, low, high, chosen)


def _chances(trials: int) -> Floats:
    """(n, i): the chance that the i-th smallest is the best of n. Products of ratios; factorials would overflow."""
    n, i = np.ogrid[1 : trials + 1, 1 : trials + 1]
    # C(i-1, n-1) / C(i, n-1) = (i - n + 1) / i, and the last, C(N-1, n-1) / C(N, n), is n / N.
    ratios = np.ones((trials, trials))
    ratios[:, :-1] = np.maximum(i - n + 1, 0)[:, :-1] / i[:, :-1]
    return np.asarray(n / trials * np.cumprod(ratios[:, ::-1], axis=1)[:, ::-1])
