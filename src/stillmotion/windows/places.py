"""Raw rows of one or several data sets, each once: the places that the search for copies compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..signals.recording import Floats
from .stretches import Rows, Stretches, expand, first_seen

Hashes = NDArray[np.uint64]
Owners = NDArray[np.int16]

STRETCH = 32  #: rows that a copy must have to be found
DIFFERENT = 8  #: rows among them that must differ from each other
MARGIN = 20  #: bits of surprise required beyond what chance reaches in so many rows
OFTEN = 3  #: a pattern this often in one unbroken stretch is periodic, and no evidence of a copy
BLOCK = 1 << 18  # rows compared at a time; bounds memory


@dataclass(frozen=True, eq=False)
class Source:
    """One data set's raw rows.

    Args:
        signal: the samples.
        recordings: their stretches.
        start: row of ``signal`` at which each recording begins.
        columns: columns of ``signal`` in use.
        names: their channel names.
    """

    signal: Floats
    recordings: Stretches
    start: Rows
    columns: Sequence[int]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Places:
    """Every raw row once, in the order of sources and lines.

    Args:
        sources: the data sets.
        row: (n,) row of each place in the samples.
        line: (n,) its position on the data set's line.
        owner: (n,) number of its data set.
        first: (sources + 1,) the place at which each data set begins.
    """

    sources: Sequence[Source]
    row: Rows
    line: Rows
    owner: Owners
    first: Rows

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Places:
        """Lay out the rows; the same raw row seen through two overlapping recordings is one place."""
        rows, line = [], []
        for source in sources:
            recordings = source.recordings
            which, skip = first_seen(recordings.left, recordings.right)
            length = recordings.right[which] - recordings.left[which] - skip
            rows.append(expand(source.start[which] + skip, length)[1])
            line.append(expand(recordings.left[which] + skip, length)[1])
        counts = [len(part) for part in rows]
        owner = np.repeat(np.arange(len(sources), dtype=np.int16), counts)
        return cls(sources, np.concatenate(rows), np.concatenate(line), owner, np.cumsum([0, *counts]))

    def __len__(self) -> int:
        return len(self.line)

    @cached_property
    def joined(self) -> NDArray[np.bool_]:
        """(n - 1,) whether a place is followed by the next raw row."""
        return np.asarray((self.line[1:] - self.line[:-1] == 1) & (self.owner[1:] == self.owner[:-1]))

    @cached_property
    def stretch(self) -> NDArray[np.int32]:
        """(n,) number of the unbroken stretch that each place belongs to."""
        return np.concatenate([np.zeros(min(1, len(self)), np.int32), np.cumsum(~self.joined, dtype=np.int32)])

    def values(self, source: int, column: int, begin: int, end: int) -> Floats:
        """Return a column of a source at places ``begin`` to ``end``, all of that source."""
        return np.ascontiguousarray(self.sources[source].signal[self.row[begin:end], column])


def join(first: Rows, apart: Rows, kind: Rows, *, gap: int = 1) -> tuple[Rows, Rows]:
    """Join pairs that follow each other at the same distance into runs.

    Args:
        first: where the first of each pair begins.
        apart: how far its counterpart is.
        kind: only pairs of one kind are joined.
        gap: largest distance between two pairs that are joined.

    Returns:
        The pair with which each run begins, and how many rows it has.
    """
    order = np.lexsort((first, apart, kind))
    first, apart, kind = first[order], apart[order], kind[order]
    new = np.ones(len(first), np.bool_)
    new[1:] = (np.diff(first) > gap) | (np.diff(apart) != 0) | (np.diff(kind) != 0)
    begin = np.flatnonzero(new)
    last = np.append(begin[1:], len(first)) - 1 if len(begin) else begin
    return order[begin], first[last] - first[begin] + STRETCH


def rare(hashes: Hashes, stretch: Rows) -> NDArray[np.bool_]:
    """Tell which patterns occur less than ``OFTEN`` times in one stretch; oscillations and ramps repeat themselves."""
    order = np.lexsort((stretch, hashes))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(stretch[order]) != 0) | (hashes[order][1:] != hashes[order][:-1])
    times = np.diff(np.append(np.flatnonzero(new), len(order)))
    kept = np.empty(len(order), np.bool_)
    kept[order] = np.repeat(times < OFTEN, times)
    return kept
