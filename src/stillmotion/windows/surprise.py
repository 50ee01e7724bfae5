"""How much a stretch of a signal says that chance, a steady turn or a simple oscillation does not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .places import BLOCK, STRETCH
from .stretches import Rows

Values = NDArray[np.float64]

ORDER = 6  #: steps that the next one is predicted from: three oscillations at once are predicted
LONGEST = 1 << 11  # rows of a piece
EVENT = 8  #: rows whose surprise may come from one event
ROUNDING = 2**-23  # of the largest value: numbers of 24 bits are off by half of it
UNEVEN = 0.1  #: of a sensor's resolution: by so much may a step be off a multiple of it
CLOSE = 4.0  #: an error this many times below what cannot be predicted is none


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches cut into pieces of few lengths, the last two of one overlapping where it does not come out even.

    Args:
        stretch: (n,) which stretch each piece is of.
        skip: rows of the stretch before it.
        size: its rows, a power of two.
        weight: share of it that no piece before it counts.
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
        """Numbers of pieces of one length, so many that memory stays bounded."""
        found = []
        for size in np.unique(self.size):
            same, many = np.flatnonzero(self.size == size), max(1, BLOCK // int(size))
            found += [same[a : a + many] for a in range(0, len(same), many)]
        return found


def surprise(values: Values, error: Values, whole: NDArray[np.bool_]) -> Values:
    """Bits that pieces of a signal hold beyond what their own past predicts.

    Each step is predicted from the six before it, by least squares; what is left is counted in the sensor's
    resolution, as far as the piece shows one, or in twice the error if that is larger: log2(1 + |left| / unit). A
    sensor at rest, an even turn and a clean oscillation leave nothing; the noise of a real one does. The eight steps
    that are furthest off do not count: one event, such as a sensor that comes loose, may make as many.

    Args:
        values: (m, n) pieces.
        error: (m,) the largest by which a row is off. Where it is neither four times below what is usually left nor
            below the resolution, nothing is known: 0 bits.
        whole: (m, n) rows that count, without a break.
    """
    step = np.diff(values, axis=1)
    past = np.stack([step[:, ORDER - lag : -lag] for lag in range(1, ORDER + 1)], axis=2)
    scale = np.abs(step).max(axis=1)
    scale[scale == 0] = 1.0
    past /= scale[:, None, None]
    known = whole[:, : -ORDER - 1] & whole[:, ORDER + 1 :]
    left = _left(past, step[:, ORDER:], known)
    np.put_along_axis(known, np.argpartition(left, -EVENT, axis=1)[:, -EVENT:], False, axis=1)
    left = _left(past, step[:, ORDER:], known)
    free = 1 - ORDER / (left.shape[1] - EVENT)
    tick = _resolution(np.abs(step))
    usual = np.median(left, axis=1) / free
    unit = np.maximum(tick, 2 * error)
    unit[unit == 0] = 1.0
    bits = np.log2(1 + left / unit[:, None]).sum(axis=1) * free
    return np.asarray(np.where(CLOSE * error <= np.maximum(usual, tick), bits, 0.0))


def _left(past: Values, ahead: Values, known: NDArray[np.bool_]) -> Values:
    """(m, k) sizes of what steps (m, k) are off a line through their past (m, k, ORDER); 0 where not known."""
    basis, _ = np.linalg.qr(past * known[:, :, None])
    target = (ahead * known)[:, :, None]
    return np.asarray(np.abs(target - basis @ (basis.transpose(0, 2, 1) @ target))[:, :, 0])


def _resolution(size: Values) -> Values:
    """(m,) what all steps (m, n) are multiples of: the smallest of them, its half or its third; 0 where nothing is."""
    moving = np.where(size == 0, np.inf, size)
    smallest = moving.min(axis=1)
    smallest[np.isinf(smallest)] = 1.0
    resolution = np.zeros(len(size))
    for part in (3, 2, 1):
        ratio = size * (part / smallest[:, None])
        even = np.abs(ratio - np.rint(ratio)).max(axis=1) <= UNEVEN
        resolution[even] = smallest[even] / part
    return resolution
