"""Search for copies: planted ones are found after any change, look-alikes are not reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import resample
from stillmotion.signals.recording import Dataset, Recording
from stillmotion.signals.spec import Channel, SignalSpec
from stillmotion.windows import audit_splits, cut, make_splits

SENSORS = tuple(Channel(sensor, axis, "", "wrist") for sensor in ("acc", "gyr") for axis in "xyz")
SPEC = SignalSpec(50.0, SENSORS, ("still", "walk"), 64, 32)


def motion(rng, rows, channels=6, step=0.0):
    """Walks and rests with the noise of a sensor, rounded to its resolution."""
    time = np.arange(rows)[:, None] / 50.0
    values = np.zeros((rows, channels))
    for harmonic in (1, 2, 3):
        turn = 2 * np.pi * harmonic * rng.uniform(1.6, 2.2) * time
        values += rng.uniform(0.05, 0.5, channels) * np.sin(turn + rng.uniform(0, 6, channels))
    values *= ((np.arange(rows) // 400) % 2)[:, None]
    values += rng.normal(0, 1, channels) + rng.normal(0, 0.01, (rows, channels))
    return (np.round(values / step) * step if step else values).astype(np.float32)


def dataset(parts, *, spec=SPEC, name="own"):
    """Make one subject with one recording per part."""
    recordings = [
        Recording(str(number), "day", part, (np.arange(len(part)) % 2).astype(np.int16), source=f"p{number}")
        for number, part in enumerate(parts)
    ]
    return Dataset.of(name, replace(spec, label_policy="first"), recordings)


def duplicates(data, *, protocol="loso", others=()):
    windows = cut(data)
    result = audit_splits(windows, make_splits(windows, protocol), others=others)
    return [finding for finding in result.findings if finding.kind == "duplicate"]


# Changes of a copy: rows (n, 6) to rows.
CHANGES = {
    "nothing": lambda rows: rows,
    "g to m/s²": lambda rows: (rows * np.float32(9.80665)).astype(np.float32),
    "degrees to rad": lambda rows: (rows.astype(float) * np.pi / 180).astype(np.float32),
    "gain of each axis": lambda rows: (rows * np.array([2.0, 0.3, 7.0, 0.01, 1.5, 90.0])).astype(np.float32),
    "offset": lambda rows: (rows.astype(float) + np.array([5.0, -3.0, 0.5, 20.0, 1.0, -8.0])).astype(np.float32),
    "sign": lambda rows: -rows,
    "worn upside down": lambda rows: (rows * np.array([-1, -1, 1, -1, -1, 1])).astype(np.float32),
    "other order of axes": lambda rows: rows[:, [2, 0, 1, 4, 5, 3]],
    "sensors exchanged": lambda rows: rows[:, [3, 4, 5, 0, 1, 2]],
    "gain, offset, sign and order": lambda rows: (-3.3 * rows[:, [5, 3, 1, 0, 2, 4]].astype(float) + 4).astype(
        np.float32
    ),
    "six decimals": lambda rows: np.round(rows.astype(float) * 9.80665, 6).astype(np.float32),
    "one sensor alone": None,
    "one axis alone": None,
}


def plant(rng, change, length, *, subjects=5, rows=1600, step=0.0):
    """Make motion of some subjects, with a stretch of one copied into another."""
    parts = [motion(rng, rows, step=step) for _ in range(subjects)]
    giver, receiver = rng.choice(subjects, 2, replace=False)
    # At least one walk is in it: a coarse sensor at rest repeats itself by chance.
    begin, place = int(rng.integers(0, rows - length + 1)), int(rng.integers(0, rows - length + 1))
    taken = parts[giver][begin : begin + length].copy()
    into = parts[receiver][place : place + length]
    if CHANGES[change] is not None:
        into[:] = CHANGES[change](taken)
    elif change == "one sensor alone":
        into[:, 3:] = taken[:, 3:] * np.float32(1.7)
    else:
        into[:, 4] = taken[:, 1]
    return parts, (int(giver), begin), (int(receiver), place)


def assert_planted(change, length, seed, step):
    rng = np.random.default_rng([seed, length])
    parts, here, there = plant(rng, change, length, step=step)
    errors = [finding for finding in duplicates(dataset(parts)) if finding.severity == "error"]
    assert {here[0], there[0]} <= {finding.fold for finding in errors}
    evidence = next(finding for finding in errors if finding.fold == there[0]).evidence
    assert f"'p{here[0]}'" in evidence
    assert f"'p{there[0]}'" in evidence
    rows = max(finding.count for finding in errors if finding.fold == there[0])
    assert rows <= length + 4
    # Rows at the end of a recording may lie under no window.
    assert rows >= min(32, length // 2)


LENGTHS = (64, 200, 1500)
PLANTED = [
    (change, length, seed, step) for change in CHANGES for length in LENGTHS for seed, step in ((1, 0.0), (2, 0.001))
]


@pytest.mark.parametrize(("change", "length", "seed", "step"), PLANTED[::7])
def test_a_copy_is_found_under_another_gain_offset_sign_order_or_of_one_sensor(change, length, seed, step):
    assert_planted(change, length, seed, step)


@pytest.mark.slow
@pytest.mark.parametrize(("change", "length", "seed", "step"), PLANTED)
def test_every_planted_copy_is_found(change, length, seed, step):
    assert_planted(change, length, seed, step)


def periodic(rng, rows, harmonics, step, period):
    """An oscillation without noise; the period in rows is the same for all subjects, the phase is not."""
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
    """Steady motion up and down, with one slope."""
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
    **{
        f"motion, rounded to {step}": lambda rng, rows, s=step: motion(rng, rows, step=s) for step in (0.001, 0.02, 0.1)
    },
    "a switch": lambda rng, rows: telegraph(rng, rows, 1.0),
    "spikes": lambda rng, rows: spikes(rng, rows, 1.0),
    "a constant": lambda rng, rows: np.full((rows, 6), 9.81, np.float32),
    "two values in turn": lambda rng, rows: np.tile(np.array([0.0, 1.0], np.float32), (6, rows // 2)).T.copy(),
    "motion over a common hum": lambda rng, rows: (motion(rng, rows) + periodic(rng, rows, 1, 0.0, 25)).astype(
        np.float32
    ),
}


def assert_left_alone(name, seed):
    rng = np.random.default_rng(seed)
    assert duplicates(dataset([LOOKALIKES[name](rng, 2400) for _ in range(6)])) == []


@pytest.mark.parametrize("name", list(LOOKALIKES)[::9])
def test_a_periodic_coarse_or_stuck_signal_is_not_called_a_copy(name):
    assert_left_alone(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", list(LOOKALIKES))
def test_no_look_alike_is_called_a_copy(name, seed):
    assert_left_alone(name, seed)


# Raw recordings


def jittered(parts, *, seed=0, copies=()):
    """Make recordings with uneven timestamps; (from, to, rows): timestamps are copied with the rows."""
    rng = np.random.default_rng(seed)
    recordings = []
    clocks = [np.cumsum(rng.uniform(0.012, 0.028, len(part))) for part in parts]
    for (one, begin), (other, place), rows in copies:
        parts[other][place : place + rows] = parts[one][begin : begin + rows]
        steps = np.diff(clocks[other], prepend=0.0)
        steps[place : place + rows] = np.diff(clocks[one], prepend=0.0)[begin : begin + rows]
        clocks[other] = np.cumsum(steps)
    for number, (part, clock) in enumerate(zip(parts, clocks, strict=True)):
        label = np.zeros(len(part), np.int16)
        recordings.append(Recording(str(number), "day", part, label, clock, source=f"p{number}", offset=7 * number))
    return Dataset.of("own", SPEC, recordings)


def test_an_exact_copy_is_found_after_resampling():
    rng = np.random.default_rng(5)
    parts = [motion(rng, 5000) for _ in range(4)]
    data = jittered(parts, copies=[((0, 333), (2, 700), 4000)])
    even = resample(data, 50)
    finding = next(f for f in duplicates(even) if f.severity == "error" and f.fold == 2)
    assert "rows 333–4332 of 'p0'" in finding.evidence
    assert "rows 714–4713 of 'p2'" in finding.evidence
    # All of it lies under windows except the remainder at the end.
    assert finding.count > 3900
    assert duplicates(resample(even, 20))
    assert duplicates(resample(even.having(["0", "2", "3"]), 40))


def test_a_copy_in_another_data_set_is_found_though_only_one_was_resampled():
    rng = np.random.default_rng(6)
    own = jittered([motion(rng, 3000) for _ in range(4)])
    other = dataset([motion(rng, 3000) for _ in range(3)], name="other")
    other.samples[4000:4500] = own.samples[500:1000] * np.float32(9.80665)
    windows = cut(resample(own, 25))
    for variant in (other, resample(other, 25)):
        result = audit_splits(windows, make_splits(windows, "loso"), others=[variant])
        (finding,) = [f for f in result.findings if f.kind == "duplicate"]
        assert "rows 500–999 of 'p0' (subject 0) and rows 1000–1499 of 'p1' (subject 1)" in finding.evidence
        assert "9.807" in finding.evidence


def test_raw_rows_are_counted_after_resampling_to_a_higher_rate():
    """Two consecutive recordings of one source do not overlap because resampling adds rows."""
    rng = np.random.default_rng(7)
    first, second = motion(rng, 1000), motion(rng, 1000)
    labels = np.zeros(1000, np.int16)
    data = Dataset.of(
        "own",
        SPEC,
        [
            Recording("0", "a", first, labels, source="p0"),
            Recording("1", "b", second, labels, source="p0", offset=1000),
            Recording("2", "a", motion(rng, 1000), labels, source="p2"),
        ],
    )
    for rate in (20, 50, 99):
        windows = cut(resample(data, rate))
        assert audit_splits(windows, make_splits(windows, "loso")).clean


def test_recordings_changed_by_more_than_resampling_are_refused():
    data = dataset([motion(np.random.default_rng(8), 600) for _ in range(3)])
    strange = replace(data, raw=data.having(["0", "1"]))
    windows = cut(strange)
    with pytest.raises(UserError, match="'p2' of '2' is not among the raw recordings"):
        audit_splits(windows, make_splits(windows, "loso"))


def test_the_search_takes_a_share_of_a_long_signal_and_still_finds_the_copy(monkeypatch):
    monkeypatch.setattr("stillmotion.windows.scaled.KEYS", 6_000)
    rng = np.random.default_rng(9)
    parts = [motion(rng, 3000) for _ in range(4)]
    parts[3][500:1500] = -parts[1][1000:2000]
    finding = next(f for f in duplicates(dataset(parts)) if f.fold == 3 and f.severity == "error")
    assert finding.count > 900


def test_recordings_too_short_and_still_sensors_are_audited_without_an_error():
    for rows, value in ((1, 0.0), (20, 1.0), (64, np.nan), (640, 0.0)):
        parts = [np.full((rows, 6), value, np.float32) for _ in range(3)]
        windows = cut(dataset(parts), spec=replace(SPEC, window=1, hop=1, label_policy="first"))
        assert [f for f in audit_splits(windows, make_splits(windows, "loso")).findings if f.kind == "duplicate"] == []
