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

#: Reads windows from standard input and writes the logits of each to standard output.
MAIN = """#include <stdio.h>
#include "{name}.h"
int main(void)
{{
    static {kind} window[{macro}_WINDOW * {macro}_CHANNELS];
    static {answer} logits[{macro}_CLASSES];
    while (fread(window, sizeof window, 1, stdin) == 1) {{
        (void){name}_{call}(window, logits);
        if (fwrite(logits, sizeof logits, 1, stdout) != 1)
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
    given, name = counts_of(export, windows), export.name
    call, answer = ("predict_i16", "int8_t") if export.integers else ("predict", "float")
    text = MAIN.format(name=name, macro=name.upper(), kind=export.program.signal.c_type, answer=answer, call=call)
    compiler = find_compiler()
    with tempfile.TemporaryDirectory() as folder:
        main, program = Path(folder) / "main.c", Path(folder) / "main"
        main.write_text(text, encoding="utf-8")
        line = [compiler, *FLAGS, f"-I{export.folder}", str(export.folder / f"{name}.c"), str(main), "-o", str(program)]
        built = subprocess.run(line, capture_output=True, text=True, check=False)
        if built.returncode:
            raise UserError(f"{compiler} refuses {export.folder / f'{name}.c'}: {built.stderr.strip()[:500]}")
        ran = subprocess.run([program], input=np.ascontiguousarray(given).tobytes(), capture_output=True, check=False)
    if ran.returncode:
        raise UserError(f"The compiled {name} ended with code {ran.returncode}.")
    kind = np.int8 if export.integers else np.float32
    return np.frombuffer(ran.stdout, kind).reshape(len(given), -1)
