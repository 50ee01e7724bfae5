"""The files of a bundle: read against the checksums of its manifest, JSON without NaN, golden vectors."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.array_files import UNREADABLE, read_npz

MODEL, ARRAYS, GOLDEN = "model.keras", "model.npz", "golden.npz"
SIGNAL, SCORES, PROVENANCE, CARD = "signal.json", "scores.json", "provenance.json", "README.md"
DECODER, CALIBRATION, EVIDENCE = "decoder.json", "calibration.npz", "evidence.json"
MANIFEST = "manifest.json"
#: Most bytes of golden vectors.
MOST_GOLDEN = 1 << 26


def hold_folder(path: Path) -> int:
    """Open a folder and return its descriptor, or -1 where that is not possible."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return -1


def read_verified(path: Path) -> dict[str, bytes]:
    """Read every file that the manifest lists and verify its checksum."""
    there = {file.name for file in path.iterdir()} if path.is_dir() else set()
    needed = (ARRAYS if ARRAYS in there and MODEL not in there else MODEL, SIGNAL, SCORES, PROVENANCE)
    if missing := [name for name in needed if name not in there]:
        raise UserError(f"{path} is no bundle: it lacks {', '.join(missing)}.")
    if {MODEL, ARRAYS} <= there:
        raise UserError(f"{path} holds both {MODEL} and {ARRAYS}; expected one model: save the bundle again.")
    if MANIFEST not in there:
        raise UserError(
            f"{path} lacks {MANIFEST}, so its files cannot be verified; save the bundle again with this version."
        )
    try:
        manifest = parse_json(path / MANIFEST, (path / MANIFEST).read_bytes())
        sums = manifest.get("sha256") if isinstance(manifest, dict) else None
        if not isinstance(sums, dict) or not set(needed) <= set(sums):
            raise UserError(f"{path / MANIFEST} does not list the bundle's files; copy the bundle again.")
        contents = {name: (path / name).read_bytes() for name in sorted(there - {MANIFEST}) if name in sums}
    except OSError as problem:
        raise UserError(f"{problem.filename or path} cannot be read ({problem.strerror}).") from problem
    for name, expected in sums.items():
        if name not in contents:
            raise UserError(f"{path} lacks {name}, which its {MANIFEST} lists; copy the bundle again.")
        if sha256_of(contents[name]) != expected:
            raise UserError(f"{path / name} is not the file that was bundled: its checksum differs; copy it again.")
    if added := sorted(there - {MANIFEST, *sums}):
        raise UserError(f"{path / added[0]} is not part of the bundle: its {MANIFEST} does not list it; remove it.")
    return contents


def to_json(name: str, value: Any) -> str:
    """Return a file's JSON text."""
    try:
        return json.dumps(value, indent=2, allow_nan=False) + "\n"
    except ValueError as problem:
        raise UserError(f"{name} of a bundle cannot hold NaN or an infinite number; leave it out.") from problem


def parse_json(path: Path, content: bytes) -> Any:
    """Parse a file's JSON text."""

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not a JSON number")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise UserError(f"{path} is not valid JSON ({problem}); copy the bundle again.") from problem


def pack_golden(windows: NDArray[np.float32], logits: NDArray[np.float32]) -> bytes:
    """Return the file of golden vectors: ``windows`` (n, T, D) and their ``logits`` (n, C)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, windows=windows, logits=logits)
    return buffer.getvalue()


def unpack_golden(
    path: Path, content: bytes, window: tuple[int, int], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return windows and logits of a file of golden vectors, whose shapes must be those of the contract."""
    try:
        arrays = read_npz(content, MOST_GOLDEN)
        windows, logits = (np.asarray(arrays[name], np.float32) for name in ("windows", "logits"))
        if windows.shape[1:] != window or logits.shape != (len(windows), classes):
            raise ValueError(f"shapes {windows.shape} and {logits.shape}")
        if not (np.isfinite(windows).all() and np.isfinite(logits).all()):
            raise ValueError("NaN or infinite values")
    except (UserError, *UNREADABLE) as problem:
        raise UserError(f"{path} holds no golden vectors of this bundle ({problem}); copy it again.") from problem
    return windows, logits


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()
