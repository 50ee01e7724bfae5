"""Training windows in a bundle, by which integers are fitted to the ranges of a model's values.

A bundle of a study holds 200 windows spread evenly over the training subjects' windows: at 128 samples of 6 channels
half a megabyte. They are recordings of training subjects, without names, labels or times: leave them out of what is
given to others where that matters (``Bundle.save`` without ``calibration``), and calibrate by ``--calibrate``.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..features.array_files import LARGEST, UNREADABLE, read_npz
from ..signals import SignalSpec
from .windows import require_windows

#: Windows that a study keeps.
KEPT = 200


def spread_rows(rows: ArrayLike, count: int = KEPT) -> NDArray[np.int64]:
    """Return at most ``count`` rows, evenly spread."""
    chosen = np.asarray(rows, np.int64)
    return chosen[np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round().astype(np.int64)]


def pack_windows(windows: NDArray[np.float32]) -> bytes:
    """Return calibration windows as the bytes of a compressed file without pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, windows=windows)
    return buffer.getvalue()


def unpack_windows(content: bytes, spec: SignalSpec, path: Path) -> NDArray[np.float32]:
    """Return the calibration windows of a bundle's file."""
    try:
        windows = read_npz(content, LARGEST)["windows"]
    except (UserError, *UNREADABLE) as problem:
        raise UserError(f"{path} holds no calibration windows ({problem}); copy the bundle again.") from problem
    return require_windows(windows, spec, str(path))
