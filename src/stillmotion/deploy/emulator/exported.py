"""Evidence of exported C: the whole recogniser on an emulated microcontroller, sample by sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UserError
from ..decoder import decode_stream
from ..export import CExport
from .evidence import Evidence
from .measure import Entry, measure


def measure_export(
    export: CExport, windows: ArrayLike, machine: str = "cortex-m0", *, optimise: str = "-Os"
) -> Evidence:
    """Measure exported C on an emulated microcontroller.

    Flash, memory, stack and instructions are those of pushing the samples of one window after ``init``, so that of a
    decoder the first step is counted; the logits of every window, from ``predict``, and the classes that ``push``
    returns are compared with the reference in NumPy.

    Args:
        export: what ``export_c`` wrote.
        windows: (n, time, channels) in the contract's units.
        machine: ``cortex-m0`` or ``cortex-m4``.
        optimise: the compiler's level of optimisation.

    Returns:
        The evidence.

    Raises:
        UserError: a tool is missing, the C does not fit the machine, or the windows do not fit the contract.
    """
    name, program, macro = export.name, export.program, export.name.upper()
    given = counts_of(export, windows)
    logits = program.run(given)
    blocks = tuple(step.block.name for step in program.steps)
    predict = "predict_i16" if export.integers else "predict"
    push = "push_i16" if export.integers else "push"
    kind = program.signal.c_type
    stream = Entry(
        sources=(export.folder / f"{name}.c",),
        header=f"{name}.h",
        call=f"int i; int32_t answer = -1; {name}_init(); for (i = 0; i < {macro}_WINDOW; ++i) answer = "
        f"{name}_{push}((const {kind} *)window + i * {macro}_CHANNELS); *(int32_t *)output = answer;",
        output=4,
        mark=f"{macro}_MARK",
        blocks=blocks,
    )
    whole = replace(stream, call=f"{name}_{predict}(window, output);", output=logits[0].nbytes, mark="", blocks=())
    classes = logits.argmax(1)
    if (decoder := export.decoder) is not None:
        # Every window is the first of a stream of its own, which a decoder with a lag does not answer yet.
        known = [decode_stream(decoder, each[None], program.logits) for each in logits]
        classes = np.array([each[0] if len(each) else -1 for each in known])
    pushed = measure(stream, given, classes.astype(np.int32), machine, optimise=optimise)
    predicted = measure(whole, given, logits, machine, optimise=optimise)
    return replace(pushed, equal=min(pushed.equal, predicted.equal), window=0)


def counts_of(export: CExport, windows: ArrayLike) -> NDArray[Any]:
    """Return windows (n, time, channels) in the contract's units as what the C takes: float32 or raw counts."""
    given, shape = np.asarray(windows, np.float32), export.program.signal.shape
    if given.ndim != 3 or given.shape[1:] != shape or not len(given):
        raise UserError(f"Evidence needs windows (n, {', '.join(map(str, shape))}), not {given.shape}.")
    if not export.integers:
        return given
    assert export.counts is not None
    return export.counts.of(given)
