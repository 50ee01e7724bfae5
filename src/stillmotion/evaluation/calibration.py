"""Does a model's confidence mean what it says?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .metrics import Counts, Floats
from .predictions import Predictions

#: How far a row of probabilities may be from 1 in sum: float16 keeps three digits.
ROUNDING = 5e-3


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, bin by bin.

    Args:
        edges: (bins + 1,) of the confidence; a bin holds its right edge, the first one its left edge too.
        count: (bins,) samples in each.
        confidence: (bins,) mean confidence, NaN in an empty bin.
        accuracy: (bins,) share that is right, NaN in an empty bin.
        ece: expected calibration error, how far accuracy and confidence of a bin lie apart, a mean over samples.
    """

    edges: Floats
    count: Counts
    confidence: Floats
    accuracy: Floats
    ece: float

    @staticmethod
    def of(sums: ArrayLike) -> Reliability:
        """From ``confidence_sums``, or from several of them added up."""
        count, right, confidence = np.asarray(sums, np.float64)
        means = [
            np.divide(each, count, out=np.full_like(each, np.nan), where=count > 0) for each in (confidence, right)
        ]
        ece = float(np.abs(right - confidence).sum() / count.sum())
        return Reliability(np.linspace(0, 1, len(count) + 1), count.astype(np.int64), means[0], means[1], ece)

    def rows(self) -> list[dict[str, float]]:
        """The bins that hold a sample, as rows of a table."""
        return [
            {
                "from": float(self.edges[at]),
                "to": float(self.edges[at + 1]),
                "samples": int(self.count[at]),
                "confidence": float(self.confidence[at]),
                "accuracy": float(self.accuracy[at]),
            }
            for at in np.flatnonzero(self.count)
        ]


def compute_reliability(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15) -> Reliability:
    """Bin samples by their confidence, which is the probability of the class that has most (Guo et al. 2017).

    Args:
        labels: (n,) true classes.
        probabilities: (n, C), rows that sum to 1.
        bins: how many of them; ECE grows a little with their number, so name it beside the figure.

    Returns:
        Confidence against accuracy in bins of equal width, and the expected calibration error.

    Raises:
        UserError: the shapes do not fit, or the rows are no probabilities.

    Example:
        >>> from stillmotion.evaluation import compute_reliability
        >>> round(compute_reliability([0, 1], [[0.9, 0.1], [0.8, 0.2]], bins=10).ece, 3)
        0.45
    """
    return Reliability.of(confidence_sums(labels, probabilities, bins=bins))


def confidence_sums(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15) -> Floats:
    """Sum over the samples of each bin: how many, how many right, their confidence.

    What ``compute_reliability`` works on; those of several subjects or runs add up.

    Args:
        labels: (n,) true classes.
        probabilities: (n, C), rows that sum to 1.
        bins: how many of equal width.

    Returns:
        (3, bins).

    Raises:
        UserError: the shapes do not fit, or the rows are no probabilities.

    Example:
        >>> from stillmotion.evaluation import confidence_sums
        >>> confidence_sums([0, 1], [[0.9, 0.1], [0.8, 0.2]], bins=2)
        array([[0. , 2. ],
               [0. , 1. ],
               [0. , 1.7]])
    """
    true, shares = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if shares.ndim != 2 or true.shape != shares.shape[:1] or len(true) == 0:
        raise UserError(
            f"Calibration needs (n,) labels and (n, classes) probabilities, not {true.shape}, {shares.shape}."
        )
    if bins < 1:
        raise UserError(f"Calibration needs at least one bin, not {bins}.")
    if not are_probabilities(shares):
        raise UserError("Calibration needs probabilities: numbers of 0 to 1 that sum to 1 in each row.")
    confidence, right = shares.max(1), shares.argmax(1) == true
    place = np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0, bins - 1)
    parts = (np.ones(len(true)), right, confidence)
    return np.stack([np.bincount(place, weights=values, minlength=bins) for values in parts])


def are_probabilities(scores: ArrayLike) -> bool:
    """Tell whether every row holds numbers of 0 to 1 that sum to 1.

    Args:
        scores: (…, C).

    Returns:
        True for probabilities; logits are none.

    Example:
        >>> from stillmotion.evaluation import are_probabilities
        >>> are_probabilities([[0.25, 0.75]]), are_probabilities([[2.0, -1.0]])
        (True, False)
    """
    shares = np.asarray(scores)
    near = np.abs(shares.sum(-1, dtype=np.float64) - 1) <= ROUNDING
    return bool(np.all(near) and np.all((shares >= 0) & (shares <= 1 + ROUNDING)))


def compute_calibration(predictions: Predictions, *, bins: int = 15) -> Reliability | None:
    """Measure the reliability of a variant over all its rows.

    Args:
        predictions: of one variant.
        bins: how many of equal width.

    Returns:
        Confidence against accuracy; None where the variant gave no probabilities (logits are none).

    Example:
        >>> from stillmotion.evaluation import Predictions, compute_calibration
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, y=[0, 1], scores=[[0.9, 0.1], [0.8, 0.2]])
        >>> round(compute_calibration(predictions).ece, 3)
        0.45
    """
    if predictions.scores is None or len(predictions) == 0 or not are_probabilities(predictions.scores):
        return None
    return compute_reliability(predictions.y, predictions.scores, bins=bins)
