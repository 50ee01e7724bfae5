"""Calibration: reliability and expected calibration error of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .metrics import Counts, Floats
from .predictions import Predictions

#: Largest deviation of a row's sum from 1: float16 keeps three digits.
ROUNDING = 5e-3


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, bin by bin.

    Args:
        edges: (bins + 1,) of the confidence; a bin holds its right edge, the first one its left edge too.
        count: (bins,) samples in each bin.
        confidence: (bins,) mean confidence, NaN in an empty bin.
        accuracy: (bins,) share of correct predictions, NaN in an empty bin.
        ece: expected calibration error: the distance between accuracy and confidence of a bin, averaged over samples.
    """

    edges: Floats
    count: Counts
    confidence: Floats
    accuracy: Floats
    ece: float

    @staticmethod
    def of(sums: ArrayLike) -> Reliability:
        """Compute the reliability from ``confidence_sums``, or from several of them added up."""
        count, correct, confidence = np.asarray(sums, np.float64)
        means = [
            np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0) for total in (confidence, correct)
        ]
        ece = float(np.abs(correct - confidence).sum() / count.sum())
        return Reliability(np.linspace(0, 1, len(count) + 1), count.astype(np.int64), means[0], means[1], ece)

    def rows(self) -> list[dict[str, float]]:
        """Return the bins that hold a sample, as rows of a table."""
        return [
            {
                "from": float(self.edges[bin_number]),
                "to": float(self.edges[bin_number + 1]),
                "samples": int(self.count[bin_number]),
                "confidence": float(self.confidence[bin_number]),
                "accuracy": float(self.accuracy[bin_number]),
            }
            for bin_number in np.flatnonzero(self.count)
        ]


def compute_reliability(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15) -> Reliability:
    """Bin samples by their confidence, the probability of the predicted class (Guo et al. 2017).

    Args:
        labels: (n,) true classes.
        probabilities: (n, C), rows that sum to 1.
        bins: number of bins; ECE grows a little with it, so report it together with the ECE.

    Returns:
        Confidence against accuracy in bins of equal width, and the expected calibration error.

    Raises:
        UserError: the shapes do not match, or the rows are not probabilities.

    Example:
        >>> from stillmotion.evaluation import compute_reliability
        >>> round(compute_reliability([0, 1], [[0.9, 0.1], [0.8, 0.2]], bins=10).ece, 3)
        0.45
    """
    return Reliability.of(confidence_sums(labels, probabilities, bins=bins))


def confidence_sums(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15) -> Floats:
    """Sum over the samples of each bin: their number, correct predictions and confidence.

    ``Reliability.of`` takes them; sums of several subjects or runs can be added.

    Args:
        labels: (n,) true classes.
        probabilities: (n, C), rows that sum to 1.
        bins: number of bins of equal width.

    Returns:
        (3, bins).

    Raises:
        UserError: the shapes do not match, or the rows are not probabilities.

    Example:
        >>> from stillmotion.evaluation import confidence_sums
        >>> confidence_sums([0, 1], [[0.9, 0.1], [0.8, 0.2]], bins=2)
        array([[0. , 2. ],
               [0. , 1. ],
               [0. , 1.7]])
    """
    true, scores = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if scores.ndim != 2 or true.shape != scores.shape[:1] or len(true) == 0:
        raise UserError(
            f"Calibration needs (n,) labels and (n, classes) probabilities, not {true.shape} and {scores.shape}."
        )
    if bins < 1:
        raise UserError(f"Calibration needs at least one bin, not {bins}.")
    if not are_probabilities(scores):
        raise UserError("Calibration needs probabilities: values from 0 to 1 that sum to 1 in each row.")
    confidence, correct = scores.max(1), scores.argmax(1) == true
    number = np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0, bins - 1)
    parts = (np.ones(len(true)), correct, confidence)
    return np.stack([np.bincount(number, weights=values, minlength=bins) for values in parts])


def are_probabilities(scores: ArrayLike) -> bool:
    """Tell whether every row holds values from 0 to 1 that sum to 1.

    Args:
        scores: (…, C).

    Returns:
        True for probabilities, False for logits.

    Example:
        >>> from stillmotion.evaluation import are_probabilities
        >>> are_probabilities([[0.25, 0.75]]), are_probabilities([[2.0, -1.0]])
        (True, False)
    """
    values = np.asarray(scores)
    near = np.abs(values.sum(-1, dtype=np.float64) - 1) <= ROUNDING
    return bool(np.all(near) and np.all((values >= 0) & (values <= 1 + ROUNDING)))


def compute_calibration(predictions: Predictions, *, bins: int = 15) -> Reliability | None:
    """Compute the reliability of a variant over all its windows.

    Args:
        predictions: those of one variant.
        bins: number of bins of equal width.

    Returns:
        Confidence against accuracy, of logits by their softmax; None without scores.

    Example:
        >>> from stillmotion.evaluation import Predictions, compute_calibration
        >>> predictions = Predictions.of("lm", subject="ann", fold=0, seed=0, y=[0, 1], scores=[[0.9, 0.1], [0.8, 0.2]])
        >>> round(compute_calibration(predictions).ece, 3)
        0.45
    """
    predictions = predictions.labelled()
    if predictions.scores is None or len(predictions) == 0:
        return None
    scores = np.asarray(predictions.scores, np.float64)
    if not are_probabilities(scores):
        from scipy.special import softmax

        scores = softmax(scores, axis=-1)
    return compute_reliability(predictions.y, scores, bins=bins)
