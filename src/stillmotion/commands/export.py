"""`still export`."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..files import atomic_write
from ..names import make_visible
from .flags import add_data, add_json, print_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..deploy import CExport

HELP = "Write a bundle's model as C for a device, as ONNX, or as a web page."
#: Calibration windows that run on the emulator: of integers, and of float32, which a Cortex-M0 computes slowly.
EVIDENCE_WINDOWS = {True: 50, False: 5}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder of a bundle, such as STUDY/models/best")
    parser.add_argument("--to", choices=tuple(TARGETS), required=True, help="what is written")
    parser.add_argument("--int8", action="store_true", help="compute in integers, from raw counts to logits")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to create")
    parser.add_argument("--name", default="", help="prefix of files and names (default: the variant)")
    parser.add_argument(
        "--calibrate",
        metavar="DATA",
        help="training windows: a .npy or .npz file, or a data set of training subjects (default: those in the bundle)",
    )
    parser.add_argument(
        "--full-scale",
        metavar="SENSOR=VALUE",
        action="append",
        default=[],
        help="largest value of raw counts, such as acc=8 (default: from the training windows)",
    )
    parser.add_argument(
        "--recording",
        metavar="DATA",
        help="what a page replays: a recording's file or a data set (default: windows of training subjects)",
    )
    parser.add_argument("--evidence", action="store_true", help="measure it on an emulated Cortex-M0 and Cortex-M4")
    parser.add_argument("--harness", action="store_true", help="write a program that tests it on a real board")
    add_data(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    for option, targets in ONLY.items():
        if getattr(options, option) and options.to not in targets:
            flag = f"--{option.replace('_', '-')}"
            raise UserError(f"{flag} does not go with --to {options.to}, only with {' and '.join(targets)}.")
    return TARGETS[options.to](options)


def _to_web(options: argparse.Namespace) -> int:
    """Write a page."""
    from ..bundles import Bundle
    from ..deploy import read_calibration
    from ..deploy.web import export_web
    from .recordings import load_recordings

    bundle, windows, recording = Bundle.open(options.bundle), None, None
    if options.recording is not None:
        recording = load_recordings(options.recording, bundle.spec, {}, data=options.data, rate=bundle.spec.rate)
    if options.calibrate is not None:
        windows = read_calibration(options.calibrate, bundle, data=options.data)
    export = export_web(
        bundle,
        options.out,
        int8=options.int8,
        name=options.name,
        calibration=windows,
        full_scale=dict(map(_read_full_scale, options.full_scale)),
        recording=recording,
    )
    if options.json:
        values = {"folder": str(export.folder), "file": str(export.file), "bytes": export.bytes}
        print_json(values | {"module_bytes": export.module_bytes, "recording": export.source})
        return 0
    lines = [
        f"{export.file}: {export.bytes:,} bytes, of which {export.module_bytes:,} of WebAssembly; open it in a browser",
        f"it replays {export.source}",
    ]
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _to_onnx(options: argparse.Namespace) -> int:
    """Write ONNX."""
    from ..deploy.onnx import export_onnx

    export = export_onnx(options.bundle, options.out, name=options.name)
    if options.json:
        decoder = export.decoder_file and str(export.decoder_file)
        values = {"folder": str(export.folder), "file": str(export.file), "decoder_file": decoder}
        print_json(values | {"bytes": export.bytes, "error": export.error})
        return 0
    lines = [
        f"{export.file}: {export.bytes:,} bytes, from windows to logits, the contract in its metadata",
        f"through onnxruntime its logits differ from the golden ones by at most {export.error:.2g}",
    ]
    lines += [f"{export.decoder_file}: the decoder of windows in a row"] if export.decoder_file else []
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _to_c(options: argparse.Namespace) -> int:
    """Write C, and what proves it."""
    from ..bundles import Bundle
    from ..deploy import export_c, read_calibration

    full_scale = dict(map(_read_full_scale, options.full_scale))
    bundle = Bundle.open(options.bundle)
    windows = None
    if options.calibrate is not None:
        windows = read_calibration(options.calibrate, bundle, data=options.data)
    export = export_c(
        bundle, options.out, int8=options.int8, name=options.name, calibration=windows, full_scale=full_scale
    )
    extra = _prove(export, bundle.calibration if windows is None else windows, options)
    line = f"cd {shlex.quote(str(export.folder))} && {export.compile_line}"
    if options.json:
        values = {
            "folder": str(export.folder),
            "name": export.name,
            "constant_bytes": export.constant_bytes,
            "arena_bytes": export.arena_bytes,
            "state_bytes": export.state_bytes,
            "agreement": export.agreement,
            "calibration_windows": export.windows,
            "compile": line,
            "answer": export.answer,
        }
        print_json(values | extra)
        return 0
    kind = "int8" if export.integers else "float32"
    lines = [
        f"{export.folder}: {export.name}.h, {export.name}.c and {export.name}_example.c, {kind}",
        f"{export.constant_bytes:,} bytes of constants; static memory {export.arena_bytes + export.state_bytes:,} "
        f"bytes (network {export.arena_bytes:,}, window and last answer {export.state_bytes:,}); code and stack are "
        f"not counted",
    ]
    if export.agreement is not None:
        lines.append(f"the class of float32 on {export.agreement:.1%} of {export.windows} calibration windows")
    lines += [f"harness: {extra['harness']}"] if options.harness else []
    for machine, evidence in extra.get("evidence", {}).items():
        lines += ["", evidence.get("text") or f"{machine}: not measured. {evidence['not_measured']}"]
    lines += ["", extra["evidence_scope"]] if options.evidence else []
    lines += ["", "To compile and run the example:", f"  {line}", "It prints:", f"  {export.answer}"]
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _prove(export: CExport, given: ArrayLike | None, options: argparse.Namespace) -> dict[str, Any]:
    """Return what ``--evidence`` and ``--harness`` give."""
    if not options.evidence and not options.harness:
        return {}
    import numpy as np

    from ..deploy.emulator import MACHINES, SCOPE, measure_export, write_harness

    windows = np.zeros(0) if given is None else np.asarray(given)
    if not len(windows):
        raise UserError("--evidence and --harness need windows; give a file of them or a data set with --calibrate.")
    extra: dict[str, Any] = {}
    if options.harness:
        extra["harness"] = str(write_harness(export, windows))
    if options.evidence:
        places = np.unique(np.linspace(0, len(windows) - 1, EVIDENCE_WINDOWS[export.integers]).astype(int))
        extra |= {"evidence_scope": SCOPE, "evidence": {}}
        for machine in MACHINES:
            try:
                evidence = measure_export(export, windows[places], machine)
                extra["evidence"][machine] = evidence.to_dict() | {"text": str(evidence)}
            except UserError as problem:
                extra["evidence"][machine] = {"not_measured": str(problem)}
        atomic_write(export.folder / "evidence.json", json.dumps(extra["evidence"], indent=2))
    return extra


def _read_full_scale(text: str) -> tuple[str, float]:
    """Read ``SENSOR=VALUE``."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UserError(f"--full-scale takes SENSOR=VALUE such as acc=8, not {text!r}.") from None


#: What is written, by name; and the options that only some of it takes.
TARGETS: dict[str, Callable[[argparse.Namespace], int]] = {"c": _to_c, "onnx": _to_onnx, "web": _to_web}
ONLY = {
    "int8": ("c", "web"),
    "calibrate": ("c", "web"),
    "full_scale": ("c", "web"),
    "recording": ("web",),
    "evidence": ("c",),
    "harness": ("c",),
}
