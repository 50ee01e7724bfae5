"""A text table's encoding, delimiter, decimal point and heading, found on its first rows."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError

#: Letters of a name that are shown, and names of a list.
LONGEST, MOST = 80, 40
#: So much of a file is looked at (bytes).
SAMPLE = 1 << 18
DELIMITERS = (",", ";", "\t", "|", " ")
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a blank"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written: ``above`` lines stand over its data, whose first rows' cells are ``rows``."""

    encoding: str
    delimiter: str
    decimal: str
    heading: tuple[str, ...]
    above: int
    rows: tuple[tuple[str, ...], ...]


def require_file(path: Path) -> None:
    """Raise unless ``path`` is a file with something in it."""
    try:
        kind = path.stat()
    except FileNotFoundError:
        raise UserError(f"{path} is not there.") from None
    except (OSError, ValueError) as reason:
        raise UserError(f"{make_printable(path)} cannot be read: {getattr(reason, 'strerror', reason)}.") from reason
    if stat.S_ISDIR(kind.st_mode):
        raise UserError(
            f"{path} is a folder; name the files in it, with --files '{{subject}}.csv' or files = '{{subject}}.csv' in "
            f"a mapping."
        )
    if not stat.S_ISREG(kind.st_mode):
        raise UserError(f"{path} is no file but a pipe or a device; write what comes out of it to a file.")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} may not be read; change its permissions.")
    if kind.st_size == 0:
        raise UserError(f"{path} is empty.")


def make_printable(name: object) -> str:
    """A name as it may stand in a sentence: not longer than that, and on one line."""
    text = "".join(letter if letter.isprintable() else "�" for letter in str(name))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def detect_dialect(
    path: Path, *, delimiter: str = "", decimal: str = "", encoding: str = "", heading: tuple[str, ...] = ()
) -> Dialect:
    """Find out how a text table is written; what is given is taken as it is."""
    require_file(path)
    text, encoding = _decode_sample(path, encoding)
    physical = text.splitlines()
    lines = [line for line in physical if line.strip()]
    if not lines:
        raise UserError(f"{path} holds nothing but empty lines.")
    above = physical.index(lines[0])
    if not text.endswith(("\n", "\r")) and len(lines) > 2:
        lines.pop()  # the sample ends in the middle of it
    delimiter = delimiter or _detect_delimiter(lines[:50])
    rows = [_split_cells(line, delimiter) for line in lines[:200]]
    names = heading or _name_columns(path, rows.pop(0))
    above += not heading
    decimal = decimal or _detect_decimal(rows, delimiter)
    wrong = next((number for number, row in enumerate(rows) if len(row) != len(names)), None)
    if wrong == 0 and len(rows[0]) > len(names) == 1:
        raise UserError(
            f"{path}, row {above}: {lines[0][:40]!r} is no heading of rows that have {len(rows[0])} cells; take out "
            f"what stands above the names of the columns."
        )
    if wrong == 0 and delimiter == "," and len(rows[0]) > len(names):
        raise UserError(
            f"{path}, row {above + 1}: {len(rows[0])} cells below a heading of {len(names)}; are there decimal commas "
            f"in a table that is delimited by commas? Write it with points, or with semicolons between cells."
        )
    return Dialect(encoding, delimiter, decimal, names, above, tuple(tuple(row) for row in rows))


def _decode_sample(path: Path, encoding: str) -> tuple[str, str]:
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            raw = stream.read(SAMPLE)
    except (OSError, pa.ArrowInvalid) as reason:
        raise UserError(f"{path} cannot be unpacked; it may have been cut short ({reason}).") from reason
    if not encoding:
        encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    if encoding == "utf-8" and b"\0" in raw:
        raise UserError(f"{path} holds zero bytes: it is no text; tables are CSV or Parquet.")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        # A character may be cut at the sample's end; one in its middle may not be wrong.
        cut = len(raw) - 4 if len(raw) > SAMPLE - 4 else len(raw)
        raw[:cut].decode(encoding)
        return raw.decode(encoding, errors="ignore"), encoding
    except UnicodeDecodeError as reason:
        if reason.start >= cut - 4 and cut < len(raw):
            return raw.decode(encoding, errors="ignore"), encoding
        row = raw.count(b"\n", 0, reason.start) + 1
        raise UserError(describe_wrong_encoding(path, row, encoding, raw[reason.start])) from reason
    except (LookupError, UnicodeError):
        raise UserError(f"Unknown encoding {encoding!r}; latin-1, cp1252 and utf-16 are usual ones.") from None


def describe_wrong_encoding(path: Path, row: int, encoding: str, byte: int | None = None) -> str:
    """The sentence about bytes that are not what they should be."""
    what = "" if byte is None else f" (byte 0x{byte:02x})"
    return (
        f"{path}, row {row}: not {encoding.upper()}{what}; say encoding = 'latin-1', or what it is, in the mapping or "
        f"with --encoding."
    )


def _detect_delimiter(lines: list[str]) -> str:
    """What splits the rows into equally many cells, most of them; a comma when nothing does."""
    best, most = ",", 0
    for candidate in DELIMITERS:
        counts = [len(_split_cells(line, candidate)) - 1 for line in lines]
        # A row or two may be defective: they get an error of their own.
        usual = max(set(counts), key=counts.count)
        if usual > most and counts.count(usual) >= 0.8 * len(counts) and counts[0] == usual:
            best, most = candidate, usual
    return best


def _split_cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    import csv

    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _name_columns(path: Path, cells: list[str]) -> tuple[str, ...]:
    if all(NUMBER.fullmatch(cell) or DECIMAL_COMMA.fullmatch(cell) for cell in cells if cell):
        raise UserError(
            f"{path}, row 1: numbers where the names of the columns were expected; add a row of names, or give them as "
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
