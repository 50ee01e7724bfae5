"""Transitions of the chain: how long an activity lasts, and which one follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .sequences import Floats, check_gaps

#: Shortest usual duration in windows: that of an activity as long as the hop would leave no probability to stay.
SHORTEST = 1.5
#: Longest usual duration in windows; an activity that never ends could not be left.
LONGEST = 1e6


def usual_durations(labels: ArrayLike, classes: int, gaps: ArrayLike | None = None) -> Floats:
    """Return the mean length of the bouts of each class, in windows.

    A bout is a run of one class without a gap; a window without a class ends it. A class without a bout has the mean of
    the others.

    Args:
        labels: (n,) class of each window, -1 for none, sequences one after another.
        classes: number of classes.
        gaps: (n,) hops since the window before, 0 at the start of a sequence.

    Returns:
        (C,) windows.

    Example:
        >>> from stillmotion.decoding import usual_durations
        >>> usual_durations([0, 0, 0, 1, 1, -1, 1], 2)
        array([3. , 1.5])
    """
    truth = np.asarray(labels, np.int64)
    begins = np.ones(len(truth), np.bool_)
    begins[1:] = (truth[1:] != truth[:-1]) | (check_gaps(gaps, len(truth))[1:] != 1)
    windows = np.bincount(truth[truth >= 0], minlength=classes)
    bouts = np.bincount(truth[begins & (truth >= 0)], minlength=classes)
    mean = windows.sum() / bouts.sum() if bouts.sum() else 1.0
    return np.where(bouts > 0, windows / np.maximum(bouts, 1), mean)


def count_transitions(labels: ArrayLike, classes: int, gaps: ArrayLike | None = None) -> NDArray[np.int64]:
    """Count how often a class follows another in a sequence; windows without a class between the two are passed over.

    Args:
        labels: (n,) class of each window, -1 for none, sequences one after another.
        classes: number of classes.
        gaps: (n,) hops since the window before, 0 at the start of a sequence.

    Returns:
        (C, C) counts, the class before along the rows, 0 on the diagonal.

    Example:
        >>> from stillmotion.decoding import count_transitions
        >>> count_transitions([0, 0, -1, 1, 0], 2)
        array([[0, 1],
               [1, 0]])
    """
    truth = np.asarray(labels, np.int64)
    sequence = np.cumsum(check_gaps(gaps, len(truth)) == 0)
    known = np.flatnonzero(truth >= 0)
    before, after = truth[known[:-1]], truth[known[1:]]
    changes = (sequence[known[:-1]] == sequence[known[1:]]) & (before != after)
    return np.bincount(before[changes] * classes + after[changes], minlength=classes**2).reshape(classes, classes)


def make_transitions(durations: ArrayLike, leave: ArrayLike) -> Floats:
    """Make log-transitions from usual durations and from what follows.

    An activity of d windows stays with probability 1 − 1/d (at least ``SHORTEST`` windows).

    Args:
        durations: (…, C) in windows.
        leave: (C, C) probability of each class after another, 0 on the diagonal; rows sum to 1.

    Returns:
        (…, C, C) log-probabilities.

    Example:
        >>> import numpy as np
        >>> from stillmotion.decoding import make_transitions
        >>> np.exp(make_transitions([4, 10], [[0, 1], [1, 0]])).round(2)
        array([[0.75, 0.25],
               [0.1 , 0.9 ]])
    """
    goes = 1 / np.clip(np.asarray(durations, np.float64), SHORTEST, LONGEST)[..., None]
    stays = np.eye(goes.shape[-2])
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(goes * np.asarray(leave, np.float64) * (1 - stays) + (1 - goes) * stays))


def leave_evenly(allowed: ArrayLike, slip: float = 0.0) -> Floats:
    """Return the probability of each class after another: even over those allowed.

    Args:
        allowed: (C, C) whether the class of a column can follow that of a row; the diagonal is ignored.
        slip: probability of any other class, allowed or not: tables and labels have errors.

    Returns:
        (C, C) probabilities, 0 on the diagonal; rows sum to 1. A row without an allowed class is even over all.

    Example:
        >>> from stillmotion.decoding import leave_evenly
        >>> leave_evenly([[0, 1, 0], [1, 0, 1], [0, 0, 0]], slip=0.2).round(2)
        array([[0. , 0.9, 0.1],
               [0.5, 0. , 0.5],
               [0.5, 0.5, 0. ]])
    """
    table = np.array(allowed, np.float64)
    others = 1 - np.eye(len(table))
    table *= others
    table = np.where(table.any(1, keepdims=True), table, others)
    return np.asarray((1 - slip) * table / table.sum(1, keepdims=True) + slip * others / others.sum(1, keepdims=True))
