"""Tables of simulated people, of which a test spoils one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from stillmotion.signals.simulated import generate

RATE, ROWS = 50, 200
SUBJECTS = ("ann", "bob", "cem", "dan", "eva")
CLASSES = ("brushing", "walking")
ACC, GYR = ("ax", "ay", "az"), ("gx", "gy", "gz")
NAMES = ("subject", "t", "activity", *ACC, *GYR)
MAPPING = {
    "subject": "subject",
    "label": "activity",
    "time": "t",
    "unit_of_time": "s",
    "sensors": {
        "wrist.acc": {"columns": list(ACC), "unit": "g"},
        "wrist.gyr": {"columns": list(GYR), "unit": "rad/s"},
    },
}


@cache
def simulate() -> np.ndarray:
    """Return (subjects, classes, rows, channels) of a wrist: toothbrushing and walking (or jogging), 4 s each."""
    data = generate(subjects=len(SUBJECTS), minutes=2)
    wanted = [("brushing-teeth",), ("walking", "jogging")]
    parts = []
    for subject in data.subjects:
        own = [recording for recording in data.recordings if recording.subject == subject]
        samples = np.concatenate([recording.samples[:, :6] for recording in own])
        labels = np.concatenate([recording.labels for recording in own])
        for names in wanted:
            for name in names:
                rows = np.flatnonzero(labels == data.spec.classes.index(name))
                if len(rows) >= ROWS:
                    parts.append(samples[rows[:ROWS]])
                    break
    stacked = np.stack(parts).reshape(len(SUBJECTS), 2, ROWS, 6)
    # Who wears the unit the other way round turns it by half a turn about z: all are mounted alike.
    turned = stacked[:, 0, :, 0].mean(axis=1) < 0
    stacked[np.ix_(turned, [0, 1], range(ROWS), [0, 1, 3, 4])] *= -1
    return stacked


@dataclass
class Table:
    """A table of text, column by column; ``spoil`` changes cells of a subject or of all."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    delimiter: str = ","

    @classmethod
    def sound(cls) -> Table:
        """Return a table without a fault."""
        samples = simulate().reshape(len(SUBJECTS), 2 * ROWS, 6)
        seconds = [f"{row / RATE:.2f}" for row in range(2 * ROWS)]
        columns = {
            "subject": [name for name in SUBJECTS for _ in range(2 * ROWS)],
            "t": seconds * len(SUBJECTS),
            "activity": [name for _ in SUBJECTS for name in CLASSES for _ in range(ROWS)],
        }
        for number, name in enumerate((*ACC, *GYR)):
            columns[name] = [f"{value:.5f}" for value in samples[:, :, number].ravel()]
        return cls(columns)

    def rows(self, subject: str | None = None) -> range:
        """Return the rows of a subject, or all."""
        count = 2 * ROWS
        at = SUBJECTS.index(subject) if subject else 0
        return range(at * count, (at + 1) * count) if subject else range(len(self.columns["t"]))

    def numbers(self, name: str, subject: str | None = None) -> np.ndarray:
        """Return a column as numbers."""
        return np.array([float(self.columns[name][row]) for row in self.rows(subject)])

    def spoil(self, name: str, change: Callable[[np.ndarray], np.ndarray] | str, subject: str | None = None) -> Table:
        """Replace a column's cells by a function of its numbers, or by one text."""
        rows = self.rows(subject)
        cells = (
            [change] * len(rows)
            if isinstance(change, str)
            else [f"{x:.10g}" for x in change(self.numbers(name, subject))]
        )
        for row, cell in zip(rows, cells, strict=True):
            self.columns[name][row] = cell
        return self

    def spoil_all(
        self, names: tuple[str, ...], change: Callable[[np.ndarray], np.ndarray], subject: str | None = None
    ) -> Table:
        """Spoil several columns in the same way."""
        for name in names:
            self.spoil(name, change, subject)
        return self

    def add(self, name: str, cells: list[object]) -> Table:
        """Add a column."""
        self.columns[name] = [str(cell) for cell in cells]
        return self

    def put(self, row: int, name: str, cell: str) -> Table:
        """Set one cell."""
        self.columns[name][row] = cell
        return self

    def reorder(self, order: np.ndarray) -> Table:
        """Return the rows in another order; some may be missing or doubled."""
        self.columns = {name: [cells[row] for row in order] for name, cells in self.columns.items()}
        return self

    def text(self) -> str:
        """Return the table as text."""
        lines = [self.delimiter.join(self.columns), *map(self.delimiter.join, zip(*self.columns.values(), strict=True))]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Write the table."""
        path = folder / "own.csv"
        path.write_text(self.text(), encoding="utf-8")
        return path
