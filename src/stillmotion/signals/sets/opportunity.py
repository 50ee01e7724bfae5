"""Opportunity: seventeen gestures in a kitchen, five body-worn units, four subjects."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..card import Card
from ..clocks import GAP_PERIODS
from ..missing import fill_gaps, find_runs
from ..recording import NULL, Dataset, Note, Recording
from ..spec import Channel, SignalSpec
from ..text import read_columns

#: Code in the last column (ML_Both_Arms) to gesture.
GESTURES = {
    406516: "open-door-1",
    406517: "open-door-2",
    404516: "close-door-1",
    404517: "close-door-2",
    406520: "open-fridge",
    404520: "close-fridge",
    406505: "open-dishwasher",
    404505: "close-dishwasher",
    406519: "open-drawer-1",
    404519: "close-drawer-1",
    406511: "open-drawer-2",
    404511: "close-drawer-2",
    406508: "open-drawer-3",
    404508: "close-drawer-3",
    408512: "clean-table",
    407521: "drink-from-cup",
    405506: "toggle-switch",
}
#: First column (from 1) of each unit's nine: acc, gyr, mag.
UNITS = {"back": 38, "right-upper-arm": 51, "right-wrist": 64, "left-upper-arm": 77, "left-wrist": 90}
SENSORS = (("acc", "g"), ("gyr", ""), ("mag", ""))
COLUMNS = 250
TIME, LOCOMOTION, GESTURE = 1, 244, 250
NO_LABEL = 0
RUNS = ("ADL1", "ADL2", "ADL3", "ADL4", "ADL5", "Drill")
#: The files hold all values times 1000: acceleration in mg, the others without a unit.
PRINTED = np.float32(1000)


def make_spec(classes: tuple[str, ...]) -> SignalSpec:
    """Make the signal contract of the five units for a set of classes."""
    return SignalSpec(
        rate=30.0,
        channels=tuple(
            Channel(sensor, axis, unit, position) for position in UNITS for sensor, unit in SENSORS for axis in "xyz"
        ),
        classes=classes,
        window=30,
        hop=30,
        label_policy="first",
    )


CARD = Card(
    name="opportunity",
    title="OPPORTUNITY Activity Recognition",
    authors="D. Roggen, A. Calatroni, L.-V. Nguyen-Dinh, R. Chavarriaga, H. Sagha",
    year=2012,
    citation="D. Roggen et al., Collecting Complex Activity Datasets in Highly Rich Networked Sensor Environments, "
    "INSS 2010.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/226",
    subjects=4,
    placement="units on the back, both upper arms and both lower arms (named wrists here)",
    spec=make_spec(tuple(GESTURES.values())),
    layout=("dataset/S{1..4}-{ADL1..ADL5,Drill}.dat",),
    counts={"subjects": 4, "files": 24},
    same_subjects_as=("opportunity-locomotion",),
    quirks=(
        "Lost packets are NaN: gaps of up to 5 missing samples are filled in each unit separately; a longer gap in any "
        "unit ends the recording.",
        "The files hold values times 1000. Acceleration is in mg there and in g here; the publisher gives no unit "
        "for gyroscopes and magnetometers, so their unit stays unknown (gyroscope values look like rad/s).",
        "The wrists are the lower-arm units RLA and LLA; `wrist` selects both.",
        "The other 200 columns (objects, ambient sensors, shoes, single accelerometers) are not read.",
        "Sessions are five runs of daily living and one drill for each subject. The challenge splits by runs, not by "
        "subjects, so there is no `official` protocol here.",
        "Most samples have no gesture label; `opportunity-locomotion` has the locomotion labels of the same files.",
    ),
    download="https://archive.ics.uci.edu/static/public/226/opportunity+activity+recognition.zip",
)
VERSION = 1

_NAME = re.compile(r"S(\d+)-(ADL[1-5]|Drill)\.dat")


def files(folder: Path, device: str = "") -> list[Path]:
    """List the files by subject and run, in any of the archive's folders."""
    for place in (folder / "dataset", folder / "OpportunityUCIDataset" / "dataset", folder):
        listed = [path for path in place.glob("S*.dat") if _NAME.fullmatch(path.name)] if place.is_dir() else []
        if listed:
            return sorted(listed, key=lambda path: (int(path.name[1 : path.name.index("-")]), path.name))
    raise UserError(f"{folder} holds no S1-ADL1.dat or similar; opportunity consists of {CARD.layout[0]}.")


def read(folder: Path, device: str = "") -> Dataset:
    """Read the five units with gestures as labels."""
    return read_labelled(folder, CARD, GESTURE, {code: number for number, code in enumerate(GESTURES)})


def read_labelled(folder: Path, card: Card, column: int, codes: Mapping[int, int]) -> Dataset:
    """Read the five units with the labels of one column.

    Args:
        folder: the folder with the files.
        card: gives the data set's name and classes.
        column: column of the labels, from 1.
        codes: code in that column to class index; 0 is no class.
    """
    listed = files(folder)
    counted: dict[str, int] = {}
    recordings: list[Recording] = []
    for path in listed:
        recordings += _recordings(path, column, codes, counted)
    if not recordings:
        raise UserError(f"{folder}: every sample of every file has a missing value.")
    notes = [Note(kind, count, f"{count:,} {kind}") for kind, count in counted.items() if count]
    expected = CARD.counts["files"]
    if len(listed) < expected:
        subjects = len({path.name.split("-")[0] for path in listed})
        text = f"part of the set: {len(listed)} of {expected} files, {subjects} of {CARD.subjects} subjects"
        notes.insert(0, Note("part of the set", expected - len(listed), text))
    return Dataset.of(card.name, card.spec, recordings, notes=notes, same_subjects_as=card.same_subjects_as)


def counts(folder: Path, dataset: Dataset) -> dict[str, int]:
    """Count in the files what the card counts."""
    return {"subjects": len(dataset.subjects), "files": len(files(folder))}


def _recordings(path: Path, column: int, codes: Mapping[int, int], counted: dict[str, int]) -> list[Recording]:
    """Read one file; split it where its clock pauses or jumps back, and at long gaps of a unit."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    kinds = {f"column {number}": "float" for number in range(1, COLUMNS + 1)}
    signals = [f"column {first + k}" for first in UNITS.values() for k in range(9)]
    table, _ = read_columns([path], kinds, keep=[f"column {TIME}", *signals, f"column {column}"])
    samples = np.empty((table.num_rows, len(signals)), np.float32)
    for number, name in enumerate(signals):
        samples[:, number] = table[name].to_numpy()
    samples /= PRINTED
    labels = _class_labels(path, table[f"column {column}"].to_numpy(), column, codes)
    seconds = table[f"column {TIME}"].to_numpy() / 1000.0
    step = np.diff(seconds, prepend=seconds[:1])
    back, gap = step < 0, step > GAP_PERIODS / CARD.spec.rate
    for kind, count in (
        ("backward jumps of a clock, each a new session", back),
        ("gaps in a clock, each ending a recording", gap),
    ):
        counted[kind] = counted.get(kind, 0) + int(count.sum())
    part = np.cumsum(back | gap)
    session = np.cumsum(back)
    units = [slice(9 * number, 9 * number + 9) for number in range(len(UNITS))]
    recordings = []
    edges = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(samples)]
    for begin, end in itertools.pairwise(edges):
        complete = fill_gaps(samples[begin:end], units, counted=counted)
        again = f" ({session[begin] + 1})" if session[begin] else ""
        recordings += [
            Recording(
                subject=match[1],
                session=match[2] + again,
                samples=samples[begin + start : begin + stop],
                labels=labels[begin + start : begin + stop],
                source=path.name,
                offset=begin + start,
            )
            for start, stop in find_runs(complete)
        ]
    counted["recordings ended by a long loss"] = counted.get("recordings ended by a long loss", 0) + max(
        0, len(recordings) - len(edges) + 1
    )
    return recordings


def _class_labels(
    path: Path, codes_read: NDArray[np.float64], column: int, codes: Mapping[int, int]
) -> NDArray[np.int16]:
    labels = np.full(len(codes_read), NULL, np.int16)
    known = codes_read == NO_LABEL
    for code, number in codes.items():
        matching = codes_read == code
        labels[matching] = number
        known |= matching
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        valid = ", ".join(str(code) for code in (NO_LABEL, *codes))
        raise UserError(f"{path}, row {row + 1}: label {codes_read[row]:g} in column {column} is not one of {valid}.")
    return labels
