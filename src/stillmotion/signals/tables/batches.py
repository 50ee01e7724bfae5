"""Reading of one file of a table in batches of typed columns, in bounded memory."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UnknownName, UserError
from ..recording import Floats, Times
from .columnar import is_columnar, iterate_columns, open_columns
from .dates import parse_dates
from .dialect import MOST, NUMBER, Dialect, describe_wrong_encoding, detect_dialect, make_printable
from .mapping import TIME_UNITS, Device, TableMap

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of text that are read at a time.
BLOCK = 1 << 22
#: Cells that stand for a missing number.
NO_NUMBER = ("", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "none", "-nan")

_CELLS = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_ROW = re.compile(r"Row #(\d+)")


class Unreadable(Exception):
    """Raised when the fast way of reading a text file fails; the careful way may work, or names the cause."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a file: number of the first row, text columns by name, seconds, sensor values (n, D)."""

    row: int
    words: Mapping[str, pa.Array]
    seconds: Times | None
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


def read_batches(
    path: Path, device: Device, table: TableMap, counted: dict[str, int], *, careful: bool = False
) -> Iterator[Batch]:
    """Yield the rows of one file that belong to a device.

    Args:
        path: CSV, TSV or text, also compressed (.gz, .bz2), or a file of columns.
        device: columns and rows to read.
        table: format of text files, where it is given.
        counted: receives the counts of dropped headings.
        careful: read every column as text first. Slower; it drops headings repeated in the middle and names the row of
            a cell that is not a number.

    Raises:
        Unreadable: a cell has an unexpected value, and ``careful`` is false.
    """
    as_text = not is_columnar(path)
    raw = _iterate_text(path, device, table, counted, careful=careful) if as_text else _iterate_columns(path, device)
    for row, columns in raw:
        columns = _select_rows(path, row, columns, device)
        count = columns.num_rows
        values = np.empty((count, len(device.sensors)), np.float32)
        for number, (column, _) in enumerate(device.sensors):
            with np.errstate(over="ignore"):
                # A value too large for float32 becomes infinite, which counts as missing.
                values[:, number] = _read_floats(path, row, columns, column)
        words = {
            name: _read_words(path, row, columns, name)
            for name in (device.subject, device.session, device.label)
            if name
        }
        yield Batch(row, words, _read_seconds(path, row, columns, device), values)


def columns_of(path: Path, table: TableMap) -> tuple[str, ...]:
    """Return the names of a file's columns."""
    return open_columns(path).names if is_columnar(path) else _dialect(path, table).heading


def _dialect(path: Path, table: TableMap) -> Dialect:
    return detect_dialect(
        path, delimiter=table.delimiter, decimal=table.decimal, encoding=table.encoding, heading=table.heading
    )


def _require(path: Path, device: Device, names: Sequence[str]) -> None:
    for wanted in device.columns:
        if wanted not in names:
            listed = [make_printable(name) for name in names]
            raise UnknownName(
                f"column in {path}:", make_printable(wanted), listed if len(listed) <= MOST else [*listed[:MOST], "…"]
            )


def _iterate_text(
    path: Path, device: Device, table: TableMap, counted: dict[str, int], *, careful: bool
) -> Iterator[tuple[int, pa.RecordBatch]]:
    import pyarrow as pa
    from pyarrow import csv

    dialect = _dialect(path, table)
    _require(path, device, dialect.heading)
    numbers = {column for column, _ in device.sensors}
    if device.time and device.unit_of_time != "iso":
        numbers.add(device.time)
    types = {name: pa.float64() if name in numbers and not careful else pa.string() for name in device.columns}
    row = 1 + dialect.above
    for kind, count in (
        ("lines above a heading, skipped", dialect.skipped),
        ("rows of units, skipped", int(bool(dialect.units))),
    ):
        counted[kind] = counted.get(kind, 0) + count
    try:
        reader = csv.open_csv(
            str(path),
            read_options=csv.ReadOptions(
                block_size=BLOCK,
                # Arrow only knows the row of an error if blocks are parsed one after the other.
                use_threads=not careful,
                encoding=dialect.encoding,
                column_names=list(dialect.heading),
                skip_rows=dialect.above,
            ),
            # Slower, but a line break inside quotes then ends no row wherever it falls.
            parse_options=csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=careful),
            convert_options=csv.ConvertOptions(
                column_types=types,
                include_columns=list(device.columns),
                null_values=list(NO_NUMBER),
                strings_can_be_null=False,
                decimal_point=dialect.decimal,
            ),
        )
        for batch in reader:
            if careful:
                converted, dropped = _cast(path, row, batch, numbers, dialect)
                counted["headings in the middle of a table, dropped"] = (
                    counted.get("headings in the middle of a table, dropped", 0) + dropped
                )
                yield row, converted
            else:
                yield row, batch
            row += batch.num_rows
    except (pa.ArrowInvalid, UnicodeDecodeError) as reason:
        if not careful:
            raise Unreadable from reason
        raise UserError(_explain(path, str(reason), row, dialect)) from reason
    except (OSError, EOFError) as reason:
        raise UserError(f"{path} cannot be read to its end; it may have been cut short ({reason}).") from reason
    if row == 1 + dialect.above:
        raise UserError(f"{path} has a heading but no rows.")


def _cast(
    path: Path, row: int, batch: pa.RecordBatch, numbers: set[str], dialect: Dialect
) -> tuple[pa.RecordBatch, int]:
    """Convert text to numbers and drop rows that repeat the heading; another cell is an error with its row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stripped = {name: pc.utf8_trim_whitespace(batch[name]) for name in batch.schema.names}
    heading = np.ones(batch.num_rows, np.bool_)
    for name in numbers:
        heading &= pc.equal(stripped[name], name).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(~heading)
    columns = {}
    for name, column in stripped.items():
        kept = column.filter(pa.array(~heading))
        if name in numbers:
            plain = pc.replace_substring(kept, ",", ".") if dialect.decimal == "," else kept
            absent = pc.is_in(kept, pa.array(NO_NUMBER))
            plain = pc.if_else(absent, pa.scalar(None, pa.string()), plain)
            try:
                kept = plain.cast(pa.float64())
            except pa.ArrowInvalid:
                cells = plain.to_pylist()
                wrong = next((n for n, cell in enumerate(cells) if cell and not NUMBER.fullmatch(cell)), 0)
                hint = "; is it a decimal comma?" if "," in str(cells[wrong]) else ""
                raise UserError(
                    f"{path}, row {row + int(rows[wrong])}: {name} is {cells[wrong]!r}, not a number{hint}."
                ) from None
        columns[name] = kept
    return pa.RecordBatch.from_pydict(columns), int(heading.sum())


def _explain(path: Path, reason: str, row: int, dialect: Dialect) -> str:
    """Turn Arrow's error into one sentence with file and row."""
    if match := _CELLS.search(reason):
        number = int(match[1])
        return (
            f"{path}, row {number}: {match[3]} cells where {match[2]} were expected ({', '.join(dialect.heading[:6])}"
            f"{', …' if len(dialect.heading) > 6 else ''}); correct the row, or write the file again if it was cut."
        )
    if "UTF8" in reason or "codec" in reason:
        at = _ROW.search(reason)
        return describe_wrong_encoding(path, int(at[1]) if at else row, dialect.encoding)
    if "Empty CSV" in reason:
        return f"{path} has a heading but no rows."
    return f"{path}, from row {row} on: {reason.splitlines()[0].rstrip('.')}."


def _iterate_columns(path: Path, device: Device) -> Iterator[tuple[int, pa.RecordBatch]]:
    columns = open_columns(path)
    _require(path, device, columns.names)
    if columns.count == 0:
        raise UserError(f"{path} has a heading but no rows.")
    yield from iterate_columns(path, columns, device.columns)


def _select_rows(path: Path, row: int, columns: pa.RecordBatch, device: Device) -> pa.RecordBatch:
    """Return the rows of this device."""
    import pyarrow.compute as pc

    for column, value in device.where:
        columns = columns.filter(pc.equal(_read_words(path, row, columns, column), value))
    return columns


def _read_words(path: Path, row: int, columns: pa.RecordBatch, name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = columns[name]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        # 3.0 is subject 3; other values keep their fraction.
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    try:
        return pc.fill_null(pc.utf8_trim_whitespace(column.cast(pa.string())), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}, from row {row} on: {make_printable(name)} holds {column.type}, not text.") from None


def _read_floats(path: Path, row: int, columns: pa.RecordBatch, name: str) -> Times:
    import pyarrow as pa

    column = columns[name]
    try:
        numbers: Times = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(
            f"{path}, from row {row} on: {make_printable(name)} holds {column.type}, not numbers."
        ) from None
    return numbers


def _read_seconds(path: Path, row: int, columns: pa.RecordBatch, device: Device) -> Times | None:
    """Return the device's clock in seconds; a row without a time is an error."""
    import pyarrow as pa

    if not device.time:
        return None
    column, scale = columns[device.time], TIME_UNITS[device.unit_of_time]
    if device.unit_of_time == "iso":
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = parse_dates(path, row, device.time, column)
        elif not pa.types.is_timestamp(column.type):
            raise UserError(
                f"{path}: {device.time} holds {column.type}, not dates; set unit_of_time to s, ms, us or ns."
            )
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz), safe=False).cast(pa.int64())
        scale = 1e-9
    elif pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        whole = pa.duration("ns") if pa.types.is_duration(column.type) else pa.time64("ns")
        column, scale = column.cast(whole).cast(pa.int64()), 1e-9
    # In float64, nanoseconds since 1970 are exact to a quarter of a microsecond.
    try:
        numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}, from row {row} on: {device.time} holds {column.type}, not times.") from None
    seconds = numbers * scale + device.offset
    absent = np.flatnonzero(~np.isfinite(seconds))
    if len(absent):
        raise UserError(f"{path}, row {row + int(absent[0])}: no time in {device.time}; fill it in or remove the row.")
    timed: Times = seconds
    return timed
