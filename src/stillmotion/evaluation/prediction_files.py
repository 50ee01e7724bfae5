"""Predictions on disk: Parquet or CSV with one row a window.

Columns ``subject``, ``fold``, ``seed``, ``y``, then ``score_0`` … or ``prediction`` or both; ``variant``, ``recording``
and ``time`` where there are any. Other columns are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..files import aside
from .predictions import Predictions, RowFault, count_classes, numbers, said_by

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = ("subject", "fold", "seed", "y")
KINDS = {"seed": "whole", "y": "whole", "prediction": "whole", "time": "number"}
SAID = {"whole": "a whole number", "number": "a number", "word": "a word"}
#: Key of the metadata that a Parquet file holds class names and the variant under.
KEY = b"stillmotion"


def read_predictions(*paths: Path | str) -> tuple[Predictions, ...]:
    """Read all variants in these files, in the order met.

    A variant's name is that in its row's ``variant`` column, else the one the file was written with, else the file's
    own. A variant may be spread over files (a file a run), but no person, fold and seed may come twice.

    Args:
        paths: Parquet (``.parquet``) or CSV (``.csv``) files.

    Returns:
        One value a variant.

    Raises:
        UserError: a file is missing, damaged, or holds a row that cannot be; the error names file and row.

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
    return tuple(_joined(found) for found in parts.values())


def write_predictions(path: Path | str, *predictions: Predictions) -> None:
    """Write variants to one file, whole or not at all.

    Parquet keeps class names; CSV has no place for them. Variants in one file all have scores or all have none.

    Args:
        path: ends with ``.parquet`` or ``.csv``.
        predictions: at least one; several are told apart by the column ``variant``.

    Raises:
        UserError: the path has another ending, or the variants have not the same columns.

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
    tables = [_table(one) for one in predictions]
    if any(table.column_names != tables[0].column_names for table in tables):
        raise UserError(f"{path}: variants in one file must have the same columns; write a file for each.")
    table = pa.concat_tables(tables)
    about = {"classes": list(predictions[0].classes), "variant": predictions[0].variant}
    table = table.replace_schema_metadata({KEY: json.dumps(about).encode()})
    with aside(path) as own:
        if path.suffix == ".parquet":
            parquet.write_table(table, own, compression="zstd")
        else:
            csv.write_csv(table, own)


def _table(one: Predictions) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {"variant": pa.repeat(pa.scalar(one.variant, pa.string()), len(one))}
    for name in ("subject", "fold", "seed", "recording", "time", "y", "prediction"):
        column = getattr(one, name)
        if column is not None:
            columns[name] = pa.array(column, pa.string() if column.dtype.kind == "U" else None)
    if one.scores is not None:
        columns |= {f"score_{at}": pa.array(one.scores[:, at]) for at in range(one.scores.shape[1])}
        if np.array_equal(said_by(one.scores), one.prediction):
            del columns["prediction"]
    return pa.table(columns)


def _read(path: Path) -> list[Predictions]:
    """One file, one value a variant."""
    _require_suffix(path)
    if not path.is_file():
        raise UserError(f"{path} is {'a folder' if path.is_dir() else 'not there'}; a file was expected.")
    table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    _require_columns(path, table)
    if table.num_rows == 0:
        raise UserError(f"{path} has columns but no row.")
    about = json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
    scores = _scores(path, table)
    columns = {name: _column(path, table, name) for name in (*NEEDED, "prediction", "recording", "time", "variant")}
    variant = columns.pop("variant")
    if columns["prediction"] is None:
        columns["prediction"] = said_by(scores)
    most = count_classes(columns["y"], columns["prediction"], scores)
    try:
        whole = Predictions(
            **columns,
            scores=scores,
            variant=about.get("variant") or path.stem,
            classes=tuple(about.get("classes") or numbers(most)),
        )
    except RowFault as fault:
        raise UserError(f"{_at(path, fault.row)}: {fault.text}") from None
    _require_once(path, table)
    if variant is None:
        return [whole]
    return [replace(whole.take(variant == name), variant=name) for name in dict.fromkeys(variant.tolist())]


def _joined(parts: Sequence[tuple[Path, Predictions]]) -> Predictions:
    """The files of one variant as one."""
    if len(parts) == 1:
        return parts[0][1]
    met: dict[tuple[str, str, int], Path] = {}
    for path, part in parts:
        for run in _runs(part):
            if run in met:
                raise UserError(
                    f"{met[run]} and {path} both hold variant {part.variant!r}, person {run[0]}, fold {run[1]}, seed "
                    f"{run[2]}; name variants apart by a column 'variant' or by the files' names."
                )
        met |= dict.fromkeys(_runs(part), path)
    first = parts[0][1]
    optional = {name: [getattr(part, name) for _, part in parts] for name in ("scores", "recording", "time")}
    widths = {None if column is None else column.shape[1] for column in optional["scores"]}
    if len(widths) > 1:
        raise UserError(f"Files of variant {first.variant!r} differ in their score columns; all need the same.")
    always = ("subject", "fold", "seed", "y", "prediction")
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for _, part in parts]) for name in always}
    for name, found in optional.items():
        columns[name] = None if any(column is None for column in found) else np.concatenate(found)
    return replace(first, classes=max((part.classes for _, part in parts), key=len), **columns)


def _runs(part: Predictions) -> set[tuple[str, str, int]]:
    """Every person, fold and seed there is."""
    import pyarrow as pa

    table = pa.table({"subject": pa.array(part.subject, pa.string()), "fold": pa.array(part.fold, pa.string())})
    found = table.append_column("seed", pa.array(part.seed)).group_by(["subject", "fold", "seed"]).aggregate([])
    return {(row["subject"], row["fold"], row["seed"]) for row in found.to_pylist()}


def _parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as reason:
        raise UserError(f"{path} is no whole Parquet file ({str(reason).splitlines()[0]}).") from None


def _csv(path: Path) -> pa.Table:
    """All cells as words: Arrow's own errors about numbers do not say the row."""
    import pyarrow as pa
    from pyarrow import csv

    wrong: list[Any] = []

    def ragged(row: Any) -> str:
        wrong.append(row)
        return "skip"

    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty.")
    # One thread: rows are numbered only then.
    options = csv.ReadOptions(use_threads=False)
    parse = csv.ParseOptions(invalid_row_handler=ragged)
    try:
        with csv.open_csv(path, read_options=options, parse_options=parse) as file:
            names = file.schema.names
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        table = csv.read_csv(path, read_options=options, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, OSError) as reason:
        raise UserError(f"{path} cannot be read as CSV ({str(reason).splitlines()[0]}).") from None
    if wrong:
        raise UserError(
            f"{path}, line {wrong[0].number}: {wrong[0].actual_columns} cells where the heading has "
            f"{wrong[0].expected_columns}; the file may have been cut."
        )
    return table


def _require_suffix(path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise UserError(f"{path}: predictions are .parquet or .csv files.")


def _require_columns(path: Path, table: pa.Table) -> None:
    names = table.column_names
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]!r} twice.")
    missing = [name for name in NEEDED if name not in names]
    if missing or ("score_0" not in names and "prediction" not in names):
        what = ", ".join(repr(name) for name in missing) or "'score_0' … or 'prediction'"
        raise UserError(
            f"{path} has no column {what}; needed are subject, fold, seed, y and score_0 … or prediction, "
            f"there are {', '.join(names[:8])}{' …' if len(names) > 8 else ''}."
        )


def _require_once(path: Path, table: pa.Table) -> None:
    """No window twice, where windows can be told apart."""
    keys = [name for name in ("variant", "subject", "fold", "seed", "recording", "time") if name in table.column_names]
    if not {"recording", "time"} <= set(keys):
        return
    seen = set()
    if table.group_by(keys).aggregate([]).num_rows == table.num_rows:
        return
    for at, row in enumerate(zip(*(table[key].to_pylist() for key in keys), strict=True)):
        if row in seen:
            raise UserError(f"{_at(path, at)}: this window stands twice ({', '.join(map(str, row))}).")
        seen.add(row)


def _scores(path: Path, table: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float32]] | None:
    names = [name for name in table.column_names if re.fullmatch(r"score_\d+", name)]
    if not names:
        return None
    wanted = [f"score_{at}" for at in range(len(names))]
    if sorted(names) != sorted(wanted) or len(names) < 2:
        raise UserError(f"{path} has {', '.join(names)}; score columns are score_0, score_1 … without a gap.")
    scores = np.empty((table.num_rows, len(names)), np.float32)
    for at, name in enumerate(wanted):
        scores[:, at] = _column(path, table, name)
    return scores


def _column(path: Path, table: pa.Table, name: str) -> Any:
    """One column as an array of its kind; None where there is none."""
    import pyarrow as pa

    if name not in table.column_names:
        return None
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = "number" if name.startswith("score_") else KINDS.get(name, "word")
    blank = column.null_count or (_words(column.type) and "" in column.unique().to_pylist())
    if blank:
        row = next(at for at, value in enumerate(column.to_pylist()) if value in (None, ""))
        raise UserError(f"{_at(path, row)}: {name} is empty, not {SAID[kind]}.")
    wanted = {"whole": pa.int64(), "number": pa.float64(), "word": pa.string()}[kind]
    try:
        values = column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for row, value in enumerate(column.to_pylist()):
            try:
                pa.array([value], column.type).cast(wanted)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise UserError(f"{_at(path, row)}: {name} is {str(value)[:40]!r}, not {SAID[kind]}.") from None
        raise
    return np.asarray(values.to_pylist(), np.str_) if kind == "word" else values.to_numpy()


def _words(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _at(path: Path, row: int) -> str:
    """A row's place; a CSV file's lines count its heading."""
    return f"{path}, line {row + 2}" if path.suffix == ".csv" else f"{path}, row {row + 1}"
