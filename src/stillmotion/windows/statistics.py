"""Means and standard deviations of channels, from training windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .stretches import first_seen
from .windows import Windows

BLOCK = 1 << 16  # values turned to float64 at a time: in cache, and too few for BLAS to wait for other threads
CONSTANT = 1e-6  # of the mean's size: a standard deviation below it is rounding


@dataclass(frozen=True, eq=False)
class Statistics:
    """Means and standard deviations for a normaliser.

    Args:
        mean: (D,) float64.
        std: (D,) float64, divided by the number of rows (ddof 0). 1 for a constant channel, which is then only
            centred: dividing by less would amplify another subject's values of that channel.
        rows: how many raw rows they were computed from.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    rows: int


def fit_statistics(windows: Windows, index: ArrayLike | None = None) -> Statistics:
    """Fit means and standard deviations to the raw rows of windows, every row counted once.

    Overlapping windows do not count a row twice, nor do overlapping recordings of one source, so the result is that of
    the recordings and does not depend on the hop, except for rows that no window holds.

    Args:
        windows: the windows that ``cut`` returned.
        index: numbers of windows, or a mask (``fold.train``), all by default.

    Returns:
        Mean and standard deviation of each channel.

    Raises:
        UserError: there are no windows, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> statistics = sm.fit_statistics(windows, sm.make_splits(windows, "loso").folds[0].train)
        >>> statistics.rows, statistics.mean.shape
        (1000, (3,))
    """
    chosen = windows.numbers(index)
    if len(chosen) == 0:
        raise UserError(f"{windows.dataset}: statistics of no windows were asked for; give at least one window.")
    extents = windows.extents
    owner, skip = first_seen(extents.left[chosen], extents.right[chosen])
    begin = windows.starts[chosen[owner]]
    held = np.zeros(len(windows.signal) + 1, np.int8)
    held[begin + skip] += 1  # the owned rows are disjoint, so no row begins or ends two of them
    held[begin + windows.spec.window] -= 1
    rows = np.cumsum(held[:-1], dtype=np.int8).view(np.bool_)
    mean, square, total = np.zeros(windows.signal.shape[1]), np.zeros(windows.signal.shape[1]), 0
    block = max(1, BLOCK // windows.signal.shape[1])
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        count = int(np.count_nonzero(part))
        if count == 0:
            continue
        values = windows.signal[start : start + block].astype(np.float64)
        # A product with ones and zeros is five times faster than a masked copy and a sum over its first axis.
        ones = part.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity times 0, in a row that no window holds
            sums, squares = ones @ values, ones @ np.square(values)
        if not np.isfinite(squares).all():
            values = values[part]
            sums, squares = values.sum(axis=0), np.square(values).sum(axis=0)
        total += count
        shift = sums / count - mean
        mean += shift * (count / total)  # Chan, Golub & LeVeque 1983
        square += squares - sums**2 / count + shift**2 * (count * (total - count) / total)
    if not np.isfinite(square).all():
        bad = int(np.flatnonzero(~np.isfinite(square))[0])
        row = int(np.flatnonzero(rows & ~np.isfinite(windows.signal[:, bad]))[0])
        raise UserError(
            f"{windows.dataset}: channel {windows.spec.channel_names[bad]} is NaN or infinite at sample {row}; "
            "end the recording there or fill the gap."
        )
    std = np.sqrt(np.maximum(square, 0.0) / total)
    constant = std <= CONSTANT * np.abs(mean)
    return Statistics(mean, np.where(constant | (std == 0), 1.0, std), total)
