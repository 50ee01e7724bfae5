"""Files of weights, one for each fleet, checked against the checksums in the run store."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import atomic_write
from ..training import RunResult
from .runs import ClassifierResult


class DamagedFleet(UserError):
    """A missing or changed file of weights of a fleet."""

    def __init__(self, path: Path, fleet: str, why: str) -> None:
        super().__init__(f"{path} {why}; run the study again to train this fleet again; other fleets are kept.")
        self.path, self.fleet, self.why = path, fleet, why


class WeightFiles:
    """The folder with a file of weights for each fleet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole: dict[str, tuple[int, int, int]] = {}

    def path(self, fleet: str) -> Path:
        """Return the file of a fleet."""
        return self.folder / f"{fleet}.npz"

    def write(self, fleet: str, results: Sequence[RunResult | ClassifierResult]) -> str:
        """Write the weights of a fleet, and return the SHA-256 of the file."""
        arrays: dict[str, Any] = {}
        for place, result in enumerate(results):
            if isinstance(result, ClassifierResult):
                arrays |= {f"{place}/rows": result.rows, f"{place}/logits": result.logits}
                arrays[f"{place}/packed"] = np.frombuffer(result.packed, np.uint8)
                continue
            arrays[f"{place}/weights"] = result.weights
            arrays[f"{place}/aux_params"] = result.aux_params
            arrays |= {f"{place}/state/{number:03d}": leaf for number, leaf in enumerate(result.state)}
            if result.teacher_weights.size:
                arrays[f"{place}/teacher/weights"] = result.teacher_weights
                arrays |= {
                    f"{place}/teacher/state/{number:03d}": leaf for number, leaf in enumerate(result.teacher_state)
                }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        atomic_write(self.path(fleet), buffer.getvalue())
        return hashlib.sha256(buffer.getbuffer()).hexdigest()

    @contextmanager
    def open(self, fleet: str, sha256: str) -> Iterator[Any]:
        """Open the checked file of a fleet."""
        self.require_whole(fleet, sha256)
        path = self.path(fleet)
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                yield file
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as problem:
            raise DamagedFleet(path, fleet, f"is incomplete ({problem})") from None

    def require_whole(self, fleet: str, sha256: str) -> None:
        """Raise ``DamagedFleet`` unless a file of weights matches its checksum; unchanged files are read once."""
        path = self.path(fleet)
        try:
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if self._whole.get(fleet) == stamp:
                return
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as problem:
            raise DamagedFleet(path, fleet, f"cannot be read ({problem.strerror})") from None
        if digest != sha256:
            raise DamagedFleet(path, fleet, "is damaged (its checksum differs)")
        self._whole[fleet] = stamp


def listed(file: Any, start: str) -> list[NDArray[Any]]:
    """Return the arrays of a file whose names begin alike, in order."""
    return [file[name] for name in sorted(file.files) if name.startswith(start)]
