"""Exported C on this machine: compiled by its compiler, fed with windows, its logits read back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .emulator.exported import counts_of
from .export import CExport
from .latency import TimedLogits

#: Reads windows from standard input and writes, of each, the seconds that it took and its logits to standard output.
MAIN = """#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "{name}.h"
int main(void)
{{
    static {kind} window[{macro}_WINDOW * {macro}_CHANNELS];
    static {answer} logits[{macro}_CLASSES];
    struct timespec begin, end;
    double seconds;
    while (fread(window, sizeof window, 1, stdin) == 1) {{
        clock_gettime(CLOCK_MONOTONIC, &begin);
        (void){name}_{call}(window, logits);
        clock_gettime(CLOCK_MONOTONIC, &end);
        seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        if (fwrite(&seconds, sizeof seconds, 1, stdout) != 1 || fwrite(logits, sizeof logits, 1, stdout) != 1)
            return 1;
    }}
    return 0;
}}
"""
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pedantic")


def find_compiler() -> str:
    """Find the C compiler of this machine.

    Returns:
        The environment's ``CC``, or cc, gcc or clang.

    Raises:
        UserError: there is none.

    Example:
        >>> from stillmotion.deploy import find_compiler
        >>> find_compiler() != ""
        True
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    raise UserError("There is no C compiler (CC, cc, gcc, clang); install one, such as: apt-get install gcc libc6-dev")


def run_on_host(export: CExport, windows: ArrayLike) -> NDArray[Any]:
    """Compile exported C with this machine's compiler and run it.

    Args:
        export: what ``export_c`` wrote.
        windows: (n, time, channels) in the contract's units.

    Returns:
        (n, classes) what ``predict`` writes: float32 logits, or int8 ones.

    Raises:
        UserError: there is no compiler, it refuses the code, or the windows do not fit.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_c, run_on_host
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> windows = np.random.default_rng(0).normal(size=(30, 50, 3)).astype("float32")
        >>> bundle = Bundle.save("watch", build_network("mlp-small", spec), spec, calibration=windows)
        >>> export = export_c(bundle, "watch-c", int8=True)
        >>> np.array_equal(run_on_host(export, windows), export.program.run(export.counts.of(windows)))
        True
    """
    return run_c(export.folder, export.name, counts_of(export, windows)).logits


def run_c(folder: Path, name: str, windows: NDArray[Any]) -> TimedLogits:
    """Compile the C in a folder and run it, each window timed.

    Args:
        folder: with ``NAME.c`` and ``NAME.h``.
        name: prefix of both.
        windows: (n, time, channels) of what the C takes, float32 or int16.

    Raises:
        UserError: see ``run_on_host``.
    """
    given = np.ascontiguousarray(windows)
    kind, call, answer = (
        ("int16_t", "predict_i16", "int8_t") if given.dtype == np.int16 else ("float", "predict", "float")
    )
    text = MAIN.format(name=name, macro=name.upper(), kind=kind, answer=answer, call=call)
    compiler = find_compiler()
    with tempfile.TemporaryDirectory() as scratch:
        main, program = Path(scratch) / "main.c", Path(scratch) / "main"
        main.write_text(text, encoding="utf-8")
        line = [compiler, *FLAGS, f"-I{folder}", str(folder / f"{name}.c"), str(main), "-o", str(program)]
        built = subprocess.run(line, capture_output=True, text=True, check=False)
        if built.returncode:
            raise UserError(f"{compiler} refuses {folder / f'{name}.c'}: {built.stderr.strip()[:500]}")
        ran = subprocess.run([program], input=given.tobytes(), capture_output=True, check=False)
    if ran.returncode or not ran.stdout:
        raise UserError(f"The compiled {name} ended with code {ran.returncode}.")
    value = np.dtype(np.int8 if answer == "int8_t" else np.float32)
    classes = (len(ran.stdout) // len(given) - 8) // value.itemsize
    rows = np.frombuffer(ran.stdout, [("seconds", np.float64), ("logits", value, (classes,))])
    return TimedLogits(rows["logits"].copy(), rows["seconds"].copy())
