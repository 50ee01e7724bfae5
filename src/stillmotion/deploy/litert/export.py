"""Export a bundle as a LiteRT file (``.tflite``), in float32 or int8, with what its input and output stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from numpy.typing import ArrayLike

from ...bundles import Bundle
from ...files import atomic_folder
from ..export import choose_name, open_for_export, prepare_program
from ..program import SIGNAL, Program
from ..record import draw_golden, write_record
from ..signal_counts import Counts
from .graph import Graph
from .operators import write_block


@dataclass(frozen=True, eq=False)
class LiteRtExport:
    """A LiteRT file of a model.

    Args:
        file: the ``.tflite`` file; beside it lies a ``.json`` with what its input and output stand for, golden vectors
            and checksums.
        integers: whether it computes in integers, from raw counts.
        program: what it computes, runnable in NumPy.
        counts: how raw counts stand for values; None in float32 without calibration windows.
        agreement: share of calibration windows for which int8 gives the class of float32; None in float32.
        windows: number of calibration windows.
    """

    file: Path
    integers: bool
    program: Program
    counts: Counts | None
    agreement: float | None
    windows: int

    @property
    def bytes(self) -> int:
        """Bytes of the file."""
        return self.file.stat().st_size


def export_litert(
    bundle: Bundle | str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    name: str = "",
    calibration: ArrayLike | None = None,
    full_scale: Mapping[str, float] | None = None,
) -> LiteRtExport:
    """Export a bundle's model as a LiteRT file, written from the program that the C is written from.

    In float32 it takes a window (1, time, channels) in the contract's units and gives logits. With ``int8`` it takes
    the raw counts (int16) that ``predict_i16`` of the C takes and gives the same int8 logits.

    Args:
        bundle: the bundle, or its folder.
        out: folder to create; ``NAME.tflite`` and ``NAME.json`` lie in it.
        int8: compute in integers.
        name, calibration, full_scale: see ``export_c``.

    Returns:
        What was written.

    Raises:
        UserError: the folder exists, the bundle is damaged or holds code, LiteRT cannot hold a layer, there are too
            few calibration windows, or the package ``flatbuffers`` is missing.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_litert
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> windows = np.random.default_rng(0).normal(size=(30, 50, 3))
        >>> bundle = Bundle.save("watch", build_network("motion-net-xs", spec), spec, calibration=windows)
        >>> export_litert(bundle, "watch-litert", int8=True).file.name
        'motion_net_xs.tflite'
    """
    bundle, folder = open_for_export(bundle, out)
    chosen = choose_name(bundle, name)
    prepared = prepare_program(
        bundle, int8=int8, calibration=calibration, full_scale=full_scale, form="as a LiteRT file"
    )
    content = write_litert(prepared.program, f"{chosen}, by stillmotion {version('stillmotion')}")
    program, counts = prepared.program, prepared.counts
    windows = draw_golden(bundle.spec, counts, integers=int8)
    with atomic_folder(folder) as draft:
        (draft / f"{chosen}.tflite").write_bytes(content)
        golden = windows, program.run(windows)
        form = "litert-int8" if int8 else "litert-float32"
        write_record(draft, chosen, form, bundle, *golden, counts=counts, tensor=program.logits)
    return LiteRtExport(folder / f"{chosen}.tflite", int8, program, counts, prepared.agreement, prepared.windows)


def write_litert(program: Program, description: str) -> bytes:
    """Return the LiteRT file of a program.

    Raises:
        UserError: LiteRT cannot hold a block; the message names its layer.
    """
    graph = Graph(description)
    integers = program.signal.dtype == "int16"
    # Channels of raw counts have scales of their own; a tensor of LiteRT has one, so counts stand for themselves.
    signal = program.signal if not integers else type(program.signal)(program.signal.shape, "int16", 1.0)
    places = {SIGNAL: graph.place(SIGNAL, signal)}
    for step in program.steps:
        places[step.output] = write_block(graph, step.block, [places[each] for each in step.inputs])
    answer = graph.seen(places[program.output], (program.logits.size,))
    return graph.pack(places[SIGNAL], answer)
