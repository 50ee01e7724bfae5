"""Confidence intervals by resampling subjects and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..formatting import format_interval
from .metrics import Floats, macro_f1
from .resampling import draw, jackknife_variance, leave_one_out, strata

Score = Callable[[Floats], Floats]
#: Scores (R, …) under weights of subjects (R, P) and of seeds (R, S).
Weighted = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Interval:
    """A score with its confidence interval; ``low`` and ``high`` are None for one subject.

    As text it is in percent: ``63.6 [52.2, 73.6]``.
    """

    score: float
    low: float | None
    high: float | None
    subjects: int
    level: float

    def __str__(self) -> str:
        return format_interval(self) + (" (one subject: no interval)" if self.low is None else "")


@dataclass(frozen=True, eq=False)
class StandardError:
    """Standard error of a score over subjects and seeds, with its degrees of freedom."""

    error: Floats
    freedom: Floats

    def half_width(self, level: float) -> Floats:
        """Compute half the width of the interval: Student's t times the standard error."""
        from scipy.special import stdtrit

        return np.asarray(stdtrit(self.freedom, (1 + level) / 2) * self.error)


def subject_interval(
    counts: ArrayLike,
    *,
    score: Score = macro_f1,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    folds: Sequence[object] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """Score pooled confusion matrices, with a confidence interval over resampled subjects.

    Windows of one subject are correlated, so whole subjects are drawn with replacement, their confusion matrices
    pooled, and the score computed from the pool. The interval is the score ± Student's t times the standard
    deviation of these scores, on the logit scale between ``bounds``; each stratum of m subjects draws m - 1. The plain
    percentile interval covers the truth too rarely with few subjects; this one has about its nominal coverage
    (``docs/guides/statistics.md`` has the table).

    Args:
        counts: (subjects, C, C), one confusion matrix per subject.
        score: maps pooled confusion matrices (…, C, C) to (…).
        level: confidence level.
        resamples: number of resamples of subjects.
        seed: of the draws.
        folds: (subjects,) fold of each; subjects are then resampled within folds. By default all are in one.
        bounds: lowest and highest possible value of the score.

    Returns:
        The score and its interval; no interval for one subject.

    Raises:
        UserError: the counts have the wrong shape, or the level is not between 0 and 1.

    Example:
        >>> from stillmotion.evaluation import accuracy, subject_interval
        >>> counts = [[[8, 2], [3, 7]], [[9, 1], [1, 9]], [[6, 4], [2, 8]]]
        >>> interval = subject_interval(counts, score=accuracy)
        >>> interval.low < interval.score == 47 / 60 < interval.high
        True
    """
    matrices = np.asarray(counts, np.float64)
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or len(matrices) == 0:
        raise UserError(f"An interval needs (subjects, classes, classes) confusion matrices, not {matrices.shape}.")
    if folds is not None and len(folds) != len(matrices):
        raise UserError(f"There are {len(folds)} folds for {len(matrices)} subjects; give one per subject.")
    require_level(level)

    def pooled(subjects: Floats, _: Floats) -> Floats:
        return np.asarray(score(np.einsum("rp,pij->rij", subjects, matrices)))[:, None]

    group = strata(["all"] * len(matrices) if folds is None else folds)
    value = pooled(np.ones((1, len(matrices))), np.ones((1, 1)))[0]
    error = standard_error(pooled, group, 1, resamples=resamples, seed=seed)
    return make_interval(float(value[0]), error, subjects=len(matrices), level=level, bounds=bounds)


def standard_error(
    score: Weighted,
    group: NDArray[np.int64],
    seeds: int,
    *,
    resamples: int,
    seed: int,
    unit: NDArray[np.int64] | None = None,
) -> StandardError:
    """Estimate the standard error by crossed resamples of subjects and seeds.

    The degrees of freedom are Satterthwaite's for a sum of two jackknife variances with units - strata and
    seeds - 1 degrees of freedom.

    Args:
        score: maps weights of subjects and seeds to scores (R, …).
        group: stratum of each resampled unit.
        seeds: their number; a single one is not resampled.
        resamples: number of resamples.
        seed: of the draws.
        unit: (P,) the unit (subject or fold) of each subject; by default each subject is one.

    Returns:
        The standard error of the score.
    """
    rng = np.random.default_rng(seed)
    units, runs = len(group), np.zeros(seeds, np.int64)
    member = np.arange(units) if unit is None else unit
    drawn = score(draw(group, resamples, rng)[:, member], draw(runs, resamples, rng) / seeds)
    by_unit = jackknife_variance(score(leave_one_out(group)[:, member], np.full((units, seeds), 1 / seeds)), group)
    by_seed = jackknife_variance(score(np.ones((seeds, len(member))), leave_one_out(runs) / seeds), runs)
    degrees = by_unit**2 / max(units - int(group.max()) - 1, 1)
    if seeds > 1:
        degrees = degrees + by_seed**2 / (seeds - 1)
    whole = (by_unit + by_seed) ** 2
    freedom = np.divide(whole, degrees, out=np.full_like(whole, np.inf), where=degrees > 0)
    return StandardError(drawn.std(axis=0, ddof=1), freedom)


def make_interval(
    score: float, error: StandardError, *, subjects: int, level: float, bounds: tuple[float, float] | None = None
) -> Interval:
    """Make the interval score ± half-width, on the logit scale between ``bounds`` if given; none for one subject.

    Without bounds the score is a difference of shares, between -1 and 1.
    """
    if subjects == 1:
        return Interval(score, None, None, 1, level)
    half_width = float(np.squeeze(error.half_width(level)))
    if bounds is None:
        return Interval(score, max(score - half_width, -1.0), min(score + half_width, 1.0), subjects, level)
    low, width = bounds[0], bounds[1] - bounds[0]
    share = (score - low) / width
    if not 0 < share < 1:
        return Interval(score, score, score, subjects, level)  # at 0 or 1 no subject differs
    # The slope of the logit is 1 / (share · (1 - share)): the ends lie as far apart, but stay within bounds.
    middle, step = np.log(share / (1 - share)), half_width / (width * share * (1 - share))
    from scipy.special import expit

    ends = low + width * expit(middle + np.array([-step, step]))
    return Interval(score, float(ends[0]), float(ends[1]), subjects, level)


def require_level(level: float) -> None:
    """Raise ``UserError`` unless a level is between 0 and 1."""
    if not 0 < level < 1:
        raise UserError(f"A level must be between 0 and 1, not {level}.")
