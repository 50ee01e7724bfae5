"""Simulated wrists put down as seglearn's pickled file of SPAR."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.signals.recording import Dataset, Recording
from stillmotion.signals.sets import spar
from stillmotion.signals.simulated.generate import make_sessions

from .write import WRIST

SECONDS = 6


def write_spar(folder: str | Path, *, subjects: int = 3, seed: int = 0) -> Dataset:
    """Write ``watch_dataset.npy``: every subject, arm and exercise, in a shuffled order; return what was written.

    Stretches of the simulated wrist stand for the exercises; a left arm is the mirror image of a right one.
    """
    rng = np.random.default_rng(seed)
    recordings = []
    for subject in range(1, subjects + 1):
        whole, _ = next(iter(make_sessions(subject, seed=seed, minutes=2.0)))
        for number in range(14):
            length = SECONDS * 50 + int(rng.integers(50))
            start = int(rng.integers(len(whole) - length))
            samples = whole.samples[start : start + length, WRIST].copy()
            side, label = divmod(number, 7)
            if side == 0:
                samples *= np.array([-1, 1, 1, 1, -1, -1], np.float32)
            labels = np.full(length, label, np.int16)
            recordings.append(Recording(str(subject), ("left", "right")[side], samples, labels))
    order = rng.permutation(len(recordings))
    recordings = [
        Recording(each.subject, each.session, each.samples, each.labels, source=f"watch_dataset.npy {number}")
        for number, each in enumerate(recordings[place] for place in order)
    ]
    write_pickle(Path(folder) / "watch_dataset.npy", contents(recordings))
    return Dataset.of("spar", spar.CARD.spec, recordings)


def contents(recordings: list[Recording]) -> dict[str, Any]:
    """Return the dict that the file holds: arrays by columns, sides as floating-point numbers."""
    return {
        "X": [np.asfortranarray(each.samples.astype(np.float64)) for each in recordings],
        "y_labels": ["PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"],
        "y": np.array([int(each.labels[0]) for each in recordings]),
        "X_labels": ["ax", "ay", "az", "wx", "wy", "wz"],
        "side": np.array([float(each.session == "right") for each in recordings]),
        "subject": np.array([int(each.subject) for each in recordings]),
    }


def write_pickle(path: Path, content: Any) -> None:
    """Save as an old NumPy did: an array of no dimension of one object, protocol 2, NumPy's names of that time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.empty((), object)
    whole[()] = content
    pickled = pickle.dumps(whole, protocol=2)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(pickled.replace(b"numpy._core.", b"numpy.core."))
