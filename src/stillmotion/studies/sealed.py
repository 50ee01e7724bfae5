"""A SQLite file that detects changed values: it stores the SHA-256 of each table.

A table with the columns ``sha256`` and ``content`` has large values: its own checksum is over the others, and each
value is checked when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

#: Prefixes of SQLite error names about the disk or access, not about damaged content.
UNWRITTEN = tuple(f"SQLITE_{name}" for name in ("FULL", "IOERR", "READONLY", "CANTOPEN", "BUSY", "LOCKED", "PERM"))
SEALS = "CREATE TABLE IF NOT EXISTS seals (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL)"


class SealedFile:
    """A SQLite file whose values are checked when it is opened; several processes may use it at once.

    The integrity check of SQLite does not detect changed values.

    Args:
        path: of the file, created if missing.
        schema: statements ``CREATE TABLE IF NOT EXISTS …``; one table must be ``about``, with ``name`` and ``value``.
        version: of the schema, kept as ``schema`` in ``about``.
        write: whether it may be changed, and is created if missing.

    Raises:
        UserError: if it cannot be written, is damaged, or has another version.
    """

    def __init__(self, path: Path, schema: str, version: int, *, write: bool = True) -> None:
        self.path, self.schema, self.version = path, schema, version
        self.tables = tuple(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema))
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        with self._faults():
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None) if write else self._open_to_read()
            try:
                if write:
                    self._create()
                self._check()
            except BaseException:
                self._file.close()
                raise

    def execute(self, order: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement; statements that change a table only within ``change``."""
        return self._file.execute(order, values)

    def executemany(self, order: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._file.executemany(order, rows)

    def insert(self, table: str, *keys: str, content: bytes) -> None:
        """Insert a large value, or replace the one with the same keys; only within ``change``."""
        values = (*keys, hashlib.sha256(content).hexdigest(), content)
        self._file.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(values))})", values)

    def content(self, table: str, **keys: str) -> bytes | None:
        """Return the large value with these keys, if there is one."""
        where = " AND ".join(f"{name} = ?" for name in keys)
        with self._faults():
            order = f"SELECT sha256, content FROM {table} WHERE {where}"
            row = self._file.execute(order, tuple(keys.values())).fetchone()
            if row is None:
                return None
            if not isinstance(row[1], bytes) or hashlib.sha256(row[1]).hexdigest() != row[0]:
                raise sqlite3.DatabaseError(f"a checksum in its table {table} differs")
            return row[1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._copy is not None:
            self._copy.cleanup()

    @contextmanager
    def change(self, *tables: str) -> Iterator[None]:
        """Change tables in a transaction; they are checked before and sealed again after it."""
        with self._faults():
            try:
                self._file.execute("BEGIN IMMEDIATE")
                new = not self._file.execute("SELECT 1 FROM sqlite_master").fetchone()
                if not new:
                    self.require_sealed(*tables)
                yield
                sums = {table: self._digest(table) for table in (*tables, *(("schema",) if new else ()))}
                kept = dict(self._file.execute("SELECT name, sha256 FROM seals"))
                # What changed nothing leaves every byte of the file as it was.
                changed = [(table, digest) for table, digest in sums.items() if kept.get(table) != digest]
                self._file.executemany("INSERT OR REPLACE INTO seals VALUES (?, ?)", changed)
                self._file.execute("COMMIT")
            except BaseException:
                # After Ctrl-C the transaction may be open; after a full disk SQLite has already rolled back.
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    def require_sealed(self, *tables: str) -> None:
        """Raise ``sqlite3.DatabaseError`` unless tables match their stored checksums."""
        kept = dict(self._file.execute("SELECT name, sha256 FROM seals"))
        for table in tables:
            if kept.get(table) != self._digest(table):
                raise sqlite3.DatabaseError(f"the checksum of its table {table} differs")

    def _open_to_read(self) -> sqlite3.Connection:
        """Open without changing anything, also in a folder where nothing may be written.

        While no process has the file open, there is no write-ahead log, and SQLite needs no other file. The log of a
        process that was killed has to be read, which needs another file beside it: in a copy if need be.
        """
        path, log = self.path, self.path.with_name(f"{self.path.name}-wal")
        alone = not log.exists() or log.stat().st_size == 0
        if not alone and not os.access(path.parent, os.W_OK):
            self._copy = tempfile.TemporaryDirectory(prefix="stillmotion-")
            for each in (path, log):
                shutil.copy(each, self._copy.name)
            path = Path(self._copy.name) / path.name
        place = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
        return sqlite3.connect(place, uri=True, timeout=60, isolation_level=None)

    def _create(self) -> None:
        """Create the tables of a new file."""
        self._use_write_ahead_log()
        self._file.execute("PRAGMA synchronous=FULL")
        if not self._file.execute("SELECT 1 FROM sqlite_master").fetchone():
            with self.change(*self.tables):
                for statement in (*self.schema.split(";"), SEALS):
                    self._file.execute(statement)
                self._file.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (json.dumps(self.version),))

    def _check(self) -> None:
        """Check version, integrity and checksums."""
        # One transaction, so that all checks see the same state.
        self._file.execute("BEGIN")
        try:
            row = self._file.execute("SELECT value FROM about WHERE name = 'schema'").fetchone()
            found = json.loads(str(row[0])) if row else None
            if found != self.version:
                raise UserError(
                    f"{self.path} has schema version {found}, but this version of stillmotion uses {self.version}; "
                    f"continue with the version that made it, or use another folder."
                )
            ((verdict,),) = self._file.execute("PRAGMA integrity_check(1)")
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            self.require_sealed("schema", *self.tables)
        finally:
            self._file.execute("COMMIT")

    def _use_write_ahead_log(self) -> None:
        """Switch a new file to its write-ahead log; SQLite does not wait by itself for a process that does the same."""
        for _ in range(600):
            try:
                self._file.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as problem:
                if not problem.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                    raise
            time.sleep(0.1)
        self._file.execute("PRAGMA journal_mode=WAL")

    def _digest(self, table: str) -> str:
        """Compute the SHA-256 of all small values of a table; for ``schema``, of the table definitions."""
        columns = "name, sql FROM sqlite_master ORDER BY name"
        if table != "schema":
            names = [row[1] for row in self._file.execute(f"PRAGMA table_info({table})")]
            columns = f"{', '.join(name for name in names if name != 'content')} FROM {table} ORDER BY rowid"
        digest = hashlib.sha256()
        for row in self._file.execute(f"SELECT {columns}"):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn errors of SQLite into a ``UserError``: not writable, or damaged."""
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, UnicodeDecodeError) as problem:
            if getattr(problem, "sqlite_errorname", "").startswith(UNWRITTEN):
                text = "cannot be written ({}); make room or use another folder, then run the study again."
            else:
                text = (
                    "is damaged ({}); restore it from a backup, or move it away: fleets with checkpoints continue from "
                    "them."
                )
            raise UserError(f"{self.path} {text.format(problem)}") from problem
