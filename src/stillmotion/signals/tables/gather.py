"""Collection of a table's rows into stretches without gaps, on disk and in bounded memory."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...files import name_write_errors
from ..clocks import FEWEST_STEPS, STRAGGLER_SECONDS, highest_before, measure_gap
from ..missing import fill_gaps, find_runs
from ..recording import Floats, Labels, Times

#: Rows moved at a time.
CHUNK = 1 << 18
#: More changes of subject in a batch than this mean that subjects alternate row by row.
TURNS = 64
#: A measured rate within this share of a whole number is rounded to it.
NOMINAL = 0.02
#: The mean step of an even clock is this close to its median; of an uneven one it is the better measure of the rate.
EVEN = 0.1
#: Why rows are dropped.
REPEATED, LATE = "repeated timestamps dropped", "late samples dropped"
INCOMPLETE = "samples without a number, dropped"
JUMPS = "backward jumps of a clock, each a new session"
Key = tuple[int, int]
Lost = dict[tuple[str, int], int]
Mark = tuple[int, int, int, dict[str, int], Lost]


@dataclass(frozen=True)
class Piece:
    """Rows without a gap of one subject and session.

    ``jump`` counts backward jumps of the clock, ``file`` and ``row`` locate the first row, ``start`` and ``stop`` are
    rows of the store.
    """

    key: Key
    stretch: int
    jump: int
    file: int
    row: int
    start: int
    stop: int


@dataclass
class _Clock:
    """State of the clock of one subject and session in the current file."""

    stretch: int
    jump: int = 0
    latest: float = -np.inf
    before: float = -np.inf


@dataclass(frozen=True, eq=False)
class Gathered:
    """Result of a ``Gatherer``: columns on disk, and the pieces that they consist of."""

    pieces: tuple[Piece, ...]
    values: Floats
    labels: Labels
    times: Times | None
    rate: float


class Gatherer:
    """Collect batches in temporary files and split them into stretches without gaps.

    Args:
        width: number of channels.
        timed: whether rows carry times.
        rate: in Hz; 0 to measure it on the first rows.
        folder: folder for the temporary files.
        counted: receives the counts of irregularities of the clocks.
        gap: pause that ends a recording, in seconds; 0 to measure it (``measure_gap``).
        lost: receives the rows that are dropped, by reason and number of the subject.
    """

    def __init__(
        self,
        width: int,
        *,
        timed: bool,
        rate: float,
        folder: Path,
        counted: dict[str, int],
        gap: float = 0.0,
        lost: Lost | None = None,
    ) -> None:
        self.width, self.timed, self.rate, self.folder, self.counted = width, timed, rate, folder, counted
        self.gap, self.lost = gap, {} if lost is None else lost
        self.gap_measured = gap > 0
        self.files = ExitStack()
        self.store = _Store(self.files, folder, width, timed)
        self.pieces: list[Piece] = []
        self.clocks: dict[Key, _Clock] = {}
        self.stretches = 0
        self.file = -1
        self.last: Key | None = None

    def __enter__(self) -> Gatherer:
        return self

    def __exit__(self, *reason: object) -> None:
        # Mapped arrays stay valid; errors of a full disk were raised before.
        with suppress(OSError):
            self.files.close()

    def begin_file(self, file: int) -> Mark:
        """Start a new file, in which no stretch of the previous one continues; return a mark for ``roll_back``."""
        self.file, self.clocks, self.last = file, {}, None
        return self.store.count, len(self.pieces), self.stretches, dict(self.counted), dict(self.lost)

    def roll_back(self, mark: Mark) -> None:
        """Forget everything since the mark."""
        self.store.cut(mark[0])
        del self.pieces[mark[1] :]
        self.stretches, self.clocks = mark[2], {}
        self.counted.clear()
        self.counted.update(mark[3])
        self.lost.clear()
        self.lost.update(mark[4])

    def add(self, owners: NDArray[np.int64], row: int, seconds: Times | None, values: Floats, labels: Labels) -> None:
        """Add the next rows of the file.

        Args:
            owners: (n, 2), numbers of subject and session of every row.
            row: number of the first row.
            seconds: times of the rows, or None.
            values: (n, channels).
            labels: (n,) numbers of labels.
        """
        if len(values) == 0:
            return
        change = (np.diff(owners, axis=0) != 0).any(axis=1)
        rows = np.arange(row, row + len(values))
        if change.sum() > TURNS:
            if seconds is None:
                raise UserError(
                    f"Subjects or sessions alternate every few rows from row {row} on, and without a time column the "
                    f"rows of each cannot be put in order; sort the table by subject and session."
                )
            # Subjects alternate row by row: sort the rows by subject and session first.
            order = np.lexsort((owners[:, 1], owners[:, 0]))
            owners, rows, values, labels = owners[order], rows[order], values[order], labels[order]
            seconds = None if seconds is None else seconds[order]
            change = (np.diff(owners, axis=0) != 0).any(axis=1)
        bounds = [0, *(np.flatnonzero(change) + 1).tolist(), len(values)]
        for a, b in itertools.pairwise(bounds):
            key = int(owners[a, 0]), int(owners[a, 1])
            if seconds is None and key != self.last:
                # Without a clock, these rows need not continue the subject's previous ones.
                self.clocks.pop(key, None)
            self.last = key
            part = None if seconds is None else seconds[a:b]
            self._add_stretch(key, rows[a:b], part, values[a:b], labels[a:b])

    def _add_stretch(
        self, key: Key, rows: NDArray[np.int64], seconds: Times | None, values: Floats, labels: Labels
    ) -> None:
        clock = self.clocks.get(key)
        if clock is None:
            clock = self.clocks[key] = _Clock(self._next())
        if seconds is None:
            self._store_piece(
                Piece(key, clock.stretch, 0, self.file, int(rows[0]), 0, len(values)), values, labels, None
            )
            return
        if not self.rate:
            self.rate = _estimate_rate(seconds)
        if not self.gap_measured and self.rate:
            self.gap = measure_gap(seconds, self.rate)
            self.gap_measured = len(seconds) > FEWEST_STEPS
        step = np.diff(seconds, prepend=clock.before)
        jump = step < -STRAGGLER_SECONDS
        block = np.cumsum(jump)
        latest = highest_before(np.append(clock.latest, seconds), np.append(0, block))[1:]
        repeated, late = seconds == latest, seconds < latest
        keep = ~(repeated | late)
        rows, values, labels, kept, block = rows[keep], values[keep], labels[keep], seconds[keep], block[keep]
        # Previous time in the same block; a block's first row has none and starts a stretch.
        previous = np.append(clock.latest, kept[:-1])
        restarted = np.diff(block, prepend=0) != 0
        gap = ~restarted & (kept - previous > (self.gap or np.inf)) & np.isfinite(previous)
        for kind, marks in (
            (REPEATED, repeated),
            (LATE, late),
            (JUMPS, jump),
            ("gaps in a clock, each ending a recording", gap),
        ):
            self.counted[kind] = self.counted.get(kind, 0) + int(marks.sum())
        for kind, marks in ((REPEATED, repeated), (LATE, late)):
            self._lose(kind, key, int(marks.sum()))
        bounds = [0, *np.flatnonzero(restarted | gap).tolist(), len(kept)]
        first = clock.jump
        for a, b in itertools.pairwise(bounds):
            if b > a:
                if restarted[a] or gap[a]:
                    clock.stretch = self._next()
                clock.jump = first + int(block[a])
                piece = Piece(key, clock.stretch, clock.jump, self.file, int(rows[a]), a, b)
                self._store_piece(piece, values[a:b], labels[a:b], kept[a:b])
        clock.jump = first + int(jump.sum())
        clock.before = float(seconds[-1])
        if len(kept):
            clock.latest = float(kept[-1])

    def _lose(self, kind: str, key: Key, count: int) -> None:
        if count:
            self.lost[kind, key[0]] = self.lost.get((kind, key[0]), 0) + count

    def _next(self) -> int:
        self.stretches += 1
        return self.stretches

    def _store_piece(self, piece: Piece, values: Floats, labels: Labels, seconds: Times | None) -> None:
        start, stop = self.store.append(values, labels, seconds)
        self.pieces.append(replace(piece, start=start, stop=stop))

    def finish(self, units: Sequence[slice]) -> Gathered:
        """Return the stretches in order of file and first row, with gaps filled or cut out.

        Args:
            units: columns that go missing together.
        """
        ordered = sorted(self.pieces, key=lambda piece: (piece.file, piece.stretch, piece.start))
        # Rows are only out of order if subjects alternated.
        if [piece.start for piece in ordered] != sorted(piece.start for piece in ordered):
            self.store, ordered = _rearrange(self, ordered)
        values, labels, times = self.store.map_columns()
        complete: list[Piece] = []
        end = 0
        for piece in _merge(ordered):
            span = slice(piece.start, piece.stop)
            parts = _find_complete(values[span], units, self.counted)
            self._lose(INCOMPLETE, piece.key, piece.stop - piece.start - sum(b - a for a, b in parts))
            for a, b in parts:
                # Rows only move towards the front.
                start = piece.start + a
                if start != end:
                    for column in (values, labels, *(() if times is None else (times,))):
                        _move(column, start, end, b - a)
                complete.append(replace(piece, row=piece.row + a, start=end, stop=end + b - a))
                end += b - a
        if end < self.store.count:
            self.store.cut(end)
            values, labels, times = self.store.map_columns()
        return Gathered(tuple(complete), values, labels, times, self.rate)


def _estimate_rate(seconds: Times) -> float:
    steps = np.diff(seconds)
    steps = steps[steps > 0]
    if len(steps) == 0:
        return 0.0
    median = float(np.median(steps))
    mean = float(steps[steps <= measure_gap(seconds, 1 / median)].mean())
    rate = 1 / (median if abs(mean / median - 1) <= EVEN else mean)
    return float(round(rate)) if round(rate) and abs(rate - round(rate)) <= NOMINAL * rate else rate


def _merge(ordered: Sequence[Piece]) -> list[Piece]:
    """Merge the pieces of each stretch into one."""
    merged: list[Piece] = []
    for piece in ordered:
        if merged and merged[-1].stretch == piece.stretch:
            merged[-1] = replace(merged[-1], stop=piece.stop)
        else:
            merged.append(piece)
    return merged


def _find_complete(values: Floats, units: Sequence[slice], counted: dict[str, int]) -> list[tuple[int, int]]:
    """Fill short gaps; return (start, stop) of the parts without missing samples. Without any, go chunk by chunk."""
    with np.errstate(over="ignore", invalid="ignore"):
        if all(np.isfinite(values[a : a + CHUNK].sum()) for a in range(0, len(values), CHUNK)):
            return [(0, len(values))]
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan
    return find_runs(fill_gaps(values, units, counted=counted))


def _move(column: NDArray[Any], start: int, end: int, count: int) -> None:
    for a in range(0, count, CHUNK):
        step = min(CHUNK, count - a)
        column[end + a : end + a + step] = column[start + a : start + a + step].copy()


def _rearrange(gatherer: Gatherer, ordered: Sequence[Piece]) -> tuple[_Store, list[Piece]]:
    """Copy the rows into the order of their stretches."""
    store = _Store(gatherer.files, gatherer.folder, gatherer.width, gatherer.timed)
    values, labels, times = gatherer.store.map_columns()
    moved = []
    for piece in ordered:
        rows = slice(piece.start, piece.stop)
        start, stop = store.append(values[rows], labels[rows], None if times is None else times[rows])
        moved.append(replace(piece, start=start, stop=stop))
    return store, moved


@dataclass
class _Store:
    """Columns in unnamed temporary files, deleted with their last memory map."""

    stack: ExitStack
    folder: Path
    width: int
    timed: bool
    count: int = 0
    open: dict[str, IO[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("values", "labels", *(("times",) if self.timed else ())):
            file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (the stack closes it)
            self.open[name] = self.stack.enter_context(file)

    def append(self, values: Floats, labels: Labels, times: Times | None) -> tuple[int, int]:
        """Add rows; return their start and stop."""
        for name, column in (("values", values), ("labels", labels), ("times", times)):
            if name in self.open:
                with name_write_errors(self.folder / name):
                    self.open[name].write(np.ascontiguousarray(column).data.cast("B"))
        start, self.count = self.count, self.count + len(values)
        return start, self.count

    def cut(self, count: int) -> None:
        """Keep the first ``count`` rows only."""
        for file, width in zip(self.open.values(), (4 * self.width, 2, 8), strict=False):
            file.flush()
            file.truncate(count * width)
            file.seek(count * width)
        self.count = count

    def map_columns(self) -> tuple[Floats, Labels, Times | None]:
        """Return the columns as memory-mapped arrays."""
        for name, file in self.open.items():
            with name_write_errors(self.folder / name):
                file.flush()
        if self.count == 0:
            empty = np.empty((0, self.width), np.float32), np.empty(0, np.int16)
            return (*empty, np.empty(0) if self.timed else None)
        return (
            np.memmap(self.open["values"], np.float32, "r+", shape=(self.count, self.width)),
            np.memmap(self.open["labels"], np.int16, "r+", shape=(self.count,)),
            np.memmap(self.open["times"], np.float64, "r+", shape=(self.count,)) if self.timed else None,
        )
