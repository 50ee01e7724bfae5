"""Weights of resampled subjects and seeds, and pooled macro-F1 under these weights.

A resample is a row of weights. Macro-F1 needs only the correct, true and predicted counts of each class, so one matrix
product with the weights pools all resamples, variants and seeds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import Absent, Floats

#: Values that a block of resamples may hold at a time (32 MB).
BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class PooledF1:
    """Macro-F1 of confusion matrices pooled over weighted subjects, averaged over weighted seeds.

    Args:
        pieces: (V, S, P, 3, C) correct, true and predicted counts of variants, seeds, subjects and classes.
        absent: as in ``macro_f1``, for classes that no subject has. A class that some subjects have, but none in a
            resample, is left out of that resample's mean: counting it 0 would bias resamples of few subjects.
    """

    pieces: Floats
    absent: Absent = "zero"

    @staticmethod
    def of(counts: ArrayLike, *, absent: Absent = "zero") -> PooledF1:
        """Prepare confusion matrices (V, S, P, C, C)."""
        return PooledF1(pieces(counts), absent)

    def __call__(self, subject_weights: Floats, seed_weights: Floats) -> Floats:
        """Compute scores (R, V) under weights of subjects (R, P) and of seeds (R, S) whose rows sum to 1."""
        variants, runs, subjects, _, classes = self.pieces.shape
        flat = np.moveaxis(self.pieces, 2, 0).reshape(subjects, -1)  # (P, V·S·3·C)
        scores = np.empty((len(subject_weights), variants))
        step = max(1, BLOCK // flat.shape[1])
        for start in range(0, len(subject_weights), step):
            block = slice(start, start + step)
            pooled = (subject_weights[block] @ flat).reshape(-1, variants, runs, 3, classes)
            scores[block] = np.einsum("rvs,rs->rv", self.macro(pooled), seed_weights[block])
        return scores

    def macro(self, pooled: Floats) -> Floats:
        """Compute macro-F1 (…) from correct, true and predicted counts (…, 3, C)."""
        correct, true, predicted = pooled[..., 0, :], pooled[..., 1, :], pooled[..., 2, :]
        size = true + predicted
        f1 = np.divide(2 * correct, size, out=np.zeros_like(correct), where=size > 0)
        counted = true > 0
        if self.absent == "zero":
            counted = counted | ~(self.pieces[..., 1, :] > 0).any(axis=(0, 1, 2))
        return np.asarray((f1 * counted).sum(-1) / np.maximum(counted.sum(-1), 1))


def pieces(counts: ArrayLike) -> Floats:
    """Compute correct, true and predicted counts of each class: (…, C, C) gives (…, 3, C)."""
    matrices = np.asarray(counts, np.float64)
    return np.stack([np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(-1), matrices.sum(-2)], axis=-2)


def strata(folds: Sequence[object]) -> NDArray[np.int64]:
    """Assign subjects to strata within which they are resampled: those of one fold, which share a model.

    Folds of one subject (all folds under ``loso``) form one stratum together; a single such subject joins the smallest
    other stratum.
    """
    _, group = np.unique(np.asarray([str(fold) for fold in folds]), return_inverse=True)
    group = group.astype(np.int64)
    size = np.bincount(group)
    alone = size[group] == 1
    group[alone] = len(size)
    if alone.sum() == 1 and len(group) > 1:
        rest = np.where(size > 1, size, len(group) + 1)
        group[alone] = int(np.argmin(rest))
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def draw_units(folds: Sequence[object], seeds: int) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Choose the units that an interval of a difference resamples: subjects within folds, or whole folds.

    With one seed and several subjects per fold, whole folds are drawn: each fold is then one training run, its subjects
    share that run's chance effects, and only other folds show how large these are.

    Returns:
        The stratum of each unit, and the unit of each subject (None if each subject is one).
    """
    names, fold = np.unique(np.array([str(fold) for fold in folds]), return_inverse=True)
    if seeds > 1 or len(names) in (1, len(fold)):
        return strata(folds), None
    return np.zeros(len(names), np.int64), fold.astype(np.int64)


def draw(group: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> Floats:
    """Draw weights (resamples, n): each stratum of m draws m - 1 of its members, each weighing m / (m - 1).

    The plain bootstrap draws m, and its variance is too small by (m - 1) / m, a third for folds of three subjects;
    this variance is exact for a mean (Rao & Wu 1988). A stratum of one keeps its weight 1.
    """
    weights = np.ones((resamples, len(group)))
    for stratum in range(group.max() + 1):
        members = np.flatnonzero(group == stratum)
        m = len(members)
        if m > 1:
            weights[:, members] = rng.multinomial(m - 1, np.full(m, 1 / m), size=resamples) * (m / (m - 1))
    return weights


def leave_one_out(group: NDArray[np.int64]) -> Floats:
    """Make weights (n, n): row i lacks member i, and the rest of its stratum of m weigh m / (m - 1)."""
    same = group[:, None] == group[None, :]
    size = same.sum(1)[:, None]
    weights = np.where(same & (size > 1), size / np.maximum(size - 1, 1), 1.0)
    np.fill_diagonal(weights, np.where(size[:, 0] > 1, 0.0, 1.0))
    return weights


def jackknife_variance(left_out: Floats, group: NDArray[np.int64]) -> Floats:
    """Compute the variance from leave-one-out values (n, …): the sum over strata of (m - 1) / m · Σ (value - mean)²."""
    total = np.zeros(left_out.shape[1:])
    for stratum in range(group.max() + 1):
        values = left_out[group == stratum]
        if len(values) > 1:
            total += (len(values) - 1) / len(values) * np.square(values - values.mean(0)).sum(0)
    return total
