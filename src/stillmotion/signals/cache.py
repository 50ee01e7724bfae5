"""Cache of converted recordings on disk, keyed by the content of their source files; entries are written atomically."""

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
from ..files import BLANK, SEAL, atomic_folder, atomic_write, cache_root, is_sealed, seal
from .progress import report
from .recording import Dataset, Note
from .spec import SignalSpec

#: Version of the layout; entries of another version are ignored.
FORMAT = 2
#: A file changed less than this (s) ago may change again with the same timestamp, so it is hashed again.
SETTLED_SECONDS = 2.0

COLUMNS = ("samples", "labels", "times")


def load_cached(
    name: str, version: int, files: Sequence[Path], read: Callable[[], Dataset], *, root: Path | None = None
) -> Dataset:
    """Return what ``read`` returns, from the cache if the same loader has read the same bytes before.

    A cache that cannot be written only costs time: the data is returned all the same.

    Args:
        name: the data set, part of the key.
        version: the loader's version, part of the key.
        files: every file that ``read`` reads; their contents are part of the key.
        read: called when the cache has no entry.
        root: folder of the cache, ``cache_root()`` by default.

    Returns:
        The data set, with the key as its fingerprint.
    """
    root = cache_root() if root is None else root
    key = _entry_key(name, version, files, root)
    entry = root / "recordings" / f"{name}-{key[:32]}"
    if (cached := _open_entry(entry, key)) is not None:
        return cached
    dataset = replace(read(), fingerprint=key)
    # A file that changed while it was read has no valid key: return the data, cache nothing.
    if _entry_key(name, version, files, root) == key:
        with contextlib.suppress(UserError):
            _write_entry(entry, key, dataset)
    return dataset


def _entry_key(name: str, version: int, files: Sequence[Path], root: Path) -> str:
    digest = hashlib.sha256(f"{FORMAT}\0{name}\0{version}\0".encode())
    for path, content in zip(files, _hash_contents(files, root), strict=True):
        digest.update(f"{path.name}\0{content}\0".encode())
    return digest.hexdigest()


def _hash_contents(files: Sequence[Path], root: Path) -> list[str]:
    """Return the SHA-256 of every file, from memory if size, inode and times of change are the same."""
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
            atomic_write(memory_file, _seal_json({"files": memory}))
    return [known[path] for path in files]


def _sha256(path: Path) -> str:
    report(f"checking {path.name}", 0, 0)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_entry(entry: Path, key: str, dataset: Dataset) -> None:
    # Replace: another process may have written the same entry, or a damaged one may be there.
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
        (draft / "manifest.json").write_bytes(_seal_json(manifest))


def _open_entry(entry: Path, key: str) -> Dataset | None:
    """Memory-map an entry; None if it is absent, damaged or of another key."""
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
    """Return the CRC-32 of a file; checked at every start, where SHA-256 would take twice the time."""
    return zlib.crc32(np.memmap(path, np.uint8, "r").data)


def _seal_json(values: dict[str, Any]) -> bytes:
    return seal(json.dumps({**values, SEAL: BLANK}).encode())


def _read_sealed(path: Path) -> Any:
    """Read a file that carries its checksum; ``ValueError`` if the checksum is absent or wrong."""
    content = path.read_bytes()
    if not is_sealed(content):
        raise ValueError(f"{path} carries no checksum")
    return json.loads(content)
