"""Find raw stretches that stand in two places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..signals.recording import Floats
from .stretches import Rows, Stretches, expand, first_seen

Hashes = NDArray[np.uint64]
Owners = NDArray[np.int16]

STRETCH = 32  #: rows that a copy must have to be found
DIFFERENT = 8  #: rows among them that must differ from each other
MARGIN = 20  #: bits of surprise beyond what chance reaches among so many rows
BLOCK = 1 << 18  # rows looked at in one go; bounds memory


@dataclass(frozen=True, eq=False)
class Source:
    """One data set's raw rows: its samples, its recordings, where they begin in the samples, which columns."""

    signal: Floats
    recordings: Stretches
    start: Rows
    columns: Sequence[int]


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of equal stretches, longest first: number of the data set, row on its line, length in rows."""

    first_in: Owners
    first: Rows
    second_in: Owners
    second: Rows
    length: Rows

    def __len__(self) -> int:
        return len(self.length)


def find_copies(sources: Sequence[Source]) -> Copies:
    """Every pair of places that hold the same bytes for at least 32 rows, at any offset.

    A rolling hash of 32 rows is taken at every row (by doubling, so in five passes), sorted, and equal neighbours
    are joined to stretches and compared byte by byte. Of more than two copies, each is paired with the next.
    The same raw row seen through two overlapping recordings is one place, not two.

    What chance explains is left out: stuck sensors, and coarsely quantised ones at rest, repeat themselves. A copy
    needs 8 rows that differ and ``2 log2(rows) + 20`` bits of surprise. A value surprises by log2(1 + |second
    difference|), counted in the smallest step its channel makes in the stretch: by 0 where a sensor stands still or
    moves evenly; rows that repeat the one before do not count. So a copy of coarse data is found once it is long
    enough. (HAPT rounded to 0.02 … 1 g and rad/s, one channel to six: equal stretches reach 12 bits by chance, 60
    are needed; of 20 planted copies of 32 rows all are found in full resolution, at 0.1 in six channels too, and
    in one channel at 0.1 from 256 rows on.)
    """
    rows, line, owner = _places(sources)
    row_hash = np.concatenate([_hash_rows(s)[rows[owner == number]] for number, s in enumerate(sources)])
    joined = (line[1:] - line[:-1] == 1) & (owner[1:] == owner[:-1])  # holds only inside one unbroken stretch
    pairs = _equal_neighbours(row_hash, joined)
    first, length, apart = _join(*pairs)
    moves = np.concatenate([[0], np.cumsum(row_hash[1:] != row_hash[:-1])])
    moving = moves[first + length - 1] - moves[first] >= DIFFERENT - 1
    first, length, apart = first[moving], length[moving], apart[moving]
    surprising = np.zeros(len(first), np.bool_)
    needed = 2 * np.log2(max(len(line), 2)) + MARGIN
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    for some in np.split(np.arange(len(first)), np.searchsorted(ends, np.arange(BLOCK, total, BLOCK))):
        if len(some):
            surprising[some] = _judge(sources, rows, owner, row_hash, first[some], length[some], apart[some], needed)
    first, length, apart = first[surprising], length[surprising], apart[surprising]
    order = np.argsort(-length, kind="stable")
    first, second, length = first[order], (first + apart)[order], length[order]
    return Copies(owner[first], line[first], owner[second], line[second], length)


def _places(sources: Sequence[Source]) -> tuple[Rows, Rows, Owners]:
    """Every raw row once: its row in the samples, its place on the data set's line, the data set's number."""
    rows, line, owner = [], [], []
    for number, source in enumerate(sources):
        recordings = source.recordings
        which, skip = first_seen(recordings.left, recordings.right)
        length = recordings.right[which] - recordings.left[which] - skip
        rows.append(expand(source.start[which] + skip, length)[1])
        line.append(expand(recordings.left[which] + skip, length)[1])
        owner.append(np.full(len(rows[-1]), number, np.int16))
    return np.concatenate(rows), np.concatenate(line), np.concatenate(owner)


def _hash_rows(source: Source) -> Hashes:
    """A 64-bit hash of each row's bytes."""
    odd = np.random.default_rng(7).integers(0, 1 << 63, len(source.columns), np.uint64) * np.uint64(2) + np.uint64(1)
    result = np.zeros(len(source.signal), np.uint64)
    for weight, column in zip(odd, source.columns, strict=True):
        result += np.ascontiguousarray(source.signal[:, column]).view(np.uint32) * weight
    result ^= result >> np.uint64(32)
    result *= np.uint64(0x9E3779B97F4A7C15)
    result ^= result >> np.uint64(29)
    return result


def _equal_neighbours(row_hash: Hashes, joined: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Rows at which equal moving 32-row stretches begin, each with the next such row."""
    if len(row_hash) < STRETCH:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rolling, width, factor = row_hash, 1, 0xBF58476D1CE4E5B9
    while width < STRETCH:
        rolling = rolling[:-width] * np.uint64(factor) + rolling[width:]
        factor, width = factor * factor % (1 << 64), 2 * width
    place = np.flatnonzero(_usable(row_hash, joined))
    rolling = rolling[place]
    order = np.argsort(rolling)
    ranked = rolling[order]
    equal = np.concatenate([[False], ranked[1:] == ranked[:-1], [False]])
    members = order[equal[1:] | equal[:-1]]
    members = members[np.lexsort((members, rolling[members]))]
    same = rolling[members[1:]] == rolling[members[:-1]]
    return place[members[:-1][same]], place[members[1:][same]]


def _usable(row_hash: Hashes, joined: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where 32 rows follow each other without a break and are not the same row throughout."""
    last = STRETCH - 1
    broken = np.concatenate([[0], np.cumsum(~joined, dtype=np.int32)])
    whole = broken[last:] == broken[:-last]
    moves = np.concatenate([[0], np.cumsum(row_hash[1:] != row_hash[:-1], dtype=np.int32)])
    return np.asarray(whole & (moves[last:] - moves[:-last] >= 2))


def _join(first: Rows, second: Rows) -> tuple[Rows, Rows, Rows]:
    """Join pairs that follow each other at one distance: where they begin, how long, how far apart."""
    apart = second - first
    order = np.lexsort((first, apart))
    first, apart = first[order], apart[order]
    new = np.ones(len(first), np.bool_)
    new[1:] = (np.diff(first) != 1) | (np.diff(apart) != 0)
    begin = np.flatnonzero(new)
    steps = np.diff(np.append(begin, len(first)))
    return first[begin], steps + (STRETCH - 1), apart[begin]


def _judge(
    sources: Sequence[Source],
    rows: Rows,
    owner: Owners,
    row_hash: Hashes,
    first: Rows,
    length: Rows,
    apart: Rows,
    needed: float,
) -> NDArray[np.bool_]:
    """Which stretches are equal to the byte and too surprising to be equal by chance."""
    stretch, place = expand(first, length)
    start = np.cumsum(length) - length
    values = _gather(sources, rows, owner, place)
    equal = np.logical_and.reduceat(
        (values.view(np.uint32) == _gather(sources, rows, owner, place + apart[stretch]).view(np.uint32)).all(axis=1),
        start,
    )
    order = np.lexsort((row_hash[place], stretch))
    fresh = np.ones(len(place), np.int64)
    fresh[1:] = (np.diff(stretch[order]) != 0) | (row_hash[place][order][1:] != row_hash[place][order][:-1])
    different = np.add.reduceat(fresh, start)
    # Held values (a slow sensor read fast) would make every step of an even turn a surprise: they count once.
    moved = np.ones(len(place), np.bool_)
    moved[1:] = (row_hash[place][1:] != row_hash[place][:-1]) | (np.diff(stretch) != 0)
    values, stretch = np.nan_to_num(values[moved].astype(np.float64)), stretch[moved]
    start = np.searchsorted(stretch, np.arange(len(first)))
    step = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    step[start] = np.inf
    step[step == 0] = np.inf
    step = np.minimum.reduceat(step, start)  # the sensor's resolution, as far as this stretch shows it
    bend = np.zeros_like(values)
    bend[2:] = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    bend[start] = bend[start + 1] = 0.0  # there are two rows: what does not move was left out before
    bits = np.add.reduceat(np.log2(1 + np.rint(bend / step[stretch])).sum(axis=1), start)
    return np.asarray(equal & (bits >= needed) & (different >= DIFFERENT))


def _gather(sources: Sequence[Source], rows: Rows, owner: Owners, place: Rows) -> Floats:
    values = np.empty((len(place), len(sources[0].columns)), np.float32)
    for number, source in enumerate(sources):
        mine = owner[place] == number
        values[mine] = source.signal[rows[place[mine]]][:, source.columns]
    return values
