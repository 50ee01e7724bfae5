"""Missing samples: short gaps are filled, long ones end the recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .clocks import GAP_PERIODS
from .interpolate import interpolate
from .recording import Floats

#: At most this many missing samples in a row are filled, the same limit as for a pause of the clock.
FILLED_PERIODS = int(GAP_PERIODS)


def fill_gaps(samples: Floats, units: Sequence[slice], *, counted: dict[str, int] | None = None) -> NDArray[np.bool_]:
    """Fill gaps of at most ``FILLED_PERIODS`` samples in place, each sensor unit separately.

    Args:
        samples: (T, D), evenly spaced, NaN where a value is missing.
        units: columns that go missing together.
        counted: receives the counts of samples filled and of samples still missing.

    Returns:
        Mask (T,) of the complete samples. A longer gap, or one at either end, stays NaN.
    """
    counted = {} if counted is None else counted
    filled = np.zeros(len(samples), np.bool_)
    for columns in units:
        values = samples[:, columns]  # a view, so filling it fills ``samples``
        missing: NDArray[np.bool_] = np.logical_or.reduce(np.isnan(values), axis=1)
        short = _short_runs(missing)
        if short.any():
            present = np.flatnonzero(~missing)
            missing_rows = np.flatnonzero(short)
            values[short] = interpolate(present.astype(np.float64), values[present], missing_rows.astype(np.float64))
        filled |= short
    complete: NDArray[np.bool_] = ~np.logical_or.reduce(np.isnan(samples), axis=1)
    for kind, count in (
        ("short losses bridged", int((filled & complete).sum())),
        ("samples without a number, dropped", int((~complete).sum())),
    ):
        counted[kind] = counted.get(kind, 0) + count
    return complete


def find_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (start, stop) of every run of true values."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _short_runs(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the missing samples in runs that are short and have samples on both sides."""
    edges = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    start, stop = edges[::2], edges[1::2]
    short = (stop - start <= FILLED_PERIODS) & (start > 0) & (stop < len(missing))
    marks = np.zeros(len(missing) + 1, np.int8)
    marks[start[short]] += 1
    marks[stop[short]] -= 1
    return np.cumsum(marks[:-1]).astype(np.bool_)
