"""Join overlapping windows to the recordings that they were cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .recording import Floats

Rows = NDArray[np.int64]

#: Two windows are neighbours if they share this many rows, with this many changes of value in them.
LEAST_OVERLAP, LEAST_CHANGES = 8, 4
#: Pairs of windows compared to find the hop, and the share of them that must agree on it.
PAIRS, SHARE = 256, 0.25
BLOCK = 1 << 22  # values compared at a time, to bound memory


@dataclass(frozen=True, eq=False)
class Pieces:
    """Hold continuous stretches of consecutive windows with one label.

    Args:
        samples: (rows, D), the concatenated stretches; rows that windows share occur once.
        first: (m,) number of each stretch's first window.
        source: (m,) number of the first window of the signal that the stretch belongs to. A signal continues where the
            label changes and a stretch does not, so two stretches of one source overlap.
        offset: (m,) row of that signal at which the stretch starts.
        start, stop: (m,) rows of the stretch in ``samples``.
    """

    samples: Floats
    first: Rows
    source: Rows
    offset: Rows
    start: Rows
    stop: Rows

    def rows(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Return first window, source, offset, start and stop of each stretch."""
        columns = (self.first, self.source, self.offset, self.start, self.stop)
        return zip(*(column.tolist() for column in columns), strict=True)


def stitch(windows: Floats, labels: NDArray[np.integer], owners: NDArray[np.integer], hop: int) -> Pieces:
    """Join each window to the previous one if it continues it sample for sample.

    Cutting a stretch with the windows' length and ``hop`` returns exactly its windows, in their order.

    Args:
        windows: (n, T, D).
        labels: (n,) label of each window; a stretch has one label.
        owners: (n,) number of each window's subject and session; windows of different owners are never joined.
        hop: samples between the starts of consecutive windows; T if windows share nothing, and none is joined.

    Returns:
        The stretches, in the order of the windows.
    """
    count, length, width = windows.shape
    continues = _continues_previous(windows, owners, hop)
    begins_source = np.concatenate([[True], ~continues])
    begins = begins_source | np.concatenate([[True], labels[1:] != labels[:-1]])
    first = np.flatnonzero(begins)
    source = np.flatnonzero(begins_source)[np.cumsum(begins_source)[first] - 1]
    rows = (np.diff(np.append(first, count)) - 1) * hop + length
    if len(first) == count:
        samples = windows.reshape(-1, width)
    else:
        last = np.append(begins[1:], True)
        kept = np.flatnonzero(last[:, None] | (np.arange(length) < hop))
        samples = windows.reshape(-1, width).take(kept, axis=0)
    stop = np.cumsum(rows)
    return Pieces(samples, first, source, (first - source) * hop, stop - rows, stop)


def find_hop(windows: Floats, owners: NDArray[np.integer]) -> int:
    """Find the hop of windows by comparing neighbours of one owner; T if they share no samples.

    Args:
        windows: (n, T, D).
        owners: (n,) number of each window's subject and session.
    """
    length: int = windows.shape[1]
    pairs = np.flatnonzero(owners[1:] == owners[:-1])
    if len(pairs) == 0:
        return length
    pairs = pairs[np.unique(np.linspace(0, len(pairs) - 1, PAIRS).astype(np.int64))]
    before, after = windows[pairs], windows[pairs + 1]
    changes = np.cumsum((after[:, 1:] != after[:, :-1]).any(axis=2), axis=1)
    agreeing = np.zeros(length + 1, np.int64)
    for hop in range(1, length - LEAST_OVERLAP + 1):
        alike = np.flatnonzero((before[:, hop] == after[:, 0]).all(axis=1))
        alike = alike[changes[alike, length - hop - 2] >= LEAST_CHANGES]
        agreeing[hop] = np.count_nonzero((before[alike, hop:] == after[alike, : length - hop]).all(axis=(1, 2)))
    best = int(agreeing.argmax())
    return best if int(agreeing[best]) >= max(1.0, SHARE * len(pairs)) else length


def _continues_previous(windows: Floats, owners: NDArray[np.integer], hop: int) -> NDArray[np.bool_]:
    """Return (n - 1,) whether each window but the first continues the previous one."""
    length = windows.shape[1]
    if hop >= length:
        return np.zeros(len(windows) - 1, np.bool_)
    continues: NDArray[np.bool_] = owners[1:] == owners[:-1]
    step = max(1, BLOCK // windows[0].size)
    for start in range(0, len(continues), step):
        part = slice(start, min(start + step, len(continues)))
        before, after = windows[part, hop:], windows[part.start + 1 : part.stop + 1, : length - hop]
        continues[part] &= (before == after).all(axis=(1, 2))
    return continues
