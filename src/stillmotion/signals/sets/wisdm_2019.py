"""WISDM 2019: eighteen activities of daily living, a watch on the wrist and a phone in the pocket."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..card import Card
from ..clocks import join, split_at_gaps
from ..recording import Dataset, Note, Recording
from ..spec import Channel, SignalSpec
from ..text import read_columns

LETTERS = "ABCDEFGHIJKLMOPQRS"
CLASSES = (
    "walking",
    "jogging",
    "stairs",
    "sitting",
    "standing",
    "typing",
    "teeth",
    "soup",
    "chips",
    "pasta",
    "drinking",
    "sandwich",
    "kicking",
    "catch",
    "dribbling",
    "writing",
    "clapping",
    "folding",
)
DEVICES = {"wrist": "watch", "pocket": "phone"}
NANOSECONDS = 1e-9


def _make_spec(position: str) -> SignalSpec:
    sensors = (("acc", "m/s2"), ("gyr", "rad/s"))
    return SignalSpec(
        rate=20.0,
        channels=tuple(Channel(sensor, axis, unit, position) for sensor, unit in sensors for axis in "xyz"),
        classes=CLASSES,
        window=50,
        hop=25,
    )


CARD = Card(
    name="wisdm-2019",
    title="WISDM Smartphone and Smartwatch Activity and Biometrics Dataset",
    authors="G. M. Weiss",
    year=2019,
    citation="G. M. Weiss, K. Yoneda, T. Hayajneh, Smartphone and Smartwatch-Based Biometrics Using Activities "
    "of Daily Living, IEEE Access 7, 2019.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/507",
    subjects=51,
    placement="a watch on the dominant wrist, a phone in the pocket",
    spec=_make_spec("wrist"),
    layout=("raw/{watch,phone}/{accel,gyro}/data_16NN_{accel,gyro}_{watch,phone}.txt",),
    counts={"subjects": 51, "activities": 18},
    devices=tuple(DEVICES),
    download="https://archive.ics.uci.edu/static/public/507/"
    "wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip",
    quirks=(
        "Nominally 20 Hz; the watches' clocks run near 25 Hz, with bursts of 100 Hz and gaps.",
        "Accelerometer and gyroscope have separate clocks and are joined on the accelerometer's.",
        "Watch and phone have clocks with no common start, so one of the two is read at a time "
        "(the watch, unless a pocket sensor is selected).",
        "A backward jump of the clock between activities starts a new session.",
        "There is no activity N.",
    ),
)
VERSION = 1

_NAME = re.compile(r"data_(\d+)_(accel|gyro)_(watch|phone)\.txt")


def files(folder: Path, device: str = "") -> list[Path]:
    """List the acceleration files of one device by subject, then its angular velocity files by subject."""
    kind = DEVICES[device or "wrist"]
    by_sensor: dict[str, dict[int, Path]] = {}
    for sensor in ("accel", "gyro"):
        place = folder / "raw" / kind / sensor
        if not place.is_dir():
            raise UserError(f"{place} is not there; wisdm-2019 consists of {CARD.layout[0]}.")
        by_sensor[sensor] = {int(m[1]): path for path in place.iterdir() if (m := _NAME.fullmatch(path.name))}
        if not by_sensor[sensor]:
            raise UserError(f"{place} holds no data_16NN_{sensor}_{kind}.txt.")
    both = sorted(by_sensor["accel"].keys() & by_sensor["gyro"].keys())
    if not both:
        raise UserError(f"{folder / 'raw' / kind}: no subject has both an accel and a gyro file.")
    return [by_sensor[sensor][subject] for sensor in ("accel", "gyro") for subject in both]


def read(folder: Path, device: str = "") -> Dataset:
    """Read one device: stretches of one activity without gaps, with both sensors on the accelerometer's clock."""
    position = device or "wrist"
    listed = files(folder, position)
    half = len(listed) // 2
    sensors = [_read_rows(listed[:half]), _read_rows(listed[half:])]
    counted: dict[str, int] = {}
    recordings: list[Recording] = []
    for number, path in enumerate(listed[:half]):
        subject = _NAME.fullmatch(path.name)[1]  # type: ignore[index]
        (codes, seconds, acc), (gyro_codes, gyro_seconds, gyro) = (sensor[number] for sensor in sensors)
        pieces = join(
            split_at_gaps(codes, seconds, acc, rate=CARD.spec.rate, counted=counted),
            split_at_gaps(gyro_codes, gyro_seconds, gyro, rate=CARD.spec.rate, counted=counted),
            counted=counted,
        )
        recordings += [
            Recording(
                subject=subject,
                session=str(piece.session),
                samples=piece.values,
                labels=np.full(len(piece.values), piece.code, np.int16),
                times=piece.seconds,
                source=path.name,
                offset=piece.row,
            )
            for piece in pieces
        ]
    if not recordings:
        raise UserError(f"{folder}: accelerometer and gyroscope of the {DEVICES[position]} never overlap in time.")
    notes = [Note(kind, count, f"{count:,} {kind}") for kind, count in counted.items() if count]
    return Dataset.of(
        CARD.name, _make_spec(position), recordings, notes=[*_note_missing(folder, position, recordings), *notes]
    )


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the data what the card counts."""
    return {"subjects": len(dataset.subjects), "activities": len(np.unique(dataset.labels))}


Columns = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]


def _read_rows(paths: list[Path]) -> list[Columns]:
    """Read activity code, seconds and three axes of every file."""
    kinds = {"id": "int", "code": "str", "timestamp": "int", "x": "float", "y": "float", "z": "float"}
    table, counts = read_columns(paths, kinds, delimiter=",", end=";")
    letters = table["code"].combine_chunks().dictionary_encode()
    code_of = np.array([LETTERS.find(str(letter).strip()) for letter in letters.dictionary.to_pylist()])
    codes = code_of[letters.indices.to_numpy()]
    ids = table["id"].to_numpy()
    seconds = table["timestamp"].to_numpy() * NANOSECONDS
    values = np.stack([table[axis].to_numpy() for axis in "xyz"], axis=1).astype(np.float32)
    columns, start = [], 0
    for path, count in zip(paths, counts.tolist(), strict=True):
        rows = slice(start, start + count)
        start += count
        unknown = np.flatnonzero(codes[rows] < 0)
        if len(unknown):
            letter = table["code"][rows.start + int(unknown[0])].as_py()
            raise UserError(f"{path}, row {unknown[0] + 1}: activity {letter!r} is not one of {', '.join(LETTERS)}.")
        subject = int(_NAME.fullmatch(path.name)[1])  # type: ignore[index]
        foreign = np.flatnonzero(ids[rows] != subject)
        if len(foreign):
            wrong = ids[rows.start + int(foreign[0])]
            raise UserError(f"{path}, row {foreign[0] + 1}: subject {wrong} in the file of subject {subject}.")
        columns.append((codes[rows], seconds[rows], values[rows]))
    return columns


def _note_missing(folder: Path, position: str, recordings: list[Recording]) -> list[Note]:
    """Return a note with counts of what the folder lacks of the whole set."""
    subjects = {recording.subject for recording in recordings}
    activities = {int(recording.labels[0]) for recording in recordings}
    device_count = sum((folder / "raw" / kind).is_dir() for kind in DEVICES.values())
    lacking = [
        (CARD.subjects - len(subjects), f"{len(subjects)} of {CARD.subjects} subjects"),
        (len(CLASSES) - len(activities), f"{len(activities)} of {len(CLASSES)} activities"),
        (len(DEVICES) - device_count, f"{device_count} of {len(DEVICES)} devices"),
    ]
    if not any(count for count, _ in lacking):
        return []
    text = "part of the set: " + ", ".join(text for count, text in lacking if count)
    return [Note("part of the set", sum(count for count, _ in lacking), f"{text} ({DEVICES[position]})")]
