"""Information in a stretch of a signal that chance, steady motion or a simple oscillation does not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .places import BLOCK, STRETCH
from .stretches import Rows

Values = NDArray[np.float64]

ORDER = 6  #: previous steps used to predict the next one: up to three superposed oscillations are predicted
LONGEST = 1 << 11  # rows of a piece
EVENT = 8  #: rows left out, since one event may cause their surprise
ROUNDING = 2**-23  # of the largest value: float32 (24 bits) rounds by half of it
UNEVEN = 0.1  #: of a sensor's resolution: largest deviation of a step from a multiple of it
CLOSE = 4.0  #: an error this many times below the prediction error is negligible


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches cut into pieces of few lengths; the last two of a stretch may overlap.

    Args:
        stretch: (n,) the stretch of each piece.
        skip: rows of the stretch before it.
        size: its rows, a power of two.
        weight: share of it that no earlier piece counts.
    """

    stretch: Rows
    skip: Rows
    size: Rows
    weight: Values

    @classmethod
    def of(cls, length: Rows) -> Pieces:
        """Cut stretches of ``STRETCH`` rows or more."""
        parts: list[tuple[Rows, Rows, Rows, Values]] = []
        whole = length // LONGEST
        stretch = np.repeat(np.arange(len(length)), whole)
        number = np.arange(len(stretch)) - np.repeat(np.cumsum(whole) - whole, whole)
        parts.append((stretch, number * LONGEST, np.full(len(stretch), LONGEST), np.ones(len(stretch))))
        rest = length % LONGEST
        some = np.flatnonzero(rest)
        size = np.maximum(1 << np.log2(rest[some]).astype(np.int64), STRETCH)
        skip = np.minimum(whole[some] * LONGEST, length[some] - size)
        parts.append((some, skip, size, np.minimum(1.0, rest[some] / size)))
        more = np.flatnonzero(rest[some] > size)
        beyond = (rest[some] - size)[more] / size[more]
        parts.append((some[more], (length[some] - size)[more], size[more], beyond))
        stretch, skip, size, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(stretch, skip, size, weight)

    def batches(self) -> list[Rows]:
        """Group the numbers of pieces by length, in batches of bounded memory."""
        batches = []
        for size in np.unique(self.size):
            same, many = np.flatnonzero(self.size == size), max(1, BLOCK // int(size))
            batches += [same[a : a + many] for a in range(0, len(same), many)]
        return batches


def surprise(values: Values, error: Values, whole: NDArray[np.bool_]) -> Values:
    """Count the bits of pieces of a signal that their own past does not predict.

    Each step is predicted from the six before it, by least squares; the residual is counted in the sensor's
    resolution, if the piece shows one, or in twice the error if that is larger: log2(1 + |residual| / unit). A
    sensor at rest, steady motion and a clean oscillation have no residual; the noise of a real sensor has. The eight
    largest residuals do not count: one event, such as a sensor coming loose, may cause as many.

    Args:
        values: (m, n) pieces.
        error: (m,) the largest error of a row. If it is neither four times below the typical residual nor below the
            resolution, there is no evidence: 0 bits.
        whole: (m, n) rows that count, without a break.

    Returns:
        (m,) bits.
    """
    step = np.diff(values, axis=1)
    past = np.stack([step[:, ORDER - lag : -lag] for lag in range(1, ORDER + 1)], axis=2)
    scale = np.abs(step).max(axis=1)
    scale[scale == 0] = 1.0
    past /= scale[:, None, None]
    known = whole[:, : -ORDER - 1] & whole[:, ORDER + 1 :]
    residual = _residuals(past, step[:, ORDER:], known)
    np.put_along_axis(known, np.argpartition(residual, -EVENT, axis=1)[:, -EVENT:], False, axis=1)
    residual = _residuals(past, step[:, ORDER:], known)
    free = 1 - ORDER / (residual.shape[1] - EVENT)
    tick = _resolution(np.abs(step))
    typical = np.median(residual, axis=1) / free
    unit = np.maximum(tick, 2 * error)
    unit[unit == 0] = 1.0
    bits = np.log2(1 + residual / unit[:, None]).sum(axis=1) * free
    return np.asarray(np.where(CLOSE * error <= np.maximum(typical, tick), bits, 0.0))


def _residuals(past: Values, ahead: Values, known: NDArray[np.bool_]) -> Values:
    """Compute residual sizes (m, k) of steps predicted linearly from their past (m, k, ORDER); 0 where not known."""
    basis, _ = np.linalg.qr(past * known[:, :, None])
    target = (ahead * known)[:, :, None]
    return np.asarray(np.abs(target - basis @ (basis.transpose(0, 2, 1) @ target))[:, :, 0])


def _resolution(size: Values) -> Values:
    """Find the resolution (m,) of steps (m, n): the smallest step, its half or its third; 0 if none divides all."""
    moving = np.where(size == 0, np.inf, size)
    smallest = moving.min(axis=1)
    smallest[np.isinf(smallest)] = 1.0
    resolution = np.zeros(len(size))
    for part in (3, 2, 1):
        ratio = size * (part / smallest[:, None])
        even = np.abs(ratio - np.rint(ratio)).max(axis=1) <= UNEVEN
        resolution[even] = smallest[even] / part
    return resolution
