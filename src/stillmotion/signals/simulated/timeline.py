"""Timetable of a session: bouts of activities, changes of posture between them, and edges of labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .card import CLASSES
from .postures import Posture

OTHER = "other"  #: movements that have no class

#: Postures of each activity, with their shares.
POSTURE_SHARES: dict[str, dict[Posture, float]] = {
    "sitting": {"sit": 1.0},
    "lying": {"lie": 1.0},
    "typing": {"sit": 1.0},
    "eating": {"sit": 0.8, "stand": 0.2},
    "drinking": {"sit": 0.6, "stand": 0.4},
    "clapping": {"sit": 0.5, "stand": 0.5},
    OTHER: {"sit": 0.5, "stand": 0.5},
}
STANDING: dict[Posture, float] = {"stand": 1.0}  #: for all other activities

#: Median duration of a change of posture in s, as measured at the waist (HAPT).
CHANGES: dict[tuple[Posture, Posture], float] = {
    ("stand", "sit"): 3.3,
    ("sit", "stand"): 2.7,
    ("sit", "lie"): 4.0,
    ("lie", "sit"): 3.6,
    ("stand", "lie"): 4.7,
    ("lie", "stand"): 3.7,
}


@dataclass(frozen=True)
class Bout:
    """One stretch of one activity: true ``start`` and ``stop`` in s, and where its label begins and ends."""

    activity: str
    posture: Posture
    start: float
    stop: float
    label_start: float
    label_stop: float


@dataclass(frozen=True)
class Change:
    """One change of posture, from ``start`` to ``stop`` in s."""

    before: Posture
    after: Posture
    start: float
    stop: float


@dataclass(frozen=True)
class Timetable:
    """Bouts and changes of posture in one session of ``seconds``."""

    seconds: float
    bouts: tuple[Bout, ...]
    changes: tuple[Change, ...]


def make_timetable(rng: np.random.Generator, activities: Iterator[str], seconds: float) -> Timetable:
    """Fill a session with ``activities`` in order. Edges of labels are off by 0.2 to 0.5 s."""
    bouts: list[Bout] = []
    changes: list[Change] = []
    now = float(rng.uniform(1.0, 2.0))
    before: Posture | None = None
    while now < seconds - 5.0:
        activity = next(activities)
        shares = POSTURE_SHARES.get(activity, STANDING)
        stay = rng.random() < 0.5
        posture = before if stay and before in shares else _draw_posture(rng, shares)
        if before is not None and before != posture:
            length = CHANGES[before, posture] * np.exp(0.25 * rng.standard_normal())
            change = Change(before, posture, now, now + float(np.clip(length, 2.01, 6.99)))
            changes.append(change)
            now = change.stop + float(rng.uniform(0.8, 1.6))
        stop = min(now + float(rng.uniform(4.0, 8.0) if activity == OTHER else rng.uniform(9.0, 19.0)), seconds - 1.0)
        if stop - now < 3.0:
            break
        label_errors = rng.uniform(0.2, 0.5, 2) * rng.choice([-1.0, 1.0], 2)
        bouts.append(Bout(activity, posture, now, stop, now + float(label_errors[0]), stop + float(label_errors[1])))
        now, before = stop + float(rng.uniform(1.2, 3.0)), posture
    return Timetable(seconds, tuple(bouts), tuple(changes))


def draw_activities(rng: np.random.Generator) -> Iterator[str]:
    """Yield activities without end: all classes once in random order, with two bouts of no class, then again."""
    activities = [*CLASSES, OTHER, OTHER]
    while True:
        yield from (activities[i] for i in rng.permutation(len(activities)))


def _draw_posture(rng: np.random.Generator, shares: dict[Posture, float]) -> Posture:
    postures = list(shares)
    return postures[int(rng.choice(len(postures), p=list(shares.values())))]
