"""Run LiteRT files: ``python interpreter.py JOBS.json``; imports NumPy and an interpreter, and nothing of this package.

Each job names a ``file``, the ``windows`` (.npy), where the logits go (``out``, .npy) and the ``interpreter``:
``tflite-micro``, ``litert`` or ``litert-reference``. What was measured is printed as JSON, a row a job.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

#: Bytes that an arena may have.
ARENA = 1 << 24


def run_micro(file: str, windows: Any) -> tuple[Any, dict[str, Any]]:
    """Return the outputs of TensorFlow Lite Micro's interpreter, and the bytes of its arena."""
    runtime = import_module("tflite_micro").runtime

    def output(interpreter: Any, window: Any) -> Any:
        interpreter.set_input(window[None], 0)
        interpreter.invoke()
        return interpreter.get_output(0)[0]

    interpreter = runtime.Interpreter.from_file(file, arena_size=ARENA)
    outputs = [output(interpreter, window) for window in windows]
    text = _captured(interpreter.print_allocations)
    total = re.search(r"Arena allocation total (\d+) bytes", text)
    return np.array(outputs), {"arena_bytes": int(total[1])} if total else {}


def run_full(file: str, windows: Any, *, reference: bool) -> tuple[Any, dict[str, Any]]:
    """Return the outputs of LiteRT's interpreter, with its fast kernels or those of reference, and each one's time."""
    litert = import_module("ai_edge_litert.interpreter")
    kind = litert.OpResolverType
    chosen = kind.BUILTIN_REF if reference else kind.AUTO
    interpreter = litert.Interpreter(model_path=file, num_threads=1, experimental_op_resolver_type=chosen)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs, seconds = [], []
    for window in windows:
        interpreter.set_tensor(given["index"], window[None])
        begin = time.perf_counter()
        interpreter.invoke()
        seconds.append(time.perf_counter() - begin)
        outputs.append(interpreter.get_tensor(answer["index"])[0])
    return np.array(outputs), {"seconds": seconds}


RUN: dict[str, Callable[[str, Any], tuple[Any, dict[str, Any]]]] = {
    "tflite-micro": run_micro,
    "litert": lambda file, windows: run_full(file, windows, reference=False),
    "litert-reference": lambda file, windows: run_full(file, windows, reference=True),
}


def _captured(function: Callable[[], None]) -> str:
    """Return what a function's C code writes to standard error."""
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            function()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors="replace")


def main() -> None:
    """Run the jobs of a file."""
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        outputs, measured = RUN[job["interpreter"]](job["file"], np.load(job["windows"]))
        np.save(job["out"], outputs)
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
