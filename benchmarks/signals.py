"""Time reading and cutting recordings against ``numpy.loadtxt``, pandas and a loop over windows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillmotion.signals.cache import load_cached
from stillmotion.signals.catalog import find_folder
from stillmotion.signals.recording import Dataset
from stillmotion.signals.sets import hapt
from stillmotion.windows import cut

from . import tables
from .paired import paired

TITLE = "Reading recordings and cutting windows, both ways in turns"

Row = dict[str, Any]


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Measure text files, windows, the cache, memory and the start of the command.

    HAPT is read from ``data`` or ``STILLMOTION_DATA``; without either, simulated subjects are written in its layout.
    """
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        folder = _folder(data, Path(scratch))
        repeats = 3 if quick else 7
        dataset = hapt.read(folder)
        return [
            _reading(folder, dataset, repeats),
            *_cutting(dataset, repeats),
            _cache(folder, Path(scratch), repeats),
            _memory(folder, dataset),
            *tables.repair(Path(scratch), repeats),
            tables.bounded(Path(scratch), quick=quick),
            tables.inspected(Path(scratch), quick=quick),
            _help(repeats),
        ]


def _folder(data: Path | None, scratch: Path) -> Path:
    if data is not None or os.environ.get("STILLMOTION_DATA"):
        return find_folder("hapt", data)
    from tests.publishers.write import write_hapt

    write_hapt(scratch / "hapt", subjects=30, seed=0)
    return scratch / "hapt"


def _row(what: str, against: str, milliseconds: tuple[float, float, float], goal: str, **more: Any) -> Row:
    ours, theirs, ratio = milliseconds
    return {
        "what": what,
        "against": against,
        "ours": ours,
        "other": theirs,
        "unit": "ms",
        "ratio": ratio,
        "goal": goal,
        **more,
    }


def _reading(folder: Path, dataset: Dataset, repeats: int) -> Row:
    files = hapt.files(folder)

    def by_loadtxt() -> list[tuple[Any, Any]]:
        labels = np.loadtxt(files[0], dtype=int)
        half = (len(files) - 1) // 2
        read = []
        for acc, gyro in zip(files[1 : 1 + half], files[1 + half :], strict=True):
            samples = np.hstack([np.loadtxt(acc), np.loadtxt(gyro)]).astype(np.float32)
            experiment = int(re.findall(r"\d+", acc.name)[0])
            marks = np.full(len(samples), -1)
            for _, _, activity, first, last in labels[labels[:, 0] == experiment]:
                marks[first - 1 : last] = activity - 1
            read.append((samples, marks))
        return read

    for recording, (samples, marks) in zip(dataset.recordings, by_loadtxt(), strict=True):
        if not (np.array_equal(recording.samples, samples) and np.array_equal(recording.labels, marks)):
            raise AssertionError("the two readers differ")
    took = paired(lambda: hapt.read(folder), by_loadtxt, repeats=repeats)
    return _row(f"HAPT from its {len(files) - 1} text files", "numpy.loadtxt", took, "≥ 2.5×")


def _cutting(dataset: Dataset, repeats: int) -> list[Row]:
    window, hop = dataset.spec.window, dataset.spec.hop

    def by_loop() -> tuple[Any, Any]:
        values, labels = [], []
        for recording in dataset.recordings:
            for start in range(0, len(recording) - window + 1, hop):
                marks = recording.labels[start : start + window]
                names, counts = np.unique(marks, return_counts=True)
                values.append(recording.samples[start : start + window])
                labels.append(names[counts.argmax()] if counts.max() >= window / 2 else -1)
        return np.stack(values), np.array(labels)

    def places() -> Any:
        return cut(dataset, null="keep")

    def copied() -> tuple[Any, Any]:
        windows = cut(dataset, null="keep")
        return windows.values(), windows.labels

    values, labels = by_loop()
    if not (np.array_equal(cut(dataset, null="keep").values(), values) and _alike(dataset, labels)):
        raise AssertionError("the two ways of cutting differ")
    rows = []
    for what, ours in (("windows and labels, as views", places), ("windows and labels, as copies", copied)):
        took = paired(ours, by_loop, repeats=repeats)
        rate = len(dataset.samples) / took[0] / 1000
        goal = "≥ 50×, ≥ 20 M samples/s" if ours is places else "–"
        rows.append(_row(what, "a loop with numpy.unique", took, goal, million_samples_per_second=rate))
    return rows


def _alike(dataset: Dataset, labels: NDArray[np.int16]) -> bool:
    """Tell whether labels equal ours, except in windows with two equally frequent classes."""
    windows = cut(dataset, null="keep")
    for number in np.flatnonzero(windows.labels != labels).tolist():
        start = windows.starts[number]
        marks = dataset.labels[start : start + windows.spec.window].tolist()
        if marks.count(windows.labels[number]) != marks.count(labels[number]):
            return False
    return True


def _cache(folder: Path, scratch: Path, repeats: int) -> Row:
    root = scratch / "cache"
    files = hapt.files(folder)

    def second() -> Dataset:
        return load_cached("hapt", hapt.VERSION, files, lambda: hapt.read(folder), root=root)

    took = paired(second, lambda: hapt.read(folder), repeats=repeats)
    return _row("HAPT again, from the cache", "reading the files again", took, "≤ 200 ms")


def _memory(folder: Path, dataset: Dataset) -> Row:
    # VmHWM is the peak of the process itself; ru_maxrss would start at the peak of its parent.
    code = (
        "import re, sys; from pathlib import Path; import pyarrow.csv, numpy;"
        "from stillmotion.signals.sets import hapt;"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]);"
        "before = peak(); hapt.read(Path(sys.argv[1])); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    used, size = int(done.stdout) * 1024, dataset.samples.nbytes + dataset.labels.nbytes
    return {
        "what": "HAPT read: peak memory",
        "against": "the arrays read",
        "ours": used / 1e6,
        "other": size / 1e6,
        "unit": "MB",
        "ratio": used / size,
        "goal": "≤ 3×",
    }


def _help(repeats: int) -> Row:
    def start(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    ours = start("import sys; sys.argv = ['still', '--help']; from stillmotion.cli import main; main()")
    return _row("still --help", "an empty Python", paired(ours, start("pass"), repeats=repeats), "≤ 300 ms")
