"""UCI HAR: six activities, a phone at the waist, the publisher's windows joined back into recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..card import Card
from ..recording import Dataset, Note, Recording
from ..spec import Channel, SignalSpec
from ..stitch import stitch
from ..text import read_integers, read_matrix
from .hapt import CLASSES as HAPT_CLASSES

CLASSES = HAPT_CLASSES[:6]
WINDOW, HOP = 128, 64
SIGNALS = (("total_acc", "acc", "g"), ("body_acc", "body-acc", "g"), ("body_gyro", "body-gyr", "rad/s"))
PARTS = ("train", "test")

CARD = Card(
    name="uci-har",
    title="Human Activity Recognition Using Smartphones",
    authors="D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz",
    year=2013,
    citation="D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz, A Public Domain Dataset for Human "
    "Activity Recognition Using Smartphones, ESANN 2013.",
    licence="CC BY 4.0 by its archive; its own README forbids commercial use",
    url="https://archive.ics.uci.edu/dataset/240",
    subjects=30,
    placement="a phone on the waist",
    spec=SignalSpec(
        rate=50.0,
        channels=tuple(Channel(sensor, axis, unit, "waist") for _, sensor, unit in SIGNALS for axis in "xyz"),
        classes=CLASSES,
        window=WINDOW,
        hop=HOP,
        label_policy="all-equal",
    ),
    layout=tuple(
        f"{{train,test}}/{name}"
        for name in (
            "Inertial Signals/{total_acc,body_acc,body_gyro}_{x,y,z}_*.txt",
            "y_*.txt",
            "subject_*.txt",
        )
    ),
    counts={"subjects": 30, "train windows": 7352, "test windows": 2947}
    | dict(zip(CLASSES, (1722, 1544, 1406, 1777, 1906, 1944), strict=True)),
    official_test=("2", "4", "9", "10", "12", "13", "18", "20", "24"),
    same_subjects_as=("hapt",),
    download="https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
    quirks=(
        "Only windows are published: 128 samples, half of each also in the next. They are joined back into "
        "recordings, and cutting those with window 128 and hop 64 returns the publisher's windows.",
        "One pair of windows (experiment 34 of HAPT) starts 127 samples apart: its two recordings share one raw sample "
        "of one subject, which joining cannot detect.",
        "The subjects are those of HAPT, and the signals are HAPT's raw recordings after the publisher's filters.",
        "body_gyro is angular velocity after a high-pass at 0.1 Hz, not the raw sensor.",
        "Class counts on this card are windows of both parts.",
    ),
)
VERSION = 1


def files(folder: Path, device: str = "") -> list[Path]:
    """List for each part nine signal files, then the activities, then the subjects."""
    listed = []
    for part in PARTS:
        inertial = folder / part / "Inertial Signals"
        if not inertial.is_dir():
            raise UserError(f"{inertial} is not there; uci-har consists of {', '.join(CARD.layout)}.")
        listed += [inertial / f"{name}_{axis}_{part}.txt" for name, _, _ in SIGNALS for axis in "xyz"]
        listed += [folder / part / f"y_{part}.txt", folder / part / f"subject_{part}.txt"]
    for path in listed:
        if not path.is_file():
            raise UserError(f"{path} is not there; the whole set has {len(listed)} files.")
    return listed


def read(folder: Path, device: str = "") -> Dataset:
    """Read the windows of both parts and join those that continue each other."""
    listed = files(folder)
    recordings: list[Recording] = []
    notes: list[Note] = []
    for number, part in enumerate(PARTS):
        paths = listed[number * 11 : number * 11 + 11]
        windows, labels, subjects = _read_windows(paths)
        published = CARD.counts[f"{part} windows"]
        if len(windows) != published:
            notes.append(
                Note(
                    "part of the set",
                    published - len(windows),
                    f"{part}: {len(windows)} of {published} windows",
                )
            )
        recordings += _stitch(windows, labels, subjects, part)
    return Dataset.of(
        CARD.name,
        CARD.spec,
        recordings,
        notes=notes,
        official_test=CARD.official_test,
        same_subjects_as=CARD.same_subjects_as,
    )


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the data what the card counts; recordings cut with window 128 and hop 64 are the published windows."""
    parts, classes = dict.fromkeys(PARTS, 0), dict.fromkeys(CLASSES, 0)
    for recording in dataset.recordings:
        windows = (len(recording) - WINDOW) // HOP + 1
        parts[recording.source.split(":")[0]] += windows
        classes[CLASSES[recording.labels[0]]] += windows
    return {"subjects": len(dataset.subjects)} | {f"{part} windows": count for part, count in parts.items()} | classes


def _read_windows(paths: list[Path]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Read the windows of one part (n, 128, 9), their activities and subjects."""
    *signals, activity_file, subject_file = paths
    matrix, rows = read_matrix(signals, WINDOW)
    labels = read_integers(activity_file, 1)[:, 0]
    subjects = read_integers(subject_file, 1)[:, 0]
    for path, count in zip((*signals, subject_file), (*rows.tolist(), len(subjects)), strict=True):
        if count != len(labels):
            raise UserError(f"{path} has {count:,} rows and {activity_file.name} {len(labels):,}; one was cut short.")
    wrong = np.flatnonzero((labels < 1) | (labels > len(CLASSES)))
    if len(wrong):
        raise UserError(
            f"{activity_file}, row {wrong[0] + 1}: activity {labels[wrong[0]]} is not one of 1 … {len(CLASSES)}."
        )
    cube = matrix.reshape(len(signals), len(labels), WINDOW).transpose(1, 2, 0)
    return cube, labels - 1, subjects


def _stitch(
    windows: NDArray[np.float32], labels: NDArray[np.int64], subjects: NDArray[np.int64], part: str
) -> list[Recording]:
    """Join consecutive windows; each recording cut with window 128 and hop 64 gives exactly its published windows."""
    pieces = stitch(windows, labels, subjects, HOP)
    return [
        Recording(
            subject=str(subjects[first]),
            session="1",
            samples=pieces.samples[start:stop],
            labels=np.full(stop - start, labels[first], np.int16),
            source=f"{part}:{source}",
            offset=offset,
        )
        for first, source, offset, start, stop in pieces.rows()
    ]
