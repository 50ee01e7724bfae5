"""Findings about clocks: rate, rows that were lost, and recordings that are shorter than a window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from ..findings import Finding, Severity, list_names
from ..recording import Dataset, Recording
from .subject import SubjectQuality, SubjectRecordings

#: A measured rate that differs by more than this share from the nominal one is reported.
RATE_TOLERANCE = 0.05
#: Rates that differ by more than this factor are no two rates, but one clock in two units.
RATE_APART = 5.0
#: Shares of a subject's rows that may be lost before a warning, and before the recordings count as unfit.
LOST_WARNED, LOST_REFUSED = 0.02, 0.2
#: What may have caused the loss of rows of a kind, and what to do.
CAUSES = {
    "repeated timestamps dropped": "is the clock rounded (write more digits, or name a rate and no clock), or "
    "do several devices share the table (set where or devices)?",
    "late samples dropped": "are rows reversed or shuffled, or is the clock jittery? Sort the rows by time, or name a "
    "rate and no clock",
    "samples without a number, dropped": "a sensor is silent for longer than gaps are filled",
    "samples of one sensor without the other, dropped": "the devices did not run at the same time; is the offset of a "
    "clock wrong?",
}


def measure_clock(recordings: Sequence[Recording], nominal: float) -> tuple[float, float, int]:
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


def count_repeats(recording: Recording) -> int:
    """Count samples whose timestamp does not exceed the previous one."""
    return 0 if recording.times is None else int((np.diff(recording.times) <= 0).sum())


def count_lost(dataset: Dataset, subject: str) -> dict[str, int]:
    """Count the rows of a subject that were dropped when the recordings were read, by reason."""
    return {note.kind: note.lost[subject] for note in dataset.notes if note.lost.get(subject)}


def find_clock_faults(subject: SubjectRecordings, measured: SubjectQuality) -> Iterator[Finding]:
    """Find faults of one subject's clock.

    Args:
        subject: the recordings.
        measured: measurements of them.
    """
    nominal = subject.dataset.spec.rate
    if abs(measured.rate - nominal) > RATE_TOLERANCE * nominal:
        apart = max(measured.rate / nominal, nominal / measured.rate)
        text = f"{measured.rate:.4g} Hz measured, where the signal has {nominal:g} Hz"
        if apart > RATE_APART:
            hint = "; is its clock in another unit than the others'? Give its file a mapping of its own"
            yield subject.find("error", "rate", text + hint)
        else:
            yield subject.find("warning", "rate", f"{text}; resampling makes it even")
    kept = len(subject.samples)
    if measured.lost:
        total = kept + measured.lost_rows
        share = measured.lost_rows / total
        severity: Severity = "error" if share > LOST_REFUSED else "warning" if share > LOST_WARNED else "note"
        why = ", ".join(
            f"{count:,} {kind.removesuffix(' dropped').rstrip(',')}" for kind, count in measured.lost.items()
        )
        main = max(measured.lost, key=lambda kind: measured.lost[kind])
        hint = f"; {CAUSES[main]}" if severity != "note" and main in CAUSES else ""
        text = (
            f"{measured.lost_rows:,} of {total:,} rows ({100 * share:.3g} %, {measured.lost_rows / nominal / 60:.1f} "
            f"minutes) were dropped: {why}{hint}"
        )
        yield Finding(
            severity,
            "lost rows",
            f"subject {subject.name}: {text}",
            subject.name,
            subject.files,
            count=measured.lost_rows,
            repaired=True,
        )
    if measured.short > LOST_WARNED * kept:
        spec = subject.dataset.spec
        fragments = sum(len(recording) < spec.window for recording in subject.recordings)
        share = measured.short / kept
        text = (
            f"{100 * share:.3g} % of the samples lie in {fragments:,} recordings shorter than a window "
            f"({spec.describe_window()}) and are lost; is the clock in another unit or jittery (set gap in a mapping), "
            f"or the window too long?"
        )
        yield subject.find("error" if share > LOST_REFUSED else "warning", "short recordings", text, count=fragments)


def count_short(recordings: Sequence[Recording], window: int) -> int:
    """Count the samples in recordings that are shorter than a window."""
    return sum(len(recording) for recording in recordings if len(recording) < window)


def find_unnamed_clock(dataset: Dataset, subjects: Sequence[SubjectQuality]) -> Iterator[Finding]:
    """Find subjects whose clock is uneven, so that resampling interpolates every sample."""
    uneven = [each for each in subjects if each.jitter > 0.5]
    if uneven:
        names = list_names(each.subject for each in uneven)
        text = f"the clock of {len(uneven)} of {len(subjects)} subjects is uneven (jitter above 50 %: {names})"
        yield Finding("note", "jitter", f"{text}; samples are interpolated on an even clock", count=len(uneven))
