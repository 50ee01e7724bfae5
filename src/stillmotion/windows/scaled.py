"""Find stretches of one channel that stand elsewhere with another gain, offset or sign, under any channel's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .places import DIFFERENT, MARGIN, STRETCH, Hashes, Places, join
from .stretches import Rows
from .surprise import Pieces, Values, surprise

SPAN = 8  # steps whose sizes add up to the measure of a step
LEVEL = 0.030902  # of that measure: steps are rounded to it; no simple fraction, lest coarse sensors lie on an edge
FINE = 24  # bits of a key that order those of one hash
KEYS = 1 << 23  # keys looked at, at most; of longer signals a share is taken, the same of a stretch and its copy
NEAR = 1 << (FINE - 7)  # of two copies' fine parts
CHUNK = 1 << 16  # rows at a time: what is worked on stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Scaled:
    """Stretches that are equal but for gain and offset, those of several channels at one place together.

    Args:
        first, second: (n,) places at which they begin.
        length: rows.
        channels: for each, (channel here, channel there, gain) of every channel.
    """

    first: Rows
    second: Rows
    length: Rows
    channels: tuple[tuple[tuple[int, int, float], ...], ...]


def find_scaled(places: Places) -> Scaled:
    """Every pair of places where a channel is another, or itself, but for gain, offset and sign, for 32 rows or more.

    Steps between rows, each divided by the sum of the eight sizes from it on, do not know gain and offset. Rounded,
    24 of them make a key, which is the smaller of its own and that of the signal turned over, so it does not know the
    sign. Keys of all channels are sorted together, neighbours that are equal are joined to runs, and each run is
    checked: a line is fitted through its two sides, and what that leaves must be far below what the signal's own past
    does not predict, in enough rows (``surprise``), that chance among so many rows is out of question.
    """
    series = [(s, c) for s, source in enumerate(places.sources) for c in range(len(source.columns))]
    owner = np.array([s for s, _ in series], np.int64)
    length = np.diff(places.first)[owner] if len(series) else np.empty(0, np.int64)
    share = 1 + int(length.sum()) // KEYS
    keys, at, of = [], [], []
    for number, (s, c) in enumerate(series):
        found, where = _keys(places, s, places.sources[s].columns[c], share)
        keys.append(found)
        at.append(where)
        of.append(np.full(len(found), number, np.int16))
    pairs = _neighbours(np.concatenate(keys), np.concatenate(at), np.concatenate(of), places)
    first, second, mine, theirs = pairs
    kind = ((mine.astype(np.int64) * len(series) + theirs) * len(places) + places.stretch[first]) * (
        1 + int(places.stretch[-1])
    ) + places.stretch[second]
    run, rows = join(first, second - first, kind, gap=2 * STRETCH * share)
    needed = 2 * np.log2(max(int(length.sum()), 2)) + MARGIN
    columns = np.array([places.sources[s].columns[c] for s, c in series], np.int64)
    pieces = Pieces.of(rows)
    here, there = (place[run][pieces.stretch] + pieces.skip for place in (first, second))
    mine, theirs = mine[run][pieces.stretch], theirs[run][pieces.stretch]
    bits, gain = np.zeros(len(here)), np.zeros(len(here))
    for some in pieces.batches():
        size = int(pieces.size[some[0]])
        x = _gather(places, owner[mine[some]], columns[mine[some]], here[some], size)
        y = _gather(places, owner[theirs[some]], columns[theirs[some]], there[some], size)
        bits[some], gain[some] = _match(x, y)
    channel = np.array([c for _, c in series], np.int64)
    return _together(
        here, there, pieces.size, bits * pieces.weight, channel[mine], channel[theirs], gain, places, needed
    )


def _keys(places: Places, source: int, column: int, share: int) -> tuple[Hashes, Rows]:
    """Keys of one channel, and the places at which the stretches they stand for begin."""
    keys, at = [], []
    begin, stop = int(places.first[source]), int(places.first[source + 1])
    for a in range(begin, stop - STRETCH + 1, CHUNK):
        b = min(stop, a + CHUNK + STRETCH - 1)
        key, usable = _key(places.values(source, column, a, b))
        whole = places.stretch[a + STRETCH - 1 : b] == places.stretch[a : b - STRETCH + 1]
        usable &= whole
        if share > 1:
            usable &= (key >> np.uint64(FINE)) % np.uint64(share) == 0
        chosen = np.flatnonzero(usable)
        keys.append(key[chosen])
        at.append(a + chosen)
    if not keys:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    return np.concatenate(keys), np.concatenate(at)


def _key(values: NDArray[np.float32]) -> tuple[Hashes, NDArray[np.bool_]]:
    """A key for each 32 of the values, and whether they move often enough to mean something."""
    with np.errstate(all="ignore"):
        step = np.diff(values)
        size = np.abs(step)
        two = size[:-1] + size[1:]
        four = two[:-2] + two[2:]
        eight = four[:-4] + four[4:]
        sixteen = eight[:-8] + eight[8:]
        measured = step[: len(eight)] / (eight * np.float32(LEVEL))
        fine = sixteen[: len(values) - STRETCH + 1]
        fine = fine / (fine + sixteen[STRETCH - 1 - 16 :][: len(fine)])
    fine = np.nan_to_num(fine, nan=0.0)
    level = np.nan_to_num(np.rint(measured), nan=0.0).astype(np.int64).view(np.uint64)
    eighth, factor = level, 0xBF58476D1CE4E5B9
    for width in (1, 2, 4):
        eighth = eighth[:-width] * np.uint64(factor) + eighth[width:]
        factor = factor * factor % (1 << 64)
    sum16 = eighth[:-8] * np.uint64(factor) + eighth[8:]
    sum24 = sum16[:-8] * np.uint64(factor) + eighth[16:]
    # A sum of rounded steps: of the signal turned over it is the same with the other sign.
    key = np.minimum(sum24, np.uint64(0) - sum24)
    key ^= key >> np.uint64(32)
    key *= np.uint64(0x9E3779B97F4A7C15)
    key ^= key >> np.uint64(29)
    scale = np.float32((1 << FINE) - 1)
    key = ((key >> np.uint64(FINE)) << np.uint64(FINE)) | (fine * scale).astype(np.uint64)
    moves = np.concatenate([[0], np.cumsum(step != 0, dtype=np.int32)])
    often = moves[STRETCH - 1 :] - moves[: len(key)] >= DIFFERENT - 1
    bad = np.concatenate([[0], np.cumsum(~np.isfinite(values), dtype=np.int32)])
    return key, often & (bad[STRETCH:] == bad[:-STRETCH])


def _neighbours(keys: Hashes, at: Rows, of: NDArray[np.int16], places: Places) -> tuple[Rows, Rows, Rows, Rows]:
    """Places with equal keys, each with the next: both places and both series, the earlier place first."""
    order = np.argsort(keys)
    ranked = keys[order]
    near = (ranked[1:] >> np.uint64(FINE) == ranked[:-1] >> np.uint64(FINE)) & (ranked[1:] - ranked[:-1] <= NEAR)
    left, right = order[:-1][near], order[1:][near]
    left, right = np.where(at[left] <= at[right], (left, right), (right, left))
    first, second, mine, theirs = at[left], at[right], of[left], of[right]
    # One row under two names, and a signal that goes on as it did a moment ago, are no copies; nor do copies inside
    # other data sets matter here.
    apart = np.abs(places.line[second] - places.line[first]) >= STRETCH
    apart |= places.owner[first] != places.owner[second]
    apart &= places.owner[first] == 0
    return first[apart], second[apart], mine[apart].astype(np.int64), theirs[apart].astype(np.int64)


def _gather(places: Places, source: Rows, column: Rows, place: Rows, size: int) -> Values:
    values = np.empty((len(place), size))
    for number, each in enumerate(places.sources):
        mine = np.flatnonzero(source == number)
        if len(mine):
            rows = places.row[place[mine][:, None] + np.arange(size)]
            values[mine] = each.signal[rows, column[mine][:, None]]
    return values


def _match(x: Values, y: Values) -> tuple[Values, Values]:
    """Bits of surprise that pieces are the same but for gain and offset, by the poorer side; and the gain."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        gain = (x * y).sum(axis=1) / (x * x).sum(axis=1)
        left = y - gain[:, None] * x
        error = np.sqrt((left * left).mean(axis=1))
        bits = np.minimum(surprise(y, error), surprise(x, error / np.abs(gain)))
    return np.nan_to_num(bits, nan=0.0, posinf=0.0), gain


def _together(
    first: Rows,
    second: Rows,
    size: Rows,
    bits: Values,
    mine: Rows,
    theirs: Rows,
    gain: Values,
    places: Places,
    needed: float,
) -> Scaled:
    """Pieces of all channels that lie at one distance and touch, where their bits add up to enough."""
    good = np.flatnonzero(bits > 0)
    order = good[np.lexsort((first[good], (second - first)[good]))]
    first, second, size, bits = first[order], second[order], size[order], bits[order]
    mine, theirs, gain = mine[order], theirs[order], gain[order]
    if len(first) == 0:
        return Scaled(first, second, size, ())
    apart = second - first
    new = np.ones(len(first), np.bool_)
    begin, stop = first, first + size
    # Where a run begins, what was reached before does not count: distances are sorted, so shift each beyond the last.
    shift = np.cumsum(np.concatenate([[0], np.diff(apart) != 0])) * (len(places) + 2 * STRETCH)
    reach = np.maximum.accumulate(stop + shift)
    new[1:] = begin[1:] + shift[1:] > reach[:-1]
    new[1:] |= places.stretch[begin[1:]] != places.stretch[begin[:-1]]
    new[1:] |= places.stretch[second[1:]] != places.stretch[second[:-1]]
    group = np.cumsum(new) - 1
    start = np.flatnonzero(new)
    enough = np.add.reduceat(bits, start) >= needed
    length = np.maximum.reduceat(stop, start) - begin[start]
    channels = []
    bounds = np.append(start, len(first))
    for number in np.flatnonzero(enough).tolist():
        rows = range(int(bounds[number]), int(bounds[number + 1]))
        longest: dict[tuple[int, int], int] = {}
        for row in rows:
            key = int(mine[row]), int(theirs[row])
            if key not in longest or size[row] > size[longest[key]]:
                longest[key] = row
        channels.append(tuple((*key, float(gain[row])) for key, row in sorted(longest.items())))
    del group
    return Scaled(first[start][enough], second[start][enough], length[enough], tuple(channels))
