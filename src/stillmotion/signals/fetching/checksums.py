"""What files were when they were first seen: by us, in public copies, or on this machine."""

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

#: What a fetched folder was found to be, beside its files.
RECORD = ".stillmotion.json"


@dataclass(frozen=True)
class Sum:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """What a folder held when it was fetched: where from, its files, counts that were accepted, archives opened."""

    source: str = ""
    files: Mapping[str, Sum] = field(default_factory=dict)
    accepted: Mapping[str, int] = field(default_factory=dict)
    archives: Mapping[str, Sum] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Record | None:
        """The record of a folder, if it has one; ``UserError`` when it is damaged."""
        try:
            content = (folder / RECORD).read_bytes()
        except OSError:
            return None
        try:
            is_sealed(content)
            values = json.loads(content)
            files, archives = (
                {name: Sum(**each) for name, each in values[key].items()} for key in ("files", "archives")
            )
            return cls(values["source"], files, values["accepted"], archives)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise UserError(
                f"{folder / RECORD} is damaged ({problem}), so nothing can be verified; remove {folder} and fetch it "
                f"again, or remove this file to take what is there."
            ) from problem

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        text = json.dumps({**asdict(self), SEAL: BLANK}, indent=1) + "\n"
        atomic_write(folder / RECORD, seal(text.encode()))


@cache
def known(data_set: str) -> dict[str, Sum]:
    """Sums of a data set's files by name, as public copies have them; not all sets are known."""
    with (Path(__file__).parent / "checksums.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["data_set"] == data_set]
    return {Path(row["path"]).name: Sum(int(row["size"]), row["sha256"]) for row in rows}


def sums(folder: Path, files: Iterable[Path]) -> dict[str, Sum]:
    """Sums of files, by their path below the folder."""
    listed = list(files)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        found = list(pool.map(sum_of, listed))
    return {path.relative_to(folder).as_posix(): each for path, each in zip(listed, found, strict=True)}


def sum_of(path: Path) -> Sum:
    """The sum of one file."""
    with path.open("rb") as file:
        return Sum(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
