"""Compile the functions of many blocks in one call of the compiler, and run them from Python."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np

from stillmotion.deploy.blocks import Block, read_support
from tests.conftest import unavailable

#: What is undefined ends the process.
STRICT = ("-std=c99", "-O0", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-shared", "-fPIC")
STRICT += ("-fsanitize=undefined", "-fno-sanitize-recover", "-static-libubsan")


class BlocksInC:
    """Blocks, by their names, as functions of a shared library."""

    def __init__(self, folder: Path, blocks: list[Block]) -> None:
        if shutil.which("gcc") is None:
            unavailable("gcc is not installed (apt-get install gcc)")
        support = read_support(dict.fromkeys(name for block in blocks for name in block.support))
        parts = ["#include <float.h>\n#include <stdint.h>\n", *support]
        for block in blocks:
            parts += [each.declare(f"b_{block.name}") for each in block.constants] + [block.function("b"), _loop(block)]
        (folder / "blocks.c").write_text("\n".join(parts))
        subprocess.run(["gcc", *STRICT, "-o", "blocks.so", "blocks.c"], cwd=folder, check=True)
        self.library = ctypes.CDLL(str(folder / "blocks.so"))

    def run(self, block: Block, values: np.ndarray) -> np.ndarray:
        """Run a block on inputs (n, …)."""
        given = np.ascontiguousarray(values, block.input.dtype)
        output = np.zeros((len(given), *block.output.shape), block.output.dtype)
        pointers = (ctypes.c_void_p(each.ctypes.data) for each in (given, output))
        getattr(self.library, f"run_{block.name}")(*pointers, ctypes.c_int(len(given)))
        return output


def _loop(block: Block) -> str:
    given, output = block.input, block.output
    name, scratch = f"run_{block.name}", max(1, block.scratch_bytes // 4)
    head = f"void {name}(const {given.c_type} *x, {output.c_type} *y, int n)"
    call = block.call("b", ["x"], "y", "scratch")
    return (
        f"{head};\n{head}\n{{\n    static uint32_t scratch[{scratch}];\n    (void)scratch;\n"
        f"    for (; n; n--, x += {given.size}, y += {output.size})\n        {call}\n}}\n"
    )
