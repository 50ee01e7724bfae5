"""Measure exported C on emulated microcontrollers: flash, memory, stack and instructions of a window.

``python benchmarks/run.py device`` prints the rows; ``python -m benchmarks.device --out results/device`` writes them as
``table.csv`` too. A row is a network at a shape, in integers or in float32, on a machine:

- ``flash_constants`` and ``flash_code``: bytes that the C adds to a program that does nothing;
- ``ram`` and ``stack``: bytes of its memory between calls, the window that ``push`` collects included, and the deepest
  stack of a call;
- ``instructions``: of pushing one window and answering it; no time, as QEMU knows no cycles;
- ``equal`` of ``windows``: how many of them gave the reference's logits, byte for byte, and its class;
- ``note``: why there are no numbers, such as C that does not fit the board or a tool that is missing.

**No network is trained.** Size and instructions hardly depend on the values of the weights, so these are drawn by a seed,
and the windows are those of simulated subjects, with as many channels, samples and classes as the data set whose name
the shape bears. Normalisers have the windows' statistics, and integers their ranges. Scores stand elsewhere.
"""

from __future__ import annotations

import argparse
import sys
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
from stillmotion.escaping import write_csv
from stillmotion.files import atomic_write
from stillmotion.networks import build_network, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import NORMALISER
from stillmotion.signals import SignalSpec

TITLE = "Exported C on emulated microcontrollers: bytes, and instructions of a window"

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


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return a row for each shape, network, form and machine; with ``quick`` of the smallest shape alone.

    The windows are simulated, so ``data`` is not read.
    """
    return [row for name in (list(SHAPES)[:1] if quick else SHAPES) for row in rows_of(name)]


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
                    "parameters": bundle.model.count_params(),
                    "contender": contender,
                }
                out = Path(scratch) / f"{network}-{contender}"
                yield from measure_form(shared, bundle, windows, out, integers=integers)


def draw_windows(shape: Shape) -> tuple[SignalSpec, NDArray[np.float32]]:
    """Return the contract of a shape, and windows spread over the simulated subjects."""
    dataset = sm.resample(sm.load("simulated", sensors=shape.sensors), shape.rate)
    cut = sm.cut(dataset, spec=dataset.spec.with_window(shape.window))
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
    measure: Callable[[CExport, NDArray[np.float32], str], Evidence] = measure_export,
) -> Iterator[Row]:
    """Export a bundle in one form; yield a row for each machine."""
    try:
        export, refusal = export_c(bundle, out, int8=integers, name="net"), ""
    except UserError as problem:
        export, refusal = None, str(problem)
    for machine in MACHINES:
        count = SLOW_WINDOWS if machine == "cortex-m0" and not integers else WINDOWS
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


def main() -> None:
    """Measure shapes and write the table, and a line on standard error, after each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES), metavar="SHAPE")
    options = parser.parse_args()
    cells = []
    for name in options.shapes:
        for row in rows_of(name):
            cells.append([row[column] for column in COLUMNS])
            print(*("–" if cell is None else cell for cell in cells[-1]), file=sys.stderr, flush=True)
            atomic_write(options.out / "table.csv", write_csv(list(COLUMNS), cells))


if __name__ == "__main__":
    main()
