"""The run store: a SQLite file per study with a row per run and its predictions, and a file of weights per fleet."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import name_write_errors
from ..training import RunResult
from .index import WindowIndex
from .runs import ClassifierResult, FleetPlan, Run, RunStatus, TrainedFleet
from .sealed import SealedFile
from .weights import DamagedFleet, WeightFiles, listed

VERSION = 3
#: Name, beside the versions that a fleet was trained with, of the forms of its convolutions.
FORMS = "convolutions"
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS windows (fingerprint TEXT PRIMARY KEY, sha256 TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS fleets (
    id TEXT PRIMARY KEY, phase TEXT NOT NULL, size INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'planned',
    seconds REAL, finished REAL, versions TEXT, sha256 TEXT);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, fleet TEXT NOT NULL REFERENCES fleets, place INTEGER NOT NULL, phase TEXT NOT NULL,
    fold INTEGER NOT NULL, kind TEXT NOT NULL, network TEXT NOT NULL, attention TEXT NOT NULL, method TEXT NOT NULL,
    seed INTEGER NOT NULL, hyperparameters TEXT NOT NULL, teachers TEXT NOT NULL, run TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'planned', validation REAL, best_epoch INTEGER, epochs INTEGER, seconds REAL,
    reason TEXT NOT NULL DEFAULT '', history TEXT, size TEXT);
CREATE TABLE IF NOT EXISTS predictions (
    run TEXT NOT NULL, split TEXT NOT NULL, role TEXT NOT NULL, sha256 TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (run, split, role));
CREATE TABLE IF NOT EXISTS auxiliary (
    run TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS evaluations (
    at REAL NOT NULL, runs INTEGER NOT NULL, subjects INTEGER NOT NULL, why TEXT NOT NULL);
"""
Logits = NDArray[np.float32]


class Store:
    """The run store of a study in its folder; several processes may use it at once.

    Args:
        folder: of the study.
        write: whether the store may be changed, and is made if it is missing; without it nothing in the folder changes.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self.folder = folder
        self.path = folder / "runs.sqlite"
        self._weights = WeightFiles(folder / "fleets")
        if write:
            with name_write_errors(self.path):
                (folder / "fleets").mkdir(parents=True, exist_ok=True)
        self._file = SealedFile(self.path, SCHEMA, VERSION, write=write)

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

    def claim(self, study: str, index: WindowIndex, *, over: tuple[str, str] | None = None) -> tuple[str, str]:
        """Store the specification of the folder and its windows unless there are some; atomic across processes.

        Args:
            study: the specification, as TOML.
            index: its windows.
            over: specification and fingerprint of windows to replace; they are kept under ``former``.

        Returns:
            Specification and fingerprint that are stored now.
        """
        with self._file.change("about", "windows"):
            known = self.about()
            kept = (known.get("study", ""), known.get("data", ""))
            given = (study, index.fingerprint)
            if kept[0] and kept not in (over, given):
                return kept
            if kept != given:
                values: dict[str, Any] = {"study": study, "data": index.fingerprint}
                if kept[0]:
                    values["former"] = [*known.get("former", []), [time.time(), *kept]]
                self._note(values)
            # A file of scores may have changed although specification and windows have not.
            content = index.to_bytes()
            if content != self._file.content("windows", fingerprint=index.fingerprint):
                self._file.insert("windows", index.fingerprint, content=content)
            return given

    def windows(self) -> WindowIndex:
        """Return the windows of the study."""
        content = self._file.content("windows", fingerprint=self.about()["data"])
        if content is None:
            raise sqlite3.DatabaseError("the index of its windows is missing")
        return WindowIndex.from_bytes(content)

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
                    "INSERT INTO runs (id, fleet, place, phase, fold, kind, network, attention, method, seed, "
                    "hyperparameters, teachers, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [_row(run, kept, place) for place, run in enumerate(kept.runs)],
                )
            wanted = {run.id for fleet in fleets for run in fleet.runs}
            return [fleet for fleet in self.unfinished() if wanted & {run.id for run in fleet.runs}]

    def unfinished(self) -> list[FleetPlan]:
        """Return the unfinished fleets in the order of the plan."""
        fleets = []
        rows = self._file.execute("SELECT id, phase, size FROM fleets WHERE status != 'done' ORDER BY rowid").fetchall()
        for planned_id, phase, size in rows:
            stored = self._file.execute("SELECT run FROM runs WHERE fleet = ? ORDER BY place", (planned_id,))
            fleet = FleetPlan(phase, tuple(_run(kept) for (kept,) in _json(stored)), size)
            # A fleet planned with other code has another id now, and is planned again.
            if fleet.id == planned_id:
                fleets.append(fleet)
        return fleets

    def outdated(self) -> dict[str, int]:
        """Count the finished runs that were trained with other code than the current one, by method."""
        counts: dict[str, int] = {}
        for run, stored in self._file.execute("SELECT id, run FROM runs WHERE status != 'planned'"):
            current = _run(json.loads(stored))
            if current.id != run:
                counts[current.method] = counts.get(current.method, 0) + 1
        return counts

    def is_done(self, fleet: str) -> bool:
        """Return whether a fleet is finished."""
        row = self._file.execute("SELECT status FROM fleets WHERE id = ?", (fleet,)).fetchone()
        return bool(row and row[0] == "done")

    def finish(self, fleet: TrainedFleet, versions: Mapping[str, str]) -> None:
        """Store a trained fleet: first the file of weights, then all rows in one transaction."""
        if fleet.reason:
            self._fail(fleet, versions)
            return
        results, plan = fleet.results, fleet.plan
        sha256 = self._weights.write(plan.id, results)
        share = fleet.seconds / max(1, sum(_epochs(result) for result in results))
        with self._file.change("fleets", "runs"):
            for run, result in zip(plan.runs, results, strict=True):
                row: tuple[Any, ...]
                if isinstance(result, ClassifierResult):
                    row = ("done", result.validation, 1, 1, share, "", "[]", json.dumps(dict(result.size)))
                else:
                    row = (result.status, result.best, result.best_epoch, result.epochs, share * result.epochs)
                    row += (result.reason, json.dumps(result.history), None)
                self._file.execute(
                    "UPDATE runs SET status = ?, validation = ?, best_epoch = ?, epochs = ?, seconds = ?, reason = ?, "
                    "history = ?, size = ? WHERE id = ?",
                    (*row, run.id),
                )
            self._end(
                plan.id, fleet.seconds, {**versions, **({FORMS: "; ".join(fleet.forms)} if fleet.forms else {})}, sha256
            )

    def _fail(self, fleet: TrainedFleet, versions: Mapping[str, str]) -> None:
        with self._file.change("fleets", "runs"):
            self._file.execute(
                "UPDATE runs SET status = 'failed', validation = -1, best_epoch = 0, epochs = 0, seconds = 0, "
                "reason = ?, history = '[]' WHERE fleet = ?",
                (fleet.reason, fleet.plan.id),
            )
            self._end(fleet.plan.id, 0.0, versions, None)

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
        with self._file.change("fleets", "runs", "predictions", "auxiliary"):
            try:
                self._require_whole(fleet)
            except DamagedFleet:
                in_fleet = "IN (SELECT id FROM runs WHERE fleet = ?)"
                for table in ("predictions", "auxiliary"):
                    self._file.execute(f"DELETE FROM {table} WHERE run {in_fleet}", (fleet,))
                self._file.execute(
                    "UPDATE runs SET status = 'planned', validation = NULL, best_epoch = NULL, epochs = NULL, "
                    "seconds = NULL, reason = '', history = NULL, size = NULL WHERE fleet = ?",
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

    def size(self, run: str) -> dict[str, float]:
        """Return what a device would have to store for a feature classifier, by part; empty for a network."""
        row = self._file.execute("SELECT size FROM runs WHERE id = ?", (run,)).fetchone()
        return {} if row is None or row[0] is None else json.loads(row[0])

    def versions(self) -> list[dict[str, str]]:
        """Return all sets of package versions that fleets were trained with, in order of time."""
        rows = self._file.execute("SELECT versions FROM fleets WHERE versions IS NOT NULL ORDER BY finished")
        versions: list[dict[str, str]] = []
        for (each,) in _json(rows):
            each.pop(FORMS, None)
            if each not in versions:
                versions.append(each)
        return versions

    def execution(self, run: str) -> dict[str, str]:
        """Return how a run was trained: versions, device, threads and the forms of its convolutions."""
        query = "SELECT versions FROM fleets WHERE id = (SELECT fleet FROM runs WHERE id = ?) AND versions IS NOT NULL"
        return next((each for (each,) in _json(self._file.execute(query, (run,)))), {})

    def weights(self, run: str) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        """Return the best weights of a run, and the non-trainable state of the same epoch."""
        with self._arrays(run) as (file, place):
            return file[f"{place}/weights"], listed(file, f"{place}/state/")

    def co_trained_teacher(
        self, run: str
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]], NDArray[np.float32]] | None:
        """Return weights and state of the co-trained teacher of a run, and auxiliary parameters; None without one."""
        with self._arrays(run) as (file, place):
            if f"{place}/teacher/weights" not in file.files:
                return None
            state = listed(file, f"{place}/teacher/state/")
            return file[f"{place}/teacher/weights"], state, file[f"{place}/aux_params"]

    def require_weights(self, runs: Iterable[str]) -> None:
        """Raise ``DamagedFleet`` unless the weights of these runs match their checksums."""
        for run in runs:
            self._require_whole(self._place(run)[0])

    @contextmanager
    def _arrays(self, run: str) -> Iterator[tuple[Any, int]]:
        """Open the file with the weights of a run; gives the file and the number of the run in it."""
        fleet, place = self._place(run)
        with self._weights.open(fleet, self._checksum(fleet)) as file:
            yield file, place

    def _place(self, run: str) -> tuple[str, int]:
        fleet, place = self._file.execute("SELECT fleet, place FROM runs WHERE id = ?", (run,)).fetchone()
        return fleet, place

    def _checksum(self, fleet: str) -> str:
        (sha256,) = self._file.execute("SELECT sha256 FROM fleets WHERE id = ?", (fleet,)).fetchone()
        return str(sha256)

    def _require_whole(self, fleet: str) -> None:
        self._weights.require_whole(fleet, self._checksum(fleet))

    def add_predictions(self, split: str, logits: Mapping[str, Logits], *, role: str = "student") -> None:
        """Store logits of the windows of ``validation`` or ``test`` in a run's fold, by run.

        Args:
            split: ``validation`` or ``test``; ``test-unlabelled`` for windows without a class; ``all`` for a file of
                scores, whose "run" is its checksum.
            logits: (n, C) in the order of the fold's windows.
            role: ``student``, or ``teacher`` for the co-trained teacher of the run.
        """
        if not logits:
            return
        with self._file.change("predictions"):
            for run, values in logits.items():
                self._file.insert("predictions", run, split, role, content=_to_bytes(values))

    def predictions(self, run: str, split: str, *, role: str = "student") -> Logits | None:
        """Return the stored logits (n, C) of a run, if there are any."""
        content = self._file.content("predictions", run=run, split=split, role=role)
        return None if content is None else np.asarray(np.load(io.BytesIO(content), allow_pickle=False), np.float32)

    def predicted(self, split: str, *, role: str = "student") -> set[str]:
        """Return the runs with stored predictions."""
        rows = self._file.execute("SELECT run FROM predictions WHERE split = ? AND role = ?", (split, role))
        return {run for (run,) in rows}

    def classifier_logits(self, run: str, rows: NDArray[np.int64]) -> Logits:
        """Return logits (n, C) of a feature classifier for windows; 0 for those that it was trained on."""
        with self._arrays(run) as (file, place):
            known, logits = file[f"{place}/rows"], file[f"{place}/logits"]
            at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
            return np.where((known[at] == rows)[:, None], logits[at], 0).astype(np.float32)

    def packed_classifier(self, run: str) -> bytes:
        """Return the arrays of a feature classifier that was fitted to all subjects, see ``features.pack_arrays``."""
        with self._arrays(run) as (file, place):
            return bytes(file[f"{place}/packed"])

    def add_auxiliary(self, values: Mapping[str, Mapping[str, float]]) -> None:
        """Store learned auxiliary values, by run and name."""
        with self._file.change("auxiliary"):
            self._file.executemany(
                "INSERT OR REPLACE INTO auxiliary VALUES (?, ?, ?)",
                [(run, name, value) for run, named in values.items() for name, value in named.items()],
            )

    def auxiliary(self) -> dict[str, dict[str, float]]:
        """Return learned auxiliary values, by run and name."""
        values: dict[str, dict[str, float]] = {}
        for run, name, value in self._file.execute("SELECT run, name, value FROM auxiliary ORDER BY rowid"):
            values.setdefault(run, {})[name] = value
        return values

    def log_test_evaluation(self, runs: int, subjects: int, why: str) -> None:
        """Log an evaluation on test subjects."""
        with self._file.change("evaluations"):
            self._file.execute("INSERT INTO evaluations VALUES (?, ?, ?, ?)", (time.time(), runs, subjects, why))

    def test_evaluations(self) -> list[tuple[float, int, int, str]]:
        """Return every evaluation on test subjects: time, number of runs, number of subjects, reason."""
        return list(self._file.execute("SELECT at, runs, subjects, why FROM evaluations ORDER BY at"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _end(self, fleet: str, seconds: float, versions: Mapping[str, str], sha256: str | None) -> None:
        self._file.execute(
            "UPDATE fleets SET status = 'done', seconds = ?, finished = ?, versions = ?, sha256 = ? WHERE id = ?",
            (seconds, time.time(), json.dumps(dict(versions)), sha256, fleet),
        )


def _row(run: Run, fleet: FleetPlan, place: int) -> tuple[Any, ...]:
    stored = json.dumps(asdict(run), sort_keys=True)
    hyperparameters, teachers = json.dumps(dict(run.hyperparameters), sort_keys=True), json.dumps(run.teachers)
    about = (run.fold, run.kind, run.network, run.attention, run.method, run.seed, hyperparameters, teachers, stored)
    return (run.id, fleet.id, place, fleet.phase, *about)


def _run(kept: Mapping[str, Any]) -> Run:
    return Run(**{**kept, "teachers": tuple(kept["teachers"])})


def _epochs(result: RunResult | ClassifierResult) -> int:
    return 1 if isinstance(result, ClassifierResult) else result.epochs


def _to_bytes(values: Logits) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _json(rows: Any) -> Iterator[tuple[Any]]:
    return ((json.loads(text),) for (text,) in rows)
