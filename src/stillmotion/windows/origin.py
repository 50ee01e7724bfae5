"""Where windows lie in the recordings as they came, whatever was resampled since."""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from ..signals.recording import Dataset
from .places import Source
from .stretches import Rows, Stretches, recording_stretches
from .windows import Windows


def source_of(dataset: Dataset) -> Source:
    """Find the rows of a data set as they came."""
    raw = dataset if dataset.raw is None else dataset.raw
    start = np.array([row["start"] for row in raw.index], np.int64)
    columns, names = _columns(raw, dataset.spec.channel_names)
    return Source(raw.samples, recording_stretches(raw.index, raw.subjects), start, columns, names)


def trace(windows: Windows) -> tuple[Source, Stretches]:
    """Find the rows that windows were cut from, as they came, and the extent of each window among them.

    A row of a resampled signal stands for the raw rows from its moment to the next row's, so windows that share no row
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
    """Channels of the raw recordings that are in use; all of them where a filter gave them other names."""
    there = raw.spec.channel_names
    columns = [number for number, name in enumerate(there) if name in names] or list(range(len(there)))
    return columns, tuple(there[number] for number in columns)


def _raw_recordings(windows: Windows, raw: Dataset) -> Rows:
    """Number of the raw recording that each recording comes from; resampling only leaves some out."""
    mine = windows.recordings
    keys = [(row["subject"], row["session"], row["source"], row["offset"]) for row in raw.index]
    numbers, at = [], 0
    for number, session in enumerate(windows.sessions):
        source, who = mine.sources[mine.source[number]], mine.subjects[mine.subject[number]]
        try:
            at = keys.index((who, session, source, int(mine.begin[number])), at)
        except ValueError:
            raise UserError(
                f"{windows.dataset}: recording {source!r} of {who!r} is not among the recordings as they came (raw); "
                f"leave raw out of a data set whose recordings were changed otherwise than by resampling."
            ) from None
        numbers.append(at)
        at += 1
    return np.array(numbers, np.int64)


def _raw_rows(windows: Windows, raw: Dataset, recording: Rows, rows: Rows) -> Rows:
    """Rows of a resampled recording as rows of its raw one, both counted from its start."""
    rate = windows.spec.rate
    start = np.array([row["start"] for row in raw.index], np.int64)[recording]
    length = np.array([row["stop"] for row in raw.index], np.int64)[recording] - start
    if raw.times is None:
        found = np.ceil(rows * (raw.spec.rate / rate) - 1e-6).astype(np.int64)
        return np.asarray(np.minimum(found, length))
    found = np.empty(len(rows), np.int64)
    for number in np.unique(recording):
        mine = recording == number
        row = raw.index[number]
        times = raw.times[row["start"] : row["stop"]]
        found[mine] = np.searchsorted(times, times[0] + rows[mine] / rate - 1e-9)
    return found
