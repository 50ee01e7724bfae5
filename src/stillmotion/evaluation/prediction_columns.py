"""Columns of predictions as arrays: what may be in them, and the row where something else is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..escaping import unescape_csv
from ..names import require_name
from .predictions import MOST_CLASSES

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = ("subject", "fold", "seed", "y")
KINDS = {"seed": "whole", "y": "whole", "prediction": "whole", "time": "number"}
SAID = {"whole": "a whole number", "number": "a number", "word": "a word"}
#: So many different ones a file may hold. Everything is drawn by subject, and more are seldom subjects.
MOST = {"subject": 5000, "fold": 5000, "seed": 5000, "variant": 200}
#: Characters of a name; NumPy gives every row the room of the longest.
LONGEST = 200
NAMES = (*NEEDED, "prediction", "recording", "time", "variant")
SCORE = re.compile(r"score_[0-9]{1,6}")


def read_scores(path: Path, table: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float32]] | None:
    """Read the score columns, in the order of their classes; None where there are none."""
    names = [name for name in table.column_names if SCORE.fullmatch(name)]
    if not names:
        return None
    wanted = [f"score_{at}" for at in range(len(names))]
    if set(names) != set(wanted) or not 2 <= len(names) <= MOST_CLASSES:
        there = ", ".join(names[:8]) + (f" … ({len(names)})" if len(names) > 8 else "")
        raise UserError(
            f"{path} has {there}; score columns are score_0, score_1 … without a gap, 2 to {MOST_CLASSES} of them."
        )
    scores = np.empty((table.num_rows, len(names)), np.float32)
    with np.errstate(over="ignore"):  # what is too large for 32 bits is infinite, and refused with its row
        for at, name in enumerate(wanted):
            scores[:, at] = read_column(path, table, name)
    return scores


def read_column(path: Path, table: pa.Table, name: str) -> Any:
    """Read one column as an array of its kind; None where there is none."""
    import pyarrow as pa
    from pyarrow import compute

    if name not in table.column_names:
        return None
    column = table[name]
    kind = "number" if SCORE.fullmatch(name) else KINDS.get(name, "word")
    wanted = {"whole": pa.int64(), "number": pa.float64(), "word": pa.large_string()}[kind]
    if column.null_count or (kind == "word" and pa.types.is_floating(column.type)):
        _require_full(path, name, compute.is_null(column, nan_is_null=pa.types.is_floating(column.type)), kind)
    values = _cast(path, name, column, wanted, kind)
    if kind == "word":
        return _coded(path, name, values)
    numbers_of = np.asarray(values.to_numpy())
    if name in MOST and len(unique := np.unique(numbers_of, return_index=True)[1]) > MOST[name]:
        raise _too_many(path, name, int(np.sort(unique)[MOST[name]]))
    return numbers_of


def _require_full(path: Path, name: str, empty: pa.ChunkedArray, kind: str) -> None:
    blank = np.flatnonzero(empty.to_numpy())
    if len(blank):
        raise UserError(f"{at_row(path, int(blank[0]))}: {name} is empty, not {SAID[kind]}.")


def _cast(path: Path, name: str, column: pa.ChunkedArray, wanted: pa.DataType, kind: str) -> pa.ChunkedArray:
    """The column as another type; where that fails, its first row that cannot be."""
    import pyarrow as pa
    from pyarrow import compute

    if not _plain(column.type):
        raise UserError(f"{at_row(path, 0)}: {name} is {str(column.type)[:40]!r}, not {SAID[kind]}.")

    def converted(part: pa.ChunkedArray) -> pa.ChunkedArray:
        # Arrow trusts Parquet that words are text, and looks only at bytes that become words.
        return (part.cast(pa.large_binary()) if _words(part.type) and kind == "word" else part).cast(wanted)

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return converted(column)
    except pa.ArrowException:
        if _words(column.type) and kind != "word":
            _require_full(path, name, compute.equal(column, ""), kind)
        for row in range(len(column)):
            try:
                converted(column.slice(row, 1))
            except pa.ArrowException:
                raise UserError(f"{at_row(path, row)}: {name} is {_shown(column[row])}, not {SAID[kind]}.") from None
        raise


def _plain(kind: pa.DataType) -> bool:
    """Words or numbers, once or as categories. A time or a list that casts to a number is none."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    return bool(
        _words(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _shown(value: pa.Scalar) -> str:
    try:
        return repr(str(value.as_py())[:40])
    except ValueError:  # bytes that are no text
        return "unreadable"


def _coded(path: Path, name: str, words: pa.ChunkedArray) -> Any:
    """Words as an array, each different one looked at once: short, not empty, and without the NUL that NumPy drops."""
    coded = words.combine_chunks().dictionary_encode()
    names, place = coded.dictionary.to_pylist(), coded.indices.to_numpy()

    def row(number: int) -> int:
        return int(np.argmax(place == number))

    if name in MOST and len(names) > MOST[name]:
        raise _too_many(path, name, row(MOST[name]))
    for number, word in enumerate(names):
        if not word:
            raise UserError(f"{at_row(path, row(number))}: {name} is empty, not {SAID['word']}.")
        if len(word) > LONGEST or "\0" in word:
            what = f"{len(word):,} characters long; {LONGEST} may be" if len(word) > LONGEST else "a word with a NUL"
            raise UserError(f"{at_row(path, row(number))}: {name} is {what}.")
    if path.suffix == ".csv":
        names = [unescape_csv(word) for word in names]
    return np.asarray([require_name(word, f"{name} in {path}") for word in names], np.str_)[place]


def _too_many(path: Path, name: str, row: int) -> UserError:
    return UserError(f"{at_row(path, row)}: this is {name} number {MOST[name] + 1:,}; a file may hold {MOST[name]:,}.")


def _words(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def at_row(path: Path, row: int) -> str:
    """A row's place; a CSV file's lines count its heading."""
    return f"{path}, line {row + 2}" if path.suffix == ".csv" else f"{path}, row {row + 1}"
