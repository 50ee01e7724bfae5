"""Stretches of raw rows, laid end to end on one line, so that shared rows are found by sorting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of raw rows: the subject and source of each, and its rows in the source.

    Recordings are stretches, and so are windows. Rows are counted in the source and not in an array, because
    two recordings of one source may overlap (UCI HAR is published as windows that share half their samples).

    Args:
        sources: names of the sources.
        subjects: names of the subjects.
        source: (n,) index into ``sources``.
        subject: (n,) index into ``subjects``.
        begin: (n,) first row in the source.
        end: (n,) its end, exclusive.
        base: (sources,) where each source's row 0 lies on the common line; see ``lay_out``.
    """

    sources: tuple[str, ...]
    subjects: tuple[str, ...]
    source: Codes
    subject: Codes
    begin: Rows
    end: Rows
    base: Rows

    @cached_property
    def left(self) -> Rows:
        """First row of each stretch on the line that holds all sources end to end."""
        return np.asarray(self.base[self.source] + self.begin)

    @cached_property
    def right(self) -> Rows:
        """End (exclusive) of each stretch on that line."""
        return np.asarray(self.base[self.source] + self.end)

    def __len__(self) -> int:
        return len(self.begin)

    def place(self, number: int) -> str:
        """Describe a stretch: rows (from 0, both ends included), source, subject."""
        return self.span(int(self.source[number]), int(self.begin[number]), int(self.end[number]), number)

    def span(self, source: int, begin: int, end: int, number: int) -> str:
        """Describe rows of a source, with the subject of stretch ``number``."""
        return f"rows {begin}–{end - 1} of {self.sources[source]!r} (subject {self.subjects[self.subject[number]]})"


def recording_stretches(index: Sequence[Mapping[str, Any]], subjects: Sequence[str]) -> Stretches:
    """Make the stretches of a data set's recordings; ``index`` is ``Dataset.index``."""
    sources, source = codes([row["source"] for row in index])
    number = {name: code for code, name in enumerate(subjects)}
    begin = np.array([row["offset"] for row in index], np.int64)
    end = begin + np.array([row["stop"] - row["start"] for row in index], np.int64)
    return Stretches(
        sources=sources,
        subjects=tuple(subjects),
        source=source,
        subject=np.array([number[row["subject"]] for row in index], np.int32),
        begin=begin,
        end=end,
        base=lay_out(source, begin, end, len(sources)),
    )


def codes(names: Iterable[str]) -> tuple[tuple[str, ...], Codes]:
    """Encode names: the distinct names in order of appearance, and for each given name its index among them."""
    seen: dict[str, int] = {}
    numbers = [seen.setdefault(name, len(seen)) for name in names]
    return tuple(seen), np.array(numbers, np.int32)


def lay_out(source: Codes, begin: Rows, end: Rows, count: int) -> Rows:
    """Place ``count`` sources end to end, two free rows between them, and return where row 0 of each lies.

    The free rows keep the end of one source from touching the start of the next.
    """
    lowest = np.full(count, np.iinfo(np.int64).max)
    highest = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(lowest, source, begin)
    np.maximum.at(highest, source, end)
    length = np.where(highest > lowest, highest - lowest + 2, 0)
    return np.asarray(np.cumsum(length) - length - np.where(length > 0, lowest, 0))


@dataclass(frozen=True, eq=False)
class Cover:
    """The union of some stretches of the line, sorted so that overlaps are found by binary search."""

    left: Rows  # sorted
    furthest: Rows  # furthest end among the stretches up to here
    owner: Rows  # which of the given stretches has that end

    @classmethod
    def of(cls, left: Rows, right: Rows) -> Cover:
        """Sort the stretches [left, right)."""
        order = np.argsort(left, kind="stable")
        left, right = left[order], right[order]
        furthest = np.maximum.accumulate(right)
        owner = np.maximum.accumulate(np.where(right == furthest, np.arange(len(right)), 0))
        return cls(left, furthest, order[owner])

    def touched(self, left: Rows, right: Rows) -> NDArray[np.bool_]:
        """Tell for each stretch [left, right) whether it shares a row with the union."""
        return self.overlapping(left, right) >= 0

    def overlapping(self, left: Rows, right: Rows) -> Rows:
        """Find for each stretch the number of one that shares a row with it, -1 where there is none."""
        if len(self.left) == 0:
            return np.full(len(left), -1, np.int64)
        last = np.searchsorted(self.left, right, side="left") - 1  # the last one that begins before the end
        overlaps = (last >= 0) & (self.furthest[last] > left)
        return np.where(overlaps, self.owner[last], -1)


def first_seen(left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Assign each row of the union to the first stretch that holds it.

    Returns:
        The stretches that own rows, in the order of the line, and how many of their first rows belong to earlier
        stretches.
    """
    order = np.argsort(left, kind="stable")
    left, right = left[order], right[order]
    before = np.concatenate([left[:1], np.maximum.accumulate(right)[:-1]])
    skip = np.maximum(before - left, 0)
    owns = skip < right - left
    return order[owns], skip[owns]


def expand(begin: Rows, length: Rows) -> tuple[Rows, Rows]:
    """List the members of ranges of given lengths: which range each belongs to, and its value."""
    which = np.repeat(np.arange(len(begin)), length)
    return which, np.arange(len(which)) + np.repeat(begin - (np.cumsum(length) - length), length)
