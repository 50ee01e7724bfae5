"""Emulated microcontrollers against the reference, for every network of the registry, on 50 real windows of HAPT.

``python -m benchmarks.device_equality --data DIR --out results/device/hapt`` writes ``table.csv`` with the columns of
``benchmarks/device.py``. A network whose rows are in the table is not measured again, so that it can be interrupted.

Weights are drawn by a seed, statistics and ranges are those of the windows. Integers run on both machines and float32
on the M4; on the M0, which computes it a hundred times as slowly, 3 windows do. Networks of more than 100,000
parameters are teachers, which no such machine holds.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import stillmotion as sm
from stillmotion.bundles.calibration import spread_rows
from stillmotion.networks import list_networks, network_cost
from stillmotion.windows import Windows

from .device import write_rows
from .device_networks import COLUMNS, FORMS, Row, measure_form, save_network

#: Windows, and windows of float32 on the M0; parameters above which a network is a teacher.
WINDOWS, SLOW_WINDOWS, LARGE = 50, 3, 100_000


def measure_network(name: str, windows: Windows) -> Iterator[Row]:
    """Yield the rows of a network; none of a teacher."""
    values = np.ascontiguousarray(windows.values(spread_rows(np.arange(len(windows)))), np.float32)
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        bundle = save_network(Path(scratch) / name, name, windows.spec, values)
        parameters = network_cost(bundle.model).params
        if parameters > LARGE:
            return
        for contender, integers in FORMS.items():
            shared = {"shape": "hapt", "network": name, "parameters": parameters, "contender": contender}
            out, counts = Path(scratch) / contender, (WINDOWS, SLOW_WINDOWS)
            yield from measure_form(shared, bundle, values, out, integers=integers, counts=counts)


def main() -> None:
    """Measure the networks that are not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets")
    parser.add_argument("--out", required=True, type=Path, help="folder of table.csv")
    names = [network.name for network in list_networks()]
    parser.add_argument("--networks", nargs="+", default=names, choices=names, metavar="NAME")
    options = parser.parse_args()
    known: list[Row] = []
    if (table := options.out / "table.csv").is_file():
        with table.open(newline="", encoding="utf-8") as file:
            known = list(csv.DictReader(file))
    done, windows = {row["network"] for row in known}, sm.cut(sm.load("hapt", data=options.data))

    def rows() -> Iterator[Row]:
        yield from known
        for name in options.networks:
            if name not in done:
                yield from list(measure_network(name, windows))

    write_rows(rows(), COLUMNS, options.out)


if __name__ == "__main__":
    main()
