"""Run the same model on this machine as our C, by LiteRT and by onnxruntime, and by TFLite Micro's interpreter.

``python benchmarks/run.py host`` prints the rows; ``python -m benchmarks.host --out results/host`` writes them as
``table.csv`` too. A row is a network at a shape by a contender:

- ``bytes``: of the C's constants, without code; of the file, without interpreter;
- ``memory``: bytes of the C's static memory, and of the arena that TFLite Micro's interpreter allocates;
- ``microseconds``: of one window by one thread, the least median of turns in which all contenders of the network take
  part; ``ratio`` to our C in the same arithmetic. Interpreters are called from Python, windows one by one, and their
  figures hold that call. TFLite Micro's reference kernels are not made for this machine: they have no time;
- ``equal`` of ``windows``: logits that are, byte for byte, those of our reference in NumPy. LiteRT's fast kernels round
  int8 otherwise;
- ``note``: why there are no numbers, such as a package that is missing (``STILLMOTION_LITERT_PYTHON``).

**No network is trained**, as in ``benchmarks/device.py``, whose shapes and weights these are.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillmotion.bundles import Bundle
from stillmotion.deploy import CExport, export_c, export_litert, find_compiler
from stillmotion.deploy.host import FLAGS
from stillmotion.deploy.litert import run_litert
from stillmotion.errors import UserError

from .device import write_rows
from .device_networks import SHAPES, Row, draw_windows, save_network

TITLE = "The same model on this machine: our C, LiteRT, onnxruntime, TFLite Micro"
NETWORKS = ("motion-net-xs", "motion-net-s", "mlp-small")
COLUMNS = ("shape", "network", "contender", "bytes", "memory", "microseconds", "ratio", "windows", "equal", "note")
WINDOWS, TURNS = 100, 3
#: Answers all windows again and again; prints the least time of one round, in nanoseconds a window.
MAIN = """#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "net.h"
int main(void)
{{
    static {kind} windows[{count}][NET_WINDOW * NET_CHANNELS];
    static {answer} logits[{count}][NET_CLASSES];
    double best = 1e18;
    int i, round;
    if (fread(windows, sizeof windows, 1, stdin) != 1)
        return 1;
    for (round = 0; round < 20; round++) {{
        struct timespec a, b;
        double taken;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (i = 0; i < {count}; i++)
            (void)net_{call}(windows[i], logits[i]);
        clock_gettime(CLOCK_MONOTONIC, &b);
        taken = (1e9 * (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec)) / {count};
        best = taken < best ? taken : best;
    }}
    fwrite(&best, sizeof best, 1, stdout);
    return fwrite(logits, sizeof logits, 1, stdout) != 1;
}}
"""
#: Logits of all windows, and microseconds of one.
Turn = Callable[[], tuple[NDArray[Any], float | None]]


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return the rows of all shapes; with ``quick`` of the smallest alone. The windows are simulated."""
    return [row for shape in (list(SHAPES)[:1] if quick else SHAPES) for row in rows_of(shape)]


def rows_of(shape: str, networks: tuple[str, ...] = NETWORKS) -> Iterator[Row]:
    """Yield the rows of a shape."""
    spec, drawn = draw_windows(SHAPES[shape])
    windows = drawn[np.linspace(0, len(drawn) - 1, WINDOWS).astype(int)]
    for network in networks:
        with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
            bundle = save_network(Path(scratch) / network, network, spec, drawn)
            for integers in (True, False):
                shared = {"shape": shape, "network": network, "windows": WINDOWS}
                yield from compare(shared, bundle, windows, Path(scratch), integers=integers)


def compare(shared: Row, bundle: Bundle, windows: NDArray[Any], folder: Path, *, integers: bool) -> Iterator[Row]:
    """Yield a row for each contender in one arithmetic."""
    kind = "int8" if integers else "float32"
    own = export_c(bundle, folder / f"c-{kind}", int8=integers, name="net")
    file = export_litert(bundle, folder / f"litert-{kind}", int8=integers, name="net")
    given = own.counts.of(windows) if integers and own.counts is not None else windows
    expected = own.program.run(given)
    rows: dict[str, Row] = {
        f"stillmotion-{kind}": {"bytes": own.constant_bytes, "memory": own.arena_bytes + own.state_bytes},
        f"litert-{kind}": {"bytes": file.bytes},
        f"tflite-micro-{kind}": {"bytes": file.bytes},
    }

    def litert(interpreter: str, name: str) -> tuple[NDArray[Any], float | None]:
        answer = run_litert(file.file, given, interpreter=interpreter)
        rows[name] |= {} if answer.arena_bytes is None else {"memory": answer.arena_bytes}
        return answer.logits, 1e6 * float(np.median(answer.seconds)) if len(answer.seconds) else None

    turns: dict[str, Turn] = {
        f"stillmotion-{kind}": own_code(own, given, folder / f"time-{kind}"),
        f"litert-{kind}": lambda: litert("litert", f"litert-{kind}"),
        f"tflite-micro-{kind}": lambda: litert("tflite-micro", f"tflite-micro-{kind}"),
    }
    if not integers:
        rows["onnxruntime-float32"] = {}
        turns["onnxruntime-float32"] = lambda: onnx(bundle, folder, windows, rows["onnxruntime-float32"])
    best: dict[str, float] = {}
    for _ in range(TURNS):
        for name, turn in turns.items():
            if "note" in rows[name]:
                continue
            try:
                logits, taken = turn()
            except (UserError, ImportError) as problem:
                rows[name]["note"] = str(problem)
                continue
            bits = np.dtype(f"u{expected.dtype.itemsize}")
            same = np.ascontiguousarray(logits).view(bits) == np.ascontiguousarray(expected).view(bits)
            rows[name]["equal"] = int(same.all(1).sum())
            if taken is not None:
                best[name] = min(taken, best.get(name, np.inf))
    for name, row in rows.items():
        times = {}
        if name in best:
            times = {"microseconds": round(best[name], 2), "ratio": round(best[name] / best[f"stillmotion-{kind}"], 2)}
        yield dict.fromkeys(COLUMNS) | shared | {"contender": name, "note": ""} | row | times


def own_code(export: CExport, given: NDArray[Any], folder: Path) -> Turn:
    """Compile our C with a program that times it."""
    folder.mkdir()
    call, answer = ("predict_i16", "int8_t") if export.integers else ("predict", "float")
    kind = "int16_t" if export.integers else "float"
    (folder / "main.c").write_text(MAIN.format(kind=kind, answer=answer, call=call, count=len(given)), encoding="utf-8")
    line = [find_compiler(), *FLAGS, f"-I{export.folder}", str(export.folder / "net.c"), str(folder / "main.c")]
    subprocess.run([*line, "-o", str(folder / "main")], check=True)

    def turn() -> tuple[NDArray[Any], float]:
        ran = subprocess.run([folder / "main"], input=given.tobytes(), capture_output=True, check=True).stdout
        logits = np.frombuffer(ran[8:], np.int8 if export.integers else np.float32).reshape(len(given), -1)
        return logits, float(np.frombuffer(ran[:8], np.float64)[0]) / 1000

    return turn


def onnx(bundle: Bundle, folder: Path, windows: NDArray[Any], row: Row) -> tuple[NDArray[Any], float]:
    """Answer windows one by one through onnxruntime."""
    from stillmotion.deploy.onnx import export_onnx, time_onnx

    out = folder / "onnx"
    if not out.exists():
        row["bytes"] = export_onnx(bundle, out, name="net").bytes
    answer = time_onnx(out / "net.onnx", windows)
    return answer.logits, 1e6 * float(np.median(answer.seconds))


def main() -> None:
    """Measure all shapes and write the table after each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder of table.csv, which is replaced")
    options = parser.parse_args()
    write_rows((row for shape in SHAPES for row in rows_of(shape)), COLUMNS, options.out)


if __name__ == "__main__":
    main()
