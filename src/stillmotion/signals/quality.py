"""Quality report of a data set: measurements for each subject, and findings."""

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

#: A sensor that repeats one value on all axes this long (s) is stuck: a working one always shows noise.
STUCK_SECONDS = 1.0
#: A larger share of samples at one extreme value means that the range was too small.
SATURATED_SHARE = 0.001
#: Plausible median |acc| of a worn sensor, in g: gravity within a bad calibration.
GRAVITY_RANGE = (0.7, 1.4)
#: Largest plausible median rotation of a worn gyroscope, rad/s (a full turn every 0.6 s, all the time).
ROTATION_LIMIT = 10.0
#: A measured rate that differs by more than this share from the nominal one is reported.
RATE_TOLERANCE = 0.05
#: The imbalance is reported if the rarest class has a smaller share than this of the majority class.
IMBALANCE = 0.02
#: A class with at most this share of another's samples, and a name at least this similar, may be misspelt.
MISSPELT_SHARE, MISSPELT_LIKENESS = 0.1, 0.8
#: Ratio of median sizes that means mixed units: m/s² is 9.8 times g, and no placement comes near.
UNITS_APART = 5.0

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A finding: severity, kind, text, and the subject if it concerns one."""

    severity: Severity
    kind: str
    text: str
    subject: str = ""


@dataclass(frozen=True)
class SubjectQuality:
    """Measurements of one subject's recordings."""

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
    """Quality report of a data set: one row for each subject, and findings."""

    name: str
    rate: float
    channels: tuple[str, ...]
    samples: int
    subjects: tuple[SubjectQuality, ...]
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether there is no error, that is, nothing that makes training senseless."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "usable": self.usable}


def inspect(dataset: Dataset) -> Quality:
    """Measure the quality of a data set.

    Rate, jitter, gaps, missing and repeated samples, stuck and saturated sensors, units and class balance are measured.

    Args:
        dataset: any recordings.

    Returns:
        One row of measurements for each subject, and findings: errors, warnings and notes.

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
        quality, subject_findings = _inspect_subject(dataset, name, recordings)
        subjects.append(quality)
        findings += subject_findings
    findings += _find_imbalance(dataset, subjects)
    findings += _find_misspelt(dataset, subjects)
    findings += _find_mixed_units(dataset)
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
    rate, jitter, gaps = _measure_clock(recordings, spec.rate)
    samples = np.concatenate([recording.samples for recording in recordings])
    labels = np.concatenate([recording.labels for recording in recordings])
    gravity, findings = {}, []

    def report(severity: Severity, kind: str, text: str) -> None:
        findings.append(Finding(severity, kind, f"subject {subject}: {text}", subject))

    if abs(rate - spec.rate) > RATE_TOLERANCE * spec.rate:
        report("warning", "rate", f"{rate:.1f} Hz measured where {spec.rate:g} Hz were declared")
    bad = ~np.isfinite(samples)
    missing = int(bad.any(axis=1).sum())
    if missing:
        where = ", ".join(name for name, column in zip(spec.channel_names, bad.T, strict=True) if column.any())
        report("error", "missing", f"{missing:,} of {len(samples):,} samples are NaN in {where}")
    ends = np.cumsum([len(recording) for recording in recordings]) - 1
    repeated = sum(_count_repeats(recording) for recording in recordings)
    for group in spec.groups:
        columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
        values = samples[:, columns]
        channel = spec.channels[columns[0]]
        # Only motion sensors are never constant: a pulse may repeat its value, a switch has two.
        of_motion = channel.sensor.rsplit("-", 1)[-1] in UNITS
        if of_motion and (stuck := _stuck_seconds(values, ends, spec.rate)):
            report(
                "warning",
                "stuck",
                f"{group} is constant for {stuck:.1f} s, in stretches of a second or more",
            )
        # Only raw sensors are checked for clipping: filtered signals have no fixed range.
        if channel.sensor in UNITS and (share := _saturated_share(values)) > SATURATED_SHARE:
            report("warning", "saturated", f"{100 * share:.1f} % of the samples of {group} lie at the end of its range")
        size = float(np.median(_norm(values[~bad.any(axis=1)]))) if missing < len(samples) else np.nan
        if channel.sensor == "acc" and len(columns) == 3:
            gravity[group] = size
        if (text := _explain_impossible(channel, size, len(columns))) and np.isfinite(size):
            report("error", "unit", text)
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


def _measure_clock(recordings: list[Recording], nominal: float) -> tuple[float, float, int]:
    """Measure rate (Hz), jitter (SD of the steps over their median) and the number of gaps (over five periods)."""
    timed = [recording.times for recording in recordings if recording.times is not None and len(recording) > 1]
    if not timed:
        return nominal, 0.0, 0
    steps = np.concatenate([np.diff(times) for times in timed])
    middle = float(np.median(steps))
    if middle <= 0:
        return nominal, float("inf"), 0
    pairs = [
        (a.source, a.session, a.times[-1], b.source, b.session, b.times[0])
        for a, b in itertools.pairwise(recordings)
        if a.times is not None and b.times is not None
    ]
    breaks = sum(
        source == next_source and session == next_session and begin > end
        for source, session, end, next_source, next_session, begin in pairs
    )
    return (
        float(len(steps) / steps.sum()),
        float(steps.std() / middle),
        int((steps > 5 * middle).sum() + breaks),
    )


def _norm(values: Floats) -> NDArray[np.float64]:
    """Return the norms of vectors (n, axes), in float64 so that large values do not overflow."""
    return np.asarray(np.linalg.norm(values.astype(np.float64), axis=1))


def _count_repeats(recording: Recording) -> int:
    """Count samples whose timestamp does not exceed the previous one."""
    return 0 if recording.times is None else int((np.diff(recording.times) <= 0).sum())


def _stuck_seconds(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ends: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    rate: float,
) -> float:
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


def _saturated_share(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Return the largest share of an axis's samples that equal its minimum or maximum; 0 for a constant axis."""
    share = 0.0
    for axis in values.T:
        low, high = np.nanmin(axis), np.nanmax(axis)
        if high > low:
            # Every axis has one extreme sample; a clipped one has many.
            share = max(share, *((np.count_nonzero(axis == end) - 1) / len(axis) for end in (low, high)))
    return share


def _explain_impossible(channel: Channel, size: float, axes: int) -> str:
    if axes != 3 or channel.unit not in SIZE:
        return ""
    scaled = size * SIZE[channel.unit]
    if channel.sensor == "acc" and not GRAVITY_RANGE[0] <= scaled <= GRAVITY_RANGE[1]:
        return (
            f"{channel.group} has a median norm of {size:.3g} {channel.unit}, which cannot be gravity "
            f"({1 / SIZE[channel.unit]:.3g} {channel.unit}); its unit is probably not {channel.unit}"
        )
    if channel.sensor == "gyr" and scaled > ROTATION_LIMIT:
        return (
            f"{channel.group} has a median norm of {size:.3g} {channel.unit}, faster than a body turns; "
            f"its unit is probably not {channel.unit}"
        )
    return ""


def _find_misspelt(dataset: Dataset, subjects: list[SubjectQuality]) -> list[Finding]:
    """Find rare classes whose names differ from a common one by a letter or two: probably misspelt."""
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    findings = []
    for rare, common in itertools.permutations((name for name, total in totals.items() if total > 0), 2):
        if totals[rare] > MISSPELT_SHARE * totals[common] or abs(len(rare) - len(common)) > 1:
            continue
        numbered = any(letter.isdigit() for letter in rare + common)
        if not numbered and SequenceMatcher(None, rare.lower(), common.lower()).ratio() >= MISSPELT_LIKENESS:
            text = f"class {rare} ({totals[rare]:.0f} s) has almost the same name as {common} ({totals[common]:.0f} s)"
            findings.append(Finding("warning", "spelling", f"{text}: rename it if they are the same"))
    return findings


def _find_mixed_units(dataset: Dataset) -> list[Finding]:
    """Find accelerometers whose norm is several times larger in some files than in others."""
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
            heavy_sources = [source for source, size in sizes.items() if size > middle]
            light_sources = [source for source in sizes if source not in heavy_sources]
            deviating, deviating_size = (
                (heavy_sources, heavy) if len(heavy_sources) <= len(light_sources) else (light_sources, light)
            )
            text = (
                f"{group} has a median norm of about {deviating_size:.3g} in {len(deviating)} of {len(sizes)} sources "
                f"({deviating[0]}{', …' if len(deviating) > 1 else ''}) and of "
                f"{light if deviating_size == heavy else heavy:.3g} in the others: units are mixed"
            )
            findings.append(Finding("error", "mixed units", text))
    return findings


def _find_imbalance(dataset: Dataset, subjects: list[SubjectQuality]) -> list[Finding]:
    findings = []
    totals = {name: sum(subject.labelled[name] for subject in subjects) for name in dataset.spec.classes}
    subjects_of = {name: [row.subject for row in subjects if row.labelled[name] > 0] for name in dataset.spec.classes}
    absent = [name for name, having in subjects_of.items() if not having]
    if absent:
        text = f"{len(absent)} of {len(subjects_of)} classes do not occur: {', '.join(absent)}"
        findings.append(Finding("warning", "class", text))
    for name, having in subjects_of.items():
        if len(having) == 1 and len(subjects) > 1:
            text = f"class {name} occurs in one subject only ({having[0]}): it cannot be tested on a new subject"
            findings.append(Finding("warning", "class", text, having[0]))
    present = {name: total for name, total in totals.items() if total > 0}
    if len(present) > 1:
        rare, common = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        if present[rare] < IMBALANCE * present[common]:
            text = (
                f"{rare} has {present[rare]:.0f} s, {common} {present[common]:.0f} s: macro-F1 depends on few samples"
            )
            findings.append(Finding("note", "balance", text))
    return findings
