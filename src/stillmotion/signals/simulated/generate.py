"""Generation of simulated subjects as a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...errors import UserError
from ..recording import NULL, Dataset, Recording
from .anatomy import UNITS, SimulatedSubject, draw_subject, remount
from .card import CARD, CLASSES, RATE, VERSION
from .motion import simulate_motion
from .sensors import simulate_sensors
from .timeline import Timetable, draw_activities, make_timetable

SESSIONS = 2


def generate(*, subjects: int = 24, seed: int = 0, minutes: float = 8.0, losses: bool = False) -> Dataset:
    """Simulate subjects, each in two sessions, with wrist, waist and pocket units at 50 Hz.

    The same arguments give the same bytes, and subject k does not depend on the number of subjects.

    Args:
        subjects: number of subjects, named "1", "2", …
        seed: seed of the population.
        minutes: recorded minutes of each subject, both sessions together; at least 1.
        losses: drop stretches of 0.3–3 s, about two per minute; each gap ends a recording.

    Returns:
        The data set, with one recording for each session, or more with ``losses``.
    """
    if subjects < 1:
        raise UserError(f"subjects must be at least 1, not {subjects}.")
    if seed < 0:
        raise UserError(f"seed must be 0 or more, not {seed}.")
    if not minutes >= 1:
        raise UserError(f"minutes must be at least 1, not {minutes:g}.")
    recordings = [
        part
        for number in range(1, subjects + 1)
        for recording, _ in make_sessions(number, seed=seed, minutes=minutes)
        for part in (_drop_stretches(recording, number, seed) if losses else [recording])
    ]
    dataset = Dataset.of(CARD.name, CARD.spec, recordings)
    # made of the arguments, not the bytes: the last bit of a sine differs between processors
    fingerprint_text = f"simulated-{VERSION}-subjects{subjects}-seed{seed}-minutes{minutes:g}-losses{int(losses)}"
    return replace(dataset, fingerprint=fingerprint_text)


def make_sessions(number: int, *, seed: int = 0, minutes: float = 8.0) -> Iterator[tuple[Recording, Timetable]]:
    """Yield both sessions of subject ``number`` (from 1), each with its timetable."""
    rng = np.random.default_rng([seed, number])
    subject = draw_subject(rng, str(number), CLASSES)
    activities = draw_activities(rng)
    for session in range(1, SESSIONS + 1):
        plan = make_timetable(rng, activities, 60.0 * minutes / SESSIONS)
        yield _record(rng, subject, plan, str(session)), plan


def _record(rng: np.random.Generator, subject: SimulatedSubject, plan: Timetable, session: str) -> Recording:
    worn = {unit: remount(rng, subject.worn[unit]) for unit in UNITS}
    samples = simulate_sensors(rng, subject, simulate_motion(rng, subject, plan), worn).astype(np.float32)
    labels = np.full(len(samples), NULL, np.int16)
    for bout in plan.bouts:
        if bout.activity in CLASSES:
            first, last = round(bout.label_start * RATE), round(bout.label_stop * RATE)
            labels[max(0, first) : last] = CLASSES.index(bout.activity)
    return Recording(subject.name, session, samples, labels, source=f"subject {subject.name} session {session}")


def _drop_stretches(recording: Recording, number: int, seed: int) -> list[Recording]:
    """Drop random stretches of a recording; return the remaining parts."""
    rng = np.random.default_rng([seed, number, int(recording.session), 1])
    n = len(recording)
    count = max(1, round(n / RATE / 30))
    first = np.sort(rng.integers(int(RATE), max(int(RATE) + 1, n - int(RATE)), count))
    keep = np.ones(n, bool)
    for start, length in zip(first, rng.uniform(0.3, 3.0, count), strict=True):
        keep[start : start + round(length * RATE)] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    return [
        replace(recording, samples=recording.samples[a:b], labels=recording.labels[a:b], offset=int(a))
        for a, b in edges.reshape(-1, 2)
    ]
