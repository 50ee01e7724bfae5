"""What is in a data set and what is wrong with it, per subject."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .recording import NULL, Dataset, Floats, Recording
from .spec import UNITS, Channel
from .units import SIZE

#: A sensor that repeats one value on all axes this long (s) is stuck: real ones always tremble a little.
STUCK_SECONDS = 1.0
#: This share of samples at one extreme value means that the range was too small.
SATURATED_SHARE = 0.001
#: Median |acc| of a subject who wears the sensor, in g: gravity, give or take a bad calibration.
GRAVITY_RANGE = (0.7, 1.4)
#: Fastest median rotation that a worn gyroscope can show, rad/s (a full turn each 0.6 s, all the time).
ROTATION_LIMIT = 10.0
#: A measured rate further than this from the nominal one is reported.
RATE_TOLERANCE = 0.05
#: The rarest class has at most this share of the samples of the majority one: worth saying.
IMBALANCE = 0.02
#: A class with this share of another's samples at most, and a name this much like its, may be misspelt.
MISSPELT_SHARE, MISSPELT_LIKENESS = 0.1, 0.8
#: Acceleration in m/s² is 9.8 times that in g; no way of wearing a sensor comes near.
UNITS_APART = 5.0

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something odd: how bad, what kind, who, in words."""

    severity: Severity
    kind: str
    text: str
    subject: str = ""


@dataclass(frozen=True)
class SubjectQuality:
    """One subject's recordings in numbers."""

    subject: str
    sessions: int
    recordings: int
    seconds: float
    rate: float
    jitter: float
    gaps: int
    missing: int
    repeated: int
    gravity: dict[str, float]
    labelled: dict[str, float]


@dataclass(frozen=True)
class Quality:
    """Quality of a data set: one row a subject, and what was found."""

    name: str
    rate: float
    channels: tuple[str, ...]
    samples: int
    subjects: tuple[SubjectQuality, ...]
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether nothing was found that makes training senseless."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "usable": self.usable}


def inspect(dataset: Dataset) -> Quality:
    """Measure rate, jitter, gaps, missing and repeated samples, stuck and saturated sensors, units, balance.

    Args:
        dataset: any recordings.

    Returns:
        A row for every subject, and what is odd, errors among it.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.signals.simulated import generate
        >>> quality = sm.inspect(generate(subjects=2, minutes=1))
        >>> quality.usable, [row.subject for row in quality.subjects]
        (True, ['1', '2'])
    """
    findings: list[Finding] = [Finding("note", note.kind, note.text) for note in dataset.notes]
    subjects = []
    for name in dataset.subjects:
        recordings = [recording for recording in dataset.recordings if recording.subject == name]
        quality, found = _inspect_subject(dataset, name, recordings)
        subjects.append(quality)
        findings += found
    findings += _balance(dataset, subjects)
    findings += _alike(dataset, subjects)
    findings += _mixed_units(dataset)
    return Quality(
        name=dataset.name,
        rate=dataset.spec.rate,
        channels=dataset.spec.channel_names,
        samples=len(dataset.samples),
        subjects=tuple(subjects),
        findings=tuple(findings),
    )


def _inspect_subject(
    dataset: Dataset, subject: str, recordings: list[Recording]
) -> tuple[SubjectQuality, list[Finding]]:
    spec = dataset.spec
    rate, jitter, gaps = _clock(recordings, spec.rate)
    samples = np.concatenate([recording.samples for recording in recordings])
    labels = np.concatenate([recording.labels for recording in recordings])
    gravity, findings = {}, []

    def found(severity: Severity, kind: str, text: str) -> None:
        findings.append(Finding(severity, kind, f"subject {subject}: {text}", subject))

    if abs(rate - spec.rate) > RATE_TOLERANCE * spec.rate:
        found("warning", "rate", f"{rate:.1f} Hz measured where {spec.rate:g} Hz were declared")
    bad = ~np.isfinite(samples)
    missing = int(bad.any(axis=1).sum())
    if missing:
        where = ", ".join(name for name, column in zip(spec.channel_names, bad.T, strict=True) if column.any())
        found("error", "missing", f"{missing:,} of {len(samples):,} samples have no number in {where}")
    ends = np.cumsum([len(recording) for recording in recordings]) - 1
    repeated = sum(_repeats(recording) for recording in recordings)
    for group in spec.groups:
        columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
        values = samples[:, columns]
        channel = spec.channels[columns[0]]
        # A pulse may well repeat itself and a switch has ends: only what moves with a body always trembles.
        of_motion = channel.sensor.rsplit("-", 1)[-1] in UNITS
        if of_motion and (stuck := _stuck(values, ends, spec.rate)):
            found(
                "warning",
                "stuck",
                f"{group} repeats one value for {stuck:.1f} s in stretches of a second or more",
            )
        # Clipping is looked for on raw sensors only: what a filter has been over has no fixed range.
        if channel.sensor in UNITS and (share := _saturated(values)) > SATURATED_SHARE:
            found("warning", "saturated", f"{100 * share:.1f} % of {group} lie at the end of its range")
        size = float(np.median(_norm(values[~bad.any(axis=1)]))) if missing < len(samples) else np.nan
        if channel.sensor == "acc" and len(columns) == 3:
            gravity[group] = size
        if (text := _impossible(channel, size, len(columns))) and np.isfinite(size):
            found("error", "unit", text)
    seconds = len(samples) / rate
    quality = SubjectQuality(
        subject=subject,
        sessions=len({recording.session for recording in recordings}),
        recordings=len(recordings),
        seconds=seconds,
        rate=rate,
        jitter=jitter,
        gaps=gaps,
        missing=missing,
        repeated=repeated,
        gravity=gravity,
        labelled={name: float((labels == number).sum() / rate) for number, name in enumerate(spec.classes)}
        | {"(none)": float((labels == NULL).sum() / rate)},
    )
    return quality, findings


def _clock(recordings: list[Recording], nominal: float) -> tuple[float, float, int]:
    """Measured rate (Hz), jitter (SD of the step over its median) and pauses of five periods or more."""
    timed = [recording.times for recording in recordings if recording.times is not None and len(recording) > 1]
    if not timed:
        return nominal, 0.0, 0
    steps = np.concatenate([np.diff(times) for times in timed])
    middle = float(np.median(steps))
    if middle <= 0:
        return nominal, float("inf"), 0
    inner = [
        (a.source, a.session, a.times[-1], b.source, b.session, b.times[0])
        for a, b in itertools.pairwise(recordings)
        if a.times is not None and b.times is not None
    ]
    breaks = sum(a == c and s == t and later > earlier for a, s, earlier, c, t, later in inner)
    return (
        float(len(steps) / steps.sum()),
        float(steps.std() / middle),
        int((steps > 5 * middle).sum() + breaks),
    )


def _norm(values: Floats) -> NDArray[np.float64]:
    """Sizes of vectors (n, axes), however large."""
    return np.asarray(np.linalg.norm(values.astype(np.float64), axis=1))


def _repeats(recording: Recording) -> int:
    """Samples that carry the timestamp of the one before."""
    return 0 if recording.times is None else int((np.diff(recording.times) <= 0).sum())


def _stuck(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ends: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    rate: float,
) -> float:
    """Seconds in runs of one and the same value on every axis, counting runs of a second or more.

    Args:
        values: (n, axes), recordings behind one another.
        ends: last row of each recording; a run ends there.
        rate: in Hz.
    """
    run_ends = (values[1:] != values[:-1]).any(axis=1)
    run_ends[ends[:-1]] = True
    runs = np.diff(np.concatenate([[-1], np.flatnonzero(run_ends), [len(values) - 1]]))
    return float(runs[runs >= STUCK_SECONDS * rate].sum() / rate)


def _saturated(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Largest share of an axis's samples that equal its own extreme, when the axis moves at all."""
    share = 0.0
    for axis in values.T:
        low, high = np.nanmin(axis), np.nanmax(axis)
        if high > low:
            # One sample always is the extreme one; a range that ends shows many.
            share = max(share, *((np.count_nonzero(axis == end) - 1) / len(axis) for end in (low, high)))
    return share


def _impossible(channel: Channel, size: float, axes: int) -> str:
    if axes != 3 or channel.unit not in SIZE:
        return ""
    scaled = size * SIZE[channel.unit]
    if channel.sensor == "acc" and not GRAVITY_RANGE[0] <= scaled <= GRAVITY_RANGE[1]:
        return (
            f"{channel.group} has a median size of {size:.3g} {channel.unit}, which cannot be gravity "
            f"({1 / SIZE[channel.unit]:.3g} {channel.unit}); its unit is probably not {channel.unit}"
        )
    if channel.sensor == "gyr" and scaled > ROTATION_LIMIT:
        return (
            f"{channel.group} has a median size of {size:.3g} {channel.unit}, faster than a body turns; "
            f"its unit is probably not {channel.unit}"
        )
    return ""


def _alike(dataset: Dataset, subjects: list[SubjectQuality]) -> list[Finding]:
    """Rare classes whose names are those of common ones but for a letter or two: probably misspelt."""
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    findings = []
    for rare, common in itertools.permutations((name for name, total in totals.items() if total > 0), 2):
        if totals[rare] > MISSPELT_SHARE * totals[common] or abs(len(rare) - len(common)) > 1:
            continue
        numbered = any(letter.isdigit() for letter in rare + common)
        if not numbered and SequenceMatcher(None, rare.lower(), common.lower()).ratio() >= MISSPELT_LIKENESS:
            text = f"class {rare} ({totals[rare]:.0f} s) is spelt much like {common} ({totals[common]:.0f} s)"
            findings.append(Finding("warning", "spelling", f"{text}: rename it if it is the same"))
    return findings


def _mixed_units(dataset: Dataset) -> list[Finding]:
    """Accelerometers that weigh several times as much in some files as in others."""
    findings = []
    for group in dataset.spec.groups:
        columns = [number for number, channel in enumerate(dataset.spec.channels) if channel.group == group]
        if len(columns) != 3 or dataset.spec.channels[columns[0]].sensor != "acc":
            continue
        sizes: dict[str, float] = {}
        for recording in dataset.recordings:
            every = max(1, len(recording) // 1000)
            size = float(np.median(_norm(recording.samples[::every, columns])))
            if np.isfinite(size):
                sizes.setdefault(recording.source, size)
        light, heavy = min(sizes.values(), default=1.0), max(sizes.values(), default=1.0)
        if light > 0 and heavy > UNITS_APART * light:
            middle = (light * heavy) ** 0.5
            big = [source for source, size in sizes.items() if size > middle]
            small = [source for source in sizes if source not in big]
            few, what = (big, heavy) if len(big) <= len(small) else (small, light)
            text = (
                f"{group} has a median size of about {what:.3g} in {len(few)} of {len(sizes)} sources ({few[0]}"
                f"{', …' if len(few) > 1 else ''}) and of {light if what == heavy else heavy:.3g} in the others: "
                f"units are mixed"
            )
            findings.append(Finding("error", "mixed units", text))
    return findings


def _balance(dataset: Dataset, subjects: list[SubjectQuality]) -> list[Finding]:
    findings = []
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    owners = {name: [p.subject for p in subjects if p.labelled[name] > 0] for name in dataset.spec.classes}
    absent = [name for name, holders in owners.items() if not holders]
    if absent:
        text = f"{len(absent)} of {len(owners)} classes do not occur: {', '.join(absent)}"
        findings.append(Finding("warning", "class", text))
    for name, holders in owners.items():
        if len(holders) == 1 and len(subjects) > 1:
            text = f"class {name} lives in one subject ({holders[0]}): it cannot be tested on anyone new"
            findings.append(Finding("warning", "class", text, holders[0]))
    present = {name: total for name, total in totals.items() if total > 0}
    if len(present) > 1:
        rare, common = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        if present[rare] < IMBALANCE * present[common]:
            text = f"{rare} has {present[rare]:.0f} s, {common} {present[common]:.0f} s: macro-F1 hangs on few samples"
            findings.append(Finding("note", "balance", text))
    return findings
