"""Checksums of public copies, and the record of what was fetched into a folder."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from ...errors import UserError
from ...files import BLANK, SEAL, atomic_write, is_sealed, seal

#: Name of the record in a fetched folder.
RECORD = ".stillmotion.json"


@dataclass(frozen=True)
class Checksum:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """Describe a fetched folder: its source, file checksums, accepted counts and opened archives."""

    source: str = ""
    files: Mapping[str, Checksum] = field(default_factory=dict)
    accepted: Mapping[str, int] = field(default_factory=dict)
    archives: Mapping[str, Checksum] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Record | None:
        """Read the record of a folder; None if it has none, ``UserError`` if it is damaged."""
        try:
            content = (folder / RECORD).read_bytes()
        except OSError:
            return None
        try:
            is_sealed(content)
            values = json.loads(content)
            files, archives = (
                {name: Checksum(**entry) for name, entry in values[key].items()} for key in ("files", "archives")
            )
            return cls(values["source"], files, values["accepted"], archives)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise UserError(
                f"{folder / RECORD} is damaged ({problem}), so nothing can be verified; remove {folder} and fetch it "
                f"again, or remove this file to accept the folder as it is."
            ) from problem

    def write(self, folder: Path) -> None:
        """Write the record into a folder, atomically."""
        text = json.dumps({**asdict(self), SEAL: BLANK}, indent=1) + "\n"
        atomic_write(folder / RECORD, seal(text.encode()))


@cache
def known_sums(data_set: str) -> dict[str, Checksum]:
    """Return the checksums of public copies by file name; empty if none are known."""
    with (Path(__file__).parent / "checksums.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["data_set"] == data_set]
    return {Path(row["path"]).name: Checksum(int(row["size"]), row["sha256"]) for row in rows}


def hash_files(folder: Path, files: Iterable[Path]) -> dict[str, Checksum]:
    """Return the checksums of files by their path below the folder."""
    listed = list(files)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        hashed = list(pool.map(hash_file, listed))
    return {path.relative_to(folder).as_posix(): checksum for path, checksum in zip(listed, hashed, strict=True)}


def hash_file(path: Path) -> Checksum:
    """Return the checksum of one file."""
    with path.open("rb") as file:
        return Checksum(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
