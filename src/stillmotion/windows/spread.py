"""Divide subjects into groups so that every class is spread evenly over the groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .stretches import Rows

Floats64 = NDArray[np.float64]
STARTS = 4  # local minima are rare; four random starts avoid them


def spread(has: NDArray[np.bool_], sizes: Rows, wanted: Floats64, rng: np.random.Generator) -> Rows:
    """Assign subjects to groups of given sizes, every class as close to ``wanted`` as swaps can bring it.

    Minimises, over classes and groups, (subjects of the group with the class - wanted)² / subjects with the class:
    a class of few subjects weighs as much as a class of all. From a random start the best swap of two subjects is
    made until none helps; the best of a few starts is returned. (Stratification by presence, as in
    Sechidis et al. 2011, but with exact group sizes and a descent instead of one greedy pass.)

    Args:
        has: (subjects, classes) whether a subject has a class.
        sizes: (groups,) subjects in each group; their sum is the number of subjects.
        wanted: (groups, classes) subjects with the class that each group should have.
        rng: chooses among equals.

    Returns:
        (subjects,) the group of each.
    """
    subjects = len(has)
    holders = has.sum(axis=0)
    weight = np.where(holders > 0, 1 / np.maximum(holders, 1), 0.0)
    x = has.astype(np.float64)
    best, least = np.empty(0, np.int64), np.inf
    for _ in range(STARTS if subjects <= 64 else 1):
        group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
        cost = _descend(x, group, wanted, weight)
        if cost < least - 1e-9:
            best, least = group, cost
    return best


def _descend(x: Floats64, group: Rows, wanted: Floats64, weight: Floats64) -> float:
    """Swap subjects in ``group``, in place, until no swap lowers the cost; return the cost."""
    excess = -wanted
    np.add.at(excess, group, x)
    scaled = x * weight
    near = scaled @ x.T
    apart = np.diag(near)[:, None] + np.diag(near)[None, :] - 2 * near  # |x_i - x_j|² in the weighted norm
    while True:
        pull = scaled @ excess.T  # (subjects, groups)
        there = pull[:, group].T  # [i, j]: the effect of j on i's group
        current = pull[np.arange(len(x)), group]
        change = 2 * (there + there.T - current[:, None] - current[None, :]) + 2 * apart
        change[group[:, None] == group[None, :]] = 0.0
        # Rounded, so that another order of summation (another machine) does not choose another swap among equals.
        i, j = divmod(int(np.argmin(np.round(change, 9))), len(x))
        if change[i, j] > -1e-9:
            return float((weight * excess**2).sum())
        excess[group[i]] += x[j] - x[i]
        excess[group[j]] += x[i] - x[j]
        group[i], group[j] = group[j], group[i]
