"""Read and check columns of predictions; errors name the row."""

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
EXPECTED = {"whole": "a whole number", "number": "a number", "word": "a word"}
#: Largest number of distinct values in a file. Statistics resample subjects; more are rarely real subjects.
MOST = {"subject": 5000, "fold": 5000, "seed": 5000, "variant": 200}
#: Most characters of a name; NumPy reserves the longest for every row.
LONGEST = 200
NAMES = (*NEEDED, "prediction", "recording", "time", "variant")
SCORE = re.compile(r"score_[0-9]{1,6}")


def read_scores(path: Path, table: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float32]] | None:
    """Read the score columns, in the order of the classes; None if there are none."""
    names = [name for name in table.column_names if SCORE.fullmatch(name)]
    if not names:
        return None
    expected = [f"score_{at}" for at in range(len(names))]
    if set(names) != set(expected) or not 2 <= len(names) <= MOST_CLASSES:
        listed = ", ".join(names[:8]) + (f" … ({len(names)})" if len(names) > 8 else "")
        raise UserError(
            f"{path} has {listed}; score columns are score_0, score_1 … without a gap, 2 to {MOST_CLASSES} of them."
        )
    scores = np.empty((table.num_rows, len(names)), np.float32)
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinite, and is refused with its row
        for at, name in enumerate(expected):
            scores[:, at] = read_column(path, table, name)
    return scores


def read_column(path: Path, table: pa.Table, name: str) -> Any:
    """Read one column as an array of its kind; None if there is none."""
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
        return _to_names(path, name, values)
    numbers = np.asarray(values.to_numpy())
    if name in MOST and len(unique := np.unique(numbers, return_index=True)[1]) > MOST[name]:
        raise _too_many(path, name, int(np.sort(unique)[MOST[name]]))
    return numbers


def _require_full(path: Path, name: str, empty: pa.ChunkedArray, kind: str) -> None:
    blank = np.flatnonzero(empty.to_numpy())
    if len(blank):
        raise UserError(f"{at_row(path, int(blank[0]))}: {name} is empty, not {EXPECTED[kind]}.")


def _cast(path: Path, name: str, column: pa.ChunkedArray, wanted: pa.DataType, kind: str) -> pa.ChunkedArray:
    """Cast a column to another type, or raise an error that names the first row that cannot be cast."""
    import pyarrow as pa
    from pyarrow import compute

    if not _plain(column.type):
        raise UserError(f"{at_row(path, 0)}: {name} is {str(column.type)[:40]!r}, not {EXPECTED[kind]}.")

    def converted(part: pa.ChunkedArray) -> pa.ChunkedArray:
        # Arrow trusts the strings of a Parquet file, and checks UTF-8 only when it casts bytes to strings.
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
                raise UserError(
                    f"{at_row(path, row)}: {name} is {_format(column[row])}, not {EXPECTED[kind]}."
                ) from None
        raise


def _plain(kind: pa.DataType) -> bool:
    """Tell strings and numbers, plain or as categories, from other types such as times and lists."""
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


def _format(value: pa.Scalar) -> str:
    try:
        return repr(str(value.as_py())[:40])
    except ValueError:  # bytes that are not UTF-8
        return "unreadable"


def _to_names(path: Path, name: str, words: pa.ChunkedArray) -> Any:
    """Convert strings to an array; each distinct one must be a short name that can be shown."""
    coded = words.combine_chunks().dictionary_encode()
    names, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()

    def row(number: int) -> int:
        return int(np.argmax(codes == number))

    if name in MOST and len(names) > MOST[name]:
        raise _too_many(path, name, row(MOST[name]))
    for number, word in enumerate(names):
        if not word:
            raise UserError(f"{at_row(path, row(number))}: {name} is empty, not {EXPECTED['word']}.")
        if len(word) > LONGEST:
            what = f"{len(word):,} characters long; the limit is {LONGEST}"
            raise UserError(f"{at_row(path, row(number))}: {name} is {what}.")
    if path.suffix == ".csv":
        names = [unescape_csv(word) for word in names]
    # NumPy would drop a NUL at the end of a name; ``require_name`` refuses every one.
    checked = [require_name(word, f"{at_row(path, row(number))}: {name}") for number, word in enumerate(names)]
    return np.asarray(checked, np.str_)[codes]


def _too_many(path: Path, name: str, row: int) -> UserError:
    return UserError(f"{at_row(path, row)}: this is {name} number {MOST[name] + 1:,}; a file may hold {MOST[name]:,}.")


def _words(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def at_row(path: Path, row: int) -> str:
    """Name the file and row for an error message; lines of a CSV file include its header."""
    return f"{path}, line {row + 2}" if path.suffix == ".csv" else f"{path}, row {row + 1}"
