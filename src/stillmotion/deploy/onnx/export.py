"""Export a bundle as ONNX, run it back through onnxruntime, and write its contract into the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...bundles import Bundle
from ...decoding import IntegerDecoder
from ...errors import UserError
from ...files import atomic_folder
from ..export import choose_name, open_for_export, read_model
from ..program import SIGNAL, Program
from ..reader import Rule
from ..record import draw_golden, write_record
from ..signal_counts import fit_counts
from .run import INSTALL, run_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

#: Largest difference of logits from those of the bundle, relative to the largest of them where that is above 1.
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class OnnxExport:
    """ONNX files of a model.

    Args:
        folder: where they lie.
        name: prefix of the files.
        file: the model, from ``signal`` (n, time, channels) to ``logits`` (n, classes).
        decoder_file: the decoder of windows in a row, or None.
        bytes: size of the model.
        error: largest difference of its logits from the bundle's golden ones, through onnxruntime.
    """

    folder: Path
    name: str
    file: Path
    decoder_file: Path | None
    bytes: int
    error: float


def export_onnx(bundle: Bundle | str | Path, out: str | Path, *, name: str = "") -> OnnxExport:
    """Export a bundle's model as ONNX and compare it with the bundle's golden vectors through onnxruntime.

    Normalisation and window features are part of the graph. The decoder of windows in a row becomes a second model,
    ``NAME_decoder.onnx``, which takes logits and its own state. The contract is in the metadata of both;
    ``NAME.json`` has golden vectors and checksums.

    Args:
        bundle: the bundle, or its folder.
        out: folder to create.
        name: prefix of the files; by default the variant of the study, or the network.

    Returns:
        What was written.

    Raises:
        UserError: the extra is not installed, the folder exists, the bundle is damaged or holds code, or a layer has no
            ONNX form.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_onnx
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> bundle = Bundle.save("watch", build_network("motion-net-xs", spec), spec)
        >>> export = export_onnx(bundle, "watch-onnx", name="watch")
        >>> export.file.name, export.error < 1e-5
        ('watch.onnx', True)
    """
    bundle, folder = open_for_export(bundle, out)
    chosen = choose_name(bundle, name)
    models = build_models(bundle, chosen)
    windows, expected = bundle.golden
    counts = None if bundle.calibration is None else fit_counts(bundle.spec, bundle.calibration)
    drawn = draw_golden(bundle.spec, counts, integers=False)
    with atomic_folder(folder) as draft:
        for file, content in models.items():
            (draft / file).write_bytes(content)
        error = float(np.abs(run_onnx(draft / f"{chosen}.onnx", windows) - expected).max(initial=0))
        if error > TOLERANCE * max(1.0, np.abs(expected).max(initial=0)):
            raise UserError(
                f"The ONNX model differs from the golden vectors of {bundle.path} by {error:.2g}, more than "
                f"{TOLERANCE:g}; check the bundle with still verify."
            )
        write_record(draft, chosen, "onnx-float32", bundle, drawn, run_onnx(draft / f"{chosen}.onnx", drawn))
    decoder = folder / f"{chosen}_decoder.onnx" if len(models) > 1 else None
    written = folder / f"{chosen}.onnx"
    return OnnxExport(folder, chosen, written, decoder, written.stat().st_size, error)


def build_models(bundle: Bundle, name: str) -> dict[str, bytes]:
    """Return the files of a bundle's ONNX models by name: the recogniser, and the decoder if there is one."""
    try:
        import onnx
    except ImportError:
        raise UserError(f"ONNX models are written with the package onnx, which is not here; {INSTALL}") from None
    from .decoder import write_decoder

    models = {f"{name}.onnx": write_program(read_model(bundle, more=read_more(), form="in ONNX"))}
    if bundle.decoder is not None:
        models[f"{name}_decoder.onnx"] = write_decoder(IntegerDecoder.of(bundle.decoder))
    for model in models.values():
        onnx.helper.set_model_props(model, describe_contract(bundle))
        onnx.checker.check_model(model, full_check=True)
    return {file: model.SerializeToString() for file, model in models.items()}


def read_more() -> dict[str, Rule]:
    """Return the rules of layers of which ONNX can hold more than C."""
    from .products import read_product

    return {"Matmul": read_product}


def describe_contract(bundle: Bundle) -> dict[str, str]:
    """Return the signal contract and the origin of a bundle as texts, for the metadata of a model file."""
    spec, provenance = bundle.spec, bundle.provenance
    contract = {
        "channels": json.dumps(spec.channel_names),
        "units": json.dumps([channel.unit for channel in spec.channels]),
        "rate_hz": repr(float(spec.rate)),
        "window_samples": str(spec.window),
        "hop_samples": str(spec.hop),
        "classes": json.dumps(spec.classes),
        "signal": json.dumps(spec.to_dict()),
        "model_sha256": bundle.sha256,
    }
    origin = {key: str(provenance[key]) for key in ("network", "method", "study", "run") if provenance.get(key)}
    return contract | origin


def write_program(program: Program) -> ModelProto:
    """Return the ONNX model of a float32 program."""
    from onnx import TensorProto, helper

    from . import features, products, recurrent  # noqa: F401  They register their blocks.
    from .graph import GraphBuilder, finish_model
    from .layers import write_block

    graph, names = GraphBuilder(), {SIGNAL: SIGNAL}
    graph.shapes[SIGNAL] = program.signal.shape
    for step in program.steps:
        graph.scope = f"{step.block.name}/"
        names[step.output] = write_block(step.block, graph, *(names[each] for each in step.inputs))
        graph.shapes[names[step.output]] = step.block.output.shape
    logits = graph.shaped(names[program.output], (program.logits.size,))
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    given = helper.make_tensor_value_info(SIGNAL, TensorProto.FLOAT, ["windows", *program.signal.shape])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["windows", program.logits.size])
    return finish_model(graph.build("recogniser", [given], [answer]))
