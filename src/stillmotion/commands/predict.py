"""`still predict`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import UserError
from .flags import add_data, print_json
from .recordings import load_recordings
from .table_flags import add_table_flags, read_table_flags

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
        dataset = load_recordings(
            file, bundle.spec, read_table_flags(options), mapping=options.mapping, data=options.data
        )
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
