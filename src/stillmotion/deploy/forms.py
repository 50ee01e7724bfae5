"""Compare every exported form of a bundle's model with the Keras model on the same windows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bundles import Bundle
from ..errors import UserError
from ..evaluation import confusion_matrix, macro_f1
from .export import export_c
from .host import run_on_host
from .litert import export_litert, run_litert
from .onnx import export_onnx, run_onnx

#: What each number says and leaves out.
SCOPE = (
    "Agreement is the share of windows for which a form gives the class of the Keras model, each window alone, without "
    "decoder. Macro-F1 is over the classes that occur; its change is in points, form minus Keras. Bytes of C are "
    "constants, without code; bytes of LiteRT and ONNX are the file, without "
    "interpreter. Equal are windows whose logits are, "
    "byte for byte, those of the reference in NumPy: of C compiled and run on this machine, of LiteRT run by TFLite "
    "Micro's interpreter (int8)."
)
KERAS = "keras"
#: The forms by name: kind and whether in integers.
FORMS = {
    "c-float32": ("c", False),
    "c-int8": ("c", True),
    "litert-float32": ("litert", False),
    "litert-int8": ("litert", True),
    "onnx-float32": ("onnx", False),
}


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
        bytes: see ``SCOPE``.
        equal: windows whose logits are the reference's; None where none ran to compare.
        note: why something was not measured.
    """

    form: str
    windows: int
    agreement: float | None = None
    macro_f1: float | None = None
    change: float | None = None
    subjects: tuple[Mapping[str, Any], ...] = ()
    bytes: int | None = None
    equal: int | None = None
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
    scores = [judge.score(KERAS, reference)]
    with tempfile.TemporaryDirectory(prefix="stillmotion-forms-") as folder:
        for form, (kind, int8) in FORMS.items():
            options: dict[str, Any] = {
                "int8": int8,
                "calibration": calibration,
                "full_scale": full_scale,
                "name": "net",
            }
            run = RUNS[kind]
            try:
                scores.append(run(judge, form, bundle, Path(folder) / form, values, options))
            except UserError as problem:
                scores.append(FormScore(form, len(values), note=str(problem)))
    return scores


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


def _run_c(
    judge: _Judge, form: str, bundle: Bundle, folder: Path, values: NDArray[np.float32], options: dict[str, Any]
) -> FormScore:
    export = export_c(bundle, folder, **options)
    given = export.counts.of(values) if export.integers and export.counts is not None else values
    expected = export.program.run(given)
    more: dict[str, Any] = {"bytes": export.constant_bytes}
    return judge.score(form, expected.argmax(1), **more, **_count_equal(expected, lambda: run_on_host(export, values)))


def _run_litert(
    judge: _Judge, form: str, bundle: Bundle, folder: Path, values: NDArray[np.float32], options: dict[str, Any]
) -> FormScore:
    export = export_litert(bundle, folder, **options)
    more: dict[str, Any] = {"bytes": export.bytes}
    if not export.integers:
        # Float32 has no order of sums that interpreters share: it is compared by class alone.
        answer = run_litert(export.file, values, interpreter="litert")
        return judge.score(form, answer.logits.argmax(1), **more)
    assert export.counts is not None
    given = export.counts.of(values)
    expected = export.program.run(given)
    equal = _count_equal(expected, lambda: run_litert(export.file, given).logits)
    return judge.score(form, expected.argmax(1), **more, **equal)


def _run_onnx(
    judge: _Judge, form: str, bundle: Bundle, folder: Path, values: NDArray[np.float32], options: dict[str, Any]
) -> FormScore:
    export = export_onnx(bundle, folder, name=options["name"])
    return judge.score(form, run_onnx(export.file, values).argmax(1), bytes=export.bytes)


#: How each kind of form is written and run.
RUNS = {"c": _run_c, "litert": _run_litert, "onnx": _run_onnx}


def _count_equal(expected: NDArray[Any], run: Callable[[], NDArray[Any]]) -> dict[str, Any]:
    """Count the windows whose logits are the expected ones, byte for byte."""
    try:
        got = run()
    except UserError as problem:
        return {"note": f"Classes are those of the reference in NumPy; equality not measured: {problem}"}
    kind = np.dtype(f"u{expected.dtype.itemsize}")
    same = np.ascontiguousarray(got).view(kind) == np.ascontiguousarray(expected).view(kind)
    return {"equal": int(same.all(1).sum())}
