"""Predictions on disk: Parquet or CSV with one row per window.

Columns ``subject``, ``fold``, ``seed``, ``y``, then ``score_0`` … or ``prediction`` or both; optionally ``variant``,
``recording`` and ``time``. Other columns are ignored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..escaping import escape_csv
from ..files import BLANK, SEAL, atomic_write, is_sealed, seal
from .prediction_columns import LONGEST, NAMES, NEEDED, SCORE, at_row, read_column, read_scores
from .predictions import MOST_CLASSES, Predictions, RowFault, count_classes, number_classes, predict_classes

if TYPE_CHECKING:
    import pyarrow as pa

#: Most rows of a file: ten million need one or two gigabytes, and a few kilobytes of Parquet can hold billions.
MOST_ROWS = 10_000_000
#: Most cells of the columns that are read.
MOST_CELLS = 1 << 28
#: Key of a Parquet file's metadata with class names and variant.
KEY = b"stillmotion"


def read_predictions(*paths: Path | str) -> tuple[Predictions, ...]:
    """Read all variants in these files, in order of appearance.

    A variant's name is that in the ``variant`` column, else the one the file was written with, else the file's name.
    A variant may be spread over files (one per run), but no subject, fold and seed may occur twice.

    Args:
        paths: Parquet (``.parquet``) or CSV (``.csv``) files.

    Returns:
        One value per variant.

    Raises:
        UserError: a file is missing, damaged, or holds an invalid row; the error names file and row.

    Example:
        >>> from stillmotion.evaluation import Predictions, read_predictions, write_predictions
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> write_predictions("lm.parquet", predictions)
        >>> read_predictions("lm.parquet")[0].prediction
        array([0, 1, 1, 1])
    """
    if not paths:
        raise UserError("Name at least one file of predictions.")
    parts: dict[str, list[tuple[Path, Predictions]]] = {}
    for path in map(Path, paths):
        for part in _read(path):
            parts.setdefault(part.variant, []).append((path, part))
    return tuple(_join(of_variant) for of_variant in parts.values())


def write_predictions(path: Path | str, *predictions: Predictions) -> None:
    """Write variants to one file, atomically.

    Parquet keeps class names and the file's SHA-256, which is checked on reading; CSV cannot hold them.
    Variants in one file all have scores or all have none.

    Args:
        path: ends with ``.parquet`` or ``.csv``.
        predictions: one or more variants; the column ``variant`` names them.

    Raises:
        UserError: the path has another ending, or the variants differ in their columns.

    Example:
        >>> from stillmotion.evaluation import Predictions, read_predictions, write_predictions
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> write_predictions("lm.csv", predictions)
        >>> read_predictions("lm.csv")[0].variant
        'lm'
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    path = Path(path)
    _require_suffix(path)
    if not predictions:
        raise UserError(f"{path}: there are no predictions to write.")
    tables = [_table(part) for part in predictions]
    if any(table.column_names != tables[0].column_names for table in tables):
        raise UserError(f"{path}: variants in one file must have the same columns; write a file for each.")
    table = pa.concat_tables(tables)
    about = {"classes": list(predictions[0].classes), "variant": predictions[0].variant}
    table = table.replace_schema_metadata({KEY: json.dumps(about).encode(), SEAL: BLANK})
    out = pa.BufferOutputStream()
    if path.suffix == ".parquet":
        parquet.write_table(table, out, compression="zstd")
        atomic_write(path, seal(out.getvalue().to_pybytes()))
    else:
        csv.write_csv(pa.table({name: _escape(table[name]) for name in table.column_names}), out)
        atomic_write(path, out.getvalue().to_pybytes())


def _table(predictions: Predictions) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {"variant": pa.repeat(pa.scalar(predictions.variant, pa.string()), len(predictions))}
    for name in ("subject", "fold", "seed", "recording", "time", "y", "prediction"):
        column = getattr(predictions, name)
        if column is not None:
            columns[name] = pa.array(column, pa.string() if column.dtype.kind == "U" else None)
    if predictions.scores is not None:
        columns |= {f"score_{at}": pa.array(predictions.scores[:, at]) for at in range(predictions.scores.shape[1])}
        if np.array_equal(predict_classes(predictions.scores), predictions.prediction):
            del columns["prediction"]
    return pa.table(columns)


def _escape(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Escape strings that a spreadsheet would take for formulas."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return column
    coded = column.combine_chunks().dictionary_encode()
    return pa.array([escape_csv(word) for word in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _read(path: Path) -> list[Predictions]:
    """Read one file: one value per variant."""
    _require_suffix(path)
    if not path.is_file():
        raise UserError(f"{path} is {'a folder' if path.is_dir() else 'not there'}; expected a file.")
    table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if table.num_rows == 0:
        raise UserError(f"{path} has a header but no rows.")
    scores = read_scores(path, table)
    columns = {name: read_column(path, table, name) for name in NAMES}
    variant = columns.pop("variant")
    if columns["prediction"] is None:
        columns["prediction"] = predict_classes(scores)
    most = count_classes(columns["y"], columns["prediction"], scores)
    name, classes = _metadata(path, table, None if scores is None else most)
    try:
        predictions = Predictions(
            **columns,
            scores=scores,
            variant=name or path.stem,
            classes=number_classes(most) if classes is None else classes,
        )
    except RowFault as fault:
        raise UserError(f"{at_row(path, fault.row)}: {fault.text}") from None
    _require_unique(path, predictions, variant)
    if variant is None:
        return [predictions]
    return [replace(predictions.take(variant == name), variant=name) for name in dict.fromkeys(variant.tolist())]


def _metadata(path: Path, table: pa.Table, scored: int | None) -> tuple[str | None, tuple[str, ...] | None]:
    """Read the variant and the class names from a Parquet file's metadata; None for each that is missing.

    Args:
        path: for messages.
        table: with the file's metadata.
        scored: number of score columns.
    """
    stored = (table.schema.metadata or {}).get(KEY)
    if stored is None:
        return None, None
    try:
        about = json.loads(stored)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise UserError(
            f"{path}: its metadata {KEY.decode()!r} is no JSON object; write the predictions again, or remove it."
        )
    name, classes = about.get("variant"), about.get("classes")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= LONGEST and "\0" not in name):
        raise UserError(
            f"{path}: its metadata names the variant {str(name)[:40]!r}; expected 1 to {LONGEST} characters."
        )
    if classes is None:
        return name, None
    if not (
        isinstance(classes, list)
        and 2 <= len(classes) <= MOST_CLASSES
        and all(isinstance(word, str) and 0 < len(word) <= LONGEST for word in classes)
        and len(set(classes)) == len(classes)
    ):
        raise UserError(
            f"{path}: its metadata names the classes {str(classes)[:40]!r}; expected a list of 2 to {MOST_CLASSES} "
            "distinct names."
        )
    if scored not in (None, len(classes)):
        raise UserError(f"{path}: its metadata names {len(classes)} classes, its rows have scores of {scored}.")
    return name, tuple(classes)


def _join(parts: Sequence[tuple[Path, Predictions]]) -> Predictions:
    """Join the files of one variant."""
    if len(parts) == 1:
        return parts[0][1]
    seen: dict[tuple[str, str, int], Path] = {}
    for path, part in parts:
        for run in _runs(part):
            if run in seen:
                raise UserError(
                    f"{seen[run]} and {path} both hold variant {part.variant!r}, subject {run[0]}, fold {run[1]}, seed "
                    f"{run[2]}; give variants different names by a column 'variant' or by the files' names."
                )
        seen |= dict.fromkeys(_runs(part), path)
    first = parts[0][1]
    named = [(path, part) for path, part in parts if part.named]
    for path, part in named:
        if part.classes != named[0][1].classes:
            raise UserError(
                f"{named[0][0]} and {path} both hold variant {part.variant!r}, but the classes "
                f"{', '.join(named[0][1].classes)} and {', '.join(part.classes)}; all files of a variant need the same."
            )
    optional = {name: [getattr(part, name) for _, part in parts] for name in ("scores", "recording", "time")}
    widths = {None if column is None else column.shape[1] for column in optional["scores"]}
    if len(widths) > 1:
        raise UserError(
            f"Files of variant {first.variant!r} differ in their score columns; all files of a variant need the same."
        )
    required = ("subject", "fold", "seed", "y", "prediction")
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for _, part in parts]) for name in required}
    for name, values in optional.items():
        columns[name] = None if any(column is None for column in values) else np.concatenate(values)
    # Classes of a file without class names are numbered, and may lack the highest ones.
    classes = max((part for _, part in parts), key=lambda part: (part.named, len(part.classes))).classes
    try:
        return replace(first, classes=classes, **columns)
    except RowFault as fault:
        at = fault.row
        for path, part in parts:
            if at < len(part):
                raise UserError(f"{at_row(path, at)}: {fault.text}") from None
            at -= len(part)
        raise


def _runs(part: Predictions) -> set[tuple[str, str, int]]:
    """Collect every combination of subject, fold and seed."""
    import pyarrow as pa

    table = pa.table({"subject": pa.array(part.subject, pa.string()), "fold": pa.array(part.fold, pa.string())})
    runs = table.append_column("seed", pa.array(part.seed)).group_by(["subject", "fold", "seed"]).aggregate([])
    return {(row["subject"], row["fold"], row["seed"]) for row in runs.to_pylist()}


def _parquet(path: Path) -> pa.Table:
    """Read the columns of predictions from Parquet; others may hold anything."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        content = path.read_bytes()
        is_sealed(content)  # Files of other programs carry no checksum.
        with parquet.ParquetFile(pa.BufferReader(content)) as file:
            names = file.schema_arrow.names
            _require_columns(path, names)
            read = [name for name in names if name in NAMES or SCORE.fullmatch(name)]
            _require_rows(path, file.metadata.num_rows, len(read))
            return file.read(columns=read)
    except (pa.ArrowException, ValueError, OSError) as reason:
        raise UserError(
            f"{path} is no whole Parquet file ({_first_line(reason)}); copy it again, or write it again."
        ) from None


def _csv(path: Path) -> pa.Table:
    """Read all cells of a CSV file as strings: Arrow's errors about numbers do not name the row."""
    import pyarrow as pa
    from pyarrow import csv

    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty.")
    # Rows are numbered only with one thread.
    options = csv.ReadOptions(use_threads=False)
    parse = csv.ParseOptions(invalid_row_handler=skip)
    try:
        with csv.open_csv(path, read_options=options, parse_options=parse) as file:
            names = file.schema.names
        _require_columns(path, names)
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        table = csv.read_csv(path, read_options=options, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError, ValueError) as reason:
        raise UserError(f"{path} cannot be read as CSV ({_first_line(reason)}).") from None
    if ragged:
        raise UserError(
            f"{path}, line {ragged[0].number}: {ragged[0].actual_columns} cells where the header has "
            f"{ragged[0].expected_columns}; the file may be truncated."
        )
    _require_rows(path, table.num_rows, table.num_columns)
    return table


def _first_line(reason: Exception) -> str:
    return (str(reason).splitlines() or [type(reason).__name__])[0]


def _require_rows(path: Path, rows: int, columns: int) -> None:
    if rows > MOST_ROWS or rows * columns > MOST_CELLS:
        raise UserError(
            f"{path} has {rows:,} rows of {columns} columns; the limit is {min(MOST_ROWS, MOST_CELLS // columns):,} "
            "rows: split it by runs."
        )


def _require_suffix(path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        folder = path / "predictions" if (path / "predictions").is_dir() else path
        hint = f", not a folder; give its files, such as {folder / '*.parquet'}" if path.is_dir() else ""
        raise UserError(f"{path}: expected a .parquet or .csv file{hint}.")


def _require_columns(path: Path, names: Sequence[str]) -> None:
    times = Counter(names)
    twice = [name for name in times if times[name] > 1 and (name in NAMES or SCORE.fullmatch(name))]
    if twice:
        raise UserError(f"{path} has the column {twice[0]!r} twice.")
    missing = [name for name in NEEDED if name not in names]
    if missing or ("score_0" not in names and "prediction" not in names):
        what = ", ".join(repr(name) for name in missing) or "'score_0' … or 'prediction'"
        names_found = ", ".join(repr(name[:40]) for name in names[:8]) + (" …" if len(names) > 8 else "")
        raise UserError(
            f"{path} has no column {what}; expected subject, fold, seed, y and score_0 … or prediction, "
            f"found {names_found or 'none'}."
        )


def _require_unique(path: Path, predictions: Predictions, variant: Any) -> None:
    """Raise ``UserError`` if a window occurs twice, where recording and time identify windows."""
    import pyarrow as pa

    if predictions.recording is None or predictions.time is None:
        return
    keys = [predictions.subject, predictions.fold, predictions.seed, predictions.recording, predictions.time]
    if variant is not None:
        keys.insert(0, variant)
    table = pa.table({str(at): pa.array(key) for at, key in enumerate(keys)})
    if table.group_by(table.column_names).aggregate([]).num_rows == table.num_rows:
        return  # by hashing, since sorting a million rows is slow
    same = np.zeros(len(predictions), np.int64)
    for key in keys:
        codes = np.unique(key, return_inverse=True)[1]
        same = np.unique(same * (codes.max() + 1) + codes, return_inverse=True)[1]
    order = np.argsort(same, kind="stable")
    at = int(order[1:][np.diff(same[order]) == 0].min())
    raise UserError(f"{at_row(path, at)}: this window occurs twice ({', '.join(str(key[at]) for key in keys)}).")
