"""Findings about the sensors of one subject: missing, stuck and saturated ones, marks for missing values, units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding
from ..recording import Floats
from ..spec import UNITS, Channel
from ..units import SIZE
from .subject import SubjectRecordings

#: A sensor that repeats one value on all axes this long (s) is stuck: a working one always shows noise.
STUCK_SECONDS = 1.0
#: An axis that repeats its value in this share of the samples is stuck, whatever the other axes do.
STUCK_SHARE = 0.99
#: A larger share of samples at one extreme value means that the range was too small.
SATURATED_SHARE = 0.001
#: Plausible median |acc| of a worn sensor, in g: gravity within a bad calibration.
GRAVITY_RANGE = (0.7, 1.4)
#: A resting accelerometer below this (g) shows no gravity.
NO_GRAVITY = 0.3
#: Largest plausible median rotation of a worn gyroscope, rad/s (a full turn every 0.6 s, all the time).
ROTATION_LIMIT = 10.0
#: Rotation that a hundredth of the samples may exceed, rad/s: the range of usual gyroscopes, 2,000 degrees per second.
ROTATION_RANGE = 35.0
#: Values that stand for a missing one, and how far beyond all others (in spans of 99 % of them) a value is a mark.
MARKS = (999.0, 9999.0, 99999.0, 999999.0, 32768.0, 2147483648.0)
FAR = 50.0
#: No sensor measures as much, in any unit.
ABSURD = 1e9


def find_sensor_faults(subject: SubjectRecordings) -> Iterator[Finding]:
    """Find faults of one subject's sensors."""
    spec, samples, bad = subject.dataset.spec, subject.samples, subject.missing
    missing = int(bad.any(axis=1).sum())
    if missing:
        where = ", ".join(name for name, column in zip(spec.channel_names, bad.T, strict=True) if column.any())
        text = f"{missing:,} of {len(samples):,} samples are NaN in {where}"
        yield subject.find("error", "missing", text, column=where, count=missing)
    marked = [finding for number in range(len(spec.channels)) for finding in _find_marks(subject, number)]
    yield from marked
    for group in spec.groups:
        columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
        values, channel = samples[:, columns], spec.channels[columns[0]]
        # Only motion sensors are never constant: a pulse may repeat its value, a switch has two.
        if channel.sensor.rsplit("-", 1)[-1] in UNITS:
            yield from _find_stuck(subject, group, columns, values)
        # Only raw sensors are checked for clipping: filtered signals have no fixed range.
        if channel.sensor in UNITS and (share := _saturated_share(values)) > SATURATED_SHARE:
            text = f"{100 * share:.1f} % of the samples of {group} lie at the end of its range"
            yield subject.find("warning", "saturated", text, column=group)
        if len(columns) == 3 and missing < len(samples) and not marked:
            yield from _find_wrong_unit(subject, channel, _norm(values[~bad.any(axis=1)]))


def measure_gravity(subject: SubjectRecordings) -> dict[str, float]:
    """Return the median norm of each accelerometer with three axes."""
    spec, gravity = subject.dataset.spec, {}
    whole = ~subject.missing.any(axis=1)
    for group in spec.groups:
        columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
        if spec.channels[columns[0]].sensor == "acc" and len(columns) == 3:
            values = subject.samples[:, columns][whole]
            gravity[group] = float(np.median(_norm(values))) if len(values) else np.nan
    return gravity


def find_mixed_units(subjects: Sequence[SubjectRecordings]) -> Iterator[Finding]:
    """Find gyroscopes of unknown unit that turn so much faster in some subjects that their units must differ."""
    spec = subjects[0].dataset.spec
    for group in spec.groups:
        columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
        channel = spec.channels[columns[0]]
        if channel.sensor != "gyr" or channel.unit or len(columns) != 3 or len(subjects) < 2:
            continue
        fast = {each.name: float(np.nanpercentile(_norm(each.samples[:, columns]), 99)) for each in subjects}
        middle = float(np.median(list(fast.values())))
        for name, size in fast.items():
            if size > ROTATION_RANGE and middle <= ROTATION_RANGE and size > 20 * middle > 0:
                text = (
                    f"subject {name}: {group} turns at {size:.3g} where the others reach {middle:.3g}; it is probably "
                    f"in degrees per second and theirs in rad/s"
                )
                yield Finding("error", "mixed units", text, name, column=group)


def _find_marks(subject: SubjectRecordings, number: int) -> Iterator[Finding]:
    """Find values far outside all others that stand for a missing one, such as -9999."""
    channel, values = subject.dataset.spec.channels[number], subject.samples[:, number]
    values = values[~subject.missing[:, number]]
    if len(values) < 20:
        return
    # Of many samples every k-th gives the span of the usual ones.
    low, high = np.percentile(values[:: max(1, len(values) // 20_000)].astype(np.float64), [0.5, 99.5])
    span = max(high - low, 1e-12)
    moves = channel.sensor.rsplit("-", 1)[-1] in UNITS
    top, bottom = float(values.max()), float(values.min())
    for extreme in (bottom, top):
        beyond = max(extreme - high, low - extreme)
        count = int(np.count_nonzero(values == extreme))
        known = abs(extreme) in MARKS
        far = beyond > FAR * span and high > low
        if abs(extreme) >= ABSURD or (far and (known or (moves and count > 1))) or (known and moves and beyond > span):
            text = (
                f"{channel.name} holds {extreme:g} in {count:,} samples, where others lie between {low:.3g} and "
                f"{high:.3g}: a mark for a missing value? Set missing = [{extreme:g}] in a mapping"
            )
            yield subject.find("error", "mark", text, column=channel.name, count=count)


def _find_stuck(subject: SubjectRecordings, group: str, columns: list[int], values: Floats) -> Iterator[Finding]:
    spec = subject.dataset.spec
    if stuck := _stuck_seconds(values, subject.ends, spec.rate):
        text = f"{group} is constant for {stuck:.1f} s, in stretches of a second or more"
        yield subject.find("warning", "stuck", text, column=group, count=round(stuck * spec.rate))
        if stuck * spec.rate > STUCK_SHARE * len(values):
            return
    if len(values) < 20:
        return
    same = (values[1:] == values[:-1]).mean(axis=0)
    for number, share in zip(columns, same, strict=True):
        name = spec.channels[number].name
        if share > STUCK_SHARE:
            text = f"{name} keeps its value in {100 * share:.4g} % of the samples while other axes move: a stuck axis"
            yield subject.find("warning", "stuck", text, column=name, count=int(share * (len(values) - 1)))


def _find_wrong_unit(subject: SubjectRecordings, channel: Channel, norms: NDArray[np.float64]) -> Iterator[Finding]:
    """Find norms that contradict a unit, or tell one that is not known."""
    size, group, unit = float(np.median(norms)), channel.group, channel.unit
    if channel.sensor == "acc":
        one_g = 1 / SIZE[unit] if unit in SIZE else 1.0
        resting = measure_resting(norms, subject.dataset.spec.rate)
        if resting < NO_GRAVITY * one_g and not 0.7 <= size <= 1.4:
            text = (
                f"{group} shows no gravity (resting magnitude {resting:.2g}{f' {unit}' if unit else ''}): the device "
                f"subtracts it; add the columns of gravity, or name the sensor "
                f"{'.'.join(part for part in (channel.position, 'body-acc') if part)}"
            )
            yield subject.find("warning", "gravity", text, column=group)
            return
    if unit not in SIZE:
        fast = float(np.percentile(norms, 99))
        if channel.sensor == "gyr" and fast > ROTATION_RANGE:
            text = f"{group} reaches {fast:.3g}, too fast for rad/s; its unit is probably deg/s: set unit = 'deg/s'"
            yield subject.find("warning", "unit", text, column=group)
        return
    scaled = size * SIZE[unit]
    if channel.sensor == "acc" and not GRAVITY_RANGE[0] <= scaled <= GRAVITY_RANGE[1]:
        text = (
            f"{group} has a median norm of {size:.3g} {unit}, which cannot be gravity "
            f"({1 / SIZE[unit]:.3g} {unit}); its unit is probably not {unit}"
        )
        yield subject.find("error", "unit", text, column=group)
    if channel.sensor == "gyr":
        fast = float(np.percentile(norms, 99)) * SIZE[unit]
        if scaled > ROTATION_LIMIT or fast > ROTATION_RANGE:
            what = f"has a median norm of {size:.3g} {unit}" if scaled > ROTATION_LIMIT else f"reaches {fast:.3g} rad/s"
            text = f"{group} {what}, faster than a body turns; its unit is probably not {unit}"
            yield subject.find("error", "unit", text, column=group)


def measure_resting(norms: NDArray[np.float64], rate: float) -> float:
    """Return the norm of the calmest fifth of the seconds: near 0, 1 or 9.81, it tells unit and gravity.

    Args:
        norms: (N,) of an accelerometer.
        rate: in Hz.
    """
    length = max(2, round(rate))
    blocks = norms[: len(norms) // length * length].reshape(-1, length)
    if not len(blocks):
        return float(np.median(norms))
    calm = blocks.std(axis=1)
    return float(np.median(blocks.mean(axis=1)[calm <= np.quantile(calm, 0.2)]))


def _norm(values: Floats) -> NDArray[np.float64]:
    """Return the norms of vectors (n, axes), in float64 so that large values do not overflow."""
    return np.asarray(np.linalg.norm(values.astype(np.float64), axis=1))


def _stuck_seconds(values: Floats, ends: NDArray[np.int64], rate: float) -> float:
    """Return the seconds in runs of a second or more during which every axis is constant.

    Args:
        values: (n, axes), concatenated recordings.
        ends: last row of each recording; a run ends there.
        rate: sampling rate in Hz.
    """
    run_ends = (values[1:] != values[:-1]).any(axis=1)
    run_ends[ends[:-1]] = True
    runs = np.diff(np.concatenate([[-1], np.flatnonzero(run_ends), [len(values) - 1]]))
    return float(runs[runs >= STUCK_SECONDS * rate].sum() / rate)


def _saturated_share(values: Floats) -> float:
    """Return the largest share of an axis's samples that equal its minimum or maximum; 0 for a constant axis."""
    share = 0.0
    for axis in values.T:
        low, high = np.nanmin(axis), np.nanmax(axis)
        if high > low:
            # Every axis has one extreme sample; a clipped one has many.
            share = max(share, *((np.count_nonzero(axis == end) - 1) / len(axis) for end in (low, high)))
    return share
