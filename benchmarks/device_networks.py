"""Measure networks as C on emulated microcontrollers, in integers and in float32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import stillmotion as sm
from stillmotion.bundles import Bundle
from stillmotion.bundles.calibration import spread_rows
from stillmotion.deploy import CExport, export_c
from stillmotion.deploy.emulator import MACHINES, Evidence, measure_export
from stillmotion.errors import UserError
from stillmotion.networks import build_network, network_cost, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import NORMALISER
from stillmotion.signals import SignalSpec
from stillmotion.windows import Windows

Row = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Windows of simulated subjects: their sensors, rate in Hz, samples and number of classes."""

    sensors: str
    rate: float
    window: int
    classes: int


SHAPES = {
    "wisdm": Shape("wrist.acc", 20, 20, 6),
    "hapt": Shape("wrist.acc,wrist.gyr", 50, 128, 12),
    "spar": Shape("wrist.acc,wrist.gyr", 25, 64, 7),
}
NETWORKS = (
    "deepconvlstm-lm",
    "tinierhar",
    "motion-net-xs",
    "motion-net-s",
    "gru-8",
    "fastgrnn-8",
    "feature-net-xs",
    "feature-net-s",
    "hybrid-net-s",
)
#: Name of a form to whether it computes in integers.
FORMS = {"stillmotion-int8": True, "stillmotion-float32": False}
#: Windows of a row; without a floating-point unit float32 takes many times as long.
WINDOWS, SLOW_WINDOWS = 4, 1
COLUMNS = (
    "shape",
    "network",
    "parameters",
    "contender",
    "machine",
    "flash_constants",
    "flash_code",
    "ram",
    "stack",
    "instructions",
    "windows",
    "equal",
    "note",
)


def rows_of(name: str, networks: tuple[str, ...] = NETWORKS) -> Iterator[Row]:
    """Yield the rows of a shape, by its name."""
    spec, windows = draw_windows(SHAPES[name])
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        for network in networks:
            bundle = save_network(Path(scratch) / network, network, spec, windows)
            for contender, integers in FORMS.items():
                shared = {
                    "shape": name,
                    "network": network,
                    "parameters": network_cost(bundle.model).params,
                    "contender": contender,
                }
                out = Path(scratch) / f"{network}-{contender}"
                yield from measure_form(shared, bundle, windows, out, integers=integers)


def cut_windows(shape: Shape) -> Windows:
    """Return the windows of all simulated subjects, with all classes."""
    dataset = sm.resample(sm.load("simulated", sensors=shape.sensors), shape.rate)
    return sm.cut(dataset, spec=dataset.spec.with_window(shape.window))


def draw_windows(shape: Shape) -> tuple[SignalSpec, NDArray[np.float32]]:
    """Return the contract of a shape, and windows spread over the simulated subjects."""
    cut = cut_windows(shape)
    values = np.ascontiguousarray(cut.values(spread_rows(np.arange(len(cut)))), np.float32)
    return replace(cut.spec, classes=cut.spec.classes[: shape.classes]), values


def save_network(folder: Path, network: str, spec: SignalSpec, windows: NDArray[np.float32]) -> Bundle:
    """Save an untrained network with the statistics of windows as a bundle."""
    model = build_network(network, spec)
    if any(layer.name == NORMALISER for layer in model.layers):
        set_statistics(model, windows.mean((0, 1)), windows.std((0, 1)))
    set_feature_statistics(model, windows)
    return Bundle.save(folder, model, spec, calibration=windows)


def measure_form(
    shared: Row,
    bundle: Bundle,
    windows: NDArray[np.float32],
    out: Path,
    *,
    integers: bool,
    counts: tuple[int, int] = (WINDOWS, SLOW_WINDOWS),
    measure: Callable[[CExport, NDArray[np.float32], str], Evidence] = measure_export,
) -> Iterator[Row]:
    """Export a bundle in one form; yield a row for each machine, measured on so many windows, float32 on the M0 few."""
    try:
        export, refusal = export_c(bundle, out, int8=integers, name="net"), ""
    except UserError as problem:
        export, refusal = None, str(problem)
    for machine in MACHINES:
        count = counts[machine == "cortex-m0" and not integers]
        row = dict.fromkeys(COLUMNS) | shared | {"machine": machine, "note": refusal}
        if export is not None:
            chosen = windows[np.linspace(0, len(windows) - 1, count).astype(int)]
            try:
                row |= columns_of(measure(export, chosen, machine))
            except UserError as problem:
                row["note"] = str(problem)
        yield row


def columns_of(evidence: Evidence) -> Row:
    """Return the columns of a row that were measured."""
    return {
        "flash_constants": evidence.constants,
        "flash_code": evidence.code,
        "ram": evidence.ram,
        "stack": evidence.stack,
        "instructions": evidence.instructions,
        "windows": evidence.windows,
        "equal": evidence.equal,
    }
