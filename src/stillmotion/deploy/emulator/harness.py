"""A program for a real board: golden windows, agreement, and cycles."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import ArrayLike

from ..blocks import Constant
from ..export import CExport
from .exported import counts_of

#: Windows that a program holds.
WINDOWS = 4


def write_harness(export: CExport, windows: ArrayLike) -> Path:
    """Write ``NAME_harness.c``, which runs golden windows on a real board.

    It counts the windows whose logits equal the reference's, byte for byte, and the processor's cycles by the DWT
    counter of a Cortex-M3 or larger. ``main`` keeps both in ``harness_result`` for a debugger to read; with
    ``-DHARNESS_PRINT`` it prints them.

    Args:
        export: what ``export_c`` wrote.
        windows: (n, time, channels) in the contract's units, of which four spread over all are taken.

    Returns:
        The file.

    Raises:
        UserError: the windows do not fit the contract.
    """
    given = counts_of(export, windows)
    given = given[np.unique(np.linspace(0, len(given) - 1, WINDOWS).astype(int))]
    logits = export.program.run(given)
    name = export.name
    values = {
        "NAME": name,
        "MACRO": name.upper(),
        "COUNT": len(given),
        "IN": export.program.signal.c_type,
        "OUT": export.program.logits.c_type,
        "CALL": f"{name}_predict_i16" if export.integers else f"{name}_predict",
        "WINDOWS": Constant("windows", given).declare("golden"),
        "LOGITS": Constant("logits", logits).declare("golden"),
    }
    source = (files(__package__) / "harness.c.txt").read_text(encoding="utf-8")
    path = export.folder / f"{name}_harness.c"
    path.write_text(Template(source).substitute(values), encoding="utf-8")
    return path
