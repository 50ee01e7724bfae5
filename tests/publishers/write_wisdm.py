"""Simulated subjects as WISDM v1.1's one raw file, with every defect of the real one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stillmotion.signals.recording import Dataset, Floats, Note, Recording, Times
from stillmotion.signals.resample import resample
from stillmotion.signals.sets import wisdm
from stillmotion.signals.simulated.card import CARD, CHANNELS, CLASSES
from stillmotion.signals.simulated.generate import make_sessions

from .write import G, label_runs

POCKET = [i for i, channel in enumerate(CHANNELS) if channel.position == "pocket" and channel.sensor == "acc"]
NAMES = {
    "walking": "Walking", "jogging": "Jogging", "upstairs": "Upstairs",
    "downstairs": "Downstairs", "sitting": "Sitting", "standing": "Standing",
}  # fmt: skip
#: One after the other, a stretch each.
DEFECTS = ("comma", "shared", "empty", "cut", "no z", "repeat", "zero", "zeros", "gap", "no mark", "late", "word")
#: Records of the long run of zero times, and records left out for a gap.
LONG = 20


@dataclass
class _Subject:
    """What one subject's records have come to: how many can be recovered so far, and the recordings they make."""

    name: str
    records: int = 0
    recordings: list[Recording] = field(default_factory=list)


def write_wisdm(
    folder: str | Path, *, subjects: int = 4, seed: int = 0, minutes: float = 8.0, defects: Sequence[str] = DEFECTS
) -> Dataset:
    """Write the pocket unit's acceleration as WISDM's raw file at 20 Hz in m/s²; return what can be recovered.

    Only WISDM's six activities are written. A subject's second session has a clock below that of the first. Every
    stretch has one of the defects in turn: the notes of what is returned count them.
    """
    made: list[_Subject] = []
    text: list[str] = []
    counted: dict[str, int] = {}
    number = 0
    for user in range(1, subjects + 1):
        subject = _Subject(str(user))
        made.append(subject)
        for session, (whole, _) in enumerate(make_sessions(user, seed=seed, minutes=minutes), 1):
            slow = resample(Dataset.of("simulated", CARD.spec, [whole]), wisdm.CARD.spec.rate).recordings[0]
            if session > 1:
                _count(counted, "backward jumps of a clock, each a new session", 1)
            for label, start, stop in label_runs(slow.labels):
                name = NAMES.get(CLASSES[label])
                if name is None or stop - start < 4 * LONG:
                    continue
                stamps = np.rint(1e14 / session + np.arange(start, stop) * 5e7).astype(np.int64)
                values = (slow.samples[start:stop, POCKET] * G).astype(np.float32)
                defect = defects[number % len(defects)] if defects else ""
                text += _stretch(subject, str(session), name, stamps, values, defect, counted)
                number += 1
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / wisdm.FILE).write_text("".join(text))
    notes = [Note(kind, count, f"{count:,} {kind}", wisdm.FILE) for kind, count in counted.items()]
    recordings = [recording for subject in made for recording in subject.recordings]
    return Dataset.of("wisdm", wisdm.CARD.spec, recordings, notes=notes)


def _stretch(
    subject: _Subject,
    session: str,
    name: str,
    stamps: NDArray[np.int64],
    values: Floats,
    defect: str,
    counted: dict[str, int],
) -> list[str]:
    """The lines of one stretch with one defect in its middle; adds the recordings that are left of it."""
    count, middle = len(stamps), len(stamps) // 2
    printed = stamps.copy()
    lost = np.zeros(count, np.bool_)  # records that cannot be recovered or are not there
    dropped = np.zeros(count, np.bool_)  # recovered, then left out for their time
    apart = slice(0, 0)
    if defect == "repeat":
        printed[middle] = printed[middle - 1]
        dropped[middle] = True
        _count(counted, "repeated timestamps dropped", 1)
    elif defect == "late":
        printed[middle] -= 6 * 50_000_000
        dropped[middle] = True
        _count(counted, "late samples dropped", 1)
    elif defect == "zero":
        printed[middle : middle + 3] = 0
        _count(counted, "records without a time, timed between their neighbours", 3)
    elif defect == "zeros":
        apart = slice(middle, middle + LONG)
        # more time has passed than the records can fill
        stamps[middle + LONG :] += 10 * 50_000_000
        printed = stamps.copy()
        printed[apart] = 0
        _count(counted, "records without a time, timed at the nominal rate and kept apart", LONG)
        _count(counted, "gaps in a clock, each ending a recording", 1)
    elif defect == "gap":
        lost[middle : middle + LONG] = True
        _count(counted, "gaps in a clock, each ending a recording", 1)
    lines = [
        f"{subject.name},{name},{at},{x:.9g},{y:.9g},{z:.9g};\n"
        for at, (x, y, z) in zip(printed.tolist(), values.tolist(), strict=True)
    ]
    line = lines[middle]
    if defect == "comma":
        lines[middle] = line.replace(";", ",;")
        _count(counted, "records with a comma before the end mark", 1)
    elif defect == "shared":
        lines[middle : middle + 2] = [line.rstrip("\n"), lines[middle + 1].rstrip("\n")]
        _count(counted, "records that share a line", 2)
    elif defect == "empty":
        lines[middle] = line + "\n"
        _count(counted, "empty lines", 1)
    elif defect == "no mark":
        lines[middle] = line.replace(";", "")
        _count(counted, "records without an end mark", 1)
    elif defect in ("cut", "no z", "word"):
        cells = line.rstrip(";\n").split(",")
        lines[middle] = {
            "cut": ",".join(cells[:4]) + "\n",
            "no z": ",".join(cells[:5]) + ",;\n",
            "word": ",".join([*cells[:5], "--"]) + ";\n",
        }[defect]
        lost[middle] = True
        kinds = {
            "cut": "cut records, dropped",
            "no z": "records without z, dropped",
            "word": "records with a cell that is no number, dropped",
        }
        _count(counted, kinds[defect], 1)
    there = np.flatnonzero(~lost)
    rows = subject.records + np.cumsum(~lost) - 1
    subject.records += len(there)
    kept = there[~dropped[there]]
    label = wisdm.CLASSES.index(name)
    far = np.diff(stamps[kept]) > 5 * 50_000_000
    starts = np.isin(kept, [apart.start, apart.stop]) & (apart.stop > apart.start)
    edges = [0, *np.flatnonzero(np.append(False, far) | starts).tolist(), len(kept)]
    for a, b in itertools.pairwise(edges):
        part = kept[a:b]
        if len(part) == 0:
            continue
        alone = apart.start <= part[0] < apart.stop
        times: Times = np.arange(len(part)) / 20 if alone else (stamps[part] * wisdm.NANOSECONDS).astype(np.float64)
        subject.recordings.append(
            Recording(
                subject=subject.name,
                session=session,
                samples=values[part],
                labels=np.full(len(part), label, np.int16),
                times=times,
                source=f"{wisdm.FILE} user {subject.name}",
                offset=int(rows[part[0]]),
            )
        )
    return [text for text, gone in zip(lines, lost if defect == "gap" else np.zeros(count), strict=True) if not gone]


def _count(counted: dict[str, int], kind: str, count: int) -> None:
    counted[kind] = counted.get(kind, 0) + count
