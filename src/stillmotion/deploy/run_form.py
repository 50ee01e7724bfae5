"""Run an exported form of any kind on windows, as evidence and verification do."""

from __future__ import annotations

from pathlib import Path

from .blocks import Array
from .host import run_c
from .latency import TimedLogits
from .litert import run_litert
from .onnx import time_onnx
from .web.browser import run_page


def run_form(form: str, file: Path, windows: Array) -> TimedLogits:
    """Run an exported form on this machine, window by window.

    Integers of LiteRT are computed by TFLite Micro's interpreter, which keeps to the specification; it is not timed.

    Args:
        form: kind and numbers, such as ``c-int8``.
        file: that runs: ``.c``, ``.tflite``, ``.onnx`` or ``.html``.
        windows: (n, time, channels) of the type that the form takes; a page answers the golden ones that it holds.

    Raises:
        UserError: a compiler, an interpreter or a browser is missing, or refuses the file.
    """
    kind = form.partition("-")[0]
    if kind == "c":
        return run_c(file.parent, file.stem, windows)
    if kind == "onnx":
        return time_onnx(file, windows)
    if kind == "web":
        return run_page(file)
    return run_litert(file, windows, interpreter="litert" if form == "litert-float32" else "tflite-micro")
