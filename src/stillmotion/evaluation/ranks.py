"""Which is first, and how sure that is; over many data sets, which differ."""

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

#: A critical-difference diagram of fewer says nothing: Friedman's test needs repetitions that share no subject.
LEAST_SETS = 5
#: So many differences of resamples fill 1 GB.
MOST_DIFFERENCES = 1 << 27


@dataclass(frozen=True)
class Rank:
    """A variant's place, 1 the best, and the best and worst place that it may have; None for one subject."""

    variant: str
    rank: float
    low: int | None
    high: int | None


def rank_variants(
    tally: ConfusionMatrices, *, level: float = 0.95, resamples: int = 2000, seed: int = 0, absent: Absent = "zero"
) -> tuple[Rank, ...]:
    """Rank variants by pooled macro-F1 averaged over seeds, with ranges.

    A variant's best place is one behind all those that are clearly better than it, its worst place one before all
    that are clearly worse: whose difference has an interval, at a level adjusted for its other V - 1 differences
    (Bonferroni), without 0. The range then holds the true place with ``level`` at least (Mogstad et al. 2024);
    places of resamples themselves vary too little.

    Args:
        tally: variants that were all tested on the same subjects and seeds (``Tally.basis``).
        level: how often the range of one variant is to hold its true place.
        resamples: how many times subjects (or folds) and seeds are drawn, crossed.
        seed: of the draws.
        absent: as in ``macro_f1``.

    Returns:
        A place for every variant, in the order of the counts.

    Raises:
        UserError: the level is no share.

    Example:
        >>> from stillmotion.evaluation import Predictions, rank_variants, count_confusion
        >>> y, who = [0, 1] * 4, ["ann"] * 4 + ["bob"] * 4
        >>> right = Predictions.of("rb-kd", subject=who, fold=0, seed=0, y=y, prediction=y)
        >>> wrong = Predictions.of("lm", subject=who, fold=0, seed=0, y=y, prediction=[0] * 8)
        >>> [(place.variant, place.rank) for place in rank_variants(count_confusion([wrong, right]))]
        [('lm', 2.0), ('rb-kd', 1.0)]
    """
    require_level(level)
    score = PooledF1.of(tally.counts, absent=absent)
    subjects, seeds, many = len(tally.subjects), len(tally.seeds), len(tally.variants)

    def differences(subjects: Floats, runs: Floats) -> Floats:
        scores = score(subjects, runs)
        return (scores[:, :, None] - scores[:, None, :]).reshape(len(scores), -1)

    whole = score(np.ones((1, subjects)), np.full((1, seeds), 1 / seeds))[0]
    place = _places(whole)
    if subjects == 1 or many == 1:
        return tuple(Rank(name, float(place[at]), None, None) for at, name in enumerate(tally.variants))
    group, unit = draw_units(tally.folds, seeds)
    if many**2 * max(resamples, subjects) > MOST_DIFFERENCES:
        raise UserError(f"{many} variants make too many differences between {subjects:,} subjects; rank fewer.")
    found = standard_error(differences, group, seeds, resamples=resamples, seed=seed, unit=unit)
    reach = found.reach(1 - (1 - level) / (many - 1)).reshape(many, many)
    ahead = whole[:, None] - whole[None, :] > reach  # [a, b]: a is clearly better than b
    low, high = 1 + ahead.sum(0), many - ahead.sum(1)
    return tuple(Rank(name, float(place[at]), int(low[at]), int(high[at])) for at, name in enumerate(tally.variants))


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks over data sets, and how far apart two must be to differ.

    Args:
        variants: best first.
        mean_ranks: of each.
        p: Friedman's, that all are alike.
        distance: Nemenyi's critical difference of two mean ranks.
        groups: the longest runs of variants within that distance, which are not distinguishable.
        sets: how many independent data sets there are.
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
        same_subjects: data sets recorded from the same subjects (``same_subjects_as`` on their cards), which never
            confirm each other: they enter as one, with the mean of their ranks.
        level: 1 - the error rate of the whole set of pairs.

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
            "intervals on each instead."
        )
    places = np.stack([_places(table)[groups == group].mean(0) for group in range(sets)])
    mean = places.mean(0)
    # The form with the rows' own variance allows for ties; without any it is Friedman's textbook one.
    spread = np.square(places - (many + 1) / 2).sum() / (sets * (many - 1))
    statistic = sets * np.square(mean - (many + 1) / 2).sum() / spread if spread > 0 else 0.0
    quantile = float(studentized_range.ppf(level, many, np.inf)) / np.sqrt(2)
    distance = float(quantile * np.sqrt(many * (many + 1) / (6 * sets)))
    order = np.argsort(mean, kind="stable")
    return CriticalDifference(
        tuple(variants[at] for at in order),
        tuple(float(mean[at]) for at in order),
        float(chdtrc(many - 1, statistic)),
        distance,
        _alike([variants[at] for at in order], mean[order], distance),
        sets,
    )


def _places(scores: Floats) -> Floats:
    """(…, V) ranks, 1 for the highest; those that tie share the mean of their places."""
    above = (scores[..., None, :] > scores[..., :, None]).sum(-1)
    equal = (scores[..., None, :] == scores[..., :, None]).sum(-1)
    return np.asarray(above + (equal + 1) / 2)


def _independent(
    datasets: Sequence[str], same_subjects: Sequence[Sequence[str]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(data sets,) number of the group of each; groups share no subjects."""
    group = np.arange(len(datasets))
    for shared in same_subjects:
        rows = [at for at, name in enumerate(datasets) if name in shared]
        if rows:
            group[np.isin(group, group[rows])] = group[rows].min()
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _alike(names: Sequence[str], mean: Floats, distance: float) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = int(np.searchsorted(mean, mean[first] + distance, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(tuple(names[first : last + 1]) for first, last in found)
