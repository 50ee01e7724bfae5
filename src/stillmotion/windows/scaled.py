"""Find stretches of one channel that occur elsewhere under another gain, offset or sign, in any channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .places import DIFFERENT, MARGIN, STRETCH, Hashes, Places, join, rare
from .stretches import Rows
from .surprise import CLOSE, ROUNDING, Pieces, Values, surprise

SPAN = 8  # steps whose sizes are summed to normalise a step
# Steps are rounded to this share of that sum; no simple fraction, which would put coarse sensors on a rounding edge.
LEVEL = 0.030902
FINE = 24  # bits of a key that order those of one hash
LEADING = 24  # bits of a hash that are looked up in a table
KEYS = 1 << 23  # keys compared, at most; of longer signals a share is taken, the same for a stretch and its copy
NEAR = 1 << (FINE - 7)  # largest difference of two copies' fine parts
CHUNK = 1 << 16  # rows at a time, so that they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Scaled:
    """Stretches that are equal up to gain and offset; channels copied together are one entry.

    Args:
        first: (n,) places at which they begin.
        second: (n,) places at which their counterparts begin.
        length: (n,) rows.
        channels: for each, (channel here, channel there, gain) of every channel.
    """

    first: Rows
    second: Rows
    length: Rows
    channels: tuple[tuple[tuple[int, int, float], ...], ...]


def find_scaled(places: Places) -> Scaled:
    """Find stretches of 32 rows or more of one channel that equal another stretch up to gain, offset and sign.

    Steps between rows, each divided by the sum of eight step sizes from its own on, are independent of gain and offset.
    Rounded, 24 of them make a key: the smaller of the signal's key and that of the negated signal, so it is independent
    of the sign. Keys of all channels are sorted together, equal neighbours are joined into runs, and each run is
    checked: a line is fitted between its two stretches. Its residual must be far below the signal's prediction error
    in so many rows (``surprise``) that chance is ruled out.
    """
    series = [(s, c) for s, source in enumerate(places.sources) for c in range(len(source.columns))]
    owner = np.array([s for s, _ in series], np.int64)
    length = np.diff(places.first)[owner] if len(series) else np.empty(0, np.int64)
    share = 1 + int(length.sum()) // KEYS
    # Memory is reserved once, so that nothing is held twice; unfilled parts take no memory.
    keys = np.empty(min(int(length.sum()), 2 * KEYS), np.uint64)
    at = np.empty(len(keys), np.int32 if len(places) < 1 << 31 else np.int64)
    of = np.empty(len(keys), np.int16)
    filled = 0
    for number, (s, c) in enumerate(series):
        for channel_keys, positions in _keys(places, s, places.sources[s].columns[c], share):
            end = min(filled + len(channel_keys), len(keys))
            count = end - filled
            keys[filled:end], at[filled:end], of[filled:end] = channel_keys[:count], positions[:count], number
            filled = end
    first, second, first_series, second_series = _neighbours(keys[:filled], at[:filled], of[:filled], places)
    kind = ((first_series.astype(np.int64) * len(series) + second_series) * len(places) + places.stretch[first]) * (
        1 + int(places.stretch[-1])
    ) + places.stretch[second]
    run, rows = join(first, second - first, kind, gap=2 * STRETCH * share)
    needed = 2 * np.log2(max(int(length.sum()), 2)) + MARGIN
    columns = np.array([places.sources[s].columns[c] for s, c in series], np.int64)
    pieces = Pieces.of(rows)
    here, there = (place[run][pieces.stretch] + pieces.skip for place in (first, second))
    first_series, second_series = first_series[run][pieces.stretch], second_series[run][pieces.stretch]
    bits, gain = np.zeros(len(here)), np.zeros(len(here))
    begin, stop = np.zeros(len(here), np.int64), np.zeros(len(here), np.int64)
    for some in pieces.batches():
        size = int(pieces.size[some[0]])
        x = _gather(places, owner[first_series[some]], columns[first_series[some]], here[some], size)
        y = _gather(places, owner[second_series[some]], columns[second_series[some]], there[some], size)
        bits[some], gain[some], begin[some], stop[some] = _match(x, y)
    good = np.flatnonzero(bits > 0)
    parts = _Parts(
        here + begin, there + begin, stop - begin, bits, pieces.weight, first_series, second_series, gain
    ).take(good)
    return _merge_channels(parts, np.array([c for _, c in series], np.int64), places, needed)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Pieces that are equal up to gain and offset: both places, rows, bits, weight, both series, gain."""

    first: Rows
    second: Rows
    size: Rows
    bits: Values
    weight: Values
    first_series: Rows
    second_series: Rows
    gain: Values

    def take(self, rows: Rows) -> _Parts:
        return _Parts(*(getattr(self, field.name)[rows] for field in fields(self)))


def _keys(places: Places, source: int, column: int, share: int) -> Iterator[tuple[Hashes, Rows]]:
    """Yield the keys of one channel, and the places at which their stretches begin."""
    begin, stop = int(places.first[source]), int(places.first[source + 1])
    for a in range(begin, stop - STRETCH + 1, CHUNK):
        b = min(stop, a + CHUNK + STRETCH - 1)
        key, usable = _key(places.values(source, column, a, b))
        usable &= places.stretch[a + STRETCH - 1 : b] == places.stretch[a : b - STRETCH + 1]
        if share > 1:
            usable &= (key >> np.uint64(FINE)) % np.uint64(share) == 0
        chosen = np.flatnonzero(usable)
        yield key[chosen], a + chosen


def _key(values: NDArray[np.float32]) -> tuple[Hashes, NDArray[np.bool_]]:
    """Compute a key for every 32 values, and whether these move often enough to be evidence."""
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
    # A sum of rounded steps: the negated signal has its negative.
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


def _neighbours(keys: Hashes, at: NDArray[Any], of: NDArray[np.int16], places: Places) -> tuple[Rows, Rows, Rows, Rows]:
    """Find places with equal keys, each with the next: both places and both series, the earlier place first."""
    # Sorting values is much faster than sorting their places: only keys that occur twice need the latter.
    hashes = np.sort(keys >> np.uint64(FINE))
    twice = hashes[1:][hashes[1:] == hashes[:-1]]
    if len(twice) == 0:
        empty = np.empty(0, np.int64)
        return empty, empty, empty, empty
    hashes = keys >> np.uint64(FINE)
    # First by their leading bits: nearly all keys that pass occur twice. To search each key took four times as long.
    leading = np.uint64(64 - FINE - LEADING)
    there = np.zeros(1 << LEADING, np.bool_)
    there[twice >> leading] = True
    some = np.flatnonzero(there[hashes >> leading])
    some = some[_occur_twice(hashes[some])]
    some = some[rare(hashes[some], of[some].astype(np.int64) * len(places) + places.stretch[at[some]])]
    keys, at, of = keys[some], at[some], of[some]
    order = np.lexsort((at, keys))
    ranked = keys[order]
    near = (ranked[1:] >> np.uint64(FINE) == ranked[:-1] >> np.uint64(FINE)) & (ranked[1:] - ranked[:-1] <= NEAR)
    left, right = order[:-1][near], order[1:][near]
    left, right = np.where(at[left] <= at[right], (left, right), (right, left))
    first, second = at[left].astype(np.int64), at[right].astype(np.int64)
    first_series, second_series = of[left].astype(np.int64), of[right].astype(np.int64)
    # One row in two channels, and a signal that continues as it just was, are no copies; copies inside other data
    # sets do not matter here.
    apart = np.abs(places.line[second] - places.line[first]) >= STRETCH
    apart |= places.owner[first] != places.owner[second]
    apart &= places.owner[first] == 0
    return first[apart], second[apart], first_series[apart], second_series[apart]


def _occur_twice(hashes: Hashes) -> NDArray[np.bool_]:
    """Tell which values occur more than once."""
    order = np.argsort(hashes)
    ranked = hashes[order]
    equal = ranked[1:] == ranked[:-1]
    several = np.zeros(len(hashes), np.bool_)
    several[order[1:][equal]] = several[order[:-1][equal]] = True
    return several


def _gather(places: Places, source: Rows, column: Rows, place: Rows, size: int) -> Values:
    values = np.empty((len(place), size))
    for number, data in enumerate(places.sources):
        inside = np.flatnonzero(source == number)
        if len(inside):
            rows = places.row[place[inside][:, None] + np.arange(size)]
            values[inside] = data.signal[rows, column[inside][:, None]]
    return values


def _match(x: Values, y: Values) -> tuple[Values, Values, Rows, Rows]:
    """Measure the evidence that pieces are equal up to gain and offset.

    Returns:
        Bits of surprise, the lower of the two pieces'; the gain; the first equal row and the end of the equal rows. The
        line is fitted to the middle, since a row or two at the ends may only be similar.
    """
    edge, size = x.shape[1] // 8, x.shape[1]
    middle = slice(edge, size - edge)
    x, y = (piece - piece[:, middle].mean(axis=1, keepdims=True) for piece in (x, y))
    with np.errstate(all="ignore"):
        gain = (x * y)[:, middle].sum(axis=1) / (x * x)[:, middle].sum(axis=1)
        left = np.abs(y - gain[:, None] * x)
        error = np.maximum(left[:, middle].max(axis=1), ROUNDING * np.abs(y).max(axis=1))
        off = left > CLOSE * error[:, None]
        whole = np.ones_like(off)
        whole[:, :edge] = ~np.maximum.accumulate(off[:, :edge][:, ::-1], axis=1)[:, ::-1]
        whole[:, size - edge :] = ~np.maximum.accumulate(off[:, size - edge :], axis=1)
        begin, end = np.argmax(whole, axis=1), size - np.argmax(whole[:, ::-1], axis=1)
        bits = np.minimum(surprise(y, error, whole), surprise(x, error / np.abs(gain), whole))
    return np.nan_to_num(bits, nan=0.0, posinf=0.0), gain, begin, end


def _merge_channels(parts: _Parts, channel: Rows, places: Places, needed: float) -> Scaled:
    """Merge pieces of all channels that touch at the same distance, and keep those with enough bits."""
    parts = parts.take(np.lexsort((parts.first, parts.second - parts.first)))
    first, second, stop = parts.first, parts.second, parts.first + parts.size
    if len(first) == 0:
        return Scaled(first, second, stop, ())
    new = np.ones(len(first), np.bool_)
    # Distances are sorted: each is shifted beyond the last, so that pieces of two distances never touch.
    shift = np.cumsum(np.concatenate([[0], np.diff(second - first) != 0])) * (len(places) + STRETCH)
    new[1:] = (first + shift)[1:] > np.maximum.accumulate(stop + shift)[:-1]
    new[1:] |= np.diff(places.stretch[first]) != 0
    new[1:] |= np.diff(places.stretch[second]) != 0
    start = np.flatnonzero(new)
    bounds = np.append(start, len(first))
    length = np.maximum.reduceat(stop, start) - first[start]
    worth = np.maximum.reduceat(parts.bits, start)
    worth = np.maximum(worth, np.add.reduceat(parts.bits * parts.weight, start))
    kept, channels = [], []
    for group in np.flatnonzero((worth >= needed) & (length >= STRETCH)).tolist():
        total, pairs = _channels(parts, slice(bounds[group], bounds[group + 1]))
        if total >= needed:
            kept.append(group)
            channels.append(tuple((int(channel[a]), int(channel[b]), gain) for a, b, gain in pairs))
    rows = start[kept]
    return Scaled(first[rows], second[rows], length[kept], tuple(channels))


def _channels(parts: _Parts, rows: slice) -> tuple[float, list[tuple[int, int, float]]]:
    """Choose pairs of channels of a group, each channel once, most bits first; return total bits and pairs."""
    pair, number = np.unique(
        np.stack([parts.first_series[rows], parts.second_series[rows]]), axis=1, return_inverse=True
    )
    number = number.ravel()
    bits = np.bincount(number, parts.bits[rows] * parts.weight[rows])
    most = np.zeros_like(bits)
    np.maximum.at(most, number, parts.bits[rows])
    bits = np.maximum(bits, most)
    total = 0.0
    pairs: list[tuple[int, int, float]] = []
    for best in np.argsort(-bits).tolist():
        a, b = int(pair[0, best]), int(pair[1, best])
        if all(a != first and b != second for first, second, _ in pairs):
            members = np.flatnonzero(number == best)
            longest = members[np.argmax(parts.size[rows][members])]
            pairs.append((a, b, float(parts.gain[rows][longest])))
            total += float(bits[best])
    return total, sorted(pairs)
