"""`still predict`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..names import make_visible
from .fitting_tables import is_data_set, load_fitting, read_mapping
from .flags import add_data, print_json
from .table_flags import add_table_flags

if TYPE_CHECKING:
    from ..bundles import Bundle

#: Failed files that are printed.
SHOWN = 20
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
        help="a table whose columns are called as the bundle's channels or named by the flags below, a data set, or a "
        "folder of tables, which is predicted in parallel and goes on where it was stopped",
    )
    parser.add_argument("--resample", action="store_true", help="resample recordings of another rate")
    parser.add_argument("--to-labels", action="store_true", help="merge windows in a row with one class into bouts")
    parser.add_argument(
        "--lag",
        default="bundle",
        help="windows of future that an answer waits for, offline, or alone (default: as the bundle's decoder)",
    )
    parser.add_argument(
        "--hop", type=int, metavar="SAMPLES", help="from one window to the next (default: as in the bundle's contract)"
    )
    parser.add_argument(
        "--warm-up",
        action="store_true",
        help="instead print how long after a start in the middle of these recordings the answers are as ever",
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="write to this .csv or .parquet file; of a folder, to this folder"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes for a folder (default: all processors)")
    parser.add_argument(
        "--ray", metavar="ADDRESS", default="", help="predict a folder on this Ray cluster, whose nodes see its files"
    )
    add_data(parser)
    add_table_flags(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..bundles import Bundle, merge_bouts, predict_recordings
    from ..escaping import write_csv

    lag = options.lag if options.lag in ("bundle", "alone") else _parse_lag(options.lag)
    for file in options.files:
        if Path(file).is_dir() and not is_data_set(file):
            return _predict_folder(options, Path(file), lag)
    if options.ray or options.jobs is not None:
        raise UserError("--jobs and --ray are for a folder of files.")
    if options.out is not None and options.out.suffix not in (".csv", ".parquet"):
        raise UserError(f"--out must end with .csv or .parquet, not {options.out}.")
    bundle = Bundle.open(options.bundle)
    if options.warm_up:
        return _print_warm_up(bundle, options)
    rows: list[dict[str, Any]] = []
    for file in options.files:
        dataset = load_fitting(file, options, bundle.spec)
        predicted = predict_recordings(bundle, dataset, resampled=options.resample, lag=lag, hop=options.hop)
        if options.to_labels:
            predicted = merge_bouts(predicted, (options.hop or bundle.spec.hop) / bundle.spec.rate)
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


def _predict_folder(options: argparse.Namespace, folder: Path, lag: int | str | None) -> int:
    """Predict every table of a folder; return 1 if one failed."""
    from ..bundles import Bundle
    from ..bundles.folder import FileSummary, FileTask, Run, predict_folder
    from ..bundles.processes import run_in_processes
    from ..bundles.recordings import choose_decoder
    from ..compiled import count_processors

    if options.out is None or options.out.suffix in (".csv", ".parquet"):
        raise UserError(f"{folder} is a folder: give --out a folder for its predictions, not {options.out}.")
    if len(options.files) > 1 or options.warm_up:
        raise UserError(f"{folder} is a folder: predict it by itself.")
    if options.jobs is not None and options.jobs < 1:
        raise UserError(f"--jobs must be 1 or more, not {options.jobs}.")
    bundle = Bundle.open(options.bundle)
    choose_decoder(bundle, lag)  # refuses a lag that the bundle does not have, once and not for every file
    task = FileTask(
        bundle=str(options.bundle.resolve()),
        folder=str(folder.resolve()),
        mapping=read_mapping(options, folder),
        resampled=options.resample,
        bouts=options.to_labels,
        lag=lag,
        hop=options.hop,
    )
    run: Run
    if options.ray:
        from ..studies.ray import run_on_ray

        def run(task: FileTask, files: Sequence[str]) -> Iterable[FileSummary]:
            return run_on_ray(options.ray, task, files)
    else:

        def run(task: FileTask, files: Sequence[str]) -> Iterable[FileSummary]:
            return run_in_processes(task, files, options.jobs or count_processors())

    with _progress() as report:
        summaries = predict_folder(task, options.out, run=run, report=report)
    failed = [each for each in summaries if each.reason]
    for each in failed[:SHOWN]:
        print(make_visible(f"{each.file}: {each.reason}"), file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"and {len(failed) - SHOWN:,} more; see {options.out / 'summary.csv'}", file=sys.stderr)
    if options.json:
        rows = [
            {key: value for key, value in asdict(each).items() if key != "text" and (key != "reason" or value)}
            for each in summaries
        ]
        print_json({"bundle": str(options.bundle), "classes": list(bundle.spec.classes), "files": rows})
    else:
        counts = f"{len(summaries) - len(failed):,} of {len(summaries):,} files predicted"
        print(make_visible(f"{counts}; {options.out / 'summary.csv'} has a row for each"))
    return 1 if failed else 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int, int], None]]:
    """Give a function that shows how many files are done, as a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        shown = bar.add_task("files", total=None)

        def report(done: int, failed: int, total: int) -> None:
            label = f"files ({failed} failed)" if failed else "files"
            bar.update(shown, completed=done, total=total, description=label)

        yield report


def _print_warm_up(bundle: Bundle, options: argparse.Namespace) -> int:
    from ..bundles import measure_warm_up

    for file in options.files:
        warm_up = measure_warm_up(bundle, load_fitting(file, options, bundle.spec), resampled=options.resample)
        values = warm_up.to_dict()
        if options.json:
            print_json({"bundle": str(options.bundle), "file": file} | values)
            continue
        samples, seconds = values["samples"], values["seconds"]
        parts = [
            f"{name} after {samples[key]} samples ({seconds[key]:.1f} s)"
            for key, name in (("half", "half of them"), ("most", "95 %"), ("all", "all"))
        ]
        print(make_visible(f"{file}: of {values['starts']} starts {', '.join(parts)} answer as if always on."))
    return 0


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
