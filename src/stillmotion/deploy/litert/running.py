"""Run LiteRT files by an interpreter, in a process of its own: interpreters and this package need not fit together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ...errors import UnknownName, UserError
from ..latency import TimedLogits

#: Python interpreters in which LiteRT's are searched, in order; by default the current one.
PYTHON = "STILLMOTION_LITERT_PYTHON"
#: Package that each interpreter of LiteRT is in.
PACKAGES = {"tflite-micro": "tflite_micro", "litert": "ai_edge_litert", "litert-reference": "ai_edge_litert"}


def run_litert(file: str | Path, windows: ArrayLike, *, interpreter: str = "tflite-micro") -> TimedLogits:
    """Run a LiteRT file.

    Args:
        file: the ``.tflite`` file.
        windows: (n, time, channels) in the type of its input.
        interpreter: ``tflite-micro``, ``litert``, or ``litert-reference`` (LiteRT with its reference kernels).

    Returns:
        Its logits (n, classes), float32 or int8; the seconds of each window in LiteRT, the arena of tflite-micro.

    Raises:
        UserError: the interpreter is not installed, or refuses the file.
    """
    return run_jobs([(Path(file), windows)], interpreter=interpreter)[0]


def run_jobs(jobs: Sequence[tuple[Path, ArrayLike]], *, interpreter: str = "tflite-micro") -> list[TimedLogits]:
    """Run several files in one process; see ``run_litert``."""
    python = find_python(interpreter)
    with tempfile.TemporaryDirectory(prefix="stillmotion-litert-") as folder:
        rows = []
        for number, (file, windows) in enumerate(jobs):
            given, out = Path(folder) / f"{number}.npy", Path(folder) / f"{number}-out.npy"
            np.save(given, np.asarray(windows), allow_pickle=False)
            rows.append({"file": str(file), "windows": str(given), "out": str(out), "interpreter": interpreter})
        table = Path(folder) / "jobs.json"
        table.write_text(json.dumps(rows), encoding="utf-8")
        script = Path(__file__).with_name("interpreter.py")
        # Isolated: its path holds neither this package nor the current folder.
        ran = subprocess.run([python, "-I", str(script), str(table)], capture_output=True, text=True, check=False)
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-3:]
            raise UserError(f"{interpreter} cannot run {jobs[0][0].name}: {' '.join(last)[:500]}")
        measured = [json.loads(text) for text in ran.stdout.splitlines() if text.startswith("{")]
        outputs = [np.load(row["out"], allow_pickle=False) for row in rows]
        return [
            TimedLogits(logits, np.array(row.get("seconds", ())), row.get("arena_bytes"))
            for logits, row in zip(outputs, measured, strict=True)
        ]


@cache
def find_python(interpreter: str) -> str:
    """Return the first Python that has an interpreter of LiteRT; raise ``UserError`` where none has."""
    if interpreter not in PACKAGES:
        raise UnknownName("interpreter", interpreter, list(PACKAGES))
    package = PACKAGES[interpreter]
    probe = f"import sys; from importlib.util import find_spec; sys.exit(find_spec({package!r}) is None)"
    for python in (*filter(None, os.environ.get(PYTHON, "").split(os.pathsep)), sys.executable):
        if subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0:
            return python
    name = package.replace("_", "-")
    pre = "--pre " if interpreter == "tflite-micro" else ""
    raise UserError(
        f"The interpreter {name} is not installed (pip install {pre}{name}), nor in a Python that {PYTHON} names."
    )
