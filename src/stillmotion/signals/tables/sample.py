"""Rows of a table from its beginning and from places spread over it, to propose a mapping from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import NO_NUMBER
from .columnar import is_columnar, iterate_columns, open_columns
from .dialect import NAMES, Dialect, detect_dialect, split_cells

#: Places of a text file that are looked at, and bytes at each.
PLACES, BYTES = 24, 1 << 13
#: Rows at each place of a file of columns.
ROWS = 200
Cells = Sequence[str]


@dataclass(frozen=True)
class Sample:
    """Some rows of a table.

    Args:
        names: of the columns.
        blocks: rows at each place, column by column as text; the first block is the beginning.
        units: unit of each column as a row of units gives it.
        remarks: what is unusual about the format, a sentence each.
    """

    names: tuple[str, ...]
    blocks: tuple[Mapping[str, Cells], ...]
    units: Mapping[str, str]
    remarks: tuple[str, ...]

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column at all places."""
        return [cell for block in self.blocks for cell in block.get(name, ())]

    def head(self, name: str) -> Cells:
        """Return the cells of a column at the beginning."""
        return self.blocks[0].get(name, ()) if self.blocks else ()

    def numbers(self, name: str) -> NDArray[np.float64] | None:
        """Return a column as numbers at all places, or None if it holds anything else or nothing."""
        return as_numbers(self.cells(name))

    def where(self, column: str, value: str) -> Sample:
        """Return the rows with a value in a column."""
        blocks = []
        for block in self.blocks:
            keep = [number for number, cell in enumerate(block.get(column, ())) if cell == value]
            blocks.append({name: [cells[number] for number in keep] for name, cells in block.items()})
        kept = [block for block in blocks if any(len(cells) for cells in block.values())]
        return Sample(self.names, tuple(kept or blocks[:1]), self.units, self.remarks)

    def runs(self, column: str) -> list[tuple[str, Mapping[str, Cells]]]:
        """Return the stretches of consecutive rows with one value in a column, which may be empty for none."""
        stretches: list[tuple[str, Mapping[str, Cells]]] = []
        for block in self.blocks:
            words = block.get(column)
            if words is None:
                stretches.append(("", block))
                continue
            bounds = [0, *(n for n in range(1, len(words)) if words[n] != words[n - 1]), len(words)]
            for a, b in itertools.pairwise(bounds):
                if b > a:
                    stretches.append((words[a], {name: cells[a:b] for name, cells in block.items()}))
        return stretches


def sample_table(path: Path, known: Mapping[str, Any]) -> Sample:
    """Read rows from the beginning of a table and from places spread over it.

    Args:
        path: text, or a file of columns.
        known: given values of the mapping, of which the format counts.
    """
    return _sample_columns(path) if is_columnar(path) else _sample_text(path, known)


def as_numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return cells as numbers, or None if they hold anything else or nothing."""
    try:
        numbers = np.array([np.nan if cell in NO_NUMBER else float(cell) for cell in cells])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).any() else None


def _sample_text(path: Path, known: Mapping[str, Any]) -> Sample:
    dialect = detect_dialect(
        path,
        **{key: str(known.get(key, "")) for key in ("delimiter", "decimal", "encoding")},
        heading=tuple(known.get("heading", ())),
    )
    remarks = []
    if dialect.skipped:
        remarks.append(f"{dialect.skipped} lines above the heading are skipped")
    if dialect.delimiter != ",":
        remarks.append(f"cells are delimited by {NAMES.get(dialect.delimiter, repr(dialect.delimiter))}")
    if dialect.decimal == ",":
        remarks.append("numbers have decimal commas")
    if dialect.encoding != "utf-8":
        remarks.append(f"the text is {dialect.encoding.upper()}")
    blocks = [_by_column(dialect, dialect.rows), *(_by_column(dialect, rows) for rows in _spread_rows(path, dialect))]
    units = dict(zip(dialect.heading, dialect.units, strict=False))
    return Sample(dialect.heading, tuple(block for block in blocks if block), units, tuple(remarks))


def _by_column(dialect: Dialect, rows: Sequence[Sequence[str]]) -> Mapping[str, Cells]:
    whole = [row for row in rows if len(row) == len(dialect.heading) and tuple(row) != dialect.heading]
    columns = zip(*whole, strict=True)
    return {
        name: [cell.replace(",", ".") if dialect.decimal == "," else cell for cell in cells]
        for name, cells in zip(dialect.heading, columns, strict=False)
    }


def _spread_rows(path: Path, dialect: Dialect) -> list[list[list[str]]]:
    """Read whole rows at places spread over an uncompressed file, beyond those that the dialect holds."""
    if path.suffix.lower() in (".gz", ".bz2") or dialect.encoding.lower().replace("-", "").startswith("utf16"):
        return []
    places = []
    size = path.stat().st_size
    offsets = [0] if size <= PLACES * BYTES else [number * size // PLACES for number in range(1, PLACES)]
    with path.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            text = file.read(size if len(offsets) == 1 else BYTES).decode(dialect.encoding, errors="replace")
            lines = text.splitlines()
            # The first line begins before the place, the last ends after it; the beginning is known.
            lines = lines[dialect.above + len(dialect.rows) :] if offset == 0 else lines[1:-1]
            places.append([split_cells(line, dialect.delimiter) for line in lines if line.strip()])
    return places


def _sample_columns(path: Path) -> Sample:
    columns = open_columns(path)
    names, blocks = columns.names, []
    for number, (_, batch) in enumerate(iterate_columns(path, columns)):
        if number >= PLACES:
            break
        for start in range(0, batch.num_rows, max(ROWS, batch.num_rows // (4 if number else PLACES))):
            part = batch.slice(start, ROWS)
            blocks.append({name: [str(value) for value in part[name].to_pylist()] for name in names})
    return Sample(names, tuple(blocks), {}, ())
