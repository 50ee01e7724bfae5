"""What ``--evidence`` and ``--harness`` of ``still export`` measure, keep and print."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..files import atomic_write

if TYPE_CHECKING:
    from ..bundles import Bundle
    from ..deploy import CExport
    from ..studies import FoldWindows

#: Windows that run on the emulator: of integers, and of float32, which a Cortex-M0 computes slowly.
EMULATED = {True: 50, False: 5}


def prove(
    bundle: Bundle,
    options: argparse.Namespace,
    given: dict[str, Any],
    windows: FoldWindows | None,
    export: CExport | None = None,
) -> dict[str, Any]:
    """Return what ``--evidence`` and ``--harness`` give; evidence is kept with the export and in the bundle.

    Args:
        bundle: the bundle.
        options: of the command.
        given: ``calibration`` and ``full_scale`` of ``export_c``.
        windows: see ``read_windows``.
        export: the C that was written, if it was C.
    """
    if windows is None:
        return {}
    from ..bundles import add_evidence
    from ..deploy import compare_forms, describe_machine
    from ..deploy.emulator import SCOPE, write_harness
    from ..deploy.forms import SCOPE as FORMS_SCOPE
    from ..deploy.latency import TIMING

    extra: dict[str, Any] = {}
    if options.harness and export is not None:
        extra["harness"] = str(write_harness(export, windows.values))
    if options.evidence:
        named: dict[str, Any] = {"labels": windows.labels, "subjects": windows.subjects if options.study else None}
        forms = compare_forms(bundle, windows.values, **named, **given)
        extra |= {"about": windows.about, "forms": [each.to_dict() for each in forms], "forms_scope": FORMS_SCOPE}
        extra["latency"] = {"machine": describe_machine(), "how": TIMING}
        machines = {} if export is None else _emulate(export, windows)
        if export is not None:
            extra |= {"evidence_scope": SCOPE, "evidence": machines}
        kept = {"about": windows.about, "scope": FORMS_SCOPE, "scored": options.study is not None}
        kept |= {"forms": extra["forms"], "latency": extra["latency"]}
        if export is not None:
            kept["machines"] = {"c-int8" if export.integers else "c-float32": machines}
        atomic_write(options.out / "evidence.json", json.dumps(kept, indent=2) + "\n")
        add_evidence(bundle, kept)
    return extra


def read_windows(bundle: Bundle, options: argparse.Namespace, given: dict[str, Any]) -> FoldWindows | None:
    """Read, before anything is written, what ``prove`` runs on: windows of test subjects, or calibration windows."""
    if options.study is not None and not options.evidence:
        raise UserError("--study names the windows of --evidence; give both.")
    if not options.evidence and not options.harness:
        return None
    import numpy as np

    from ..studies import FoldWindows, read_fold_windows

    if options.study is not None:
        return read_fold_windows(bundle, options.study, data=options.data)
    windows = bundle.calibration if given["calibration"] is None else given["calibration"]
    if windows is None or not len(windows):
        raise UserError("--evidence and --harness need windows; give a file of them or a data set with --calibrate.")
    about = (
        f"{len(windows)} calibration windows, of training subjects: agreement alone, no scores. "
        f"With --study and the recordings, evidence is of test subjects."
    )
    return FoldWindows(windows, None, np.full(len(windows), "training", np.str_), about)


def _emulate(export: CExport, windows: FoldWindows) -> dict[str, Any]:
    """Return what emulated microcontrollers show on some of the windows."""
    import numpy as np

    from ..deploy.emulator import MACHINES, measure_export

    values = windows.values
    places = np.unique(np.linspace(0, len(values) - 1, EMULATED[export.integers]).astype(int))
    shown: dict[str, Any] = {}
    for machine in MACHINES:
        try:
            evidence = measure_export(export, values[places], machine)
            shown[machine] = evidence.to_dict() | {"text": str(evidence)}
        except UserError as problem:
            shown[machine] = {"not_measured": str(problem)}
    return shown


def describe_evidence(extra: dict[str, Any]) -> list[str]:
    """Return lines for a reader."""
    lines = []
    if "forms" in extra:
        lines += ["", extra["about"]]
        lines += [_describe_form(each) for each in extra["forms"]]
        lines += [extra["forms_scope"], f"{extra['latency']['how']} Machine: {extra['latency']['machine']}."]
    for machine, evidence in extra.get("evidence", {}).items():
        lines += ["", evidence.get("text") or f"{machine}: not measured. {evidence['not_measured']}"]
    return lines + (["", extra["evidence_scope"]] if "evidence_scope" in extra else [])


def _describe_form(form: dict[str, Any]) -> str:
    parts = []
    if form["agreement"] is not None and form["form"] != "keras":
        parts.append(f"the class of Keras on {form['agreement']:.1%} of {form['windows']:,} windows")
    if form["macro_f1"] is not None:
        parts.append(f"macro-F1 {form['macro_f1']:.1%} ({form['change']:+.1f} points)")
    if form["worst"] is not None and form["worst"].get("change"):
        parts.append(f"worst subject {form['worst']['subject']} ({form['worst']['change']:+.1f} points)")
    if form["bytes"] is not None:
        parts.append(f"{form['bytes']:,} bytes")
    if form["memory"] is not None:
        parts.append(f"memory {form['memory']:,} bytes")
    if (latency := form["latency"]) is not None:
        p50, p99 = latency["p50_microseconds"], latency["p99_microseconds"]
        parts.append(f"latency p50 {p50:,.1f} µs, p99 {p99:,.1f} µs ({latency['windows']:,} windows)")
    if form["equal"] is not None:
        parts.append(f"equal to the reference on {form['equal']:,} of {form['windows']:,}")
    parts += [form["note"]] if form["note"] else []
    return f"  {form['form']}: {'; '.join(parts)}"
