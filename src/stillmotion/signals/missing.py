"""Numbers that are not there: short losses are bridged, at long ones the recording ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .clocks import GAP_PERIODS
from .interpolate import interpolate
from .recording import Floats

#: So many lost samples in a row are bridged, as a pause of the clock would be.
FILLED_PERIODS = int(GAP_PERIODS)


def fill_gaps(samples: Floats, units: Sequence[slice], *, counted: dict[str, int] | None = None) -> NDArray[np.bool_]:
    """Fill losses of at most ``FILLED_PERIODS`` samples in place, each sensor unit by itself.

    Args:
        samples: (T, D), evenly spaced, NaN where there is no number.
        units: columns that are lost together.
        counted: takes the counts of samples bridged and of samples lost.

    Returns:
        The samples that are whole now. A loss that is longer, or touches an end, stays as it was.
    """
    counted = {} if counted is None else counted
    bridged = np.zeros(len(samples), np.bool_)
    for columns in units:
        values = samples[:, columns]  # a view: filling it fills the samples
        lost: NDArray[np.bool_] = np.logical_or.reduce(np.isnan(values), axis=1)
        short = _short_runs(lost)
        if short.any():
            there = np.flatnonzero(~lost)
            moments = np.flatnonzero(short)
            values[short] = interpolate(there.astype(np.float64), values[there], moments.astype(np.float64))
        bridged |= short
    whole: NDArray[np.bool_] = ~np.logical_or.reduce(np.isnan(samples), axis=1)
    for kind, count in (
        ("short losses bridged", int((bridged & whole).sum())),
        ("samples without a number, dropped", int((~whole).sum())),
    ):
        counted[kind] = counted.get(kind, 0) + count
    return whole


def find_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every stretch of true values."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _short_runs(lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which lost samples belong to a run that is short and has samples on both sides."""
    edges = np.flatnonzero(np.diff(lost, prepend=False, append=False))
    start, stop = edges[::2], edges[1::2]
    short = (stop - start <= FILLED_PERIODS) & (start > 0) & (stop < len(lost))
    marks = np.zeros(len(lost) + 1, np.int8)
    marks[start[short]] += 1
    marks[stop[short]] -= 1
    return np.cumsum(marks[:-1]).astype(np.bool_)
