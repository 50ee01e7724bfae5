"""How long a window takes on this machine: what a form gives with the times that it took, and their percentiles."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: How the latency of every form is measured.
TIMING = (
    "Latency is the time of one window, answered one at a time in a process that is warm: the first window is left "
    "out. p50 and p99 are percentiles over the windows, by one thread (Keras: by as many as JAX takes). C, compiled "
    "with -O2, is timed around each call, LiteRT (ai-edge-litert) around invoke, ONNX (onnxruntime) and Keras around a "
    "call from Python. Other programs may have run beside it."
)


@dataclass(frozen=True, eq=False)
class TimedLogits:
    """What a form gives for windows.

    Args:
        logits: (n, classes), of the type that the form gives.
        seconds: of each window; empty where none was timed.
        arena_bytes: of TFLite Micro's interpreter, else None.
    """

    logits: NDArray[Any]
    seconds: NDArray[np.float64]
    arena_bytes: int | None = None


@dataclass(frozen=True)
class Latency:
    """Percentiles of the time of one window.

    Args:
        windows: how many were timed.
        p50_microseconds, p99_microseconds: what half of them, and 99 of 100, do not exceed.
    """

    windows: int
    p50_microseconds: float
    p99_microseconds: float


def summarise_latency(seconds: ArrayLike) -> Latency | None:
    """Return percentiles of times, the first of which warms up and is left out.

    Args:
        seconds: of each window, in the order in which they ran.

    Returns:
        The percentiles, with lines between neighbouring times; None where nothing is left.

    Example:
        >>> from stillmotion.deploy import summarise_latency
        >>> summarise_latency([9.0, 2e-6, 1e-6, 3e-6])
        Latency(windows=3, p50_microseconds=2.0, p99_microseconds=2.98)
    """
    kept = np.asarray(seconds, np.float64)[1:]
    if not len(kept):
        return None
    p50, p99 = (round(1e6 * float(value), 3) for value in np.percentile(kept, [50, 99]))
    return Latency(len(kept), p50, p99)


def describe_machine() -> str:
    """Return this machine's processor, its number of threads and its system in a few words.

    Returns:
        The name that the system gives the processor, and the two others, separated by commas.

    Example:
        >>> from stillmotion.deploy import describe_machine
        >>> "threads" in describe_machine()
        True
    """
    name, table = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if table.is_file() and (named := re.search(r"^model name\s*:\s*(.+)$", table.read_text(), re.MULTILINE)):
        name = named[1].strip()
    return f"{name}, {os.cpu_count()} threads, {platform.system()}"
