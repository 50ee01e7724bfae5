"""Reading of a table of your own as a data set."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...files import cache_root
from ...names import require_name
from ..clocks import UNPAIRED, Stretch, join
from ..durations import measure_durations, propose_window
from ..progress import report
from ..recording import NULL, Dataset, Labels, Note, Recording
from ..spec import SignalSpec
from .batches import BLOCK, Batch, Unreadable, read_batches
from .dialect import make_printable
from .gather import JUMPS, Gathered, Gatherer, Lost, Piece
from .intervals import IntervalLabels, read_intervals
from .mapping import NO_LABEL, PLACES, Device, TableMap

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 3
#: More distinct labels than this are taken for numbers, not classes.
MOST_LABELS = 1000
CHUNK = 1 << 20
#: Clocks that jump back at a larger share of the rows are not in order.
MOST_JUMPS = 0.05


def list_table_files(table: TableMap) -> list[Path]:
    """List the files that a mapping reads, each once."""
    return list(dict.fromkeys(path for device in table.devices for path, _ in _list_files(table, device)))


def read_table(table: TableMap) -> Dataset:
    """Read a table as a data set.

    A recording ends where the file, subject or session changes and at gaps of the clock. Memory stays bounded for a
    table with one clock: rows are written to temporary files in the cache folder and memory-mapped. Further devices are
    interpolated on the clock of the first, stretch by stretch.
    """
    counted: dict[str, int] = {}
    lost: Lost = {}
    subjects, sessions, words = _Names("subject", table.rename_subject), _Names("session"), _Names("label")
    intervals = None
    if table.intervals is not None:
        pattern = replace(table.devices[0], files=table.intervals.files, subject="any")
        intervals = read_intervals(table.intervals, _list_files(table, pattern))
    names = subjects, sessions, words
    parts = [
        _gather(table, device, names, counted, lost, None if number else intervals)
        for number, device in enumerate(table.devices)
    ]
    if intervals is not None:
        intervals.require_used()
    lead = parts[0]
    if not lead.gathered.pieces:
        raise UserError(f"{table.name}: every row of {table.devices[0].files} has a missing value.")
    classes, spelling = _classes(table, words, lead.gathered.labels, counted)
    for a in range(0, len(lead.gathered.labels), CHUNK):
        lead.gathered.labels[a : a + CHUNK] = spelling[lead.gathered.labels[a : a + CHUNK]]
    if len(parts) == 1:
        recordings = [_make_recording(lead, piece, subjects, sessions) for piece in lead.gathered.pieces]
    else:
        recordings = list(_join_devices(table, parts, subjects, sessions, counted, lost))
    rate = lead.gathered.rate
    if not rate > 0:
        raise UserError(
            f"{table.name}: the clock of {table.devices[0].files} never advances: it is constant; set rate = 50 (Hz), "
            f"or, if it runs backwards, sort the rows by time."
        )
    jumps, rows = counted.get(JUMPS, 0), len(lead.gathered.labels) + sum(lost.values())
    if jumps > MOST_JUMPS * rows:
        raise UserError(
            f"{table.name}: the clock of {table.devices[0].files} jumps back {jumps:,} times in {rows:,} rows; sort "
            f"them by subject and time."
        )
    if table.window:
        window = max(1, round(table.window * rate))
    else:
        starts = np.array([piece.start for piece in lead.gathered.pieces])
        window, _ = propose_window(measure_durations(lead.gathered.labels, starts, classes, rate), rate)
    spec = SignalSpec(
        rate=rate,
        channels=tuple(channel for device in table.devices for channel in device.channels),
        classes=classes,
        window=window,
        hop=max(1, round(window * (1 - table.overlap))),
    )
    notes = [
        Note(kind, count, f"{count:,} {kind}", repaired=True, lost=_by_subject(kind, lost, subjects))
        for kind, count in counted.items()
        if count
    ]
    return Dataset.of(table.name, spec, recordings, notes=notes)


def _by_subject(kind: str, lost: Lost, subjects: _Names) -> dict[str, int]:
    """Return the rows that were dropped for one reason, by name of the subject."""
    return {subjects[number]: count for (reason, number), count in lost.items() if reason == kind}


@dataclass
class _Names:
    """Numbers of names in order of first appearance; names are normalised, so that each subject has one."""

    what: str
    rename: Mapping[str, str] = field(default_factory=dict)
    number: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, number: int) -> str:
        return list(self.number)[number]

    def of(self, word: str) -> int:
        """Return the number of a name; an empty label means no class and is valid."""
        word = require_name(self.rename.get(word, word), self.what) if word else word
        return self.number.setdefault(word, len(self.number))

    def column(self, words: pa.Array) -> NDArray[np.int64]:
        """Return the number of each name of a column."""
        coded = words.dictionary_encode()
        numbers = np.array([self.of(word) for word in coded.dictionary.to_pylist()], np.int64)
        column: NDArray[np.int64] = numbers[coded.indices.to_numpy()]
        return column


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of one device, and the names of its files."""

    gathered: Gathered
    files: tuple[str, ...]


def _gather(
    table: TableMap,
    device: Device,
    names: tuple[_Names, _Names, _Names],
    counted: dict[str, int],
    lost: Lost,
    intervals: IntervalLabels | None,
) -> _Part:
    listed = _list_files(table, device)
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir())
    width, single = len(device.sensors), len(listed) == 1 or len(table.devices) > 1 or "*" not in device.files
    groups = [channel.group for channel in device.channels]
    units = [slice(groups.index(name), groups.index(name) + groups.count(name)) for name in dict.fromkeys(groups)]
    with Gatherer(
        width,
        timed=bool(device.time),
        rate=device.rate,
        folder=folder,
        counted=counted,
        gap=device.gap,
        lost=lost,
    ) as gatherer:
        for number, (path, in_name) in enumerate(listed):
            session = in_name.get("session", "1" if single else path.stem)
            known = {"subject": in_name.get("subject", "1"), "session": session, "label": in_name.get("label", "")}

            def take(path: Path, known: Mapping[str, str], *, careful: bool) -> None:
                size = path.stat().st_size
                packed = path.suffix in (".gz", ".bz2")
                for block, batch in enumerate(read_batches(path, device, table, counted, careful=careful), 1):
                    # Blocks of text have one size; of other files only that they go on is known.
                    report(f"reading {path.name}", min(size, block * BLOCK), 0 if packed else size)
                    _add(gatherer, batch, device, known, names, intervals)

            mark = gatherer.begin_file(number)
            try:
                take(path, known, careful=False)
            except Unreadable:
                gatherer.roll_back(mark)
                take(path, known, careful=True)
        return _Part(gatherer.finish(units), tuple(path.relative_to(table.folder).as_posix() for path, _ in listed))


def _add(
    gatherer: Gatherer,
    batch: Batch,
    device: Device,
    known: Mapping[str, str],
    names: tuple[_Names, _Names, _Names],
    intervals: IntervalLabels | None,
) -> None:
    columns = []
    for place, each in zip(("subject", "session", "label"), names, strict=True):
        column = getattr(device, place)
        columns.append(
            each.column(batch.words[column]) if column else np.full(len(batch), each.of(known[place]), np.int64)
        )
    owners = np.stack(columns[:2], axis=1)
    subjects, _, words = names
    if intervals is not None:
        if batch.seconds is None:
            raise UserError(f"{device.files}: intervals need a clock; name the time column.")
        for owner in np.unique(owners, axis=0):
            rows = np.flatnonzero((owners == owner).all(axis=1))
            key = (gatherer.file, *owner.tolist())
            numbers, spoken = intervals.label(subjects[int(owner[0])], batch.seconds[rows], key)
            columns[2][rows] = np.array([words.of(word) for word in spoken])[numbers]
    if len(words.number) > MOST_LABELS:
        raise UserError(
            f"{device.files}: {device.label} holds more than {MOST_LABELS:,} different labels; is it a number, not a "
            f"class?"
        )
    for mark in device.missing:
        batch.values[batch.values == np.float32(mark)] = np.nan
    gatherer.add(owners, batch.row, batch.seconds, batch.values, columns[2].astype(np.int16))


def _make_recording(part: _Part, piece: Piece, subjects: _Names, sessions: _Names) -> Recording:
    rows = slice(piece.start, piece.stop)
    subject, session = subjects[piece.key[0]], sessions[piece.key[1]]
    return Recording(
        subject=subject,
        session=session if piece.jump == 0 else f"{session} ({piece.jump + 1})",
        samples=part.gathered.values[rows],
        labels=part.gathered.labels[rows],
        times=None if part.gathered.times is None else part.gathered.times[rows],
        source=f"{part.files[piece.file]} {subject} {session}",
        offset=piece.row,
    )


def _join_devices(
    table: TableMap,
    parts: Sequence[_Part],
    subjects: _Names,
    sessions: _Names,
    counted: dict[str, int],
    lost: Lost,
) -> Iterator[Recording]:
    """Yield the first device's recordings with the other devices interpolated on its clock."""
    codes: dict[tuple[int, int], int] = {}
    joined: list[Stretch] = []
    for number, part in enumerate(parts):
        times = part.gathered.times
        assert times is not None  # a mapping with several devices names their clocks
        stretches = [
            Stretch(
                codes.setdefault(piece.key, len(codes)),
                piece.jump,
                piece.start,
                times[piece.start : piece.stop],
                part.gathered.values[piece.start : piece.stop],
            )
            for piece in part.gathered.pieces
        ]
        if number:
            keys, before = list(codes), joined
            joined = join(joined, stretches, counted=counted)
            for sign, each in ((1, before), (-1, joined)):
                for stretch in each:
                    place = UNPAIRED, keys[stretch.code][0]
                    lost[place] = lost.get(place, 0) + sign * len(stretch.seconds)
        else:
            joined = stretches
        if not joined:
            raise UserError(
                f"{table.name}: {table.devices[number].name} never runs at the same time as "
                f"{table.devices[0].name} for the same subject and session; if its clock is off, set offset (seconds)."
            )
    lead = parts[0]
    piece_at = np.array([piece.start for piece in lead.gathered.pieces])
    for stretch in joined:
        piece = lead.gathered.pieces[int(np.searchsorted(piece_at, stretch.row, side="right")) - 1]
        subject, session = subjects[piece.key[0]], sessions[piece.key[1]]
        yield Recording(
            subject=subject,
            session=session if piece.jump == 0 else f"{session} ({piece.jump + 1})",
            samples=stretch.values,
            labels=lead.gathered.labels[stretch.row : stretch.row + len(stretch.values)],
            times=stretch.seconds,
            source=f"{lead.files[piece.file]} {subject} {session}",
            offset=piece.row + stretch.row - piece.start,
        )


def _classes(
    table: TableMap, words: _Names, labels: Labels, counted: dict[str, int]
) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Return the class names, and the class of each label number.

    Labels that differ only in blanks or case are one class, named by the most frequent spelling. ``rename`` is applied
    first.
    """
    occurrences = np.zeros(len(words.number), np.int64)
    for a in range(0, len(labels), CHUNK):
        occurrences += np.bincount(labels[a : a + CHUNK], minlength=len(occurrences))
    nothing = {word.casefold() for word in (*NO_LABEL, *table.no_label)}
    rename = {normalize("NFC", wrong): normalize("NFC", right) for wrong, right in table.rename.items()}
    unused = set(rename) - set(words.number)
    if unused:
        raise UserError(f"{table.name} has no label {', '.join(sorted(unused))} to rename.")
    plain = _merge([" ".join(rename.get(word, word).split()) for word in words.number], table.merge, nothing)
    spellings: dict[str, dict[str, int]] = {}
    for word, count in zip(plain, occurrences.tolist(), strict=True):
        if word.casefold() not in nothing and count:
            counts = spellings.setdefault(word.casefold(), {})
            counts[word] = counts.get(word, 0) + count
    right = {folded: max(counts, key=counts.__getitem__) for folded, counts in spellings.items()}
    names = sorted(right.values(), key=_in_order)
    class_of = np.array(
        [names.index(right[word.casefold()]) if word.casefold() in right else NULL for word in plain], np.int16
    )
    for kind, changed in (
        ("labels renamed", [word in rename for word in words.number]),
        ("labels mended in case or blanks", [right.get(word.casefold(), word) != word for word in plain]),
    ):
        counted[kind] = int(occurrences[np.array(changed, np.bool_)].sum()) if changed else 0
    return tuple(names), class_of


def _merge(labels: list[str], merge: Mapping[str, tuple[str, ...]], nothing: set[str]) -> list[str]:
    """Return the class that gathers each label; ``*`` gathers those that nothing else names."""
    if not merge:
        return labels
    target = {normalize("NFC", label).casefold(): name for name, gathered in merge.items() for label in gathered}
    if wrong := sorted(set(target) - {"*", *(label.casefold() for label in labels)}):
        raise UserError(
            f"merge names labels that do not occur: {', '.join(wrong)}; there are {', '.join(labels[:20])}."
        )
    kept = {name.casefold() for name in merge}
    rest = target.pop("*", None)
    return [
        target.get(label.casefold(), label if rest is None or label.casefold() in kept | nothing else rest)
        for label in labels
    ]


def _in_order(name: str) -> tuple[int, float, str]:
    """Sort key: numbers by value, then other names."""
    return (0, float(name), name) if re.fullmatch(r"-?\d+(\.\d+)?", name) else (1, 0.0, name)


def _list_files(table: TableMap, device: Device) -> list[tuple[Path, dict[str, Any]]]:
    """List a device's files in natural order, with the fields read from their names."""
    pattern = device.files
    where = f"{table.folder}: files = {make_printable(pattern)!r}"
    places = re.findall(r"\{(\w+)\}", pattern)
    if wrong := [place for place in places if place not in PLACES]:
        raise UserError(f"{where}: {{{wrong[0]}}} is not one of {{{'}, {'.join(PLACES)}}}.")
    if twice := [place for place in PLACES if places.count(place) > 1]:
        raise UserError(f"{where}: {{{twice[0]}}} occurs twice.")
    if Path(pattern).is_absolute() or not pattern.isprintable():
        raise UserError(
            f"{where}: name files below the folder, on one line, such as 'recordings.csv' or '{{subject}}.csv'."
        )
    if "**" in pattern:
        raise UserError(f"{where}: ** is not supported; * stands for a part of one name, or for one folder.")
    if not places and "*" not in pattern:
        return [(table.folder / pattern, {})]
    # Everything but fields and * is literal, brackets and question marks too.
    parts = re.split(r"(?:\{\w+\}|\*)+", pattern)
    candidates = sorted(table.folder.glob("*".join(escape(part) for part in parts)), key=_by_number)
    form = re.escape(pattern).replace(r"\*", "[^/]*")
    for place in PLACES:
        form = form.replace(rf"\{{{place}\}}", f"(?P<{place}>[^/]+?)", 1)
    matches = [(path, re.fullmatch(form, path.relative_to(table.folder).as_posix())) for path in candidates]
    listed = [(path, match.groupdict()) for path, match in matches if match and path.is_file()]
    if not listed:
        raise UserError(f"{table.folder} holds no file like {make_printable(pattern)}.")
    if not device.subject and "subject" not in places and len(listed) > 1:
        raise UserError(
            f"{len(listed)} files match {pattern}, but nothing names their subjects; set the column with "
            f"subject = 'subject', or put {{subject}} into files."
        )
    return listed


def _by_number(path: Path) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path)) if part]
