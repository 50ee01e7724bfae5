"""Save and load checkpoints: written atomically, with a checksum, the previous one kept."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataWarning, UserError
from ..files import atomic_path

VERSION = 1
Arrays = dict[str, NDArray[Any]]


def save(path: Path, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Save a checkpoint atomically; the previous one stays as ``*.before``.

    Args:
        path: the file.
        about: values that fit JSON.
        arrays: arrays by name.
    """
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps({"version": VERSION, **about}).encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, **{"about.json": text}, **arrays)
    content = buffer.getbuffer()
    with atomic_path(path, keep=_before(path)) as draft, draft.open("wb") as file:
        file.write(hashlib.sha256(content).digest())
        file.write(content)


def load(path: Path) -> tuple[dict[str, Any], Arrays] | None:
    """Load the newest intact checkpoint; return None where there is none.

    A damaged checkpoint is skipped with a warning, and the previous one is loaded.
    """
    for number, candidate in enumerate((path, _before(path))):
        try:
            content = candidate.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as reason:
            raise UserError(f"The checkpoint {candidate} cannot be read ({reason.strerror}).") from reason
        try:
            if hashlib.sha256(content[32:]).digest() != content[:32]:
                raise ValueError("its checksum is wrong")
            with np.load(io.BytesIO(content[32:]), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            about: dict[str, Any] = json.loads(arrays.pop("about.json").tobytes())
        except (ValueError, KeyError, zipfile.BadZipFile) as reason:
            action = "training starts again" if number else "the previous one is used"
            warnings.warn(f"The checkpoint {candidate} is damaged ({reason}); {action}.", DataWarning, stacklevel=2)
            # Moved away, or the next save would keep it as the previous checkpoint instead of the intact one.
            with suppress(OSError):
                candidate.replace(path.with_name(f"{path.name}.damaged"))
            continue
        if about.pop("version") != VERSION:
            raise UserError(
                f"{candidate} was written by another version of stillmotion; finish it with that version, or remove it."
            )
        return about, arrays
    return None


def remove(path: Path) -> None:
    """Remove a checkpoint, the previous one and a damaged one."""
    for candidate in (path, _before(path), path.with_name(f"{path.name}.damaged")):
        candidate.unlink(missing_ok=True)


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")
