"""How sure a score is: intervals by resampling subjects, and seeds with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .metrics import Floats, macro_f1
from .resampling import draw, jackknife_variance, leave_one_out, strata

Score = Callable[[Floats], Floats]
#: Scores (R, …) under weights of subjects (R, P) and of seeds (R, S).
Weighted = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Interval:
    """A score with the range that other subjects would give it; ``low`` and ``high`` are None for one subject alone."""

    score: float
    low: float | None
    high: float | None
    subjects: int
    level: float

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.score:.3f} (one subject: no interval)"
        return f"{self.score:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def in_percent(self, sign: str = "") -> str:
        """Score and range times 100, with one digit; ``sign`` ``+`` is for differences."""
        score = f"{100 * self.score:{sign}.1f}"
        if self.low is None or self.high is None:
            return score
        return f"{score} [{100 * self.low:{sign}.1f}, {100 * self.high:{sign}.1f}]"


@dataclass(frozen=True, eq=False)
class StandardError:
    """How far a score moves with subjects and seeds: its standard error, and the degrees of freedom that this has."""

    error: Floats
    freedom: Floats

    def reach(self, level: float) -> Floats:
        """Half the length of the interval: Student's t times the standard error."""
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
    """Score pooled counts, with an interval over resampled subjects.

    Windows of one subject stand and fall together, so whole subjects are drawn with replacement, their confusion counts
    pooled, and the score computed from the pool. The interval is the score ± Student's t times the standard
    deviation of these scores, on the logit scale between ``bounds``; each stratum of m subjects draws m - 1. The plain
    percentile interval holds the truth too seldom with few subjects, and this one about as often as it promises
    (``docs/guides/statistics.md`` has the table).

    Args:
        counts: (subjects, C, C), one table of confusion counts a subject.
        score: from pooled counts (…, C, C) to (…).
        level: how often the interval is to hold the truth.
        resamples: how many times subjects are drawn.
        seed: of the draws.
        folds: the fold of each subject, who is then drawn among those of his fold only; all are one by default.
        bounds: lowest and highest value that the score can take.

    Returns:
        The score and its interval; none for one subject.

    Raises:
        UserError: the counts have another shape, or the level is no share.

    Example:
        >>> from stillmotion.evaluation import accuracy, subject_interval
        >>> counts = [[[8, 2], [3, 7]], [[9, 1], [1, 9]], [[6, 4], [2, 8]]]
        >>> interval = subject_interval(counts, score=accuracy)
        >>> interval.low < interval.score == 47 / 60 < interval.high
        True
    """
    tables = np.asarray(counts, np.float64)
    if tables.ndim != 3 or tables.shape[1] != tables.shape[2] or len(tables) == 0:
        raise UserError(f"An interval needs (subjects, classes, classes) confusion counts, not {tables.shape}.")
    if folds is not None and len(folds) != len(tables):
        raise UserError(f"{len(folds)} folds are named for {len(tables)} subjects.")
    require_level(level)

    def pooled(subjects: Floats, _: Floats) -> Floats:
        return np.asarray(score(np.einsum("rp,pij->rij", subjects, tables)))[:, None]

    group = strata(["all"] * len(tables) if folds is None else folds)
    value = pooled(np.ones((1, len(tables))), np.ones((1, 1)))[0]
    found = standard_error(pooled, group, 1, resamples=resamples, seed=seed)
    return make_interval(float(value[0]), found, subjects=len(tables), level=level, bounds=bounds)


def standard_error(
    score: Weighted,
    group: NDArray[np.int64],
    seeds: int,
    *,
    resamples: int,
    seed: int,
    unit: NDArray[np.int64] | None = None,
) -> StandardError:
    """Resample subjects and seeds, crossed: every resample draws both, and the score is computed anew.

    The degrees of freedom are Satterthwaite's, of a sum of two variances (jackknife) that units - strata and
    seeds - 1 degrees support; few seeds that differ much count like few subjects.

    Args:
        score: scores (R, …) under weights.
        group: stratum of each unit that is drawn.
        seeds: how many there are; one is not resampled.
        resamples: how many times both are drawn.
        seed: of the draws.
        unit: (P,) the unit that each subject belongs to; each is his own by default.
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
    score: float, found: StandardError, *, subjects: int, level: float, bounds: tuple[float, float] | None = None
) -> Interval:
    """Score ± reach, on the logit scale between ``bounds`` where there are any; none for one subject.

    Without bounds it is a difference of shares, which ends at -1 and 1.
    """
    if subjects == 1:
        return Interval(score, None, None, 1, level)
    reach = float(np.squeeze(found.reach(level)))
    if bounds is None:
        return Interval(score, max(score - reach, -1.0), min(score + reach, 1.0), subjects, level)
    low, width = bounds[0], bounds[1] - bounds[0]
    share = (score - low) / width
    if not 0 < share < 1:
        return Interval(score, score, score, subjects, level)  # nobody differs, or the pool would not be at an end
    # The slope of the logit is 1 / (share · (1 - share)): the ends lie as far apart, but stay within bounds.
    middle, step = np.log(share / (1 - share)), reach / (width * share * (1 - share))
    from scipy.special import expit

    ends = low + width * expit(middle + np.array([-step, step]))
    return Interval(score, float(ends[0]), float(ends[1]), subjects, level)


def require_level(level: float) -> None:
    """Raise unless a level is a share."""
    if not 0 < level < 1:
        raise UserError(f"A level lies between 0 and 1, not {level}.")
