"""Hand movements: sequences of poses (drinking, eating, reaching) and cycles (brushing, clapping, typing)."""

from __future__ import annotations

import numpy as np

from .anatomy import SimulatedSubject
from .paths import draw_bursts, draw_phase
from .postures import ABDUCTION, ELBOW, PRONATION, SHOULDER, place_arm
from .rotation import Array

Key = tuple[float, Array]  #: a time in s and a pose

#: (shoulder, abduction, elbow, pronation) at the mouth, in two styles: elbow low, elbow high.
AT_MOUTH = ((0.75, 0.20, 2.25, 0.35), (1.05, 0.60, 2.05, 0.65))
AT_TEETH = ((0.80, 0.35, 2.15, 0.50), (1.05, 0.75, 2.00, 0.90))
TO_CLAP = ((0.45, 0.10, 1.50, 0.05), (0.85, 0.30, 1.95, 0.35))
TO_TYPE = ((0.40, 0.15, 1.45, 1.45), (0.55, 0.25, 1.20, 1.30))


def drink(
    rng: np.random.Generator, subject: SimulatedSubject, rest: Array, start: float, stop: float, habit: float
) -> list[Key]:
    """Make the poses of drinking, marked by the tilt: raise, tilt the cup at the mouth, hold, untilt, lower, pause."""
    keys: list[Key] = []
    now = start + rng.uniform(0.2, 1.2)
    while True:
        mouth = place_arm(rng, rest, AT_MOUTH[draw_style(rng, habit)])
        tilted = mouth.copy()
        tilted[[SHOULDER, ABDUCTION, PRONATION]] += 0.22, 0.10, rng.uniform(0.45, 0.85)
        up, tilt, hold, down = rng.uniform((0.8, 0.35, 0.4, 0.8), (1.3, 0.6, 1.4, 1.3)) / subject.tempo
        times = now + np.cumsum([0.0, up, tilt, hold, tilt, down])
        if times[-1] > stop - 0.2:
            return keys
        keys += zip(times, [rest, mouth, tilted, tilted, mouth, rest], strict=True)
        now = times[-1] + rng.uniform(0.2, 1.2)


def eat(
    rng: np.random.Generator, subject: SimulatedSubject, rest: Array, start: float, stop: float, habit: float
) -> list[Key]:
    """Make the poses of eating, marked by the forearm's turn: scoop at the plate, raise, put in, lower."""
    keys: list[Key] = []
    now = start + rng.uniform(0.2, 1.0)
    while True:
        mouth = place_arm(rng, rest, AT_MOUTH[draw_style(rng, habit)])
        reach, scoop = rest.copy(), rest.copy()
        reach[[SHOULDER, ELBOW, PRONATION]] += 0.10, -0.15, rng.uniform(0.25, 0.5)
        scoop[[SHOULDER, PRONATION]] += 0.05, -rng.uniform(0.35, 0.6)
        steps = rng.uniform((0.35, 0.3, 0.7, 0.15, 0.7), (0.6, 0.5, 1.1, 0.5, 1.1)) / subject.tempo
        times = now + np.cumsum([0.0, *steps])
        if times[-1] > stop - 0.2:
            return keys
        keys += zip(times, [rest, reach, scoop, mouth, mouth, rest], strict=True)
        now = times[-1] + rng.uniform(0.2, 1.5)


def reach_about(
    rng: np.random.Generator, subject: SimulatedSubject, rest: Array, start: float, stop: float, every: float
) -> list[Key]:
    """Make poses of no class (to the face, to an object, to look at the watch, a new rest), about ``every`` s apart."""
    keys: list[Key] = []
    now = start + rng.exponential(every)
    while now < stop - 3.0:
        target = rest.copy()
        kind = rng.random()
        if kind < 0.4:
            target = place_arm(rng, rest, AT_MOUTH[int(rng.integers(2))])
            target[PRONATION] += 0.4 * rng.standard_normal()
        elif kind < 0.7:
            target = place_arm(rng, rest, (0.8, 0.2, 1.4, 1.1))
        else:
            target[SHOULDER : PRONATION + 1] += rng.uniform(0.15, 0.5) * rng.standard_normal(4)
        up, hold, down = rng.uniform((0.6, 0.1, 0.6), (1.2, 1.0, 1.2)) / subject.tempo
        times = now + np.cumsum([0.0, up, hold, down])
        if times[-1] > stop - 0.2:
            return keys
        keys += zip(times, [rest, target, target, rest], strict=True)
        now = times[-1] + rng.exponential(every)
    return keys


def shift_arm(rng: np.random.Generator, rest: Array, start: float, stop: float, size: float, every: float) -> list[Key]:
    """Make poses that shift a cyclic movement (another tooth, other keys), about ``every`` s apart."""
    count = int((stop - start) / every)
    times = np.sort(rng.uniform(start + 0.5, stop - 0.5, count))
    keys: list[Key] = []
    for at in times[np.diff(times, prepend=-np.inf) > 0.6]:
        pose = rest.copy()
        pose[SHOULDER : PRONATION + 1] += size * rng.standard_normal(4) * np.array([0.5, 0.6, 0.6, 1.2])
        keys.append((float(at), pose))
    return keys


def brush_teeth(
    rng: np.random.Generator, subject: SimulatedSubject, n: int, dt: float, habit: float
) -> tuple[Array, Array]:
    """Make the strokes of brushing teeth, 2 to 4.2 Hz in bursts: joints (4, n) of the arm, impacts (3, n)."""
    rate = (2.0 + 2.2 * habit) * np.exp(0.08 * rng.standard_normal())
    phase = 2 * np.pi * draw_phase(rng, n, dt, rate, 0.08)
    size = subject.tempo * np.exp(0.25 * rng.standard_normal()) * draw_bursts(rng, n, dt, (1.0, 4.0), (0.3, 1.2))
    stroke = size * (np.cos(phase) + 0.25 * np.cos(2 * phase + 0.5))
    joints = np.stack([0.03 * stroke, 0.03 * stroke, 0.05 * stroke, 0.11 * size * np.cos(phase - 0.8)])
    return joints, np.zeros((3, n))


def clap(rng: np.random.Generator, subject: SimulatedSubject, n: int, dt: float, habit: float) -> tuple[Array, Array]:
    """Make claps, 1.8 to 3.8 per second in bursts, with an impact each: joints (4, n), impacts (3, n)."""
    rate = (1.8 + 2.0 * habit) * np.exp(0.08 * rng.standard_normal())
    turns = draw_phase(rng, n, dt, rate, 0.05)
    size = np.exp(0.3 * rng.standard_normal()) * draw_bursts(rng, n, dt, (1.5, 5.0), (0.4, 1.5))
    phase = 2 * np.pi * turns
    swing = size * (np.cos(phase) + 0.2 * np.cos(2 * phase))
    since = (turns % 1.0) / rate
    blow = size * np.exp(-since / 0.02) * np.sin(2 * np.pi * 12 * since) * 4.0
    impacts = np.stack([0.2 * blow, subject.side * blow, 0.1 * blow])
    return np.stack([0.04 * swing, 0.15 * swing, 0.05 * swing, 0.10 * swing]), impacts


def type_keys(
    rng: np.random.Generator, subject: SimulatedSubject, n: int, dt: float, habit: float
) -> tuple[Array, Array]:
    """Make key strokes at irregular times in bursts: joints (4, n) of the arm, impacts (3, n)."""
    from scipy.signal import lfilter

    rate = (2.5 + 3.0 * habit) * subject.tempo
    struck = (rng.random(n) < rate * dt) * rng.uniform(0.3, 1.0, n) * draw_bursts(rng, n, dt, (1.0, 4.0), (0.4, 2.0))
    decay = np.exp(-dt / np.array([0.07, 0.015]))
    press = lfilter([1 - decay[0]], [1.0, -2 * decay[0], decay[0] ** 2], struck) * 12
    blow = lfilter([1.0], [1.0, -decay[1]], struck)
    signs = np.sign(np.sin(2 * np.pi * draw_phase(rng, n, dt, 1.1, 0.4)))
    size = 0.0015 * subject.unrest**0.5
    joints = size * np.stack([0.15 * press, 0.6 * press * signs, 0.3 * press, 1.5 * press * signs])
    return joints, np.stack([0.4 * blow, 0.15 * blow, 0.3 * blow])


def draw_style(rng: np.random.Generator, habit: float) -> int:
    """Draw one of two styles: the subject's usual one three times in four, else either."""
    return int(habit > 0.5) if rng.random() < 0.75 else int(rng.integers(2))
