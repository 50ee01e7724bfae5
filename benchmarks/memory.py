"""Measure the memory of a fleet on overlapping windows, against the recordings and against copied windows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TITLE = "Memory of a fleet on windows of 64 × 3 samples, one every three, each way in a process of its own"

Row = dict[str, Any]

SCRIPT = Path(__file__).parent / "contenders" / "overlapping.py"
#: Samples of the recordings that are compared with copies, and of the long recording; with ``--quick`` a tenth.
SAMPLES, LONG = 3_200_000, 30_000_000


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return the growth of a process that trains on overlapping windows, and the peak for ten million of them.

    Windows are random, so ``data`` is not read. A part of the windows is trained on: memory does not depend on it.
    """
    scale = 10 if quick else 1
    raw = 3 * 4 * SAMPLES // scale
    ours, copied = (_measure(SAMPLES // scale, copies=copies) for copies in (False, True))
    long = _measure(LONG // scale, copies=False)
    what = f"{ours['windows'] / 1e6:.2f} M windows cut and trained on: growth of the process"
    return [
        _row(what, "the recordings", ours["growth"], raw, ours["growth"] / raw, "≤ 5×"),
        _row(what, "the same windows copied", ours["growth"], copied["growth"], copied["growth"] / ours["growth"], "–"),
        _row(
            f"{long['windows'] / 1e6:.1f} M windows: peak of the whole process",
            "4 GB",
            long["peak"],
            4_000_000_000,
            4e9 / long["peak"],
            "≥ 1×",
        ),
    ]


def _row(what: str, against: str, ours: float, other: float, ratio: float, goal: str) -> Row:
    return {
        "what": what,
        "against": against,
        "ours": ours / 1e6,
        "other": other / 1e6,
        "unit": "MB",
        "ratio": ratio,
        "goal": goal,
    }


def _measure(samples: int, *, copies: bool) -> dict[str, float]:
    settings = {"samples": samples, "hop": 3, "copies": copies, "share": max(1, samples // 200_000)}
    command = [sys.executable, str(SCRIPT), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
