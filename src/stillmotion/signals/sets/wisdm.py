"""WISDM v1.1: six activities, the accelerometer of a phone in the trouser pocket, thirty-six subjects."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..card import Card
from ..clocks import GAP_PERIODS, Stretch, split_at_gaps
from ..missing import find_runs
from ..recording import Dataset, Floats, Note, Recording, Times
from ..spec import Channel, SignalSpec
from ..text import BLOCK

if TYPE_CHECKING:
    import pyarrow as pa

CLASSES = ("Walking", "Jogging", "Upstairs", "Downstairs", "Sitting", "Standing")
FILE = "WISDM_ar_v1.1_raw.txt"
KINDS = ("user", "activity", "timestamp", "x", "y", "z")
NANOSECONDS = 1e-9
BLANK, BREAK, COMMA, MARK = b" \n,;"
#: A file with a larger share of defective records than this is not the expected file.
MAX_DEFECTIVE = 0.05

CARD = Card(
    name="wisdm",
    title="WISDM Activity Prediction, version 1.1",
    authors="J. R. Kwapisz, G. M. Weiss, S. A. Moore",
    year=2012,
    citation="J. R. Kwapisz, G. M. Weiss, S. A. Moore, Activity Recognition using Cell Phone Accelerometers, "
    "SensorKDD 2010.",
    licence="none stated; its readme asks for the citation",
    url="https://www.cis.fordham.edu/wisdm/dataset.php",
    subjects=36,
    placement="a phone in the front trouser pocket",
    spec=SignalSpec(
        rate=20.0,
        channels=tuple(Channel("acc", axis, "m/s2", "pocket") for axis in "xyz"),
        classes=CLASSES,
        window=20,
        hop=20,
        label_policy="first",
    ),
    layout=(FILE,),
    counts={"subjects": 36, "samples": 1_098_207}
    | dict(zip(CLASSES, (424_400, 342_177, 122_869, 100_427, 59_939, 48_395), strict=True)),
    quirks=(
        "Records end with a semicolon, some with a comma before it; several share a line, lines are empty or cut, "
        "and z is empty in some records: they are recovered if possible, dropped if not, and counted.",
        "Clocks repeat times, skip samples, restart and are 0 in places: a short run of zeros is timed between its "
        "neighbours; a long one becomes a separate recording at 20 Hz.",
        "The phone's true rate varies around 20 Hz; recordings keep its timestamps until they are resampled.",
        "Counts on this card are records of the file, as published; the file itself differs by a few.",
    ),
    download="https://www.cis.fordham.edu/wisdm/includes/datasets/latest/WISDM_ar_latest.tar.gz",
)
VERSION = 1


def files(folder: Path, device: str = "") -> list[Path]:
    """List the one raw file, in the folder or in the archive's folder below it."""
    for path in (folder / FILE, folder / "WISDM_ar_v1.1" / FILE):
        if path.is_file():
            return [path]
    raise UserError(f"{folder} holds no {FILE}; wisdm consists of that one file.")


def read(folder: Path, device: str = "") -> Dataset:
    """Recover the records, then split each subject's records into stretches of one activity without gaps."""
    (path,) = files(folder, device)
    counted: dict[str, int] = {}
    records = recover(path, counted)
    recordings: list[Recording] = []
    for subject in np.unique(records.user).tolist():
        rows = np.flatnonzero(records.user == subject)
        recordings += [
            Recording(
                subject=str(subject),
                session=str(piece.session),
                samples=piece.values,
                labels=np.full(len(piece.values), piece.code, np.int16),
                times=piece.seconds,
                source=f"{FILE} user {subject}",
                offset=piece.row,
            )
            for piece in _split_records(records.code[rows], records.stamp[rows], records.values[rows], counted)
        ]
    notes = [Note(kind, count, f"{count:,} {kind}", FILE) for kind, count in counted.items() if count]
    subjects = len({recording.subject for recording in recordings})
    if subjects < CARD.subjects:
        text = f"part of the set: {subjects} of {CARD.subjects} subjects"
        notes.insert(0, Note("part of the set", CARD.subjects - subjects, text))
    return Dataset.of(CARD.name, CARD.spec, recordings, notes=notes)


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the files what the card counts."""
    records = recover(files(folder)[0], {})
    per_class = np.bincount(records.code, minlength=len(CLASSES)).tolist()
    return {"subjects": len(np.unique(records.user)), "samples": len(records.code)} | dict(
        zip(CLASSES, per_class, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Records:
    """Records of the file in order: subject, activity, time in ns, acceleration (N, 3)."""

    user: NDArray[np.int64]
    code: NDArray[np.int64]
    stamp: NDArray[np.int64]
    values: Floats


def recover(path: Path, counted: dict[str, int]) -> Records:
    """Recover every record that has six cells; ``counted`` receives the counts of defects.

    Passes over the text dominate the time, so there are few: end marks become line ends, and Arrow's parser reports
    the lines that are not records. 1.1 million records take 0.4 s on one core.
    """
    raw = path.read_bytes()
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
    if not raw or raw.isspace():
        raise UserError(f"{path} is empty.")
    content, text = np.frombuffer(raw, np.uint8), bytearray(raw)
    # Offsets do not change: an end mark becomes a line end, and a comma before it a blank, so that a record with an
    # empty z has five cells and every other record six.
    marks, breaks = np.flatnonzero(content == MARK), np.flatnonzero(content == BREAK)
    commas = marks[content[marks - 1] == COMMA]
    changed = np.frombuffer(text, np.uint8)
    changed[marks], changed[commas - 1] = BREAK, BLANK
    del changed
    lines: list[str] = []
    table = _parse(text, lines, counted, path)
    blank = sum(not line.strip() for line in lines)
    no_z = sum(line.endswith(" ") and line.count(",") == len(KINDS) - 2 for line in lines)
    cut = len(lines) - no_z - blank
    if no_z + cut > MAX_DEFECTIVE * (no_z + cut + len(table)):
        first = _first_defect(raw)
        raise UserError(f"{path}, {first}, as in {no_z + cut:,} records; the raw file of WISDM v1.1 was expected.")
    before = np.where(breaks > 0, content[breaks - 1], BREAK)
    unmarked = breaks[(before != MARK) & (before != BREAK)].tolist()
    if raw[-1] not in (MARK, BREAK):
        unmarked.append(len(raw))
    begun = (max(raw.rfind(b"\n", 0, end), raw.rfind(b";", 0, end)) + 1 for end in unmarked)
    unmarked_records = sum(
        raw.count(b",", start, end) == len(KINDS) - 1 for start, end in zip(begun, unmarked, strict=True)
    )
    for kind, count in {
        "records with a comma before the end mark": len(commas) - no_z,
        "records that share a line": len(marks) - int((before == MARK).sum()) - raw.endswith(b";"),
        "records without an end mark": unmarked_records,
        "empty lines": int((before == BREAK).sum()) + blank,
        "records without z, dropped": no_z,
        "cut records, dropped": cut,
    }.items():
        _count(counted, kind, count)
    names = [name.strip() for name in table["activity"].dictionary.to_pylist()]
    if unknown := [name for name in names if name not in CLASSES]:
        row = raw.count(b"\n", 0, raw.find(unknown[0].encode())) + 1
        raise UserError(f"{path}, row {row}: activity {unknown[0]!r} is not one of {', '.join(CLASSES)}.")
    code = np.array([CLASSES.index(name) for name in names], np.int64)[table["activity"].indices.to_numpy()]
    values = np.empty((len(code), 3), np.float32)
    for number, axis in enumerate("xyz"):
        values[:, number] = table[axis].to_numpy()
    return Records(table["user"].to_numpy(), code, table["timestamp"].to_numpy(), values)


def _first_defect(raw: bytes) -> str:
    """Describe the first record that does not have six cells."""
    for row, line in enumerate(raw.decode(errors="replace").split("\n"), 1):
        for record in line.replace(",;", ";").split(";"):
            cells = record.count(",") + 1
            if record.strip() and cells != len(KINDS):
                return f"row {row}: {cells} cells where {len(KINDS)} ({', '.join(KINDS)}) were expected"
    raise AssertionError("a counted defect was not found")


def _parse(text: bytearray, lines: list[str], counted: dict[str, int], path: Path) -> pa.RecordBatch:
    """Parse the six columns, without records that hold an invalid number; ``lines`` receives all other lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    integer, number, text_type = pa.int64(), pa.float64(), pa.dictionary(pa.int32(), pa.string())
    types = dict(zip(KINDS, (integer, text_type, integer, number, number, number), strict=True))
    try:
        return _as_batch(_columns(text, types, lines))
    except pa.ArrowInvalid:
        # Three times slower: read as text first, to find the cells that are not numbers.
        lines.clear()
        words = _columns(text, dict.fromkeys(KINDS, pa.string()), lines)
    valid = np.ones(len(words), np.bool_)
    columns = {}
    for name, kind in types.items():
        columns[name] = pc.utf8_trim_whitespace(words[name])
        if kind is not text_type:
            pattern = r"^[+-]?\d+$" if kind is integer else r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
            valid &= pc.match_substring_regex(columns[name], pattern).to_numpy()
    _count(counted, "records with a cell that is no number, dropped", int((~valid).sum()))
    if (~valid).sum() > MAX_DEFECTIVE * len(valid):
        raise UserError(f"{path}: {int((~valid).sum()):,} of {len(valid):,} records have a cell that is not a number.")
    table = pa.table(columns).filter(pa.array(valid))
    table = pa.table({name: table[name].cast(kind) for name, kind in types.items()})
    return _as_batch(table)


def _as_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table's rows as one batch, empty if there are none."""
    import pyarrow as pa

    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _columns(text: bytearray, types: dict[str, pa.DataType], lines: list[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    def skip(row: csv.InvalidRow) -> str:
        lines.append(row.text)
        return "skip"

    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(text)),
        read_options=csv.ReadOptions(column_names=list(types), block_size=BLOCK),
        parse_options=csv.ParseOptions(quote_char=False, invalid_row_handler=skip),
        convert_options=csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        memory_pool=pa.system_memory_pool(),
    )


def _split_records(
    codes: NDArray[np.int64], stamps: NDArray[np.int64], values: Floats, counted: dict[str, int]
) -> list[Stretch]:
    """Split one subject's records into stretches; rows without a time are interpolated or kept apart."""
    rate = CARD.spec.rate
    seconds: Times = (stamps * NANOSECONDS).astype(np.float64)
    alone: list[tuple[int, int]] = []
    for first, last in find_runs(stamps == 0):
        inside = first > 0 and last < len(stamps) and codes[first - 1] == codes[last] == codes[first]
        span = seconds[last] - seconds[first - 1] if inside else 0.0
        if inside and len(set(codes[first:last].tolist())) == 1 and 0 < span <= (last - first + GAP_PERIODS) / rate:
            seconds[first:last] = np.linspace(seconds[first - 1], seconds[last], last - first + 2)[1:-1]
            _count(counted, "records without a time, timed between their neighbours", last - first)
        else:
            edges = np.flatnonzero(np.diff(codes[first:last])) + 1 + first
            bounds = [first, *edges.tolist(), last]
            alone += itertools.pairwise(bounds)
            _count(counted, "records without a time, timed at the nominal rate and kept apart", last - first)
    timed = np.ones(len(stamps), np.bool_)
    for first, last in alone:
        timed[first:last] = False
    rows = np.flatnonzero(timed)
    stretches = [
        Stretch(piece.code, piece.session, int(rows[piece.row]), piece.seconds, piece.values)
        for piece in split_at_gaps(codes[rows], seconds[rows], values[rows], rate=rate, counted=counted)
    ]
    for first, last in alone:
        session = max((piece.session for piece in stretches if piece.row < first), default=1)
        stretches.append(Stretch(int(codes[first]), session, first, np.arange(last - first) / rate, values[first:last]))
    return sorted(stretches, key=lambda piece: piece.row)


def _count(counted: dict[str, int], kind: str, count: int) -> None:
    counted[kind] = counted.get(kind, 0) + count
