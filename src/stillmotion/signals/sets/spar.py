"""SPAR: seven shoulder exercises, a smartwatch at the wrist, ten subjects with both arms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..card import Card
from ..pickled import read_pickled
from ..recording import Dataset, Note, Recording
from ..spec import Channel, SignalSpec

FILE = "watch_dataset.npy"
CLASSES = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
#: The file's names of the columns.
COLUMNS = ("ax", "ay", "az", "wx", "wy", "wz")
SIDES = ("left", "right")

CARD = Card(
    name="spar",
    title="Smartwatch Physiotherapy Activity Recognition (the part in seglearn)",
    authors="D. Burns, N. Leung, M. Hardisty, C. Whyne, P. Henry, S. McLachlin",
    year=2018,
    citation="D. Burns, N. Leung, M. Hardisty, C. Whyne, P. Henry, S. McLachlin, Shoulder Physiotherapy Exercise "
    "Recognition: Machine Learning the Inertial Signals from a Smartwatch, Physiological Measurement 39(7), 2018 "
    "(arXiv 1802.01489).",
    licence="BSD-3-Clause",
    url="https://github.com/dmbee/seglearn",
    subjects=10,
    placement="a smartwatch on the wrist of the exercising arm",
    spec=SignalSpec(
        rate=50.0,
        channels=tuple(
            Channel(sensor, axis, unit, "wrist") for sensor, unit in (("acc", "g"), ("gyr", "rad/s")) for axis in "xyz"
        ),
        classes=CLASSES,
        window=128,
        hop=64,
    ),
    layout=(FILE,),
    counts={"subjects": 10, "recordings": 140, "samples": 244_102} | dict.fromkeys(CLASSES, 20),
    quirks=(
        "The classes are pendulum (PEN), abduction (ABD), forward elevation (FEL), internal rotation (IR), external "
        "rotation (ER), trapezius extension (TRAP) and upright row (ROW); counts of classes are recordings.",
        "Each subject did each exercise once with each arm (19 to 52 s, by the package 20 repetitions); the arms are "
        "sessions of one subject.",
        "Every sample of a recording has the class of its exercise, pauses before and after it included.",
        "The file states no units: acceleration has a median of 1.01 where the watch rests, so it is in g with "
        "gravity; angular velocity reaches 29, which in rad/s is within a gyroscope's 2000 deg/s, and in deg/s would "
        "be too slow for a repetition a second.",
        "The x axis of the watch lies along the forearm, to opposite ends on the two arms, so that an arm's signal is "
        "the mirror image of the other's (augmentation `mirror`).",
        "A change of acceleration's direction hardly follows from the angular velocity (correlation 0.2 below 1 Hz, "
        "where HAPT's transitions have 0.94 to 0.97): the exercises accelerate the wrist much. "
        "So it cannot be seen whether both sensors share one right-handed frame.",
        "The seglearn package holds ten of the twenty subjects of the paper's second version.",
    ),
    package="seglearn==1.2.5",
    package_folder="seglearn/data",
)
VERSION = 1


def files(folder: Path, device: str = "") -> list[Path]:
    """List the one file."""
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"{path} is not there; spar consists of {FILE}, as the package {CARD.package} has it.")
    return [path]


def read(folder: Path, device: str = "") -> Dataset:
    """Read the recordings in the file's order: one exercise of one arm each."""
    (path,) = files(folder)
    signals, labels, subjects, sides = _columns(path)
    recordings = []
    for number, (signal, label, subject, side) in enumerate(zip(signals, labels, subjects, sides, strict=True)):
        where = f"{path}, recording {number}"
        samples = _numbers(signal, f"{where}: its signal", 2)
        if samples.shape[1] != len(COLUMNS) or not len(samples):
            raise UserError(f"{where} has shape {samples.shape}; (samples, {len(COLUMNS)}) was expected.")
        if label not in range(len(CLASSES)):
            raise UserError(f"{where} has class {label:g}; 0 to {len(CLASSES) - 1} were expected.")
        if side not in range(len(SIDES)):
            raise UserError(f"{where} has side {side:g}; 0 (left) or 1 (right) was expected.")
        if subject < 0 or not float(subject).is_integer():
            raise UserError(f"{where} has subject {subject:g}; a whole number was expected.")
        recordings.append(
            Recording(
                subject=str(int(subject)),
                session=SIDES[int(side)],
                samples=np.ascontiguousarray(samples, np.float32),
                labels=np.full(len(samples), int(label), np.int16),
                source=f"{FILE} {number}",
            )
        )
    missing = CARD.counts["recordings"] - len(recordings)
    notes = []
    if missing > 0:
        having = len({recording.subject for recording in recordings})
        text = f"part of the set: {len(recordings)} of {CARD.counts['recordings']} recordings, {having} of 10 subjects"
        notes.append(Note("part of the set", missing, text))
    return Dataset.of(CARD.name, CARD.spec, recordings, notes=notes)


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the data what the card counts."""
    per_class = np.bincount([recording.labels[0] for recording in dataset.recordings], minlength=len(CLASSES))
    totals = {"subjects": len(dataset.subjects), "recordings": len(dataset), "samples": len(dataset.samples)}
    return totals | dict(zip(CLASSES, per_class.tolist(), strict=True))


def _columns(path: Path) -> tuple[list[Any], list[float], list[float], list[float]]:
    """Return signals, labels, subjects and sides, as many of each; the names in the file must be the known ones."""
    content = read_pickled(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}, not a dict.")
    missing = sorted({"X", "y", "subject", "side", "X_labels", "y_labels"} - set(content))
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}.")
    for key, expected in (("X_labels", COLUMNS), ("y_labels", CLASSES)):
        if content[key] != list(expected):
            raise UserError(f"{path} has {key} {str(content[key])[:80]}; {', '.join(expected)} was expected.")
    signals = content["X"]
    if not isinstance(signals, list) or not signals:
        raise UserError(f"{path} has no list of recordings in X.")
    columns = [_numbers(content[key], f"{path}: {key}", 1).tolist() for key in ("y", "subject", "side")]
    if any(len(column) != len(signals) for column in columns):
        lengths = ", ".join(str(len(column)) for column in (signals, *columns))
        raise UserError(f"{path} has X, y, subject and side of different lengths ({lengths}).")
    labels, subjects, sides = columns
    return signals, labels, subjects, sides


def _numbers(values: Any, what: str, dimensions: int) -> np.ndarray[Any, np.dtype[Any]]:
    if not isinstance(values, np.ndarray) or values.ndim != dimensions:
        raise UserError(f"{what} is no array of {dimensions} dimensions.")
    return values
