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


def surprise(values: Values, error: Values) -> Values:
    """Bits that pieces of a signal hold beyond what their own past predicts.

    Each step is predicted from the six before it, by least squares; what is left is counted in the smallest step the
    piece makes, or in twice the error if that is larger: log2(1 + |left| / unit). A sensor at rest, an even turn and
    a clean oscillation leave nothing; the noise of a real one does.

    Args:
        values: (m, n) pieces.
        error: (m,) by how much each is known; one that is not four times below what is left makes it worthless.
    """
    step = np.diff(values, axis=1)
    past = np.stack([step[:, ORDER - lag : -lag] for lag in range(1, ORDER + 1)], axis=2)
    scale = np.abs(step).max(axis=1)
    scale[scale == 0] = 1.0
    basis, _ = np.linalg.qr(past / scale[:, None, None])
    ahead = step[:, ORDER:, None]
    left = (ahead - basis @ (basis.transpose(0, 2, 1) @ ahead))[:, :, 0]
    free = 1 - ORDER / left.shape[1]
    size = np.abs(step)
    size[size == 0] = np.inf
    unit = np.maximum(size.min(axis=1), 2 * error)
    bits = np.log2(1 + np.abs(left) / unit[:, None]).sum(axis=1) * free
    spread = np.sqrt((left**2).mean(axis=1) / free)
    return np.asarray(np.where(spread >= CLOSE * error, bits, 0.0))
