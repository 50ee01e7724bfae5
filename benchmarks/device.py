"""Measure exported C on emulated microcontrollers: flash, memory, stack and instructions of a window.

``python benchmarks/run.py device`` prints the rows; ``python -m benchmarks.device --out results/device`` writes them as
``table.csv`` too. A row is a network at a shape, in integers or in float32, on a machine:

- ``flash_constants`` and ``flash_code``: bytes that the C adds to a program that does nothing;
- ``ram`` and ``stack``: bytes of its memory between calls, the window that ``push`` collects included, and the deepest
  stack of a call;
- ``instructions``: of pushing one window and answering it; no time, as QEMU knows no cycles;
- ``equal`` of ``windows``: how many of them gave the reference's logits, byte for byte, and its class;
- ``note``: why there are no numbers, such as C that does not fit the board or a tool that is missing.

**No network is trained.** Size and instructions hardly depend on the values of the weights, so these are drawn by a
seed, and the windows are those of simulated subjects, with as many channels, samples and classes as the data set whose
name the shape bears. Normalisers have the windows' statistics, and integers their ranges. Scores stand elsewhere.

``benchmarks/device_peers.py`` says which models are measured beside those of emlearn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stillmotion.escaping import write_csv
from stillmotion.files import atomic_write

from . import device_peers
from .device_networks import COLUMNS, SHAPES, Row, rows_of

TITLE = "Exported C on emulated microcontrollers: bytes, and instructions of a window"
PEERS = "peers"
PARTS = (*SHAPES, PEERS)


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return the rows of all shapes and of peers; with ``quick`` of the smallest shape alone.

    The windows are simulated, so ``data`` is not read.
    """
    return [row for name in (PARTS[:1] if quick else PARTS) for row in part(name)]


def part(name: str) -> Iterator[Row]:
    """Yield the rows of a shape, or of ``peers``."""
    return device_peers.rows() if name == PEERS else rows_of(name)


def main() -> None:
    """Measure parts and write the table, and a line on standard error, after each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder of table.csv, which is replaced")
    parts = f"rows to write, instead of all ({', '.join(PARTS)})"
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=parts)
    options = parser.parse_args()
    write_rows((row for name in options.parts for row in part(name)), COLUMNS, options.out)


def write_rows(rows: Iterable[Row], columns: Sequence[str], out: Path) -> None:
    """Write ``table.csv`` anew after each row that is measured, and print the row on standard error."""
    cells = []
    for row in rows:
        cells.append([row[column] for column in columns])
        print(*("–" if cell is None else cell for cell in cells[-1]), file=sys.stderr, flush=True)
        atomic_write(out / "table.csv", write_csv(list(columns), cells))


if __name__ == "__main__":
    main()
