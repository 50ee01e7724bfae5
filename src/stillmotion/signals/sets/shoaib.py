"""Shoaib 2014 ("Sensors"): seven activities, phones at five body positions, ten subjects."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..card import Card
from ..clocks import GAP_PERIODS
from ..missing import fill_gaps, find_runs
from ..recording import Dataset, Note, Recording
from ..spec import Channel, SignalSpec
from ..text import read_columns

CLASSES = ("walking", "sitting", "standing", "jogging", "biking", "upstairs", "downstairs")
#: Misspelling in the files to class name.
SPELLINGS = {"upsatirs": "upstairs"}
POSITIONS = ("left-pocket", "right-pocket", "wrist", "upper-arm", "belt")
#: Columns of one position, in order; an empty column follows each block, the activity the last.
BLOCK = ("time_stamp", *(f"{letter}{axis}" for letter in "ALGM" for axis in "xyz"))
SENSORS = {"A": ("acc", "m/s2"), "G": ("gyr", "rad/s"), "M": ("mag", "uT")}
HEADING = 2

CARD = Card(
    name="shoaib",
    title="Sensors Activity Dataset",
    authors="M. Shoaib, S. Bosch, O. D. Incel, H. Scholten, P. J. M. Havinga",
    year=2014,
    citation="M. Shoaib, S. Bosch, O. D. Incel, H. Scholten, P. J. M. Havinga, Fusion of Smartphone Motion Sensors "
    "for Physical Activity Recognition, Sensors 14, 2014.",
    licence="none stated; its readme asks for the citation",
    url="https://www.utwente.nl/en/eemcs/ps/research/dataset/",
    subjects=10,
    placement="phones in both trouser pockets, at the right wrist, the right upper arm and the belt",
    spec=SignalSpec(
        rate=50.0,
        channels=tuple(
            Channel(sensor, axis, unit, position)
            for position in POSITIONS
            for sensor, unit in SENSORS.values()
            for axis in "xyz"
        ),
        classes=CLASSES,
        window=50,
        hop=50,
        label_policy="first",
    ),
    layout=("Participant_{1..10}.csv",),
    counts={"subjects": 10, "activities": 7},
    quirks=(
        'Papers call this set "Sensors"; `sensors` is an alias here.',
        "Two heading rows: positions, then time stamp, acceleration, linear acceleration, angular velocity and "
        "magnetic field of each; an empty column between positions, the activity in the last column.",
        "Linear acceleration, which the phone derives from acceleration, is not read, as in Agac & Incel.",
        "`upsatirs` is read as upstairs.",
        "Time stamps rounded by a spreadsheet (1.39E+12) are useless: samples are then taken as evenly spaced, and a "
        "recording ends where the activity changes.",
    ),
    download="https://www.utwente.nl/en/eemcs/ps/dataset-folder/sensors-activity-recognition-dataset-shoaib.rar",
)
VERSION = 1

_NAME = re.compile(r"Participant_(\d+)\.csv")


def files(folder: Path, device: str = "") -> list[Path]:
    """List the subjects' files by number, in the folder or in the archive's folder below it."""
    for place in (folder, folder / "DataSet"):
        by_number = {int(m[1]): path for path in place.glob("*.csv") if (m := _NAME.fullmatch(path.name))}
        if by_number:
            return [by_number[number] for number in sorted(by_number)]
    raise UserError(f"{folder} holds no Participant_1.csv or similar; shoaib consists of {CARD.layout[0]}.")


def read(folder: Path, device: str = "") -> Dataset:
    """Read all positions; one recording is one activity of one subject."""
    listed = files(folder)
    counted: dict[str, int] = {}
    recordings = [recording for path in listed for recording in _read_recordings(path, counted)]
    if not recordings:
        raise UserError(f"{folder}: every sample of every file has a missing value.")
    notes = [Note(kind, count, f"{count:,} {kind}") for kind, count in counted.items() if count]
    if len(listed) < CARD.subjects:
        text = f"part of the set: {len(listed)} of {CARD.subjects} subjects"
        notes.insert(0, Note("part of the set", CARD.subjects - len(listed), text))
    return Dataset.of(CARD.name, CARD.spec, recordings, notes=notes)


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the data what the card counts."""
    return {"subjects": len(dataset.subjects), "activities": len(np.unique(dataset.labels))}


def _read_recordings(path: Path, counted: dict[str, int]) -> list[Recording]:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    names = _read_heading(path)
    kinds = {name: "str" if name == "activity" or name.startswith("empty") else "float" for name in names}
    signals = [f"{position} {letter}{axis}" for position in POSITIONS for letter in SENSORS for axis in "xyz"]
    clock = f"{POSITIONS[0]} {BLOCK[0]}"
    table, _ = read_columns([path], kinds, delimiter=",", keep=[clock, *signals, "activity"], skip=HEADING, missing="")
    samples = np.empty((table.num_rows, len(signals)), np.float32)
    for number, name in enumerate(signals):
        samples[:, number] = table[name].to_numpy()
    words = table["activity"].combine_chunks().dictionary_encode()
    labels = _code_labels(path, words.dictionary.to_pylist(), words.indices.to_numpy(), counted)
    gap = _find_gaps(table[clock].to_numpy() / 1000.0, counted)
    edges = [0, *(np.flatnonzero((np.diff(labels) != 0) | gap) + 1).tolist(), len(labels)]
    units = [slice(9 * number, 9 * number + 9) for number in range(len(POSITIONS))]
    recordings = []
    for begin, end in itertools.pairwise(edges):
        complete = fill_gaps(samples[begin:end], units, counted=counted)
        recordings += [
            Recording(
                subject=match[1],
                session="1",
                samples=samples[begin + start : begin + stop],
                labels=labels[begin + start : begin + stop],
                source=path.name,
                offset=begin + start,
            )
            for start, stop in find_runs(complete)
        ]
    return recordings


def _read_heading(path: Path) -> list[str]:
    """Check the two heading rows against the publisher's; return a name for every column."""
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty.")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        rows = [[cell.strip() for cell in next(file, "").rstrip("\r\n").split(",")] for _ in range(HEADING)]
    wanted = [*itertools.chain.from_iterable([*BLOCK, ""] for _ in POSITIONS)][:-1]
    cells = [cell.lower() for cell in rows[1][: len(wanted)]]
    for number, (cell, name) in enumerate(zip(cells, wanted, strict=False)):
        if cell != name.lower():
            raise UserError(f"{path}, row 2: column {number + 1} is {rows[1][number]!r} where {name!r} was expected.")
    if len(rows[1]) < len(wanted):
        raise UserError(f"{path}, row 2: {len(rows[1])} columns where {len(wanted) + 1} were expected.")
    names = [f"{position} {name}" if name else f"empty {position}" for position in POSITIONS for name in [*BLOCK, ""]]
    return [*names[:-1], "activity"]


def _code_labels(path: Path, words: list[str], codes: NDArray[np.int32], counted: dict[str, int]) -> NDArray[np.int16]:
    """Return the class of every row; count corrected spellings."""
    numbers, corrected = [], []
    for word in words:
        plain = word.strip().lower()
        name = SPELLINGS.get(plain, plain)
        if name not in CLASSES:
            row = int(np.flatnonzero(codes == words.index(word))[0]) + HEADING + 1
            raise UserError(f"{path}, row {row}: activity {word!r} is not one of {', '.join(CLASSES)}.")
        numbers.append(CLASSES.index(name))
        corrected.append(name != word)
    kind = "labels mended in spelling"
    counted[kind] = counted.get(kind, 0) + int(np.array(corrected)[codes].sum())
    return np.array(numbers, np.int16)[codes]


def _find_gaps(seconds: NDArray[np.float64], counted: dict[str, int]) -> NDArray[np.bool_]:
    """Find the rows before a pause or a backward jump; none if time stamps were rounded, which is counted."""
    step = np.diff(seconds)
    period = 1 / CARD.spec.rate
    usable = len(step) > 0 and 0.5 * period < np.median(step) < 2 * period
    kind = "gaps in a clock, each ending a recording" if usable else "time stamps rounded away, samples taken as even"
    pause = (step > GAP_PERIODS * period) | (step < 0) if usable else np.zeros(len(step), np.bool_)
    counted[kind] = counted.get(kind, 0) + (int(pause.sum()) if usable else len(seconds))
    return pause
