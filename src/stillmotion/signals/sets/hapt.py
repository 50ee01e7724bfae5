"""HAPT: twelve activities and postural transitions, a phone at the waist, thirty subjects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..card import Card
from ..recording import NULL, Dataset, Labels, Note, Recording
from ..spec import Channel, SignalSpec
from ..text import read_integers, read_matrices

CLASSES = (
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
    "STAND_TO_SIT",
    "SIT_TO_STAND",
    "SIT_TO_LIE",
    "LIE_TO_SIT",
    "STAND_TO_LIE",
    "LIE_TO_STAND",
)

CARD = Card(
    name="hapt",
    title="Smartphone-Based Recognition of Human Activities and Postural Transitions",
    authors="J. L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita",
    year=2015,
    citation="J. L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita, Transition-Aware Human Activity "
    "Recognition Using Smartphones, Neurocomputing 171, 2016.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/341",
    subjects=30,
    placement="a phone on the waist",
    spec=SignalSpec(
        rate=50.0,
        channels=tuple(
            Channel(sensor, axis, unit, "waist") for sensor, unit in (("acc", "g"), ("gyr", "rad/s")) for axis in "xyz"
        ),
        classes=CLASSES,
        window=128,
        hop=64,
    ),
    layout=("RawData/acc_expNN_userMM.txt", "RawData/gyro_expNN_userMM.txt", "RawData/labels.txt"),
    counts={"subjects": 30, "recordings": 61, "samples": 1_122_772, "segments": 1_214}
    | dict(zip(CLASSES, (127, 183, 186, 120, 120, 120, 60, 62, 60, 60, 58, 58), strict=True)),
    official_test=("2", "4", "9", "10", "12", "13", "18", "20", "24"),
    same_subjects_as=("uci-har",),
    transitions=CLASSES[6:],
    download="https://archive.ics.uci.edu/static/public/341/"
    "smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
    quirks=(
        "labels.txt counts samples from 1 and segments include their last; samples outside segments have no class.",
        "The subjects are those of UCI HAR, so results on the two sets are not independent.",
        "Postural transitions such as SIT_TO_STAND last a few seconds, so a fold may hold very few windows of them.",
        "Class counts on this card are labelled segments.",
    ),
)
VERSION = 1

_NAME = re.compile(r"(acc|gyro)_exp(\d+)_user(\d+)\.txt")


def files(folder: Path, device: str = "") -> list[Path]:
    """List labels.txt, then the acceleration files, then the angular velocity files, each by experiment."""
    raw = folder / "RawData"
    if not raw.is_dir():
        raise UserError(f"{folder} holds no RawData folder; hapt consists of {', '.join(CARD.layout)}.")
    paths = {(m[1], int(m[2]), int(m[3])): path for path in raw.iterdir() if (m := _NAME.fullmatch(path.name))}
    acc = sorted(key[1:] for key in paths if key[0] == "acc")
    gyro = sorted(key[1:] for key in paths if key[0] == "gyro")
    if not paths:
        raise UserError(f"{raw} holds no acc_expNN_userMM.txt or gyro_expNN_userMM.txt.")
    for experiment, user in sorted(set(acc) ^ set(gyro)):
        present, missing = ("acc", "gyro") if (experiment, user) in acc else ("gyro", "acc")
        raise UserError(
            f"{raw} has {present}_exp{experiment:02d}_user{user:02d}.txt but not the "
            f"{missing} file of the same recording."
        )
    ordered = [paths[sensor, *key] for sensor in ("acc", "gyro") for key in acc]
    return [raw / "labels.txt", *ordered]


def read(folder: Path, device: str = "") -> Dataset:
    """Read the raw recordings; one experiment is one recording of one subject."""
    labels_file, *signal_files = files(folder)
    half = len(signal_files) // 2
    # The acceleration files give the number of samples; angular velocity is then copied straight into place.
    parts, counts = zip(*read_matrices(signal_files[:half], 3), strict=True)
    rows = np.concatenate(counts)
    total = int(rows.sum())
    samples = np.empty((total, 6), np.float32)
    np.concatenate(parts, out=samples[:, :3])
    del parts
    done = file = 0
    for part, part_rows in read_matrices(signal_files[half:], 3):
        for path, count in zip(signal_files[half + file :], part_rows.tolist(), strict=False):
            if count != rows[file]:
                acc = signal_files[file]
                raise UserError(
                    f"{acc} has {rows[file]:,} rows and {path.name} {count:,}; one of the two was cut short."
                )
            file += 1
        samples[done : done + len(part), 3:] = part
        done += len(part)
    stop = np.cumsum(rows)
    keys = [(int(m[2]), int(m[3])) for path in signal_files[:half] if (m := _NAME.fullmatch(path.name))]
    start_of = {key: (int(end - n), int(end)) for key, end, n in zip(keys, stop, rows, strict=True)}
    labels, unused = _read_labels(labels_file, start_of, total)
    recordings = [
        Recording(
            subject=str(user),
            session=str(experiment),
            samples=samples[start:end],
            labels=labels[start:end],
            source=f"exp{experiment:02d}_user{user:02d}",
        )
        for (experiment, user), (start, end) in start_of.items()
    ]
    notes = []
    if len(recordings) < CARD.counts["recordings"]:
        subjects = len({recording.subject for recording in recordings})
        notes.append(
            Note(
                "part of the set",
                CARD.counts["recordings"] - len(recordings),
                f"part of the set: {len(recordings)} of {CARD.counts['recordings']} recordings, "
                f"{subjects} of {CARD.subjects} subjects",
            )
        )
    if unused:
        notes.append(Note("labels without recording", unused, f"{unused} segments of labels.txt have no recording"))
    return Dataset.of(
        CARD.name,
        CARD.spec,
        recordings,
        notes=notes,
        official_test=CARD.official_test,
        same_subjects_as=CARD.same_subjects_as,
    )


def _read_labels(path: Path, start_of: dict[tuple[int, int], tuple[int, int]], total: int) -> tuple[Labels, int]:
    table = read_integers(path, 5)
    labels = np.full(total, NULL, np.int16)
    unused = 0
    experiments = {experiment for experiment, _ in start_of}
    for row, (experiment, user, activity, first, last) in enumerate(table.tolist(), 1):
        if experiment not in experiments:
            unused += 1
            continue
        if (experiment, user) not in start_of:
            raise UserError(f"{path}, row {row}: experiment {experiment} does not belong to subject {user}.")
        if not 1 <= activity <= len(CLASSES):
            raise UserError(f"{path}, row {row}: activity {activity} is not one of 1 … {len(CLASSES)}.")
        start, end = start_of[experiment, user]
        if not 1 <= first <= last or last > end - start:
            raise UserError(
                f"{path}, row {row}: samples {first} … {last} do not lie in recording "
                f"exp{experiment:02d}_user{user:02d}, which has {end - start:,} samples; its file may have been cut."
            )
        if (labels[start + first - 1 : start + last] != NULL).any():
            raise UserError(f"{path}, row {row}: samples {first} … {last} already have an activity.")
        labels[start + first - 1 : start + last] = activity - 1
    return labels, unused


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the data what the card counts."""
    segments = list_segments(dataset)
    per_class = np.bincount([label for _, label, _ in segments], minlength=len(CLASSES)).tolist()
    totals = (len(dataset.subjects), len(dataset), len(dataset.samples), len(segments))
    names = ("subjects", "recordings", "samples", "segments")
    return dict(zip((*names, *CLASSES), (*totals, *per_class), strict=True))


def list_segments(dataset: Dataset) -> Sequence[tuple[str, int, int]]:
    """List the labelled segments as (source, class, length), in order; the card has their counts."""
    segments = []
    for recording in dataset.recordings:
        edges = np.flatnonzero(np.diff(recording.labels, prepend=NULL - 1, append=NULL - 1))
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if recording.labels[start] != NULL:
                segments.append((recording.source, int(recording.labels[start]), end - start))
    return segments
