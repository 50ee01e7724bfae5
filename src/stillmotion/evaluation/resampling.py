"""Weights of resampled subjects and seeds, and the pooled score under them.

A resample is a row of weights. Macro-F1 needs only the hits, the true and the predicted count of each class, so one
matrix product of weights with these pools all resamples, variants and seeds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import Absent, Floats

#: Numbers that a block of resamples may hold at a time (32 MB).
BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class PooledF1:
    """Macro-F1 of counts pooled over weighted subjects, averaged over weighted seeds.

    Args:
        pieces: (V, S, P, 3, C) hits, true and predicted counts of variants, seeds, subjects and classes.
        absent: as in ``macro_f1``, for classes that nobody has. A class that some have, but nobody drawn, is left
            out of that resample's mean: counting it 0 would make every resample with few subjects look bad.
    """

    pieces: Floats
    absent: Absent = "zero"

    @staticmethod
    def of(counts: ArrayLike, *, absent: Absent = "zero") -> PooledF1:
        """From confusion counts (V, S, P, C, C)."""
        return PooledF1(pieces(counts), absent)

    def __call__(self, subjects: Floats, seeds: Floats) -> Floats:
        """Scores (R, V) under weights of subjects (R, P) and of seeds (R, S) whose rows sum to 1."""
        variants, runs, count, _, classes = self.pieces.shape
        flat = np.moveaxis(self.pieces, 2, 0).reshape(count, -1)  # (P, V·S·3·C)
        scores = np.empty((len(subjects), variants))
        step = max(1, BLOCK // flat.shape[1])
        for start in range(0, len(subjects), step):
            block = slice(start, start + step)
            pooled = (subjects[block] @ flat).reshape(-1, variants, runs, 3, classes)
            scores[block] = np.einsum("rvs,rs->rv", self.macro(pooled), seeds[block])
        return scores

    def macro(self, pooled: Floats) -> Floats:
        """(…, 3, C) to (…)."""
        hits, true, predicted = pooled[..., 0, :], pooled[..., 1, :], pooled[..., 2, :]
        size = true + predicted
        f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
        counted = true > 0
        if self.absent == "zero":
            counted = counted | ~(self.pieces[..., 1, :] > 0).any(axis=(0, 1, 2))
        return np.asarray((f1 * counted).sum(-1) / np.maximum(counted.sum(-1), 1))


def pieces(counts: ArrayLike) -> Floats:
    """Hits, true and predicted counts of each class: (…, C, C) gives (…, 3, C)."""
    table = np.asarray(counts, np.float64)
    return np.stack([np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1), table.sum(-2)], axis=-2)


def strata(folds: Sequence[object]) -> NDArray[np.int64]:
    """Which subjects are drawn among each other: those of one fold, who share a model.

    A fold of one subject has nobody to be exchanged with, so all such folds (under ``loso`` everybody) are one
    stratum; one that is left alone even so joins the smallest other.
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
    """What an interval of a difference draws: the stratum of each unit, and each subject's unit (None: himself).

    Subjects within folds; with one seed whole folds, where folds hold several subjects: each fold is then one training
    run, whose accidents all of its subjects share, and only other folds tell how large those are.
    """
    names, fold = np.unique(np.array([str(fold) for fold in folds]), return_inverse=True)
    if seeds > 1 or len(names) in (1, len(fold)):
        return strata(folds), None
    return np.zeros(len(names), np.int64), fold.astype(np.int64)


def draw(group: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> Floats:
    """Weights (resamples, n): each stratum of m draws m - 1 of its members, each weighing m / (m - 1).

    Drawing m, as the plain bootstrap does, makes a variance too small by (m - 1) / m, a third for folds of three
    subjects; this one is right for a mean (Rao & Wu 1988). A stratum of one keeps its weight 1.
    """
    weights = np.ones((resamples, len(group)))
    for stratum in range(group.max() + 1):
        members = np.flatnonzero(group == stratum)
        m = len(members)
        if m > 1:
            weights[:, members] = rng.multinomial(m - 1, np.full(m, 1 / m), size=resamples) * (m / (m - 1))
    return weights


def leave_one_out(group: NDArray[np.int64]) -> Floats:
    """Weights (n, n): row i lacks member i, and the rest of its stratum of m weigh m / (m - 1)."""
    same = group[:, None] == group[None, :]
    size = same.sum(1)[:, None]
    weights = np.where(same & (size > 1), size / np.maximum(size - 1, 1), 1.0)
    np.fill_diagonal(weights, np.where(size[:, 0] > 1, 0.0, 1.0))
    return weights


def jackknife_variance(left_out: Floats, group: NDArray[np.int64]) -> Floats:
    """Variance from leave-one-out values (n, …): the sum over strata of (m - 1) / m · Σ (value - mean)²."""
    total = np.zeros(left_out.shape[1:])
    for stratum in range(group.max() + 1):
        values = left_out[group == stratum]
        if len(values) > 1:
            total += (len(values) - 1) / len(values) * np.square(values - values.mean(0)).sum(0)
    return total
