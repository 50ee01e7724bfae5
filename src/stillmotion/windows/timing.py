"""Check that samples are evenly timed, since windows are counted in samples."""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from ..signals.recording import Dataset
from .stretches import Rows

TOLERANCE = 0.05  #: of the rate, and of the period for jitter
STEP = 0.5  #: of a period: a step further off means a missing or a duplicate sample


def require_even(dataset: Dataset, numbers: Rows) -> None:
    """Raise ``UserError`` where timestamps contradict the signal's rate.

    A recording is even when its mean rate is within 5 % of the signal's, the standard deviation of its steps
    is within 5 % of their mean, and no step is off by more than half of it. Data without timestamps is even
    by contract.

    Args:
        dataset: recordings, with or without timestamps.
        numbers: the recordings to check.
    """
    times = dataset.times
    if times is None:
        return
    start = np.array([dataset.index[i]["start"] for i in numbers], np.int64)
    stop = np.array([dataset.index[i]["stop"] for i in numbers], np.int64)
    start, stop, numbers = start[stop - start > 1], stop[stop - start > 1], numbers[stop - start > 1]
    if len(start) == 0:
        return
    period = (times[stop - 1] - times[start]) / (stop - start - 1)
    steps = np.append(np.diff(times), 0.0)  # the appended 0 only lets reduceat end there
    bounds = np.stack([start, stop - 1], axis=1).ravel()
    longest, shortest = np.maximum.reduceat(steps, bounds)[::2], np.minimum.reduceat(steps, bounds)[::2]
    square = np.add.reduceat(np.square(steps, out=steps), bounds)[::2] / (stop - start - 1)
    jitter = np.sqrt(np.maximum(square - period**2, 0.0))
    rate = dataset.spec.rate
    even = (
        (np.abs(period * rate - 1) <= TOLERANCE * period * rate)  # |1/period - rate| <= 5 % of the rate
        & (jitter <= TOLERANCE * period)
        & (longest - period <= STEP * period)
        & (period - shortest <= STEP * period)
    )
    bad = np.flatnonzero(~even)
    if len(bad) == 0:
        return
    worst = bad[0]
    row = dataset.index[numbers[worst]]
    measured = f"{1 / period[worst]:.4g} Hz" if period[worst] > 0 else "timestamps that do not advance"
    raise UserError(
        f"{dataset.name}: {len(bad)} of {len(even)} recordings are not evenly timed at {rate:g} Hz, the first "
        f"{row['source']!r} of {row['subject']!r} with {measured}, jitter {jitter[worst]:.2g} s and steps of "
        f"{shortest[worst]:.2g} to {longest[worst]:.2g} s: resample first, "
        f"stillmotion.signals.resample(data, {rate:g})."
    )
