"""Simulated subjects as Shoaib's spreadsheets: two rows of heading, rounded time stamps, a misspelt activity."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from stillmotion.signals.recording import Dataset, Floats, Note, Recording
from stillmotion.signals.sets import shoaib
from stillmotion.signals.simulated.card import CHANNELS, CLASSES
from stillmotion.signals.simulated.generate import make_sessions

from .write import G, label_runs

#: Which simulated unit stands for each of Shoaib's positions.
STANDS_FOR = dict(zip(shoaib.POSITIONS, ("pocket", "pocket", "wrist", "wrist", "waist"), strict=True))
#: Nobody cycles here: brushing teeth stands for it.
NAMES = {name: name for name in shoaib.CLASSES} | {"brushing-teeth": "biking"}
STAMP = "1.39E+12"
#: How stairs are spelt, and how many samples of the wrist are lost in every file.
MISSPELT, LOST = "upsatirs", 3


def write_shoaib(folder: str | Path, *, subjects: int = 4, seed: int = 0, minutes: float = 8.0) -> Dataset:
    """Write ``Participant_N.csv`` at 50 Hz; return what is in them.

    Stretches of an activity follow one another without a pause; two of the same activity become one. Stairs are
    misspelt, and three rows of each file lack the wrist's numbers: what is returned holds the true ones.
    Magnetometers are not simulated: the direction of gravity stands in.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    recordings = []
    counted = dict.fromkeys(
        ("time stamps rounded away, samples taken as even", "labels mended in spelling", "short losses bridged"), 0
    )
    for user in range(1, subjects + 1):
        runs = [
            (NAMES[CLASSES[label]], whole.samples[start:stop])
            for whole, _ in make_sessions(user, seed=seed, minutes=minutes)
            for label, start, stop in label_runs(whole.labels)
            if CLASSES[label] in NAMES
        ]
        name = f"Participant_{user}.csv"
        rows = list(_heading())
        at = 0
        for activity, group in itertools.groupby(runs, key=lambda run: run[0]):
            parts = [samples for _, samples in group]
            for number, samples in enumerate(parts):
                wrong = activity == "upstairs" and number == len(parts) - 1
                counted["labels mended in spelling"] += len(samples) if wrong else 0
                lost = at == 0 and number == 0
                counted["short losses bridged"] += LOST if lost else 0
                rows += _rows(samples, MISSPELT if wrong else activity, lost=lost)
            values = _units(np.concatenate(parts))
            labels = np.full(len(values), shoaib.CLASSES.index(activity), np.int16)
            recordings.append(Recording(str(user), "1", values, labels, source=name, offset=at))
            at += len(values)
        counted["time stamps rounded away, samples taken as even"] += at
        (Path(folder) / name).write_text("".join(rows))
    notes = [Note(kind, count, f"{count:,} {kind}") for kind, count in counted.items() if count]
    return Dataset.of("shoaib", shoaib.CARD.spec, recordings, notes=notes)


def _heading() -> tuple[str, str]:
    blank = [""] * len(shoaib.BLOCK)
    positions = [cell for position in shoaib.POSITIONS for cell in (position.replace("-", "_").capitalize(), *blank)]
    names = [cell for _ in shoaib.POSITIONS for cell in (*shoaib.BLOCK, "")]
    return ",".join(positions) + "\n", ",".join(names) + "\n"


def _rows(samples: Floats, activity: str, *, lost: bool) -> list[str]:
    values = _units(samples)
    lines = []
    for number, row in enumerate(values.tolist()):
        cells = []
        for block, position in enumerate(shoaib.POSITIONS):
            acc, gyr, mag = (row[9 * block + k : 9 * block + k + 3] for k in (0, 3, 6))
            linear = [acc[0], acc[1], acc[2] - G]
            numbers = [f"{value:.9g}" for value in (*acc, *linear, *gyr, *mag)]
            if lost and position == "wrist" and 10 <= number < 10 + LOST:
                numbers = [""] * len(numbers)
            cells += [STAMP, *numbers, ""]
        lines.append(",".join([*cells[:-1], activity]) + "\n")
    return lines


def _units(samples: Floats) -> Floats:
    """Five positions of acceleration (m/s²), angular velocity and field (µT), in the set's order (T, 45)."""
    columns = []
    for unit in STANDS_FOR.values():
        six = samples[:, [i for i, channel in enumerate(CHANNELS) if channel.position == unit]]
        field = 48 * six[:, :3] / np.linalg.norm(six[:, :3], axis=1, keepdims=True).clip(0.1)
        columns += [six[:, :3] * np.float32(G), six[:, 3:], field]
    return np.concatenate(columns, axis=1).astype(np.float32)
