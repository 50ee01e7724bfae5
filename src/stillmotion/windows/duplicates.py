"""Find raw stretches that occur twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..signals.recording import Floats
from .places import BLOCK, DIFFERENT, MARGIN, STRETCH, Hashes, Owners, Places, Source, join, rare
from .scaled import Scaled, find_scaled
from .stretches import Rows, expand
from .surprise import ROUNDING, Pieces, Values, surprise

#: Gains this close to each other are the same.
ALIKE = 1e-3


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of equal stretches, longest first: number of the data set, row on its line, length in rows.

    ``how`` names the channels and the gain; it is empty if all channels are equal to the byte.
    """

    first_in: Owners
    first: Rows
    second_in: Owners
    second: Rows
    length: Rows
    how: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.length)


def find_copies(sources: Sequence[Source]) -> Copies:
    """Find every pair of equal stretches of at least 32 rows, at any offset.

    With several sources, only pairs with the first source are searched. Rows are compared to the byte first, all common
    channels together; then each channel by itself, up to gain, offset and sign (``find_scaled``). Of more than two
    copies, each is paired with the next. The same raw row seen through two overlapping recordings is one place, not
    two.
    """
    places = Places.of(sources)
    first, second, length = _equal(places)
    scaled = find_scaled(places)
    more = np.flatnonzero(~_covered(scaled.first, scaled.second, scaled.length, first, second, length))
    how = [""] * len(first) + [_describe_channels(sources, places, scaled, number) for number in more.tolist()]
    first = np.concatenate([first, scaled.first[more]])
    second = np.concatenate([second, scaled.second[more]])
    length = np.concatenate([length, scaled.length[more]])
    order = np.argsort(-length, kind="stable")
    first, second, length = first[order], second[order], length[order]
    return Copies(
        places.owner[first],
        places.line[first],
        places.owner[second],
        places.line[second],
        length,
        tuple(how[number] for number in order.tolist()),
    )


def _covered(first: Rows, second: Rows, length: Rows, known: Rows, twin: Rows, rows: Rows) -> NDArray[np.bool_]:
    """Tell which stretches overlap a known one at the same distance."""
    order = np.lexsort((known, twin - known))
    known, apart, end = known[order], (twin - known)[order], (known + rows)[order]
    covered = np.zeros(len(first), np.bool_)
    for number in range(len(first)):
        a, b = np.searchsorted(apart, second[number] - first[number] + np.array([0, 1]))
        at = a + int(np.searchsorted(known[a:b], first[number] + length[number])) - 1
        covered[number] = at >= a and end[at] > first[number]
    return covered


def _describe_channels(sources: Sequence[Source], places: Places, scaled: Scaled, number: int) -> str:
    """Name the channels and gains of a stretch that is equal up to gain and offset."""
    here = sources[int(places.owner[scaled.first[number]])].names
    there = sources[int(places.owner[scaled.second[number]])].names
    pairs = [(here[a], there[b], gain) for a, b, gain in scaled.channels[number]]
    names = ", ".join(a if a == b else f"{a} as {b}" for a, b, _ in pairs)
    gains = sorted(gain for _, _, gain in pairs)
    if gains[-1] - gains[0] > ALIKE * abs(gains[0]):
        return f"{names}, times {gains[0]:.4g} to {gains[-1]:.4g}"
    return names if abs(gains[0] - 1) <= ALIKE else f"{names}, times {gains[0]:.4g}"


def _equal(places: Places) -> tuple[Rows, Rows, Rows]:
    """Find places with the same bytes in all common channels: both places and the number of rows.

    A rolling hash of 32 rows is taken at every row (by doubling, so in five passes), sorted, and equal neighbours
    are joined into stretches and compared byte by byte.

    Matches that chance explains are left out: stuck sensors, and coarsely quantised ones at rest, repeat themselves.
    A copy needs 8 rows that differ and ``2 log2(rows) + 20`` bits of surprise. A value has log2(1 + |second
    difference|) bits, counted in the smallest step its channel makes in the stretch: 0 where a sensor is at rest or
    moves steadily; rows that repeat the previous one do not count. So a copy of coarse data is found once it is long
    enough. (HAPT rounded to 0.02 … 1 g and rad/s, one channel to six: equal stretches reach 12 bits by chance, 60
    are needed; of planted copies of 32 rows all are found in full resolution, of 10 at 0.1 in six channels 4, of 64
    rows 8, and in one channel at 0.1 all from 256 rows on.)
    """
    columns = _common(places.sources)
    if not columns[0] or len(places) < STRETCH:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    row_hash = np.concatenate(
        [
            _hash_rows(source, taken)[places.row[a:b]]
            for source, taken, a, b in zip(places.sources, columns, places.first[:-1], places.first[1:], strict=True)
        ]
    )
    first, second = _equal_neighbours(row_hash, places)
    run, length = join(first, second - first, np.zeros_like(first))
    first, apart = first[run], (second - first)[run]
    moves = np.concatenate([[0], np.cumsum(row_hash[1:] != row_hash[:-1])])
    moving = moves[first + length - 1] - moves[first] >= DIFFERENT - 1
    first, length, apart = first[moving], length[moving], apart[moving]
    surprising = np.zeros(len(first), np.bool_)
    needed = 2 * np.log2(max(len(places), 2)) + MARGIN
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    for some in np.split(np.arange(len(first)), np.searchsorted(ends, np.arange(BLOCK, total, BLOCK))):
        if len(some):
            surprising[some] = _convincing(places, columns, row_hash, first[some], length[some], apart[some], needed)
    first, length, apart = first[surprising], length[surprising], apart[surprising]
    surprising = _unpredicted_bits(places, columns, first, length) >= MARGIN
    return first[surprising], (first + apart)[surprising], length[surprising]


def _unpredicted_bits(places: Places, columns: Sequence[Sequence[int]], first: Rows, length: Rows) -> Values:
    """Compute the bits of stretches of all columns that their own past does not predict."""
    pieces = Pieces.of(length)
    bits = np.zeros(len(pieces.stretch))
    for some in pieces.batches():
        place = (first[pieces.stretch[some]] + pieces.skip[some])[:, None] + np.arange(pieces.size[some[0]])
        values = _gather(places, columns, place.ravel()).reshape(*place.shape, -1).astype(np.float64)
        for column in np.moveaxis(values, 2, 0):
            error = ROUNDING * np.abs(column).max(axis=1)
            bits[some] += surprise(column, error, np.ones(column.shape, np.bool_))
    return np.bincount(pieces.stretch, bits * pieces.weight, len(first)).astype(np.float64)


def _common(sources: Sequence[Source]) -> list[list[int]]:
    """List the columns of each source with common names; without any, all columns if their number is equal."""
    names = [name for name in sources[0].names if all(name in source.names for source in sources)]
    if not names and len({len(source.names) for source in sources}) == 1:
        return [list(source.columns) for source in sources]
    return [[source.columns[source.names.index(name)] for name in names] for source in sources]


def _hash_rows(source: Source, columns: Sequence[int]) -> Hashes:
    """Hash each row's bytes to 64 bits."""
    odd = np.random.default_rng(7).integers(0, 1 << 63, len(columns), np.uint64) * np.uint64(2) + np.uint64(1)
    result = np.zeros(len(source.signal), np.uint64)
    for weight, column in zip(odd, columns, strict=True):
        result += np.ascontiguousarray(source.signal[:, column]).view(np.uint32) * weight
    result ^= result >> np.uint64(32)
    result *= np.uint64(0x9E3779B97F4A7C15)
    result ^= result >> np.uint64(29)
    return result


def _equal_neighbours(row_hash: Hashes, places: Places) -> tuple[Rows, Rows]:
    """Find rows at which equal moving 32-row stretches begin, each with the next such row."""
    if len(row_hash) < STRETCH:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rolling, width, factor = row_hash, 1, 0xBF58476D1CE4E5B9
    while width < STRETCH:
        rolling = rolling[:-width] * np.uint64(factor) + rolling[width:]
        factor, width = factor * factor % (1 << 64), 2 * width
    place = np.flatnonzero(_usable(row_hash, places.joined))
    rolling = rolling[place]
    if len(place) == 0:
        return place, place
    order = np.argsort(rolling)
    ranked = rolling[order]
    equal = np.concatenate([[False], ranked[1:] == ranked[:-1], [False]])
    members = order[equal[1:] | equal[:-1]]
    members = members[rare(rolling[members], places.stretch[place[members]].astype(np.int64))]
    members = members[np.lexsort((members, rolling[members]))]
    same = rolling[members[1:]] == rolling[members[:-1]]
    return place[members[:-1][same]], place[members[1:][same]]


def _usable(row_hash: Hashes, joined: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where 32 rows follow each other without a break and are not all the same row."""
    last = STRETCH - 1
    broken = np.concatenate([[0], np.cumsum(~joined, dtype=np.int32)])
    whole = broken[last:] == broken[:-last]
    moves = np.concatenate([[0], np.cumsum(row_hash[1:] != row_hash[:-1], dtype=np.int32)])
    return np.asarray(whole & (moves[last:] - moves[:-last] >= 2))


def _convincing(
    places: Places,
    columns: Sequence[Sequence[int]],
    row_hash: Hashes,
    first: Rows,
    length: Rows,
    apart: Rows,
    needed: float,
) -> NDArray[np.bool_]:
    """Tell which stretches are equal to the byte and too surprising to be equal by chance."""
    stretch, place = expand(first, length)
    start = np.cumsum(length) - length
    values = _gather(places, columns, place)
    equal = np.logical_and.reduceat(
        (values.view(np.uint32) == _gather(places, columns, place + apart[stretch]).view(np.uint32)).all(axis=1),
        start,
    )
    order = np.lexsort((row_hash[place], stretch))
    new = np.ones(len(place), np.int64)
    new[1:] = (np.diff(stretch[order]) != 0) | (row_hash[place][order][1:] != row_hash[place][order][:-1])
    different = np.add.reduceat(new, start)
    # Repeated values (a slow sensor read fast) would make every step of a steady motion a surprise: they count once.
    moved = np.ones(len(place), np.bool_)
    moved[1:] = (row_hash[place][1:] != row_hash[place][:-1]) | (np.diff(stretch) != 0)
    values, stretch = np.nan_to_num(values[moved].astype(np.float64)), stretch[moved]
    start = np.searchsorted(stretch, np.arange(len(first)))
    step = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    step[start] = np.inf
    step[step == 0] = np.inf
    step = np.minimum.reduceat(step, start)  # the sensor's resolution, as seen in this stretch
    bend = np.zeros_like(values)
    bend[2:] = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    bend[start] = bend[start + 1] = 0.0  # there are two rows: stretches without motion were left out before
    bits = np.add.reduceat(np.log2(1 + np.rint(bend / step[stretch])).sum(axis=1), start)
    return np.asarray(equal & (bits >= needed) & (different >= DIFFERENT))


def _gather(places: Places, columns: Sequence[Sequence[int]], place: Rows) -> Floats:
    values = np.empty((len(place), len(columns[0])), np.float32)
    for number, source in enumerate(places.sources):
        inside = places.owner[place] == number
        values[inside] = source.signal[places.row[place[inside]]][:, columns[number]]
    return values
