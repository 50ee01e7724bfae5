"""Ranks of variants with ranges; critical differences over several data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .confusion import ConfusionMatrices
from .intervals import require_level, standard_error
from .metrics import Absent, Floats
from .resampling import PooledF1, draw_units

#: Fewest data sets of a critical-difference diagram: Friedman's test needs repetitions that share no subject.
LEAST_SETS = 5
#: Largest number of differences of resamples: 1 GB.
MOST_DIFFERENCES = 1 << 27


@dataclass(frozen=True)
class Rank:
    """A variant's rank, 1 the best, with its best and worst possible rank; these are None for one subject."""

    variant: str
    rank: float
    low: int | None
    high: int | None


def rank_variants(
    matrices: ConfusionMatrices, *, level: float = 0.95, resamples: int = 2000, seed: int = 0, absent: Absent = "zero"
) -> tuple[Rank, ...]:
    """Rank variants by pooled macro-F1 averaged over seeds, with ranges.

    A variant's best rank is one behind all that are clearly better, its worst rank one before all that are clearly
    worse. A difference is clear if its confidence interval, at a level adjusted for the V - 1 differences of the
    variant (Bonferroni), excludes 0. The range then covers the true rank with probability ``level`` or more (Mogstad
    et al. 2024); ranks of resamples vary too little.

    Args:
        matrices: variants tested on the same subjects and seeds (``ConfusionMatrices.basis``).
        level: confidence level of each range.
        resamples: number of crossed resamples of subjects (or folds) and seeds.
        seed: of the draws.
        absent: as in ``macro_f1``.

    Returns:
        One rank per variant, in the order of ``matrices``.

    Raises:
        UserError: the level is not between 0 and 1.

    Example:
        >>> from stillmotion.evaluation import Predictions, rank_variants, count_confusion
        >>> y, subject = [0, 1] * 4, ["ann"] * 4 + ["bob"] * 4
        >>> right = Predictions.of("rb-kd", subject=subject, fold=0, seed=0, y=y, prediction=y)
        >>> wrong = Predictions.of("lm", subject=subject, fold=0, seed=0, y=y, prediction=[0] * 8)
        >>> [(rank.variant, rank.rank) for rank in rank_variants(count_confusion([wrong, right]))]
        [('lm', 2.0), ('rb-kd', 1.0)]
    """
    require_level(level)
    score = PooledF1.of(matrices.counts, absent=absent)
    subjects, seeds, many = len(matrices.subjects), len(matrices.seeds), len(matrices.variants)

    def differences(subjects: Floats, runs: Floats) -> Floats:
        scores = score(subjects, runs)
        return (scores[:, :, None] - scores[:, None, :]).reshape(len(scores), -1)

    whole = score(np.ones((1, subjects)), np.full((1, seeds), 1 / seeds))[0]
    ranks = _ranks(whole)
    if subjects == 1 or many == 1:
        return tuple(Rank(name, float(ranks[at]), None, None) for at, name in enumerate(matrices.variants))
    group, unit = draw_units(matrices.folds, seeds)
    if many**2 * max(resamples, subjects) > MOST_DIFFERENCES:
        raise UserError(
            f"{many} variants make too many differences between {subjects:,} subjects; rank fewer variants."
        )
    error = standard_error(differences, group, seeds, resamples=resamples, seed=seed, unit=unit)
    half_width = error.half_width(1 - (1 - level) / (many - 1)).reshape(many, many)
    ahead = whole[:, None] - whole[None, :] > half_width  # [a, b]: a is clearly better than b
    low, high = 1 + ahead.sum(0), many - ahead.sum(1)
    return tuple(Rank(name, float(ranks[at]), int(low[at]), int(high[at])) for at, name in enumerate(matrices.variants))


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks over data sets, and the critical difference between two of them.

    Args:
        variants: best first.
        mean_ranks: of each variant.
        p: p-value of Friedman's test that all are equal.
        distance: Nemenyi's critical difference of two mean ranks.
        groups: the longest runs of variants within that distance, which are not distinguishable.
        sets: number of independent data sets.
    """

    variants: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    p: float
    distance: float
    groups: tuple[tuple[str, ...], ...]
    sets: int


def critical_difference(
    scores: ArrayLike,
    *,
    variants: Sequence[str],
    datasets: Sequence[str],
    same_subjects: Sequence[Sequence[str]] = (),
    level: float = 0.95,
) -> CriticalDifference:
    """Compare variants over data sets by Friedman's test and Nemenyi's distance (Demšar 2006).

    Args:
        scores: (data sets, variants), higher is better.
        variants: names of the columns.
        datasets: names of the rows.
        same_subjects: data sets recorded from the same subjects (``same_subjects_as`` on their cards), which do not
            confirm each other independently: they count as one, with the mean of their ranks.
        level: 1 - the error rate over all pairs.

    Returns:
        Mean ranks, best first, and the groups that are not distinguishable.

    Raises:
        UserError: there are fewer than five independent data sets or two variants, or scores are missing.

    Example:
        >>> from stillmotion.evaluation import critical_difference
        >>> scores = [[0.7, 0.8], [0.6, 0.9], [0.8, 0.9], [0.5, 0.6], [0.7, 0.9]]
        >>> difference = critical_difference(scores, variants=["lm", "rb-kd"], datasets=["a", "b", "c", "d", "e"])
        >>> difference.variants, difference.mean_ranks, round(difference.distance, 3)
        (('rb-kd', 'lm'), (1.0, 2.0), 0.877)
    """
    from scipy.special import chdtrc
    from scipy.stats import studentized_range

    require_level(level)
    table = np.asarray(scores, np.float64)
    if table.shape != (len(datasets), len(variants)) or len(variants) < 2 or not np.isfinite(table).all():
        raise UserError(
            f"Scores are {table.shape}; {len(datasets)} data sets and {len(variants)} variants were named, two or more "
            "variants are needed, and every score."
        )
    groups = _independent(datasets, same_subjects)
    sets, many = int(groups.max()) + 1, len(variants)
    if sets < LEAST_SETS:
        raise UserError(
            f"A critical difference needs {LEAST_SETS} independent data sets, there are {sets}; show ranks with "
            "ranges on each instead."
        )
    ranks = np.stack([_ranks(table)[groups == group].mean(0) for group in range(sets)])
    mean = ranks.mean(0)
    # With the variance of the ranks themselves, ties are allowed for; without ties it is Friedman's textbook form.
    variance = np.square(ranks - (many + 1) / 2).sum() / (sets * (many - 1))
    statistic = sets * np.square(mean - (many + 1) / 2).sum() / variance if variance > 0 else 0.0
    quantile = float(studentized_range.ppf(level, many, np.inf)) / np.sqrt(2)
    distance = float(quantile * np.sqrt(many * (many + 1) / (6 * sets)))
    order = np.argsort(mean, kind="stable")
    return CriticalDifference(
        tuple(variants[at] for at in order),
        tuple(float(mean[at]) for at in order),
        float(chdtrc(many - 1, statistic)),
        distance,
        _groups([variants[at] for at in order], mean[order], distance),
        sets,
    )


def _ranks(scores: Floats) -> Floats:
    """Rank scores (…, V), 1 for the highest; ties share the mean of their ranks."""
    above = (scores[..., None, :] > scores[..., :, None]).sum(-1)
    equal = (scores[..., None, :] == scores[..., :, None]).sum(-1)
    return np.asarray(above + (equal + 1) / 2)


def _independent(
    datasets: Sequence[str], same_subjects: Sequence[Sequence[str]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Group data sets that share subjects; return (data sets,) the group number of each."""
    group = np.arange(len(datasets))
    for shared in same_subjects:
        rows = [at for at, name in enumerate(datasets) if name in shared]
        if rows:
            group[np.isin(group, group[rows])] = group[rows].min()
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _groups(names: Sequence[str], mean: Floats, distance: float) -> tuple[tuple[str, ...], ...]:
    """Find the longest runs of variants whose mean ranks lie within ``distance``."""
    runs: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = int(np.searchsorted(mean, mean[first] + distance, side="right")) - 1
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return tuple(tuple(names[first : last + 1]) for first, last in runs)
