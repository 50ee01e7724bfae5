"""How sure a score is: intervals by resampling people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .scores import macro_f1

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A score with the range that resampled people give it; ``low`` and ``high`` are None for one person alone."""

    score: float
    low: float | None
    high: float | None
    people: int
    level: float

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.score:.3f} (one person: no interval)"
        return f"{self.score:.3f} [{self.low:.3f}, {self.high:.3f}]"


def people_interval(
    counts: ArrayLike,
    *,
    score: Score = macro_f1,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """A pooled score and its percentile interval over resampled people.

    Windows of one person stand and fall together, so whole people are drawn with replacement, their confusion counts
    pooled, and the score computed from the pool.

    Args:
        counts: (people, C, C), one table of confusion counts a person.
        score: from pooled counts (…, C, C) to (…).
        level: share of the resampled scores between the two ends.
        resamples: how many times people are drawn.
        seed: of the draws.
    """
    tables = np.asarray(counts, np.float64)
    if tables.ndim != 3 or tables.shape[1] != tables.shape[2] or len(tables) == 0:
        raise UserError(f"An interval needs (people, classes, classes) confusion counts, not {tables.shape}.")
    if not 0 < level < 1:
        raise UserError(f"A level lies between 0 and 1, not {level}.")
    whole = float(score(tables.sum(0)))
    people = len(tables)
    if people == 1:
        return Interval(whole, None, None, 1, level)
    draws = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)
    drawn = score(np.einsum("rp,pij->rij", draws.astype(np.float64), tables))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(whole, float(low), float(high), people, level)
