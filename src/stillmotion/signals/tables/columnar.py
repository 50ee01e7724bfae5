"""Files that hold columns: Parquet, and what watches and laboratories write (CWA, GT3X, GENEActiv, XDF)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from .dialect import MOST, make_printable, require_file

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows that are read at a time.
ROWS = 1 << 16
#: Files of watches that ``actfast`` reads: Axivity, ActiGraph, GENEActiv.
WATCHES = (".cwa", ".gt3x", ".bin")
#: All files of columns.
COLUMNAR = (".parquet", *WATCHES, ".xdf")
#: Sensors in files of watches: prefix and unit of the columns.
_AXES = {"acceleration": ("acc", "g"), "gyroscope": ("gyr", "dps"), "magnetometer": ("mag", "ut")}


def is_columnar(path: Path) -> bool:
    """Return whether a file holds columns, by its extension."""
    return path.suffix.lower() in COLUMNAR


@dataclass(frozen=True)
class Columns:
    """An open file of columns: their names, the number of rows, and what yields batches of some columns."""

    names: tuple[str, ...]
    count: int
    batches: Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]


def open_columns(path: Path) -> Columns:
    """Open a file of columns.

    Raises:
        UserError: it is damaged, or what reads it is not installed.
    """
    require_file(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        columns = _open_parquet(path)
    else:
        status = path.stat()
        table = (_read_xdf if suffix == ".xdf" else _read_watch)(path, status.st_mtime_ns, status.st_size)

        def iterate(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
            chosen = table if names is None else table.select(list(names))
            return iter(chosen.to_batches(max_chunksize=ROWS))

        columns = Columns(tuple(table.column_names), table.num_rows, iterate)
    if twice := sorted(name for name, count in Counter(columns.names).items() if count > 1):
        several = ", ".join(make_printable(name) for name in twice[:MOST])
        raise UserError(f"{path}: {several} is the name of several columns; give each its own name.")
    return columns


def iterate_columns(
    path: Path, columns: Columns, names: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield batches of an open file, each with the number of its first row."""
    import pyarrow as pa

    row = 1
    try:
        for batch in columns.batches(names):
            yield row, batch
            row += batch.num_rows
    except (pa.ArrowException, OSError) as reason:
        raise UserError(f"{path}, from row {row} on: the file cannot be read to its end; write it again.") from reason


def _open_parquet(path: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as reason:
        raise UserError(f"{path} is not a Parquet file, or it was cut short; write it again.") from reason

    def iterate(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        yield from file.iter_batches(batch_size=ROWS, columns=None if names is None else list(names))

    return Columns(tuple(file.schema_arrow.names), file.metadata.num_rows, iterate)


@lru_cache(maxsize=2)
def _read_watch(path: Path, changed: int, size: int) -> pa.Table:
    """Read a watch's file; ``changed`` and ``size`` make a changed file another one."""
    import pyarrow as pa

    actfast = _require_reader("actfast", path)
    try:
        content = actfast.read(path)
    except (ValueError, OSError) as reason:
        text = str(reason).splitlines()[0].rstrip(".")
        raise UserError(f"{path} cannot be read as a watch's file ({text}); copy it from the device again.") from reason
    series = max(content["timeseries"].values(), key=lambda each: len(each["datetime"]), default=None)
    with_acc = [each for each in content["timeseries"].values() if "acceleration" in each]
    series = with_acc[0] if with_acc else series
    if series is None or not len(series["datetime"]):
        raise UserError(f"{path} holds no samples ({content['format']}).")
    # Where a GT3X file states its scale in its text alone, the reader leaves counts.
    scale = float(content["metadata"].get("info", {}).get("Acceleration Scale") or 1)
    counts = series.get("acceleration")
    if counts is not None and scale > 1 and np.array_equal(counts, np.rint(counts)):
        series = series | {"acceleration": counts / np.float32(scale)}
    columns: dict[str, Any] = {"time_ns": np.asarray(series["datetime"], np.int64)}
    for name, values in series.items():
        if name in _AXES:
            prefix, unit = _AXES[name]
            columns |= {f"{prefix}_{axis}_{unit}": values[:, number] for number, axis in enumerate("xyz")}
    return pa.table(columns)


@lru_cache(maxsize=2)
def _read_xdf(path: Path, changed: int, size: int) -> pa.Table:
    """Read the streams of an XDF file as one long table: a column names the stream, markers are the labels."""
    import pyarrow as pa

    pyxdf = _require_reader("pyxdf", path)
    try:
        with path.open("rb") as file:
            streams, _ = pyxdf.load_xdf(file)
    except Exception as reason:  # The reader raises whatever its parsers do.
        text = (str(reason).splitlines() or [type(reason).__name__])[0].rstrip(".")
        raise UserError(f"{path} cannot be read as XDF ({text}); record it again, or export the streams.") from reason
    parts, moments, words = [], np.empty(0), []
    for stream in streams:
        times = np.asarray(stream["time_stamps"], np.float64)
        values = stream["time_series"]
        if isinstance(values, list) or np.asarray(values).dtype.kind not in "fiu":
            moments = np.concatenate([moments, times])
            words += [str(row[0]).strip() if len(row) else "" for row in values]
        elif len(times):
            parts.append((stream["info"]["name"][0] or "stream", times, np.asarray(values), _labels_of(stream)))
    if not parts:
        raise UserError(f"{path} holds no stream of numbers.")
    names = list(dict.fromkeys(name for *_, own in parts for name in own))
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for _, times, values, own in parts:
        for name in names:
            column = values[:, own.index(name)] if name in own else np.full(len(times), np.nan)
            columns[name].append(column.astype(np.float64))
    seconds = np.concatenate([times for _, times, *_ in parts])
    streams_of = np.repeat([name for name, *_ in parts], [len(times) for _, times, *_ in parts])
    table = {"time_s": seconds, "stream": streams_of}
    if len(moments):
        order = np.argsort(moments, kind="stable")
        spoken = np.array([*[words[at] for at in order], ""])
        # A marker holds until the next; before the first there is none.
        table["marker"] = spoken[np.searchsorted(moments[order], seconds, side="right") - 1]
    return pa.table(table | {name: np.concatenate(parts) for name, parts in columns.items()})


def _labels_of(stream: Any) -> list[str]:
    """Return the names of a stream's channels."""
    count = int(stream["info"]["channel_count"][0])
    try:
        channels = stream["info"]["desc"][0]["channels"][0]["channel"]
        labels = [str(channel["label"][0]) for channel in channels]
    except (KeyError, IndexError, TypeError):
        labels = []
    if len(labels) == count and len(set(labels)) == count:
        return labels
    return list("xyz") if count == 3 else [f"channel {number}" for number in range(1, count + 1)]


def _require_reader(name: str, path: Path) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise UserError(
            f"{path} is read by {name}, which is not installed: python -m pip install 'stillmotion[devices]'."
        ) from None
