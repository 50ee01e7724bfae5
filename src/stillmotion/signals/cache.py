"""Converted recordings on disk: keyed by the bytes they came from, whole or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import BLANK, SEAL, atomic_folder, atomic_write, is_sealed, seal
from .recording import Dataset, Note
from .spec import SignalSpec

#: Layout of a cache entry; another number makes every older entry unknown.
FORMAT = 2
#: A file changed this recently (s) may change again within one tick of its clock: its bytes are read again.
SETTLED_SECONDS = 2.0

COLUMNS = ("samples", "labels", "times")


def cache_root() -> Path:
    """``STILLMOTION_CACHE``, or ``stillmotion`` in the user's cache folder."""
    if named := os.environ.get("STILLMOTION_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stillmotion"


def load_cached(
    name: str, version: int, files: Sequence[Path], read: Callable[[], Dataset], *, root: Path | None = None
) -> Dataset:
    """What ``read`` gives, from the cache when the same bytes were read by the same loader before.

    Args:
        name: the data set, part of the key.
        version: the loader's version, part of the key.
        files: everything that ``read`` reads; the content of all of them is the key.
        read: does the work when the cache has nothing.
        root: folder of the cache, ``cache_root()`` by default.

    A cache that cannot be written costs only time: the data is returned all the same.
    """
    root = cache_root() if root is None else root
    key = _key(name, version, files, root)
    entry = root / "recordings" / f"{name}-{key[:32]}"
    if (found := _open(entry, key)) is not None:
        return found
    dataset = replace(read(), fingerprint=key)
    # A file that changed while it was read belongs to no key: hand the data on, keep nothing.
    if _key(name, version, files, root) == key:
        with contextlib.suppress(UserError):
            _write(entry, key, dataset)
    return dataset


def _key(name: str, version: int, files: Sequence[Path], root: Path) -> str:
    digest = hashlib.sha256(f"{FORMAT}\0{name}\0{version}\0".encode())
    for path, content in zip(files, _contents(files, root), strict=True):
        digest.update(f"{path.name}\0{content}\0".encode())
    return digest.hexdigest()


def _contents(files: Sequence[Path], root: Path) -> list[str]:
    """SHA-256 of every file; remembered by size, inode and times of change, so that it is read only once."""
    memory_file = root / "contents.json"
    try:
        memory: dict[str, list[Any]] = _read_sealed(memory_file)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        memory = {}
    now = time.time()
    known: dict[Path, str] = {}
    stamps: dict[Path, list[int]] = {}
    for path in files:
        stat = path.stat()
        stamps[path] = [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
        entry = memory.get(str(path.resolve()))
        if entry and entry[1:] == stamps[path]:
            known[path] = entry[0]
    unknown = [path for path in files if path not in known]
    if unknown:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            known.update(zip(unknown, pool.map(_sha256, unknown), strict=True))
        for path in unknown:
            changed = max(stamps[path][2:]) * 1e-9
            if now - changed > SETTLED_SECONDS:
                memory[str(path.resolve())] = [known[path], *stamps[path]]
        with contextlib.suppress(UserError):
            atomic_write(memory_file, _sealed({"files": memory}))
    return [known[path] for path in files]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(entry: Path, key: str, dataset: Dataset) -> None:
    # Another process may have been first (same key, same bytes), or an unusable entry is in the way.
    with atomic_folder(entry, replace=True) as draft:
        sums = {}
        for column in COLUMNS:
            values = getattr(dataset, column)
            if values is not None:
                np.save(draft / f"{column}.npy", values, allow_pickle=False)
                sums[column] = _crc32(draft / f"{column}.npy")
        manifest = {
            "format": FORMAT,
            "key": key,
            "name": dataset.name,
            "spec": dataset.spec.to_dict(),
            "index": list(dataset.index),
            "notes": [asdict(note) for note in dataset.notes],
            "official_test": list(dataset.official_test),
            "same_subjects_as": list(dataset.same_subjects_as),
            "crc32": sums,
        }
        (draft / "manifest.json").write_bytes(_sealed(manifest))


def _open(entry: Path, key: str) -> Dataset | None:
    """Map an entry, or None when it is not there, of another key, or damaged."""
    try:
        manifest = _read_sealed(entry / "manifest.json")
        if manifest["key"] != key or manifest["format"] != FORMAT:
            return None
        columns: dict[str, Any] = dict.fromkeys(COLUMNS)
        for column, expected in manifest["crc32"].items():
            if _crc32(entry / f"{column}.npy") != expected:
                return None
            columns[column] = np.load(entry / f"{column}.npy", mmap_mode="r", allow_pickle=False)
        return Dataset(
            name=manifest["name"],
            spec=SignalSpec.from_dict(manifest["spec"]),
            index=tuple(manifest["index"]),
            notes=tuple(Note(**note) for note in manifest["notes"]),
            official_test=tuple(manifest["official_test"]),
            same_subjects_as=tuple(manifest["same_subjects_as"]),
            fingerprint=key,
            **columns,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _crc32(path: Path) -> int:
    """Of a whole file; of what is read at every start, where SHA-256 would take twice the time."""
    return zlib.crc32(np.memmap(path, np.uint8, "r").data)


def _sealed(values: dict[str, Any]) -> bytes:
    return seal(json.dumps({**values, SEAL: BLANK}).encode())


def _read_sealed(path: Path) -> Any:
    """Values of a file that carries its checksum; ``ValueError`` when it does not, or not its own."""
    content = path.read_bytes()
    if not is_sealed(content):
        raise ValueError(f"{path} carries no checksum")
    return json.loads(content)
