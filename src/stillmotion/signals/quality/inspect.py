"""Quality report of a data set: measurements for each subject, and findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..durations import WindowFit, fit_window
from ..findings import Finding
from ..no_sensor import explain_no_sensor
from ..recording import NULL, Dataset
from .classes import find_imbalance, find_swallowed
from .clocks import count_lost, count_repeats, count_short, find_clock_faults, find_unnamed_clock, measure_clock
from .mounting import find_mixed_units, find_odd_mountings
from .names import find_double_subjects, find_misspelt
from .sensors import find_mixed_units as find_mixed_rotation
from .sensors import find_sensor_faults, measure_gravity
from .subject import SubjectQuality, SubjectRecordings


@dataclass(frozen=True)
class Quality:
    """Quality report of a data set: one row for each subject, findings, and the window against the classes."""

    name: str
    rate: float
    channels: tuple[str, ...]
    samples: int
    subjects: tuple[SubjectQuality, ...]
    findings: tuple[Finding, ...]
    fit: WindowFit = field(default_factory=lambda: WindowFit(1.0, 1, 1, (), 1, 1))

    @property
    def usable(self) -> bool:
        """Whether there is no error, that is, nothing that makes training senseless."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The errors and warnings, errors first."""
        order = {"error": 0, "warning": 1}
        return tuple(
            sorted((each for each in self.findings if each.severity in order), key=lambda each: order[each.severity])
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        findings = [asdict(finding) | {"consequence": finding.consequence} for finding in self.findings]
        return {**asdict(replace(self, findings=())), "findings": findings, "usable": self.usable}


def inspect(dataset: Dataset) -> Quality:
    """Measure the quality of a data set.

    Rate, jitter, gaps, lost rows, missing and repeated samples, stuck and saturated sensors, units, gravity,
    orientation, names, class balance, and the durations of the classes against the window are measured.

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
    notes = [note for note in dataset.notes if not note.lost]  # Lost rows are reported for each subject.
    findings = [Finding("note", note.kind, note.text, count=note.count, repaired=note.repaired) for note in notes]
    by_name: dict[str, list[Any]] = {name: [] for name in dataset.subjects}
    for recording in dataset.recordings:
        by_name[recording.subject].append(recording)
    rows, subjects = [], [SubjectRecordings(dataset, name, tuple(each)) for name, each in by_name.items()]
    for subject in subjects:
        row = _measure(subject)
        rows.append(row)
        findings += find_clock_faults(subject, row)
        findings += find_sensor_faults(subject)
    fit = fit_window(dataset)
    findings += find_unnamed_clock(dataset, rows)
    findings += _find_no_sensors(subjects)
    findings += find_imbalance(dataset, rows)
    findings += find_misspelt(dataset, rows)
    findings += find_double_subjects(dataset)
    findings += find_mixed_units(dataset)
    findings += find_mixed_rotation(subjects)
    findings += find_odd_mountings(subjects)
    findings += find_swallowed(fit)
    return Quality(
        name=dataset.name,
        rate=dataset.spec.rate,
        channels=dataset.spec.channel_names,
        samples=len(dataset.samples),
        subjects=tuple(rows),
        findings=tuple(findings),
        fit=fit,
    )


def _measure(subject: SubjectRecordings) -> SubjectQuality:
    dataset, recordings = subject.dataset, subject.recordings
    rate, jitter, gaps = measure_clock(recordings, dataset.spec.rate)
    labels = subject.labels
    return SubjectQuality(
        subject=subject.name,
        sessions=len({recording.session for recording in recordings}),
        recordings=len(recordings),
        seconds=len(labels) / rate,
        rate=rate,
        jitter=jitter,
        gaps=gaps,
        missing=int(subject.missing.any(axis=1).sum()),
        repeated=sum(count_repeats(recording) for recording in recordings),
        gravity=measure_gravity(subject),
        labelled={name: float((labels == number).sum() / rate) for number, name in enumerate(dataset.spec.classes)}
        | {"(none)": float((labels == NULL).sum() / rate)},
        lost=count_lost(dataset, subject.name),
        short=count_short(recordings, dataset.spec.window),
    )


def _find_no_sensors(subjects: list[SubjectRecordings]) -> Iterator[Finding]:
    """Find channels that are no sensor: constant for each subject or label, or ever rising."""
    spec = subjects[0].dataset.spec
    recordings = [recording for subject in subjects for recording in subject.recordings]
    owners = [recording.subject for recording in recordings]
    labels = [recording.labels for recording in recordings]
    for number, channel in enumerate(spec.channels):
        first = recordings[0].samples[:200, number]
        # A channel that goes up and down at its very beginning needs no second look.
        if len(first) > 20 and (first[1:] > first[:-1]).any() and (first[1:] < first[:-1]).any():
            continue
        reason = explain_no_sensor([each.samples[:, number] for each in recordings], owners, labels)
        if reason:
            text = f"{channel.name} {reason}: it is no sensor, and a model would learn it; leave it out of the mapping"
            yield Finding("warning", "no sensor", text, column=channel.name)
