"""Simulated subjects as Opportunity's files of 250 columns, with its lost packets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stillmotion.signals.recording import NULL, Dataset, Floats, Labels, Note, Recording
from stillmotion.signals.resample import resample
from stillmotion.signals.sets import opportunity
from stillmotion.signals.sets.opportunity_locomotion import POSTURES
from stillmotion.signals.simulated.card import CARD, CHANNELS, CLASSES
from stillmotion.signals.simulated.generate import make_sessions
from stillmotion.signals.simulated.timeline import Timetable

from .write import label_runs

#: Which simulated unit stands for each of Opportunity's.
STANDS_FOR = {
    "back": "waist", "right-upper-arm": "pocket", "right-wrist": "wrist",
    "left-upper-arm": "pocket", "left-wrist": "wrist",
}  # fmt: skip
WALKED = ("walking", "upstairs", "downstairs", "jogging")
SHORT, LONG = 3, 20  #: samples of the losses


def write_opportunity(
    folder: str | Path, *, subjects: int = 4, seed: int = 0, minutes: float = 8.0, losses: bool = True
) -> Dataset:
    """Write two runs a subject as ``dataset/SN-ADL1.dat`` and ``dataset/SN-Drill.dat``; return what is in them.

    Each simulated activity stands for a gesture, the first five for two in turn, so that all seventeen occur.
    Magnetometers are not simulated: the direction of gravity stands in. With losses, every run has a short one in one
    unit, a long one in another and one at its start; what is returned holds the true numbers where a short one is.
    """
    place = Path(folder) / "dataset"
    place.mkdir(parents=True, exist_ok=True)
    recordings = []
    files = 0
    for user in range(1, subjects + 1):
        for run, (whole, plan) in zip(("ADL1", "Drill"), make_sessions(user, seed=seed, minutes=minutes), strict=True):
            slow = resample(Dataset.of("simulated", CARD.spec, [whole]), opportunity.CARD.spec.rate).recordings[0]
            signal = np.rint(_units(slow.samples) * 1000)
            gestures = _gestures(slow.labels)
            table = np.full((len(signal), opportunity.COLUMNS), np.nan)
            table[:, 0] = np.rint(1000 * np.arange(len(signal)) / opportunity.CARD.spec.rate)
            table[:, 243:] = 0
            table[:, opportunity.LOCOMOTION - 1] = _locomotion(plan, len(signal))
            codes = np.array([*opportunity.GESTURES, opportunity.NO_LABEL])
            table[:, opportunity.GESTURE - 1] = codes[gestures]
            for number, first in enumerate(opportunity.UNITS.values()):
                table[:, first - 1 : first + 8] = signal[:, 9 * number : 9 * number + 9]
            bounds = [(0, len(signal))]
            if losses:
                middle = len(signal) // 2
                back, wrist = opportunity.UNITS["back"] - 1, opportunity.UNITS["right-wrist"] - 1
                table[300 : 300 + SHORT, wrist : wrist + 9] = np.nan
                table[middle : middle + LONG, back : back + 9] = np.nan
                table[:2, wrist] = np.nan
                bounds = [(2, middle), (middle + LONG, len(signal))]
            name = f"S{user}-{run}.dat"
            np.savetxt(place / name, table, fmt="%g")
            files += 1
            values = signal.astype(np.float32) / opportunity.PRINTED
            recordings += [
                Recording(str(user), run, values[a:b], gestures[a:b], source=name, offset=a) for a, b in bounds
            ]
    found = {
        "short losses bridged": SHORT * files,
        "samples without a number, dropped": (LONG + 2) * files,
        "recordings ended by a long loss": files,
    }
    notes = [Note(kind, count, f"{count:,} {kind}") for kind, count in found.items()] if losses else []
    return Dataset.of("opportunity", opportunity.CARD.spec, recordings, notes=notes)


def _units(samples: Floats) -> Floats:
    """Five units of acceleration, angular velocity and field, in the set's order (T, 45)."""
    columns = []
    for unit in STANDS_FOR.values():
        six = samples[:, [i for i, channel in enumerate(CHANNELS) if channel.position == unit]]
        field = 0.5 * six[:, :3] / np.linalg.norm(six[:, :3], axis=1, keepdims=True).clip(0.1)
        columns += [six, field]
    return np.concatenate(columns, axis=1)


def _gestures(labels: Labels) -> Labels:
    made = np.full(len(labels), NULL, np.int16)
    extra = len(opportunity.GESTURES) - len(CLASSES)
    for number, (label, start, stop) in enumerate(label_runs(labels)):
        other = label < extra and number % 2 == 1
        made[start:stop] = label + len(CLASSES) if other else label
    return made


def _locomotion(plan: Timetable, length: int) -> NDArray[np.int64]:
    """Codes of column 244 at 30 Hz."""
    code = {name: number for number, name in POSTURES.items()}
    made = np.zeros(length, np.int64)
    scale = opportunity.CARD.spec.rate
    for bout in plan.bouts:
        first, last = max(0, round(bout.start * scale)), round(bout.stop * scale)
        made[first:last] = code["walk" if bout.activity in WALKED else bout.posture]
    return made
