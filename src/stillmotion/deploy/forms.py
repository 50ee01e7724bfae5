"""Compare every exported form of a bundle's model with the Keras model on the same windows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bundles import Bundle
from ..errors import UserError
from ..evaluation import confusion_matrix, macro_f1
from .export import CExport, export_c
from .latency import Latency, summarise_latency
from .litert import LiteRtExport, export_litert, run_litert
from .onnx import OnnxExport, export_onnx
from .record import FORMS, SUFFIXES
from .run_form import run_form

#: What each number says and leaves out.
SCOPE = (
    "Agreement is the share of windows for which a form gives the class of the Keras model, each window alone, without "
    "decoder. Macro-F1 is over the classes that occur; its change is in points, form minus Keras. Bytes of C are "
    "constants, without code; bytes of LiteRT and ONNX are the file, without interpreter. Memory of C is its static "
    "memory, without stack; that of LiteRT (int8) is the arena of TFLite Micro's interpreter on this machine, where "
    "pointers may be longer. Equal are windows whose logits are, byte for byte, those of the reference in NumPy: of C "
    "compiled and run on this machine, of LiteRT run by TFLite Micro's interpreter (int8)."
)
KERAS = "keras"
#: Windows that the Keras model answers one at a time for its latency: other forms are faster, and run them all.
TIMED = 200


@dataclass(frozen=True)
class FormScore:
    """What one form gives on windows.

    Args:
        form: its name, or ``keras``.
        windows: how many ran.
        agreement: share with the class of the Keras model.
        macro_f1: over all windows; None without labels.
        change: of macro-F1 against the Keras model, in points.
        subjects: a row for each subject: ``subject``, ``windows``, ``agreement``, and with labels ``macro_f1`` and
            ``change``.
        bytes, memory: see ``SCOPE``.
        equal: windows whose logits are the reference's; None where none ran to compare.
        latency: of one window, on this machine; None where it was not measured.
        note: why something was not measured.
    """

    form: str
    windows: int
    agreement: float | None = None
    macro_f1: float | None = None
    change: float | None = None
    subjects: tuple[Mapping[str, Any], ...] = ()
    bytes: int | None = None
    memory: int | None = None
    equal: int | None = None
    latency: Latency | None = None
    note: str = ""

    @property
    def worst(self) -> Mapping[str, Any] | None:
        """The subject who loses most macro-F1, without labels the one with least agreement; None where all agree."""
        key = "change" if self.change is not None else "agreement"
        changed = [row for row in self.subjects if row["agreement"] < 1]
        return min(changed, key=lambda row: (row[key], row["agreement"]), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        worst = self.worst
        return asdict(self) | {"worst": None if worst is None else dict(worst)}


def compare_forms(
    bundle: Bundle,
    windows: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    subjects: ArrayLike | None = None,
    calibration: ArrayLike | None = None,
    full_scale: Mapping[str, float] | None = None,
) -> list[FormScore]:
    """Run every form of a bundle's model and compare it with the Keras model.

    Args:
        bundle: the bundle.
        windows: (n, time, channels) in the contract's units.
        labels: (n,) their classes; without them there is no macro-F1.
        subjects: (n,) who they are of; without them there are no rows by subject.
        calibration, full_scale: see ``export_c``.

    Returns:
        The Keras model first, then each form of ``FORMS``; one that cannot be written or run says why in its note.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import compare_forms
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> windows = np.random.default_rng(0).normal(size=(30, 50, 3)).astype("float32")
        >>> bundle = Bundle.save("watch", build_network("mlp-small", spec), spec, calibration=windows)
        >>> scores = {each.form: each for each in compare_forms(bundle, windows)}
        >>> scores["c-float32"].agreement, scores["c-int8"].equal
        (1.0, 30)
    """
    values = np.asarray(windows, np.float32)
    reference = bundle.logits(values, bundle.spec).argmax(1)
    judge = _Judge(
        reference,
        None if labels is None else np.asarray(labels, np.int64),
        None if subjects is None else np.asarray(subjects),
        len(bundle.spec.classes),
    )
    scores = [judge.score(KERAS, reference, latency=_time_keras(bundle, values))]
    with tempfile.TemporaryDirectory(prefix="stillmotion-forms-") as folder:
        for form, (kind, int8) in FORMS.items():
            settings: dict[str, Any] = {"name": "net"}
            if kind != "onnx":
                settings |= {"int8": int8, "calibration": calibration, "full_scale": full_scale}
            try:
                export = EXPORTS[kind](bundle, Path(folder) / form, **settings)
                file = Path(folder) / form / f"net{SUFFIXES[kind]}"
                scores.append(_score(judge, form, export, file, values))
            except UserError as problem:
                scores.append(FormScore(form, len(values), note=str(problem)))
    return scores


#: How each kind of form is written.
EXPORTS: dict[str, Callable[..., CExport | LiteRtExport | OnnxExport]] = {
    "c": export_c,
    "litert": export_litert,
    "onnx": export_onnx,
}


@dataclass(frozen=True, eq=False)
class _Judge:
    """Score predicted classes against those of the Keras model."""

    reference: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    subjects: NDArray[Any] | None
    classes: int

    def score(self, form: str, predicted: NDArray[np.int64], **more: Any) -> FormScore:
        every = np.arange(len(predicted))
        names = [] if self.subjects is None else sorted(set(self.subjects.tolist()))
        rows = []
        for name in names:
            own = np.flatnonzero(self.subjects == name)
            rows.append({"subject": str(name), "windows": len(own), **self._of(own, predicted)})
        return FormScore(form, len(predicted), **self._of(every, predicted), subjects=tuple(rows), **more)

    def _of(self, rows: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, Any]:
        values = {"agreement": float((predicted[rows] == self.reference[rows]).mean())}
        if self.labels is not None:
            form, keras = (self._macro_f1(rows, each) for each in (predicted, self.reference))
            values |= {"macro_f1": form, "change": 100 * (form - keras)}
        return values

    def _macro_f1(self, rows: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
        assert self.labels is not None
        matrix = confusion_matrix(self.labels[rows], predicted[rows], self.classes)
        return float(macro_f1(matrix, absent="skip"))


def _score(
    judge: _Judge, form: str, export: CExport | LiteRtExport | OnnxExport, file: Path, values: NDArray[np.float32]
) -> FormScore:
    """Run a form and compare it with its reference in NumPy, where there is one, and by class with the Keras model."""
    more: dict[str, Any] = {"bytes": export.constant_bytes if isinstance(export, CExport) else export.bytes}
    if isinstance(export, CExport):
        more["memory"] = export.arena_bytes + export.state_bytes
    if isinstance(export, OnnxExport) or form == "litert-float32":
        # Float32 has no order of sums that interpreters share: it is compared by class alone.
        ran = run_form(form, file, values)
        return judge.score(form, ran.logits.argmax(1), latency=summarise_latency(ran.seconds), **more)
    given = export.counts.of(values) if export.integers and export.counts is not None else values
    expected = export.program.run(given)
    try:
        ran = run_form(form, file, given)
        more["equal"] = _count_equal(ran.logits, expected)
        more["memory"] = more.get("memory", ran.arena_bytes)
        # TFLite Micro's interpreter is made for no host, LiteRT's is.
        timed = ran if form != "litert-int8" else run_litert(file, given, interpreter="litert")
        more["latency"] = summarise_latency(timed.seconds)
    except UserError as problem:
        measured = "latency" if "equal" in more else "equality and latency"
        more["note"] = f"Classes are those of the reference in NumPy; {measured} not measured: {problem}"
    return judge.score(form, expected.argmax(1), **more)


def _time_keras(bundle: Bundle, values: NDArray[np.float32]) -> Latency | None:
    """Return how long the model of the bundle itself takes for a window."""
    seconds = []
    for window in values[: TIMED + 1]:
        begin = time.perf_counter()
        bundle.logits(window[None], bundle.spec)
        seconds.append(time.perf_counter() - begin)
    return summarise_latency(seconds)


def _count_equal(given: NDArray[Any], expected: NDArray[Any]) -> int:
    """Count the windows whose logits are the expected ones, byte for byte."""
    kind = np.dtype(f"u{expected.dtype.itemsize}")
    same = np.ascontiguousarray(given).view(kind) == np.ascontiguousarray(expected).view(kind)
    return int(same.all(1).sum())
