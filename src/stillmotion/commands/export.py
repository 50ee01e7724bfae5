"""`still export`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..names import make_visible
from .evidence import describe_evidence, prove, read_windows
from .flags import add_data, add_json, print_json

if TYPE_CHECKING:
    from ..bundles import Bundle

HELP = "Write a bundle's model as C for a device, as a LiteRT file, as ONNX, or as a web page."


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
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="compare every form with the Keras model, and measure C on an emulated Cortex-M0 and Cortex-M4",
    )
    parser.add_argument(
        "--study",
        metavar="DIR",
        type=Path,
        help="the bundle's study: --evidence is of the test subjects of its fold (default: calibration windows)",
    )
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
    from ..deploy.web import export_web
    from .fitting_tables import load_fitting

    bundle, recording = Bundle.open(options.bundle), None
    if options.recording is not None:
        recording = load_fitting(options.recording, options, bundle.spec)
    given = _read_given(bundle, options)
    export = export_web(bundle, options.out, int8=options.int8, name=options.name, recording=recording, **given)
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
    from ..bundles import Bundle
    from ..deploy.onnx import export_onnx

    bundle = Bundle.open(options.bundle)
    given = _read_given(bundle, options)
    proof = read_windows(bundle, options, given)
    export = export_onnx(bundle, options.out, name=options.name)
    extra = prove(bundle, options, given, proof)
    if options.json:
        decoder = export.decoder_file and str(export.decoder_file)
        values = {"folder": str(export.folder), "file": str(export.file), "decoder_file": decoder}
        print_json(values | {"bytes": export.bytes, "error": export.error} | extra)
        return 0
    lines = [
        f"{export.file}: {export.bytes:,} bytes, from windows to logits, the contract in its metadata",
        f"through onnxruntime its logits differ from the golden ones by at most {export.error:.2g}",
    ]
    lines += [f"{export.decoder_file}: the decoder of windows in a row"] if export.decoder_file else []
    lines += describe_evidence(extra)
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _to_c(options: argparse.Namespace) -> int:
    """Write C, and what proves it."""
    from ..bundles import Bundle
    from ..deploy import export_c

    bundle = Bundle.open(options.bundle)
    given = _read_given(bundle, options)
    proof = read_windows(bundle, options, given)
    export = export_c(bundle, options.out, int8=options.int8, name=options.name, **given)
    extra = prove(bundle, options, given, proof, export)
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
    lines += _describe_agreement(export.agreement, export.windows)
    lines += [f"harness: {extra['harness']}"] if options.harness else []
    lines += describe_evidence(extra)
    lines += ["", "To compile and run the example:", f"  {line}", "It prints:", f"  {export.answer}"]
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _to_litert(options: argparse.Namespace) -> int:
    """Write a LiteRT file, and what proves it."""
    from ..bundles import Bundle
    from ..deploy import export_litert

    bundle = Bundle.open(options.bundle)
    given = _read_given(bundle, options)
    proof = read_windows(bundle, options, given)
    export = export_litert(bundle, options.out, int8=options.int8, name=options.name, **given)
    extra = prove(bundle, options, given, proof)
    if options.json:
        values = {
            "file": str(export.file),
            "bytes": export.bytes,
            "agreement": export.agreement,
            "calibration_windows": export.windows,
        }
        print_json(values | extra)
        return 0
    kind = "int8, from raw counts to logits" if export.integers else "float32, from a window to logits"
    lines = [f"{export.file}: {export.bytes:,} bytes, {kind}; {export.file.stem}.json says what both stand for"]
    lines += _describe_agreement(export.agreement, export.windows) + describe_evidence(extra)
    print(make_visible("\n".join(lines), keep="\n"))
    return 0


def _describe_agreement(agreement: float | None, windows: int) -> list[str]:
    """Return a line that says how often integers give the class of float32, if it was measured."""
    if agreement is None:
        return []
    return [f"the class of float32 on {agreement:.1%} of {windows} calibration windows"]


def _read_given(bundle: Bundle, options: argparse.Namespace) -> dict[str, Any]:
    """Return the calibration windows and full scales that the options name, as every export takes them."""
    from ..deploy import read_calibration

    windows = None
    if options.calibrate is not None:
        windows = read_calibration(options.calibrate, bundle, data=options.data)
    return {"calibration": windows, "full_scale": dict(map(_read_full_scale, options.full_scale))}


def _read_full_scale(text: str) -> tuple[str, float]:
    """Read ``SENSOR=VALUE``."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UserError(f"--full-scale takes SENSOR=VALUE such as acc=8, not {text!r}.") from None


#: What is written, by name; and the options that only some of it takes.
TARGETS: dict[str, Callable[[argparse.Namespace], int]] = {
    "c": _to_c,
    "litert": _to_litert,
    "onnx": _to_onnx,
    "web": _to_web,
}
ONLY = {
    "int8": ("c", "litert", "web"),
    "calibrate": ("c", "litert", "web"),
    "full_scale": ("c", "litert", "web"),
    "recording": ("web",),
    "evidence": ("c", "litert", "onnx"),
    "study": ("c", "litert", "onnx"),
    "harness": ("c",),
}
