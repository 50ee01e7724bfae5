"""An attack on the search for copies: planted ones are found whatever was done to them, look-alikes are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.signals import resample
from stillmotion.signals.recording import Dataset, Recording
from stillmotion.signals.spec import Channel, SignalSpec
from stillmotion.windows import audit, cut, splits

SENSORS = tuple(Channel(sensor, axis, "", "wrist") for sensor in ("acc", "gyr") for axis in "xyz")
SPEC = SignalSpec(50.0, SENSORS, ("still", "walk"), 64, 32)


def motion(rng, rows, channels=6, step=0.0):
    """Walks and rests with the tremble of a sensor, rounded to its resolution."""
    time = np.arange(rows)[:, None] / 50.0
    values = np.zeros((rows, channels))
    for harmonic in (1, 2, 3):
        turn = 2 * np.pi * harmonic * rng.uniform(1.6, 2.2) * time
        values += rng.uniform(0.05, 0.5, channels) * np.sin(turn + rng.uniform(0, 6, channels))
    values *= ((np.arange(rows) // 400) % 2)[:, None]
    values += rng.normal(0, 1, channels) + rng.normal(0, 0.01, (rows, channels))
    return (np.round(values / step) * step if step else values).astype(np.float32)


def dataset(parts, *, spec=SPEC, name="own"):
    """A person for each part, one recording each."""
    recordings = [
        Recording(str(number), "day", part, (np.arange(len(part)) % 2).astype(np.int16), source=f"p{number}")
        for number, part in enumerate(parts)
    ]
    return Dataset.of(name, replace(spec, label_policy="first"), recordings)


def found(data, *, protocol="loso", others=()):
    windows = cut(data)
    result = audit(windows, splits(windows, protocol), others=others)
    return [finding for finding in result.findings if finding.kind == "duplicate"]


# What is done to a copy: rows (n, 6) to rows, and for how many rows at least it must be found.
DONE = {
    "nothing": lambda rows: rows,
    "g to m/s²": lambda rows: (rows * np.float32(9.80665)).astype(np.float32),
    "degrees to rad": lambda rows: (rows.astype(float) * np.pi / 180).astype(np.float32),
    "gain of each axis": lambda rows: (rows * np.array([2.0, 0.3, 7.0, 0.01, 1.5, 90.0])).astype(np.float32),
    "offset": lambda rows: (rows.astype(float) + np.array([5.0, -3.0, 0.5, 20.0, 1.0, -8.0])).astype(np.float32),
    "sign": lambda rows: -rows,
    "worn upside down": lambda rows: (rows * np.array([-1, -1, 1, -1, -1, 1])).astype(np.float32),
    "other order of axes": lambda rows: rows[:, [2, 0, 1, 4, 5, 3]],
    "sensors exchanged": lambda rows: rows[:, [3, 4, 5, 0, 1, 2]],
    "gain, offset, sign and order": lambda rows: (-3.3 * rows[:, [5, 3, 1, 0, 2, 4]].astype(float) + 4).astype(np.float32),
    "six decimals": lambda rows: np.round(rows.astype(float) * 9.80665, 6).astype(np.float32),
    "one sensor alone": None,
    "one axis alone": None,
}


def plant(rng, done, length, *, people=5, rows=1600, step=0.0):
    """Motion of some people, with a stretch of one in another."""
    parts = [motion(rng, rows, step=step) for _ in range(people)]
    one, other = rng.choice(people, 2, replace=False)
    # One walk at least is in it: what a coarse sensor says at rest is said again by chance.
    begin, place = int(rng.integers(0, rows - length + 1)), int(rng.integers(0, rows - length + 1))
    taken = parts[one][begin : begin + length].copy()
    into = parts[other][place : place + length]
    if DONE[done] is not None:
        into[:] = DONE[done](taken)
    elif done == "one sensor alone":
        into[:, 3:] = taken[:, 3:] * np.float32(1.7)
    else:
        into[:, 4] = taken[:, 1]
    return parts, (int(one), begin), (int(other), place)


def assert_planted(done, length, seed, step):
    rng = np.random.default_rng([seed, length])
    parts, here, there = plant(rng, done, length, step=step)
    errors = [finding for finding in found(dataset(parts)) if finding.severity == "error"]
    assert {here[0], there[0]} <= {finding.fold for finding in errors}
    said = next(finding for finding in errors if finding.fold == there[0]).evidence
    assert f"'p{here[0]}'" in said
    assert f"'p{there[0]}'" in said
    rows = max(finding.count for finding in errors if finding.fold == there[0])
    assert rows <= length + 4
    # Rows at the end of a recording may lie under no window.
    assert rows >= min(32, length // 2)


LENGTHS = (64, 200, 1500)
PLANTED = [(done, length, seed, step) for done in DONE for length in LENGTHS for seed, step in ((1, 0.0), (2, 0.001))]


@pytest.mark.parametrize(("done", "length", "seed", "step"), PLANTED[::5])
def test_a_copy_is_found_under_another_gain_offset_sign_order_or_of_one_sensor(done, length, seed, step):
    assert_planted(done, length, seed, step)


@pytest.mark.slow
@pytest.mark.parametrize(("done", "length", "seed", "step"), PLANTED)
def test_every_planted_copy_is_found(done, length, seed, step):
    assert_planted(done, length, seed, step)


def periodic(rng, rows, harmonics, step, period):
    """An oscillation without noise; its period in rows, the same for everybody, the phase everybody's own."""
    at = np.arange(rows)[:, None] + rng.uniform(0, period)
    values = sum(
        size * np.sin(2 * np.pi * number * at / period + np.arange(6) * number)
        for number, size in zip(range(1, harmonics + 1), (1.0, 0.5, 0.3), strict=False)
    )
    return (np.round(values / step) * step if step else values).astype(np.float32)


def ticking(rng, rows, step, still):
    """White noise of a sensor at rest, as coarse as the sensor."""
    return (np.round(rng.normal(0, still * step, (rows, 6)) / step) * step).astype(np.float32)


def turning(rng, rows, step):
    """Even turns, up and down, of one slope."""
    at = np.abs((np.arange(rows)[:, None] + rng.integers(0, 400)) % 400 - 200) * 0.013
    return (np.round((at * np.arange(1, 7)) / step) * step).astype(np.float32)


def held(rng, rows, step):
    """A slow sensor read four times as fast."""
    return np.repeat(motion(rng, rows // 4 + 1, step=step), 4, axis=0)[:rows]


def stuck(rng, rows, step):
    """Motion with dead, stuck, clipped and rattling stretches."""
    values = motion(rng, rows, step=step)
    values[200:500] = 0.0
    values[600:800] = values[600]
    values[900:1100:2], values[901:1100:2] = 2.0, -2.0
    return np.clip(values, -2, 2).astype(np.float32)


def telegraph(rng, rows, step):
    """A switch that bounces: two values, in runs of chance."""
    return (step * (np.cumsum(rng.random((rows, 6)) < 0.2, axis=0) % 2)).astype(np.float32)


def spikes(rng, rows, step):
    """Silence with a spike of one size now and then."""
    return (step * (rng.random((rows, 6)) < 0.15)).astype(np.float32)


LOOKALIKES = {
    **{
        f"period {period}, {harmonics} harmonics, rounded to {step}": (
            lambda rng, rows, p=period, h=harmonics, s=step: periodic(rng, rows, h, s, p)
        )
        for period in (25, 25.0 / 3, 31.7, 100)
        for harmonics in (1, 2, 3)
        for step in (0.0, 0.001, 0.05)
    },
    **{
        f"noise of {still} steps": lambda rng, rows, s=still: ticking(rng, rows, 0.01, s)
        for still in (0.2, 0.35, 0.5, 1.0)
    },
    **{f"even turns, rounded to {step}": lambda rng, rows, s=step: turning(rng, rows, s) for step in (1e-4, 0.02, 0.1)},
    **{f"held, rounded to {step}": lambda rng, rows, s=step: held(rng, rows, s) for step in (0.001, 0.02, 0.1)},
    **{f"stuck, rounded to {step}": lambda rng, rows, s=step: stuck(rng, rows, s) for step in (0.001, 0.02, 0.1)},
    **{f"motion, rounded to {step}": lambda rng, rows, s=step: motion(rng, rows, step=s) for step in (0.001, 0.02, 0.1)},
    "a switch": lambda rng, rows: telegraph(rng, rows, 1.0),
    "spikes": lambda rng, rows: spikes(rng, rows, 1.0),
    "nothing but one number": lambda rng, rows: np.full((rows, 6), 9.81, np.float32),
    "two numbers in turn": lambda rng, rows: np.tile(np.array([0.0, 1.0], np.float32), (6, rows // 2)).T.copy(),
    "motion over a common hum": lambda rng, rows: (motion(rng, rows) + periodic(rng, rows, 1, 0.0, 25)).astype(np.float32),
}


def assert_left_alone(name, seed):
    rng = np.random.default_rng(seed)
    assert found(dataset([LOOKALIKES[name](rng, 2400) for _ in range(6)])) == []


@pytest.mark.parametrize("name", list(LOOKALIKES)[::6])
def test_a_periodic_coarse_or_stuck_signal_is_not_called_a_copy(name):
    assert_left_alone(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", list(LOOKALIKES))
def test_no_look_alike_is_called_a_copy(name, seed):
    assert_left_alone(name, seed)
