"""Verify a bundle: its checksums, and the golden vectors of every form that it can take here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bundles import Bundle
from ..errors import UserError
from .export import LEAST_WINDOWS, export_c
from .host import run_on_host
from .onnx.export import TOLERANCE, build_models
from .onnx.run import read_metadata, run_onnx

State = Literal["equal", "differs", "not checked"]


@dataclass(frozen=True)
class Check:
    """What was verified.

    Args:
        form: of the bundle: its files, its model, C, ONNX, or a file that was exported before.
        state: ``not checked`` where a tool is missing or there is no such form.
        text: how it was compared, or why it was not.
    """

    form: str
    state: State
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def verify_bundle(path: str | Path, exported: Sequence[str | Path] = ()) -> list[Check]:
    """Verify a bundle: the checksum of every file, and the golden vectors through every form that it can take here.

    The C and the ONNX model are written anew, compiled or opened, and run on the golden windows.

    Args:
        path: the bundle's folder.
        exported: ``.onnx`` files that were exported from it before.

    Returns:
        A check for each form; after a wrong checksum, that one alone.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import verify_bundle
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> bundle = Bundle.save("watch", build_network("gru-4", spec), spec)
        >>> [(check.form, check.state) for check in verify_bundle("watch")][:2]
        [('files', 'equal'), ('keras', 'equal')]
    """
    try:
        bundle = Bundle.open(path)
        windows, golden = bundle.golden
        logits = bundle.logits(windows, bundle.spec)
    except UserError as problem:
        return [Check("files", "differs", str(problem))]
    model = "keras" if bundle.classifier is None else "arrays"
    checks = [
        Check("files", "equal", "every file has the checksum of the manifest"),
        _near(model, logits, golden),
        _attempt("c float32", lambda: _check_c(bundle, int8=False)),
        _attempt("c int8", lambda: _check_c(bundle, int8=True)),
        _attempt("onnx", lambda: _check_onnx(bundle)),
    ]
    return checks + [_attempt(str(file), partial(_check_file, bundle, Path(file))) for file in exported]


def _attempt(form: str, check: Callable[[], Check]) -> Check:
    """Return a check, or why there is none."""
    try:
        return check()
    except UserError as problem:
        return Check(form, "not checked", str(problem))


def _near(form: str, logits: NDArray[Any], golden: NDArray[np.float32]) -> Check:
    """Compare float logits with the golden ones; other versions and processors round other last digits."""
    apart = np.abs(logits - golden).max(initial=0)
    limit = TOLERANCE * max(1.0, float(np.abs(golden).max(initial=0)))
    text = f"{len(golden)} golden windows, logits at most {apart:.1e} apart, {limit:.1e} allowed"
    return Check(form, "equal" if apart <= limit else "differs", text)


def _check_c(bundle: Bundle, *, int8: bool) -> Check:
    """Compile the C and compare its bits with those of its reference in NumPy; floats with the golden logits too."""
    form = "c int8" if int8 else "c float32"
    calibration = bundle.calibration
    if int8 and (calibration is None or len(calibration) < LEAST_WINDOWS):
        return Check(form, "not checked", "the bundle has no calibration windows")
    windows, golden = bundle.golden
    with tempfile.TemporaryDirectory() as folder:
        export = export_c(bundle, Path(folder) / "c", int8=int8)
        logits = run_on_host(export, windows)
    given = export.counts.of(windows) if int8 and export.counts is not None else windows
    if not np.array_equal(logits, export.program.run(given)):
        return Check(form, "differs", "the compiled C differs from its reference")
    if int8:
        return Check(form, "equal", f"{len(windows)} golden windows, every bit that of the reference")
    return _near(form, logits, golden)


def _check_onnx(bundle: Bundle) -> Check:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(build_models(bundle, "model")[file.name])
        return _near("onnx", run_onnx(file, bundle.golden[0]), bundle.golden[1])


def _check_file(bundle: Bundle, file: Path) -> Check:
    """Compare a file that was exported before: the model that it names, and what it answers."""
    if file.suffix != ".onnx":
        raise UserError(f"{file} is no .onnx file; C and pages are written anew by still export.")
    if (named := read_metadata(file).get("model_sha256")) != bundle.sha256:
        return Check(str(file), "differs", f"it was exported from another model ({str(named)[:12]}…)")
    return _near(str(file), run_onnx(file, bundle.golden[0]), bundle.golden[1])
