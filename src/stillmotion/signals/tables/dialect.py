"""Detection of a text table's encoding, delimiter, decimal mark and heading, from its first rows."""

from __future__ import annotations

import io
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError

#: Longest name shown in a message, in characters, and longest list, in names.
LONGEST, MOST = 80, 40
#: Bytes of a file that are examined.
SAMPLE = 1 << 18
DELIMITERS = (",", ";", "\t", "|", " ")
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a blank"}
#: Beginnings of lines that are remarks, if they are above the heading.
REMARKS = ("#", "%", "//")
#: Most lines of one quoted cell, and most columns.
LONGEST_CELL, MOST_COLUMNS = 20, 5000
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """Format of a text table.

    ``above`` counts the lines before the data, ``rows`` are the cells of its first rows, ``skipped`` counts the lines
    above the heading, and ``units`` are the cells of a row of units below it.
    """

    encoding: str
    delimiter: str
    decimal: str
    heading: tuple[str, ...]
    above: int
    rows: tuple[tuple[str, ...], ...]
    skipped: int = 0
    units: tuple[str, ...] = ()


def require_file(path: Path) -> None:
    """Raise unless ``path`` is a readable file that is not empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UserError(f"{path} is not there.") from None
    except (OSError, ValueError) as reason:
        raise UserError(f"{make_printable(path)} cannot be read: {getattr(reason, 'strerror', reason)}.") from reason
    if stat.S_ISDIR(status.st_mode):
        raise UserError(
            f"{path} is a folder; name the files in it, with --files '{{subject}}.csv' or files = '{{subject}}.csv' in "
            f"a mapping."
        )
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is a pipe or a device, not a file; write its output to a file.")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read; change its permissions.")
    if status.st_size == 0:
        raise UserError(f"{path} is empty.")


def make_printable(name: object) -> str:
    """Return a name for use in a message: on one line and of limited length."""
    text = "".join(letter if letter.isprintable() else "�" for letter in str(name))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def detect_dialect(
    path: Path, *, delimiter: str = "", decimal: str = "", encoding: str = "", heading: tuple[str, ...] = ()
) -> Dialect:
    """Detect the format of a text table; given values are used as they are.

    Remarks above the heading and a row of units below it are skipped.
    """
    require_file(path)
    text, encoding = _decode_sample(path, encoding)
    records = [(at, line) for at, line in _split_records(text) if line.strip()]
    if not records:
        raise UserError(f"{path} holds only empty lines.")
    if not text.endswith(("\n", "\r")) and len(records) > 2:
        records.pop()  # the sample ends within this line
    lines = [line for _, line in records[:200]]
    remarks = next((number for number, line in enumerate(lines) if not line.startswith(REMARKS)), len(lines) - 1)
    delimiter = delimiter or _detect_delimiter(lines[remarks : remarks + 50])
    rows = [split_cells(line, delimiter) for line in lines]
    first = remarks + (0 if heading else _skip_preamble(rows[remarks:]))
    above = records[first][0]
    names = heading
    units: tuple[str, ...] = ()
    if not heading:
        hidden = split_cells(lines[remarks - 1].lstrip("#%/ "), delimiter) if remarks else []
        if first == remarks and _are_numbers(rows[first]) and len(hidden) == len(rows[first]) > 1:
            # The names are in the last remark, as NumPy writes them.
            names = _name_columns(path, hidden)
        else:
            names = _name_columns(path, rows[first])
            first += 1
            above = records[first][0] if first < len(records) else above + 1
        if _is_unit_row(rows[first:], len(names)):
            units = tuple(rows[first])
            first, above = first + 1, records[first + 1][0]
    rows = rows[first:]
    decimal = decimal or _detect_decimal(rows, delimiter)
    wrong = next((number for number, row in enumerate(rows) if len(row) != len(names)), None)
    if wrong == 0 and len(rows[0]) > len(names) == 1:
        raise UserError(
            f"{path}, row {above}: {lines[first - 1][:40]!r} is not a heading for rows of {len(rows[0])} cells; remove "
            f"the lines above the column names."
        )
    if wrong == 0 and delimiter == "," and len(rows[0]) > len(names):
        raise UserError(
            f"{path}, row {above + 1}: {len(rows[0])} cells below a heading of {len(names)}; are there decimal commas "
            f"in a table delimited by commas? Write decimal points, or delimit cells by semicolons."
        )
    skipped = first - bool(units) - (not heading)
    return Dialect(encoding, delimiter, decimal, names, above, tuple(tuple(row) for row in rows), skipped, units)


def _split_records(text: str) -> list[tuple[int, str]]:
    """Split text into rows with the number of their first line; a line break inside quotes ends no row."""
    lines = text.splitlines()
    if '"' not in text:
        return list(enumerate(lines))
    records, start, open_ = [], 0, ""
    for number, line in enumerate(lines):
        joined = f"{open_}\n{line}" if open_ else line
        if joined.count('"') % 2 and number - start < LONGEST_CELL:
            open_ = joined
            continue
        records.append((start, joined))
        start, open_ = number + 1, ""
    return [*records, *([(start, open_)] if open_ else [])]


def _skip_preamble(rows: list[list[str]]) -> int:
    """Count the lines above the heading: shorter than the rows, which begin with a line of names."""
    counts = [len(row) for row in rows]
    usual = max(set(counts), key=counts.count)
    if usual < 2 or counts[0] >= usual or counts.count(usual) < 0.5 * len(counts):
        return 0
    first = counts.index(usual)
    return first if first <= MOST and not any(NUMBER.fullmatch(cell) for cell in rows[first]) else 0


def _is_unit_row(rows: list[list[str]], width: int) -> bool:
    """Return whether the first row holds words where all others hold numbers: the units of the columns."""
    if len(rows) < 4 or any(len(row) != width for row in rows[:4]):
        return False
    numeric = [at for at in range(width) if all(_is_number(row[at]) for row in rows[1:20] if len(row) == width)]
    return (
        len(numeric) >= 2 and not any(_is_number(rows[0][at]) for at in numeric) and any(rows[0][at] for at in numeric)
    )


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None or DECIMAL_COMMA.fullmatch(cell) is not None


def _are_numbers(cells: list[str]) -> bool:
    return all(_is_number(cell) for cell in cells if cell)


def _decode_sample(path: Path, encoding: str) -> tuple[str, str]:
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            raw = stream.read(SAMPLE)
    except (OSError, pa.ArrowInvalid) as reason:
        if path.suffix.lower() in (".gz", ".bz2"):
            why = f"it is not {path.suffix.lower()}, or was cut short"
            raise UserError(f"{path} cannot be unpacked: {why}; write it again ({reason}).") from reason
        why = getattr(reason, "strerror", None) or str(reason)
        raise UserError(f"{path} cannot be read: {why}; check its permissions and its disk.") from reason
    if not encoding:
        encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    if encoding == "utf-8" and b"\0" in raw:
        raise UserError(f"{path} holds zero bytes, so it is not text; CSV or Parquet was expected.")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        # A character may be cut at the end of the sample, but not within it.
        cut = len(raw) - 4 if len(raw) > SAMPLE - 4 else len(raw)
        raw[:cut].decode(encoding)
        return raw.decode(encoding, errors="ignore"), encoding
    except UnicodeDecodeError as reason:
        if reason.start >= cut - 4 and cut < len(raw):
            return raw.decode(encoding, errors="ignore"), encoding
        row = raw.count(b"\n", 0, reason.start) + 1
        raise UserError(describe_wrong_encoding(path, row, encoding, raw[reason.start])) from reason
    except (LookupError, UnicodeError):
        raise UserError(f"Unknown encoding {encoding!r}. Usual ones: utf-8, latin-1, cp1252, utf-16.") from None


def describe_wrong_encoding(path: Path, row: int, encoding: str, byte: int | None = None) -> str:
    """Return the message for bytes that do not match the encoding."""
    detail = "" if byte is None else f" (byte 0x{byte:02x})"
    return (
        f"{path}, row {row}: not {encoding.upper()}{detail}; set another, such as encoding = 'latin-1' in a mapping or "
        f"--encoding latin-1."
    )


def _detect_delimiter(lines: list[str]) -> str:
    """Return the delimiter that gives most rows the same, largest number of cells; a comma if none does.

    One that gives the first row as many goes before one that does not, which cells with blanks may look like.
    """
    best, most = ",", (False, 0)
    for candidate in DELIMITERS:
        counts = [len(split_cells(line, candidate)) - 1 for line in lines]
        # A few rows may be defective; they raise their own error later.
        usual = max(set(counts), key=counts.count)
        rank = counts[0] == usual, usual
        if usual and rank > most and counts.count(usual) >= 0.6 * len(counts) and usual in counts[:MOST]:
            best, most = candidate, rank
    return best


def split_cells(line: str, delimiter: str) -> list[str]:
    """Split a row into cells, quoted or not, without the blanks around them."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    import csv

    # Line by line, as a cell in quotes may hold a line's end that is none for a delimiter beside which no quote stands.
    return [cell.strip() for cell in next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter))]


def _name_columns(path: Path, cells: list[str]) -> tuple[str, ...]:
    if len(cells) > MOST_COLUMNS:
        raise UserError(
            f"{path}, row 1: {len(cells):,} columns, more than {MOST_COLUMNS:,}; is the table transposed, or are its "
            f"line breaks lost?"
        )
    if _are_numbers(cells):
        raise UserError(
            f"{path}, row 1: numbers where column names were expected; add a row of names, or set "
            f"heading = ['t', 'ax', …] in a mapping."
        )
    names = tuple(cell or f"column {number}" for number, cell in enumerate(cells, 1))
    for name, count in Counter(names).items():
        if count > 1:
            places = [str(number) for number, other in enumerate(names, 1) if other == name]
            places = places if len(places) <= MOST else [*places[: MOST - 2], "…", places[-1]]
            raise UserError(
                f"{path}, row 1: {make_printable(name)!r} is the name of columns {' and '.join(places)}; give each "
                f"its own name."
            )
    return names


def _detect_decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell for row in rows for cell in row]
    commas = any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return "," if commas and not any(DECIMAL_POINT.fullmatch(cell) for cell in cells) else "."
