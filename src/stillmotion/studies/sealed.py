"""A SQLite file that knows when a value in it has changed: each table has its SHA-256 beside it."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

#: How SQLite's names of errors begin that are about the disk, not about what is in the file.
UNWRITTEN = tuple(f"SQLITE_{name}" for name in ("FULL", "IOERR", "READONLY", "CANTOPEN", "BUSY", "LOCKED", "PERM"))
SEALS = "CREATE TABLE IF NOT EXISTS seals (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL)"


class SealedFile:
    """A SQLite file, checked value by value when it is opened; several processes may use it at once.

    SQLite's own check does not see a changed bit in a value.

    Args:
        path: of the file, made when it is not there.
        schema: statements ``CREATE TABLE IF NOT EXISTS …``; one table is ``about``, with ``name`` and ``value``.
        version: of the schema, kept as ``schema`` in ``about``.

    Raises:
        UserError: when it cannot be written, is damaged, or is of another version.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self.path, self.schema, self.version = path, schema, version
        self.tables = tuple(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema))
        with self._faults():
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._file.close()
                raise

    def execute(self, order: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; one that changes a table only within ``change``."""
        return self._file.execute(order, values)

    def executemany(self, order: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._file.executemany(order, rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def change(self, *tables: str) -> Iterator[None]:
        """Change these tables, all or nothing; what was damaged before is found before it is sealed anew."""
        with self._faults():
            try:
                self._file.execute("BEGIN IMMEDIATE")
                new = not self._file.execute("SELECT 1 FROM sqlite_master").fetchone()
                if not new:
                    self.require_sealed(*tables)
                yield
                sums = [(table, self._digest(table)) for table in (*tables, *(("schema",) if new else ()))]
                self._file.executemany("INSERT OR REPLACE INTO seals VALUES (?, ?)", sums)
                self._file.execute("COMMIT")
            except BaseException:
                # Ctrl-C may come between any two of these, and SQLite may have given up by itself, as on a full disk.
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    def require_sealed(self, *tables: str) -> None:
        """Raise ``sqlite3.DatabaseError`` unless these tables are what they were when they were last changed."""
        kept = dict(self._file.execute("SELECT name, sha256 FROM seals"))
        for table in tables:
            if kept.get(table) != self._digest(table):
                raise sqlite3.DatabaseError(f"the checksum of its table {table} differs")

    def _open(self) -> None:
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        if not self._file.execute("SELECT 1 FROM sqlite_master").fetchone():
            with self.change(*self.tables):
                for statement in (*self.schema.split(";"), SEALS):
                    self._file.execute(statement)
                self._file.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (json.dumps(self.version),))
        # One look at all of it, whoever writes meanwhile.
        self._file.execute("BEGIN")
        try:
            row = self._file.execute("SELECT value FROM about WHERE name = 'schema'").fetchone()
            there = json.loads(str(row[0])) if row else None
            if there != self.version:
                raise UserError(
                    f"{self.path} was made by another version (store {there}, this program writes {self.version}); "
                    f"finish it with that version, or name another folder."
                )
            ((verdict,),) = self._file.execute("PRAGMA integrity_check(1)")
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            self.require_sealed("schema", *self.tables)
        finally:
            self._file.execute("COMMIT")

    def _digest(self, table: str) -> str:
        """SHA-256 of every value of a table; of ``schema``, of what the tables are."""
        what = "name, sql FROM sqlite_master ORDER BY name" if table == "schema" else f"* FROM {table} ORDER BY rowid"
        digest = hashlib.sha256()
        for row in self._file.execute(f"SELECT {what}"):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn errors of SQLite into a ``UserError``: the file cannot be written, or it is damaged."""
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, UnicodeDecodeError) as problem:
            if getattr(problem, "sqlite_errorname", "").startswith(UNWRITTEN):
                text = "cannot be written ({}); make room or name another folder, then go on."
            else:
                text = (
                    "is damaged ({}); restore it from a copy, or move it away: fleets that have checkpoints go on from "
                    "them."
                )
            raise UserError(f"{self.path} {text.format(problem)}") from problem
