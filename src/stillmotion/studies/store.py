"""The run store: a SQLite file per study with a row per run, and a file of weights per fleet."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import atomic_write, name_write_errors
from ..training import RunResult
from .runs import FleetPlan, Run
from .sealed import SealedFile

VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fleets (
    id TEXT PRIMARY KEY, phase TEXT NOT NULL, size INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'planned',
    seconds REAL, finished REAL, versions TEXT, sha256 TEXT);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, fleet TEXT NOT NULL REFERENCES fleets, place INTEGER NOT NULL, phase TEXT NOT NULL,
    fold INTEGER NOT NULL, network TEXT NOT NULL, attention TEXT NOT NULL, method TEXT NOT NULL, seed INTEGER NOT NULL,
    numbers TEXT NOT NULL, teachers TEXT NOT NULL, whole TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'planned', validation REAL, best_epoch INTEGER, epochs INTEGER, seconds REAL,
    reason TEXT NOT NULL DEFAULT '', history TEXT);
CREATE TABLE IF NOT EXISTS counts (
    run TEXT NOT NULL, side TEXT NOT NULL, subject TEXT NOT NULL, counts TEXT NOT NULL,
    PRIMARY KEY (run, side, subject));
CREATE TABLE IF NOT EXISTS learnt (run TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS looks (at REAL NOT NULL, runs INTEGER NOT NULL, subjects INTEGER NOT NULL, why TEXT NOT
NULL);
"""


class DamagedFleet(UserError):
    """A missing or changed file of weights of a fleet."""

    def __init__(self, path: Path, fleet: str, why: str) -> None:
        super().__init__(f"{path} {why}; run the study again to train this fleet again; other fleets are kept.")
        self.path, self.fleet, self.why = path, fleet, why


@dataclass(frozen=True)
class RunStatus:
    """A finished run: status ``done`` or ``failed`` (with a reason), validation score, epochs, seconds."""

    run: str
    status: str
    validation: float
    best_epoch: int
    epochs: int
    seconds: float
    reason: str
    fleet: str
    place: int


class Store:
    """The run store of a study in its folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "runs.sqlite"
        self._whole: dict[str, tuple[int, int, int]] = {}
        with name_write_errors(self.path):
            (folder / "fleets").mkdir(parents=True, exist_ok=True)
        self._file = SealedFile(self.path, SCHEMA, VERSION)

    def about(self) -> dict[str, Any]:
        """Return the values stored about the study."""
        return {name: json.loads(value) for name, value in self._file.execute("SELECT name, value FROM about")}

    def note(self, **values: Any) -> None:
        """Store values about the study."""
        with self._file.change("about"):
            self._note(values)

    def _note(self, values: Mapping[str, Any]) -> None:
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._file.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)

    def claim(
        self, study: str, data: str, leaks: Sequence[str], *, over: tuple[str, str] | None = None
    ) -> tuple[str, str]:
        """Store the specification of the folder unless there is one; atomic across processes.

        Args:
            study: the specification, as TOML.
            data: fingerprint of the windows.
            leaks: findings of the audit.
            over: specification and fingerprint to replace; they are kept under ``former``.

        Returns:
            Specification and fingerprint that are stored now.
        """
        with self._file.change("about"):
            known = self.about()
            kept = (known.get("study", ""), known.get("data", ""))
            if kept[0] and kept != over:
                return kept
            values: dict[str, Any] = {"study": study, "data": data, "leaks": list(leaks)}
            if kept[0]:
                values["former"] = [*known.get("former", []), [time.time(), *kept]]
            self._note(values)
            return study, data

    def plan(self, fleets: Sequence[FleetPlan]) -> list[FleetPlan]:
        """Store planned fleets without runs that are planned already; return the unfinished fleets of all these runs.

        A planned fleet keeps its runs, their order and its size, whichever process continues it.
        """
        with self._file.change("fleets", "runs"):
            planned = dict(self._file.execute("SELECT id, fleet FROM runs"))
            for fleet in fleets:
                fresh = [run for run in fleet.runs if run.id not in planned]
                if not fresh:
                    continue
                kept = fleet if len(fresh) == len(fleet.runs) else FleetPlan(fleet.phase, tuple(fresh), fleet.size)
                self._file.execute(
                    "INSERT INTO fleets (id, phase, size) VALUES (?, ?, ?)", (kept.id, kept.phase, kept.size)
                )
                self._file.executemany(
                    "INSERT INTO runs (id, fleet, place, phase, fold, network, attention, method, seed, numbers, "
                    "teachers, whole) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [_row(run, kept, place) for place, run in enumerate(kept.runs)],
                )
            wanted = {run.id for fleet in fleets for run in fleet.runs}
            return [fleet for fleet in self.unfinished() if wanted & {run.id for run in fleet.runs}]

    def unfinished(self) -> list[FleetPlan]:
        """Return the unfinished fleets in the order of the plan."""
        fleets = []
        rows = self._file.execute("SELECT id, phase, size FROM fleets WHERE status != 'done' ORDER BY rowid").fetchall()
        for planned_id, phase, size in rows:
            whole = self._file.execute("SELECT whole FROM runs WHERE fleet = ? ORDER BY place", (planned_id,))
            fleet = FleetPlan(phase, tuple(_run(kept) for (kept,) in _json(whole)), size)
            # A fleet planned with other code has another id now, and is planned again.
            if fleet.id == planned_id:
                fleets.append(fleet)
        return fleets

    def outdated(self) -> dict[str, int]:
        """Count the finished runs that were trained with other code than the current one, by method."""
        counts: dict[str, int] = {}
        for run, whole in self._file.execute("SELECT id, whole FROM runs WHERE status != 'planned'"):
            current = _run(json.loads(whole))
            if current.id != run:
                counts[current.method] = counts.get(current.method, 0) + 1
        return counts

    def is_done(self, fleet: str) -> bool:
        """Return whether a fleet is finished."""
        row = self._file.execute("SELECT status FROM fleets WHERE id = ?", (fleet,)).fetchone()
        return bool(row and row[0] == "done")

    def finish(
        self, fleet: FleetPlan, outcomes: Sequence[RunResult], seconds: float, versions: Mapping[str, str]
    ) -> None:
        """Store the results of a fleet: first the file of weights, then all rows in one transaction."""
        sha256 = self._write(fleet.id, outcomes)
        with self._file.change("fleets", "runs"):
            share = seconds / max(1, sum(outcome.epochs for outcome in outcomes))
            for run, outcome in zip(fleet.runs, outcomes, strict=True):
                self._file.execute(
                    "UPDATE runs SET status = ?, validation = ?, best_epoch = ?, epochs = ?, seconds = ?, reason = ?, "
                    "history = ? WHERE id = ?",
                    (
                        outcome.status,
                        outcome.best,
                        outcome.best_epoch,
                        outcome.epochs,
                        share * outcome.epochs,
                        outcome.reason,
                        json.dumps(outcome.history),
                        run.id,
                    ),
                )
            self._end(fleet.id, seconds, versions, sha256)

    def fail(self, fleet: FleetPlan, reason: str, versions: Mapping[str, str]) -> None:
        """Store that a fleet cannot train, with the reason."""
        with self._file.change("fleets", "runs"):
            self._file.execute(
                "UPDATE runs SET status = 'failed', validation = -1, best_epoch = 0, epochs = 0, seconds = 0, "
                "reason = ?, history = '[]' WHERE fleet = ?",
                (reason, fleet.id),
            )
            self._end(fleet.id, 0.0, versions, None)

    def damaged(self) -> list[DamagedFleet]:
        """Return the finished fleets whose file of weights is missing or changed."""
        damages = []
        for (fleet,) in self._file.execute("SELECT id FROM fleets WHERE sha256 IS NOT NULL ORDER BY rowid").fetchall():
            try:
                self._require_whole(fleet)
            except DamagedFleet as damage:
                damages.append(damage)
        return damages

    def forget(self, fleet: str) -> None:
        """Reset a fleet with damaged weights to planned, and delete its results; other fleets stay."""
        with self._file.change("fleets", "runs", "counts", "learnt"):
            try:
                self._require_whole(fleet)
            except DamagedFleet:
                in_fleet = "IN (SELECT id FROM runs WHERE fleet = ?)"
                # Counts of teachers with several runs have their own key; delete all, they are counted again.
                self._file.execute(f"DELETE FROM counts WHERE side = 'teachers' OR run {in_fleet}", (fleet,))
                self._file.execute(f"DELETE FROM learnt WHERE run {in_fleet}", (fleet,))
                self._file.execute(
                    "UPDATE runs SET status = 'planned', validation = NULL, best_epoch = NULL, epochs = NULL, "
                    "seconds = NULL, reason = '', history = NULL WHERE fleet = ?",
                    (fleet,),
                )
                self._file.execute(
                    "UPDATE fleets SET status = 'planned', seconds = NULL, finished = NULL, versions = NULL, "
                    "sha256 = NULL WHERE id = ?",
                    (fleet,),
                )

    def ended(self) -> dict[str, RunStatus]:
        """Return the status of every finished run, by id."""
        rows = self._file.execute(
            "SELECT id, status, validation, best_epoch, epochs, seconds, reason, fleet, place FROM runs "
            "WHERE status != 'planned'"
        )
        return {row[0]: RunStatus(*row) for row in rows}

    def history(self, run: str) -> list[dict[str, float]]:
        """Return loss terms and validation score of each epoch of a run."""
        row = self._file.execute("SELECT history FROM runs WHERE id = ?", (run,)).fetchone()
        return [] if row is None or row[0] is None else json.loads(row[0])

    def versions(self) -> list[dict[str, str]]:
        """Return all sets of package versions that fleets were trained with, in order of time."""
        rows = self._file.execute("SELECT versions FROM fleets WHERE versions IS NOT NULL ORDER BY finished")
        versions: list[dict[str, str]] = []
        for (each,) in _json(rows):
            if each not in versions:
                versions.append(each)
        return versions

    def weights(self, run: str) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        """Return the best weights of a run, and the non-trainable state of the same epoch."""
        with self._arrays(run) as (file, place):
            return file[f"{place}/weights"], _listed(file, f"{place}/state/")

    def co_trained_teacher(
        self, run: str
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]], NDArray[np.float32]] | None:
        """Return weights and state of the co-trained teacher of a run, and auxiliary parameters; None without one."""
        with self._arrays(run) as (file, place):
            if f"{place}/teacher/weights" not in file.files:
                return None
            state = _listed(file, f"{place}/teacher/state/")
            return file[f"{place}/teacher/weights"], state, file[f"{place}/aux_params"]

    def require_weights(self, runs: Iterable[str]) -> None:
        """Raise ``DamagedFleet`` unless the weights of these runs match their checksums."""
        for run in runs:
            self._require_whole(self._place(run)[0])

    @contextmanager
    def _arrays(self, run: str) -> Iterator[tuple[Any, int]]:
        """Open the file with the weights of a run; gives the file and the number of the run in it."""
        fleet, place = self._place(run)
        self._require_whole(fleet)
        path = self._weights(fleet)
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                yield file, place
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as problem:
            raise DamagedFleet(path, fleet, f"is incomplete ({problem})") from None

    def _place(self, run: str) -> tuple[str, int]:
        fleet, place = self._file.execute("SELECT fleet, place FROM runs WHERE id = ?", (run,)).fetchone()
        return fleet, place

    def _weights(self, fleet: str) -> Path:
        return self.folder / "fleets" / f"{fleet}.npz"

    def _require_whole(self, fleet: str) -> None:
        """Raise ``DamagedFleet`` unless a file of weights matches its checksum; unchanged files are read once."""
        path = self._weights(fleet)
        (expected,) = self._file.execute("SELECT sha256 FROM fleets WHERE id = ?", (fleet,)).fetchone()
        try:
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if self._whole.get(fleet) == stamp:
                return
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as problem:
            raise DamagedFleet(path, fleet, f"cannot be read ({problem.strerror})") from None
        if digest != expected:
            raise DamagedFleet(path, fleet, "is damaged (its checksum differs)")
        self._whole[fleet] = stamp

    def add_counts(self, split: str, rows: Mapping[str, Mapping[str, NDArray[np.int64]]]) -> None:
        """Store confusion matrices by run and subject."""
        with self._file.change("counts"):
            self._file.executemany(
                "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?)",
                [
                    (run, split, subject, json.dumps(counts.tolist()))
                    for run, subjects in rows.items()
                    for subject, counts in subjects.items()
                ],
            )

    def counts(self, split: str) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Return the confusion matrices of ``validation`` or ``test`` subjects, by run and subject."""
        matrices: dict[str, dict[str, NDArray[np.int64]]] = {}
        for run, subject, counts in self._file.execute(
            "SELECT run, subject, counts FROM counts WHERE side = ? ORDER BY rowid", (split,)
        ):
            matrices.setdefault(run, {})[subject] = np.asarray(json.loads(counts), np.int64)
        return matrices

    def add_learnt(self, rows: Mapping[str, Mapping[str, float]]) -> None:
        """Store learned auxiliary values, by run and name."""
        with self._file.change("learnt"):
            self._file.executemany(
                "INSERT OR REPLACE INTO learnt VALUES (?, ?, ?)",
                [(run, name, value) for run, values in rows.items() for name, value in values.items()],
            )

    def learnt(self) -> dict[str, dict[str, float]]:
        """Return learned auxiliary values, by run and name."""
        learnt: dict[str, dict[str, float]] = {}
        for run, name, value in self._file.execute("SELECT run, name, value FROM learnt ORDER BY rowid"):
            learnt.setdefault(run, {})[name] = value
        return learnt

    def log_test_evaluation(self, runs: int, subjects: int, why: str) -> None:
        """Log an evaluation on test subjects."""
        with self._file.change("looks"):
            self._file.execute("INSERT INTO looks VALUES (?, ?, ?, ?)", (time.time(), runs, subjects, why))

    def test_evaluations(self) -> list[tuple[float, int, int, str]]:
        """Return every evaluation on test subjects: time, number of runs, number of subjects, reason."""
        return list(self._file.execute("SELECT at, runs, subjects, why FROM looks ORDER BY at"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _end(self, fleet: str, seconds: float, versions: Mapping[str, str], sha256: str | None) -> None:
        self._file.execute(
            "UPDATE fleets SET status = 'done', seconds = ?, finished = ?, versions = ?, sha256 = ? WHERE id = ?",
            (seconds, time.time(), json.dumps(dict(versions)), sha256, fleet),
        )

    def _write(self, fleet: str, outcomes: Sequence[RunResult]) -> str:
        """Write the weights of a fleet, and return the SHA-256 of the file."""
        arrays: dict[str, Any] = {}
        for place, outcome in enumerate(outcomes):
            arrays[f"{place}/weights"] = outcome.weights
            arrays[f"{place}/aux_params"] = outcome.aux_params
            arrays |= {f"{place}/state/{number:03d}": leaf for number, leaf in enumerate(outcome.state)}
            if outcome.teacher_weights.size:
                arrays[f"{place}/teacher/weights"] = outcome.teacher_weights
                arrays |= {
                    f"{place}/teacher/state/{number:03d}": leaf for number, leaf in enumerate(outcome.teacher_state)
                }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        atomic_write(self._weights(fleet), buffer.getvalue())
        return hashlib.sha256(buffer.getbuffer()).hexdigest()


def _row(run: Run, fleet: FleetPlan, place: int) -> tuple[Any, ...]:
    whole = json.dumps(asdict(run), sort_keys=True)
    hyperparameters, teachers = json.dumps(dict(run.hyperparameters), sort_keys=True), json.dumps(run.teachers)
    about = (run.fold, run.network, run.attention, run.method, run.seed, hyperparameters, teachers, whole)
    return (run.id, fleet.id, place, fleet.phase, *about)


def _run(kept: Mapping[str, Any]) -> Run:
    return Run(**{**kept, "teachers": tuple(kept["teachers"])})


def _listed(file: Any, start: str) -> list[NDArray[Any]]:
    return [file[name] for name in sorted(file.files) if name.startswith(start)]


def _json(rows: Any) -> Iterator[tuple[Any]]:
    return ((json.loads(text),) for (text,) in rows)
