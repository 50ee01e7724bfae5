"""Trace windows back to the rows of the raw recordings, before any resampling."""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from ..signals.recording import Dataset
from .places import Source
from .stretches import Rows, Stretches, recording_stretches
from .windows import Windows


def source_of(dataset: Dataset) -> Source:
    """Find the raw rows of a data set."""
    raw = dataset if dataset.raw is None else dataset.raw
    start = np.array([row["start"] for row in raw.index], np.int64)
    columns, names = _columns(raw, dataset.spec.channel_names)
    return Source(raw.samples, recording_stretches(raw.index, raw.subjects), start, columns, names)


def trace(windows: Windows) -> tuple[Source, Stretches]:
    """Find the raw rows that windows were cut from, and the extent of each window among them.

    A row of a resampled signal stands for the raw rows from its time to the next row's, so windows that share no row
    share no raw row.
    """
    raw = windows.raw
    if raw is None:
        names = windows.spec.channel_names
        return Source(
            windows.signal, windows.recordings, windows.recording_start, range(len(names)), names
        ), windows.extents
    whole = recording_stretches(raw.index, raw.subjects)
    recording = _raw_recordings(windows, raw)[windows.recording]
    first = windows.starts - windows.recording_start[windows.recording]
    begin, end = (_raw_rows(windows, raw, recording, rows) for rows in (first, first + windows.spec.window))
    offset = whole.begin[recording]
    begin, end = offset + begin, offset + np.maximum(end, begin + 1)
    extents = Stretches(
        whole.sources, whole.subjects, whole.source[recording], whole.subject[recording], begin, end, whole.base
    )
    start = np.array([row["start"] for row in raw.index], np.int64)
    columns, names = _columns(raw, windows.spec.channel_names)
    return Source(raw.samples, whole, start, columns, names), extents


def _columns(raw: Dataset, names: tuple[str, ...]) -> tuple[list[int], tuple[str, ...]]:
    """List the channels of the raw recordings in use; all of them if a filter renamed them."""
    raw_names = raw.spec.channel_names
    columns = [number for number, name in enumerate(raw_names) if name in names] or list(range(len(raw_names)))
    return columns, tuple(raw_names[number] for number in columns)


def _raw_recordings(windows: Windows, raw: Dataset) -> Rows:
    """Find the raw recording that each recording comes from; resampling only leaves some out."""
    recordings = windows.recordings
    keys = [(row["subject"], row["session"], row["source"], row["offset"]) for row in raw.index]
    numbers, at = [], 0
    for number, session in enumerate(windows.sessions):
        source = recordings.sources[recordings.source[number]]
        subject = recordings.subjects[recordings.subject[number]]
        try:
            at = keys.index((subject, session, source, int(recordings.begin[number])), at)
        except ValueError:
            raise UserError(
                f"{windows.dataset}: recording {source!r} of {subject!r} is not among the raw recordings; "
                "drop raw from a data set whose recordings were changed by more than resampling."
            ) from None
        numbers.append(at)
        at += 1
    return np.array(numbers, np.int64)


def _raw_rows(windows: Windows, raw: Dataset, recording: Rows, rows: Rows) -> Rows:
    """Convert rows of a resampled recording to rows of its raw one, both counted from its start."""
    rate = windows.spec.rate
    start = np.array([row["start"] for row in raw.index], np.int64)[recording]
    length = np.array([row["stop"] for row in raw.index], np.int64)[recording] - start
    if raw.times is None:
        raw_rows = np.ceil(rows * (raw.spec.rate / rate) - 1e-6).astype(np.int64)
        return np.asarray(np.minimum(raw_rows, length))
    raw_rows = np.empty(len(rows), np.int64)
    for number in np.unique(recording):
        inside = recording == number
        row = raw.index[number]
        times = raw.times[row["start"] : row["stop"]]
        raw_rows[inside] = np.searchsorted(times, times[0] + rows[inside] / rate - 1e-9)
    return raw_rows
