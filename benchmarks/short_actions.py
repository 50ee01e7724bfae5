"""A table as people have it: actions of about a second, uneven clocks, two devices in one file.

    python benchmarks/short_actions.py actions.csv [--subjects 16] [--minutes 4]

writes simulated people; docs/guides/own-recordings.md is then followed literally on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stillmotion.signals import Dataset
from stillmotion.signals.simulated import generate

CLASSES = ("walking", "jogging", "brushing-teeth", "clapping", "drinking", "typing")
#: Shortest and longest action, and pause between two, in seconds.
ACTION, PAUSE = (0.7, 1.3), (0.3, 0.8)
#: Device to first channel of its accelerometer, and its rate in Hz.
DEVICES = {"watch": (0, 50.0), "belt": (6, 40.0)}
#: Standard deviation of the steps of a clock over the period, and share of samples that are lost.
JITTER, LOST = 0.3, 0.01


def write_actions(path: Path, *, subjects: int = 16, minutes: float = 4.0, seed: int = 0) -> int:
    """Write the table; return the number of its rows.

    Args:
        path: a CSV.
        subjects: number of people.
        minutes: of each.
        seed: of people, actions and clocks.
    """
    dataset = generate(subjects=subjects, minutes=minutes, seed=seed)
    rows = 0
    with path.open("w") as file:
        file.write("participant,device,time,action,ax,ay,az,battery\n")
        for number, subject in enumerate(dataset.subjects):
            lines = list(_write_subject(dataset, subject, np.random.default_rng([seed, number])))
            file.writelines(lines)
            rows += len(lines)
    return rows


def _write_subject(dataset: Dataset, subject: str, rng: np.random.Generator) -> Iterator[str]:
    values, labels = _cut_actions(dataset, subject, rng)
    rate, start = dataset.spec.rate, 1_760_000_000.0 + 10_000 * int(subject)
    grid = np.arange(len(values)) / rate
    rows = []
    for device, (first, wanted) in DEVICES.items():
        steps = np.maximum(0.1, 1 + JITTER * rng.normal(size=int(grid[-1] * wanted))) / wanted
        moments = np.cumsum(steps)
        moments = moments[(moments < grid[-1]) & (rng.random(len(moments)) > LOST)]
        nearest = np.clip(np.rint(moments * rate).astype(np.int64), 1, len(values) - 2)
        for moment, at in zip(moments.tolist(), nearest.tolist(), strict=True):
            axes = [
                np.interp(moment, grid[at - 1 : at + 2], values[at - 1 : at + 2, first + axis]) for axis in range(3)
            ]
            rows.append((moment, device, labels[at], axes))
    for moment, device, label, axes in sorted(rows, key=lambda row: row[0]):
        cells = ",".join(f"{value:.4f}" for value in axes)
        battery = 98 - int(moment / 60)
        yield f"P{int(subject):02d},{device},{1000 * (start + moment):.0f},{label},{cells},{battery}\n"


def _cut_actions(dataset: Dataset, subject: str, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[str]]:
    """Return samples and labels: actions in random order, with unlabelled pauses between them."""
    own = [recording for recording in dataset.recordings if recording.subject == subject]
    samples = np.concatenate([recording.samples for recording in own])
    codes = np.concatenate([recording.labels for recording in own])
    rate = dataset.spec.rate
    parts: list[tuple[str, NDArray[np.int64]]] = []
    for name in CLASSES:
        rows = np.flatnonzero(codes == dataset.spec.classes.index(name))
        at = 0
        while at + ACTION[1] * rate < len(rows):
            length = int(rng.uniform(*ACTION) * rate)
            if rows[at + length - 1] - rows[at] == length - 1:
                parts.append((name, rows[at : at + length]))
            at += length
    rest = np.flatnonzero(np.isin(codes, [dataset.spec.classes.index(name) for name in ("standing", "sitting")]))
    rest = rest if len(rest) > 100 else np.flatnonzero(codes < 0)
    order, pieces, labels = rng.permutation(len(parts)), [], []
    for number in order.tolist():
        name, rows = parts[number]
        pause = int(rng.uniform(*PAUSE) * rate)
        begin = int(rng.integers(0, max(1, len(rest) - pause)))
        still = rest[begin : begin + pause]
        pieces += [samples[rows], samples[still]]
        labels += [name] * len(rows) + [""] * len(still)
    return np.concatenate(pieces), labels


def main() -> None:
    """Write the table named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--subjects", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=4.0)
    options = parser.parse_args()
    rows = write_actions(options.path, subjects=options.subjects, minutes=options.minutes)
    print(f"{options.path}: {rows:,} rows")


if __name__ == "__main__":
    main()
