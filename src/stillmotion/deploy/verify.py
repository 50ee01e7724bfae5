"""Verify a bundle and its exported forms: checksums, and golden vectors computed again."""

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
from .export import export_c
from .litert import export_litert
from .onnx.export import TOLERANCE, export_onnx
from .record import FORMS, describe_origin, find_record, read_record
from .run_form import run_form
from .web import export_web

State = Literal["equal", "differs", "not checked"]
#: The forms that are written anew, by name: kind, and whether in integers.
WRITTEN = FORMS | {"web-float32": ("web", False)}
EXPORTS: dict[str, Callable[..., object]] = {
    "c": export_c,
    "litert": export_litert,
    "onnx": lambda bundle, folder, *, int8: export_onnx(bundle, folder),
    "web": export_web,
}
#: What a changed part of a form's origin is called.
PARTS = {"model_sha256": "model", "signal": "contract", "decoder": "decoder"}
#: Forms whose interpreters sum floats in an order of their own.
NEAR = ("litert-float32", "onnx-float32")


@dataclass(frozen=True)
class Check:
    """What was verified.

    Args:
        form: of the bundle: its files, its model, a form that was written anew, or one that was exported before.
        state: ``not checked`` where a tool is missing or there is no such form.
        text: how it was compared, or why it was not.
    """

    form: str
    state: State
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def verify_bundle(
    path: str | Path, exported: Sequence[str | Path] = (), *, forms: Sequence[str] | None = None
) -> list[Check]:
    """Verify a bundle and forms that were exported from it: every checksum, and golden vectors computed again.

    Args:
        path: the bundle's folder.
        exported: what ``still export`` wrote before: folders of any form, or files in them.
        forms: names of forms that are written anew and run, as an export would do it now; by default all.

    Returns:
        A check for the files of the bundle, its model, each form and each export; after a wrong checksum of the
        bundle, that one alone.

    Raises:
        UserError: one of ``exported`` is no exported form.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_c, verify_bundle
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> bundle = Bundle.save("watch", build_network("gru-4", spec), spec)
        >>> export = export_c(bundle, "watch-c")
        >>> [(check.form, check.state) for check in verify_bundle("watch", ["watch-c"], forms=["c-int8"])]
        [('files', 'equal'), ('keras', 'equal'), ('c-int8', 'not checked'), ('watch-c', 'equal')]
    """
    records = [find_record(each) for each in exported]
    try:
        bundle = Bundle.open(path)
        windows, golden = bundle.golden
        logits = bundle.logits(windows, bundle.spec)
    except UserError as problem:
        return [Check("files", "differs", str(problem))]
    model = "keras" if bundle.classifier is None else "arrays"
    checks = [Check("files", "equal", "every file has the checksum of the manifest"), _near(model, logits, golden)]
    checks += [_attempt(form, partial(_check_written, bundle, form)) for form in (WRITTEN if forms is None else forms)]
    pairs = zip(exported, records, strict=True)
    return checks + [_attempt(str(each), partial(check_export, bundle, str(each), file)) for each, file in pairs]


def _attempt(form: str, check: Callable[[], Check]) -> Check:
    """Return a check, or why there is none."""
    try:
        return check()
    except UserError as problem:
        return Check(form, "not checked", str(problem))


def _near(form: str, logits: NDArray[Any], golden: NDArray[Any]) -> Check:
    """Compare float logits with the golden ones; other versions and processors round other last digits."""
    apart = np.abs(logits - golden).max(initial=0)
    limit = TOLERANCE * max(1.0, float(np.abs(golden).max(initial=0)))
    text = f"{len(golden)} golden windows, logits at most {apart:.1e} apart, {limit:.1e} allowed"
    return Check(form, "equal" if apart <= limit else "differs", text)


def _check_written(bundle: Bundle, form: str) -> Check:
    """Export a bundle anew and check what was written."""
    kind, int8 = WRITTEN[form]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "form"
        EXPORTS[kind](bundle, folder, int8=int8)
        return check_export(bundle, form, find_record(folder))


def check_export(bundle: Bundle, name: str, file: Path) -> Check:
    """Check the files of an export, what it was exported from, and what it gives on this machine.

    Every form runs its own golden windows; one that takes values in float32 runs those of the bundle too.
    """
    try:
        record = read_record(file)
    except UserError as problem:
        return Check(name, "differs", str(problem))
    origin = describe_origin(bundle)
    if changed := [part for key, part in PARTS.items() if record.origin[key] != origin[key]]:
        return Check(name, "differs", f"{record.form} is of another bundle, with another {' and '.join(changed)}")
    own, both = len(record.windows), record.windows
    floats = record.form in ("c-float32", *NEAR)
    if floats:
        both = np.concatenate([both, bundle.golden[0]])
    logits = run_form(record.form, record.file, both).logits
    if record.form not in NEAR:
        kind = np.dtype(f"u{record.logits.dtype.itemsize}")
        if logits[:own].shape != record.logits.shape or (logits[:own].view(kind) != record.logits.view(kind)).any():
            return Check(name, "differs", f"{record.form} gives other logits than were recorded when it was exported")
        text = f"{record.form}: {own} golden windows of its own, every bit that of the reference"
    else:
        near = _near(name, logits[:own], record.logits)
        if near.state == "differs":
            return near
        text = f"{record.form}: {own} golden windows of its own, near the recorded ones"
    if not floats:
        return Check(name, "equal", text)
    near = _near(name, logits[own:], bundle.golden[1])
    return Check(name, near.state, f"{text}; of the bundle, {near.text}")
