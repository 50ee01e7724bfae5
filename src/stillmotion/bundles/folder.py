"""Predict a folder of files: in parallel, with what is finished kept, and damaged files listed.

The folder of results holds ``files/``, a table for each file, ``summary.csv``, a row for each file, and what a killed
run goes on from: ``settings.json``, which says what was asked for, and ``finished.jsonl``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import __version__
from ..errors import DataWarning, UserError
from ..escaping import write_csv
from ..files import atomic_write, name_write_errors
from .bundle import Bundle
from .contents import MANIFEST, sha256_of
from .recordings import merge_bouts, predict_recordings
from .tables import load_table

#: Endings of tables.
TABLES = (".csv", ".tsv", ".txt", ".dat", ".gz", ".bz2", ".parquet")
FILES, SUMMARY, SETTINGS, FINISHED, LOCK = "files", "summary.csv", "settings.json", "finished.jsonl", ".lock"


@dataclass(frozen=True)
class FileSummary:
    """What became of one file.

    Args:
        file: its path in the folder.
        rows: how many windows, or bouts, were predicted.
        start, end: of the predictions in seconds, on the clock of the file.
        minutes: by class.
        reason: why there are no predictions; empty where there are.
        text: the predictions as CSV, until they are written.
    """

    file: str
    rows: int = 0
    start: float = 0.0
    end: float = 0.0
    minutes: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    text: str = ""


@dataclass(frozen=True)
class FileTask:
    """Predict one file, in this process or another.

    Args:
        bundle: its folder.
        folder: the folder of the files.
        mapping: values of a mapping of the tables; by default columns are called as the bundle's channels.
        resampled: whether recordings of another rate are resampled.
        bouts: whether windows in a row with one class are merged.
        lag: of the decoder, see ``predict_recordings``.
    """

    bundle: str
    folder: str
    mapping: Mapping[str, Any] = field(default_factory=dict)
    resampled: bool = False
    bouts: bool = False
    lag: int | str | None = "bundle"

    def __call__(self, file: str) -> FileSummary:
        """Predict a file by its path in the folder; whatever a damaged file raises becomes its reason."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)
                return self._predict(file)
        except UserError as problem:
            return FileSummary(file, reason=str(problem))
        except Exception as problem:  # Readers raise many types for files that are damaged.
            return FileSummary(file, reason=f"{type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}")

    def _predict(self, file: str) -> FileSummary:
        bundle = _open_once(self.bundle)
        data = load_table(Path(self.folder) / file, bundle.spec, {**self.mapping, "files": Path(file).name})
        predicted = predict_recordings(bundle, data, resampled=self.resampled, lag=self.lag)
        hop = bundle.spec.hop / bundle.spec.rate
        if self.bouts:
            predicted = merge_bouts(predicted, hop)
        rows = list(predicted.rows())
        minutes: dict[str, float] = {}
        for row in rows:
            seconds = row["end"] - row["start"] if self.bouts else hop
            minutes[row["label"]] = minutes.get(row["label"], 0.0) + seconds / 60
        text = write_csv(list(rows[0]), [list(row.values()) for row in rows])
        rounded = {name: round(value, 4) for name, value in minutes.items()}
        return FileSummary(file, len(rows), rows[0]["start"], max(row["end"] for row in rows), rounded, text=text)


#: How a task is run on many files: one result each, in any order.
Run = Callable[[FileTask, Sequence[str]], Iterable[FileSummary]]


def run_in_order(task: FileTask, files: Sequence[str]) -> Iterator[FileSummary]:
    """Run a task on one file after the other in this process."""
    return map(task, files)


def predict_folder(
    task: FileTask, out: Path, *, run: Run = run_in_order, report: Callable[[int, int, int], None] | None = None
) -> list[FileSummary]:
    """Predict every table of a folder and of those in it; files that are finished already are not predicted again.

    Args:
        task: what is done with a file.
        out: folder of the results; it is created, or goes on if it was written for the same bundle and settings.
        run: runs the task on the files that are left.
        report: called with the numbers of files done, of those that failed, and of all.

    Returns:
        What became of each file, in order of their paths.

    Raises:
        UserError: the folder holds no table, or ``out`` belongs to other settings or is being written.
    """
    files = find_tables(Path(task.folder), out)
    if not files:
        raise UserError(f"{task.folder} holds no table ({', '.join(TABLES)}).")
    with name_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        _require_settings(task, out)
        known = _read_finished(out)
        states = {file: _state_of(Path(task.folder) / file) for file in files}
        done = {file: known[file][1] for file in files if file in known and known[file][0] == states[file]}
        done = {file: row for file, row in done.items() if (out / FILES / output_name(file)).is_file()}
        failed = 0
        if report is not None:
            report(len(done), failed, len(files))
        with name_write_errors(out / FINISHED), (out / FINISHED).open("a", encoding="utf-8") as journal:
            for result in run(task, [file for file in files if file not in done]):
                if result.reason:
                    failed += 1
                else:
                    atomic_write(out / FILES / output_name(result.file), result.text)
                    row = asdict(replace(result, text=""))
                    journal.write(json.dumps({"state": states[result.file], "row": row}) + "\n")
                    journal.flush()
                done[result.file] = replace(result, text="")
                if report is not None:
                    report(len(done), failed, len(files))
        summaries = [done[file] for file in files]
        atomic_write(out / SUMMARY, _write_summary(summaries, Bundle.open(task.bundle).spec.classes))
    return summaries


def find_tables(folder: Path, out: Path) -> list[str]:
    """Return the paths of tables in a folder and those below it, without hidden ones and those in ``out``."""
    results = out.resolve()
    names: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() not in TABLES or path.resolve().is_relative_to(results) or not path.is_file():
            continue
        file = inside.as_posix()
        if other := names.get(output_name(file)):
            raise UserError(f"{other} and {file} would both be predicted to {output_name(file)}; rename one of them.")
        names[output_name(file)] = file
    return list(names.values())


def output_name(file: str) -> str:
    """Return the path of a file's predictions in ``files/``."""
    return file if file.endswith(".csv") else f"{file}.csv"


@cache
def _open_once(path: str) -> Bundle:
    return Bundle.open(path)


def _state_of(path: Path) -> list[int]:
    """Return size and time of change, by which a file is recognised as the one that was predicted."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _require_settings(task: FileTask, out: Path) -> None:
    """Write what was asked for, or raise ``UserError`` where the folder was written for something else."""
    model = sha256_of((Path(task.bundle) / MANIFEST).read_bytes())
    settings = {**asdict(task), "folder": str(Path(task.folder).resolve()), "bundle": model, "version": __version__}
    settings = json.loads(json.dumps(settings, default=str))
    file = out / SETTINGS
    if not file.is_file():
        if any(each.name != LOCK for each in out.iterdir()):
            raise UserError(f"{out} holds other files; choose an empty or a new folder.")
        atomic_write(file, json.dumps(settings, indent=2) + "\n")
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise UserError(f"{file} is damaged; choose another folder.") from problem
    if before != settings:
        changed = [name for name in settings if not isinstance(before, dict) or before.get(name) != settings[name]]
        raise UserError(f"{out} holds predictions with another {', '.join(changed)}; choose another folder.")


def _read_finished(out: Path) -> dict[str, tuple[list[int], FileSummary]]:
    """Return what was finished; the last line of a killed run may be half."""
    known: dict[str, tuple[list[int], FileSummary]] = {}
    file = out / FINISHED
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines()
        whole = []
        for line in lines:
            try:
                entry = json.loads(line)
                known[entry["row"]["file"]] = entry["state"], FileSummary(**entry["row"])
                whole.append(line)
            except (ValueError, KeyError, TypeError):
                continue
        if len(whole) < len(lines):
            atomic_write(file, "".join(f"{line}\n" for line in whole))
    return known


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"Another process is predicting to {out}; wait for it or choose another folder.") from None
    try:
        yield
    finally:
        lock.release()


def _write_summary(summaries: Sequence[FileSummary], classes: Sequence[str]) -> str:
    """Return the summary as CSV; what a bundle's decoder does not know is a column of its own where it occurs."""
    names = list(dict.fromkeys([*classes, *(name for each in summaries for name in each.minutes)]))
    columns = ["file", "status", "rows", "start", "end", *(f"minutes_{name}" for name in names), "reason"]
    lines = []
    for each in summaries:
        known = [each.rows, each.start, each.end, *(each.minutes.get(name, 0.0) for name in names)]
        status, values = ("failed", [""] * len(known)) if each.reason else ("predicted", known)
        lines.append([each.file, status, *values, each.reason])
    return write_csv(columns, lines)
