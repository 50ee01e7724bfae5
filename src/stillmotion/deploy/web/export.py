"""Export a bundle as one HTML page: the generated C as WebAssembly, a recording, and what shows them."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...bundles import Bundle
from ...escaping import escape_html
from ...files import atomic_folder
from ...signals import Dataset
from ..export import CExport, export_c, open_for_export
from ..record import draw_golden, write_record
from .compiling import compile_wasm
from .recording import Replay, choose_replay

#: Parts of the page's program, in the order in which they run.
SCRIPTS = ("recogniser", "resampler", "motion", "table", "drawing", "page")


@dataclass(frozen=True, eq=False)
class WebExport:
    """A page of a model.

    Args:
        folder: where it lies.
        file: the page.
        bytes: its size.
        module_bytes: size of the WebAssembly in it.
        samples: (n, channels) the recording that it replays, in the contract's units.
        source: where that comes from.
    """

    folder: Path
    file: Path
    bytes: int
    module_bytes: int
    samples: NDArray[np.float32]
    source: str


def export_web(
    bundle: Bundle | str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    name: str = "",
    calibration: ArrayLike | None = None,
    full_scale: Mapping[str, float] | None = None,
    recording: Dataset | None = None,
) -> WebExport:
    """Export a bundle's model as one HTML page, which opens from disk and asks for nothing from a network.

    The page runs the C of ``export_c``, compiled to WebAssembly, on a recording that it holds, on a CSV file that is
    dropped on it, or, over HTTPS, on a phone's motion sensors.

    Args:
        bundle: the bundle, or its folder.
        out: folder to create, with ``NAME.html`` in it, and ``NAME.json`` with golden vectors and checksums.
        int8, name, calibration, full_scale: as of ``export_c``.
        recording: a data set, whose first recording the page replays (90 s at most), resampled where that is needed; by
            default 24 of the bundle's calibration windows, which **are recordings of training subjects**, without them
            its golden ones.

    Returns:
        What was written.

    Raises:
        UserError: as of ``export_c``; clang or wasm-ld is missing; or the recording does not fit.

    Example:
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy.web import export_web
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=4)
        >>> bundle = Bundle.save("watch", build_network("gru-4", data.spec), data.spec)
        >>> export = export_web(bundle, "watch-page", name="watch", recording=data)
        >>> export.file.name, export.samples.shape[0] / data.spec.rate
        ('watch.html', 90.0)
    """
    bundle, folder = open_for_export(bundle, out)
    replay = choose_replay(bundle, recording)
    with tempfile.TemporaryDirectory() as scratch:
        c = export_c(bundle, Path(scratch) / "c", int8=int8, name=name, calibration=calibration, full_scale=full_scale)
        module = compile_wasm(c)
    with atomic_folder(folder) as draft:
        golden = compute_golden(bundle, c)
        page = write_page(describe_page(bundle, c, module, replay, golden))
        (draft / f"{c.name}.html").write_text(page, encoding="utf-8")
        write_record(draft, c.name, f"web-{'int8' if int8 else 'float32'}", bundle, *golden)
    file = folder / f"{c.name}.html"
    return WebExport(folder, file, file.stat().st_size, len(module), replay.samples, replay.source)


def describe_page(
    bundle: Bundle,
    export: CExport,
    module: bytes,
    replay: Replay,
    golden: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> dict[str, Any]:
    """Return all that a page holds of a model, ready for JSON: its texts, its contract, its program, a recording."""
    spec = bundle.spec
    channels = [
        {"name": each.name, "sensor": each.sensor, "axis": each.axis, "unit": each.unit, "position": each.position}
        for each in spec.channels
    ]
    network = bundle.provenance.get("network") or bundle.provenance.get("method") or "model"
    kind = "int8" if export.integers else "float32"
    decoded = ", decoded from all windows so far" if export.decoder is not None else ""
    return {
        "title": f"{network} recognises {len(spec.classes)} activities",
        "about": f"{network} in {kind}: {export.constant_bytes:,} bytes of constants, an answer every "
        f"{spec.hop / spec.rate:.3g} s{decoded}.",
        "rate": float(spec.rate),
        "window": spec.window,
        "hop": spec.hop,
        "channels": channels,
        "classes": list(spec.classes),
        "recording": replay.to_dict(),
        "golden": dict(zip(("windows", "logits"), map(_to_base64, golden), strict=True)),
        "wasm": base64.b64encode(module).decode(),
    }


def compute_golden(bundle: Bundle, export: CExport) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return golden windows (n, time, channels) and the logits (n, classes) that ``logits`` of the C gives for them."""
    windows = draw_golden(bundle.spec, export.counts, integers=export.integers)
    logits = export.program.run(windows)
    if not export.integers:
        return windows, logits
    assert export.counts is not None
    tensor = export.program.logits
    steps = (logits.astype(np.int32) - tensor.zero_point).astype(np.float32)
    return draw_golden(bundle.spec, export.counts, integers=False), steps * np.float32(tensor.step)


def _to_base64(values: NDArray[np.float32]) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def write_page(held: Mapping[str, Any]) -> str:
    """Return the page of ``describe_page``; the browser refuses to run or load anything that is not in it."""
    assets = files(__package__) / "assets"
    style = (assets / "page.css").read_text(encoding="utf-8")
    parts = [(assets / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    policy = (
        f"default-src 'none'; script-src {_digest(script)} 'wasm-unsafe-eval'; style-src {_digest(style)}; "
        f"img-src data:; base-uri 'none'; form-action 'none'"
    )
    units = ", ".join(f"{each['name']} ({each['unit'] or 'unit not known'})" for each in held["channels"])
    values = {
        "TITLE": escape_html(held["title"]),
        "POLICY": policy,
        "ABOUT": escape_html(held["about"]),
        "CLASSES": "\n".join(map(_meter, range(len(held["classes"])), held["classes"])),
        "CHANNELS": escape_html(", ".join(each["name"] for each in held["channels"])),
        "CONTRACT": escape_html(f"{units} at {held['rate']:g} Hz, windows of {held['window']} samples."),
        "STYLE": style,
        # An end of a script within a name would end the data.
        "DATA": json.dumps(held).replace("<", "\\u003c"),
        "SCRIPT": script,
    }
    return Template((assets / "page.html").read_text(encoding="utf-8")).substitute(values)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _meter(number: int, name: str) -> str:
    label = escape_html(name)
    return (
        f'<li><span>{label}</span><meter id="class-{number}" min="0" max="1" value="0" aria-label="{label}"></meter>'
        f'<span id="share-{number}">0 %</span></li>'
    )
