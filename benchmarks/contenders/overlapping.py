"""Train a fleet on overlapping windows, gathered from the samples or copied; print the bytes that it took."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

import stillmotion as sm
from stillmotion.networks import build_network
from stillmotion.training import Fleet, Recipe, Replica
from stillmotion.training.progress import Progress

CLASSES, WINDOW, SUBJECTS = 6, 64, 4


def peak() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])


def train(samples: int, hop: int, *, copies: bool, share: int) -> int:
    """Train the published student for an epoch on a ``share``-th of the windows; return how many windows there are."""
    rng = np.random.default_rng(0)
    length = samples // SUBJECTS
    signals = [rng.standard_normal((length, 3), np.float32) for _ in range(SUBJECTS)]
    labels = [np.arange(length) // (length // 24) % CLASSES for _ in signals]
    subjects = [f"s{number}" for number in range(SUBJECTS)]
    data = sm.from_arrays(signals, labels, subjects, rate=20, channels=["acc.x", "acc.y", "acc.z"])
    del signals, labels
    windows = sm.cut(data, spec=data.spec.with_window(WINDOW, hop))
    held_out = windows.subject_codes == SUBJECTS - 1
    replica = Replica(0, np.flatnonzero(~held_out)[::share], np.flatnonzero(held_out)[::share])
    values = windows.values() if copies else windows
    model = build_network("deepconvlstm-lm", windows.spec, seed=0)
    fleet = Fleet(model, "lm", [replica], values, windows.labels, classes=CLASSES, recipe=Recipe(epochs=1))
    fleet.train(Progress(enabled=False))
    return len(windows)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    # What the libraries and the compiler take does not grow with the data.
    train(24_000, 3, copies=settings["copies"], share=1)
    before = peak()
    count = train(settings["samples"], settings["hop"], copies=settings["copies"], share=settings["share"])
    print(json.dumps({"windows": count, "growth": peak() - before, "peak": peak()}))
