"""`still predict`."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .flags import add_data, print_json
from .table_flags import add_table_flags, read_table_flags

if TYPE_CHECKING:
    from ..signals import Dataset, SignalSpec

HELP = "Predict the activities in recordings with a bundle; windows in a row are decoded."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", type=Path, help="folder of a bundle, such as models/best of a study"
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a table whose columns are called as the bundle's channels or named by the flags below, or a data set",
    )
    parser.add_argument("--resample", action="store_true", help="resample recordings of another rate")
    parser.add_argument("--to-labels", action="store_true", help="merge windows in a row with one class into bouts")
    parser.add_argument(
        "--lag",
        default="bundle",
        help="windows of future that an answer waits for, offline, or alone (default: as the bundle's decoder)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this .csv or .parquet file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")
    add_data(parser)
    add_table_flags(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..bundles import Bundle, merge_bouts, predict_recordings
    from ..escaping import write_csv

    lag = options.lag if options.lag in ("bundle", "alone") else _parse_lag(options.lag)
    if options.out is not None and options.out.suffix not in (".csv", ".parquet"):
        raise UserError(f"--out must end with .csv or .parquet, not {options.out}.")
    bundle = Bundle.open(options.bundle)
    rows: list[dict[str, Any]] = []
    for file in options.files:
        dataset = _load(file, options, bundle.spec)
        predicted = predict_recordings(bundle, dataset, resampled=options.resample, lag=lag)
        if options.to_labels:
            predicted = merge_bouts(predicted, bundle.spec.hop / bundle.spec.rate)
        rows += predicted.rows()
    text = write_csv(list(rows[0]), [list(row.values()) for row in rows])
    if options.out is not None:
        _write(options.out, rows, text)
    if options.json:
        print_json({"bundle": str(options.bundle), "classes": list(bundle.spec.classes), "rows": rows})
    elif options.out is None:
        sys.stdout.write(text)
    return 0


def _parse_lag(text: str) -> int | None:
    if text == "offline":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise UserError(f"--lag must be a whole number of windows, offline or alone, not {text!r}.")
    return int(text)


def _load(file: str, options: argparse.Namespace, spec: SignalSpec) -> Dataset:
    """Load recordings; the columns of a table without a mapping have the names of the contract's channels."""
    from ..errors import ProposedMappingWarning
    from ..signals import load
    from ..signals.catalog import ALIASES, MODULES
    from ..signals.tables.mapping import read_toml

    if file in MODULES or file in ALIASES:
        return load(file, data=options.data)
    path = Path(file)
    if not path.exists():
        raise UserError(f"{path} is not there.")
    values = read_table_flags(options)
    if options.mapping:
        values = read_toml(options.mapping) | values
    elif path.with_suffix(".toml").is_file() and "sensors" not in values:
        values = read_toml(path.with_suffix(".toml")) | values
    if "sensors" not in values:
        values = {**values, "sensors": _sensors_of(spec)}
    values = {"time": _find_clock(path), **values} if "rate" not in values else values
    if not values.get("time") and "rate" not in values:
        raise UserError(f"{path} has no column time; name its clock with --time (and --time-unit), or give --hz.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProposedMappingWarning)
        return load(str(path), mapping={"files": path.name, **values}, cache=False)


def _sensors_of(spec: SignalSpec) -> dict[str, Any]:
    """Return the sensors of a mapping in which columns are called as the contract's channels."""
    sensors: dict[str, Any] = {}
    for channel in spec.channels:
        sensor = sensors.setdefault(channel.group, {"columns": {}})
        sensor["columns"][channel.axis] = channel.name
        if channel.unit:
            sensor["unit"] = channel.unit
    return sensors


def _find_clock(path: Path) -> str:
    """Return ``time`` where a table has such a column."""
    from pyarrow import parquet

    if path.suffix == ".parquet":
        names = parquet.read_schema(path).names
    else:
        with path.open(encoding="utf-8", errors="replace") as file:
            heading = file.readline().replace(";", ",").replace("\t", ",")
        names = [name.strip().strip('"') for name in heading.split(",")]
    return "time" if "time" in names else ""


def _write(path: Path, rows: list[dict[str, Any]], text: str) -> None:
    from ..files import atomic_write

    if path.suffix == ".csv":
        atomic_write(path, text)
        return
    import pyarrow as pa
    from pyarrow import parquet

    out = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows), out, compression="zstd")
    atomic_write(path, out.getvalue().to_pybytes())
