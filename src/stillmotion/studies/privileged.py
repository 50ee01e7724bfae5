"""Privileged teachers, which see more than their students: other sensors, a higher rate, a longer window.

Each student window has one teacher window, cut from the same recording around the same time.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from ..errors import DataWarning, UserError
from ..signals.recording import Dataset
from ..windows import Windows
from ..windows.cut import are_whole
from ..windows.stretches import recording_stretches
from .sections import Privileged


def pair_windows(windows: Windows, dataset: Dataset, privileged: Privileged) -> tuple[Windows, Windows]:
    """Return student windows and their teacher windows, one for each.

    A window is left out for all networks if the teacher window would leave its recording or contains missing values.

    Args:
        windows: student windows.
        dataset: the recordings that teachers see.
        privileged: the section ``[privileged]``.
    """
    rate = dataset.spec.rate
    scale = rate / windows.spec.rate
    stretches = recording_stretches(dataset.index, dataset.subjects)
    _require_same_recordings(windows, dataset)
    before = round(privileged.before * rate)
    length = round(windows.spec.window * scale) + before + round(privileged.after * rate)
    first = np.array([row["start"] for row in dataset.index], np.int64)
    end = np.array([row["stop"] for row in dataset.index], np.int64)[windows.recording]
    offsets = windows.starts - windows.recording_start[windows.recording]
    starts = first[windows.recording] + np.rint(offsets * scale).astype(np.int64) - before
    # The last sample at the lower rate covers a period that the higher rate may not have to its end.
    late = starts + length - end
    starts = np.where((late > 0) & (late <= np.ceil(scale)) & (privileged.after == 0), end - length, starts)
    inside = (starts >= first[windows.recording]) & (starts + length <= end)
    kept = np.flatnonzero(inside)
    kept = kept[are_whole(dataset.samples, starts[kept], length)]
    if len(kept) == 0:
        raise UserError(
            f"{windows.dataset}: none of {len(windows)} windows has a complete teacher window ({(~inside).sum()} are "
            f"too close to an end of a recording); reduce before and after in [privileged]."
        )
    if len(kept) < len(windows):
        warnings.warn(
            f"{windows.dataset}: {len(windows) - len(kept)} of {len(windows)} windows are left out, because "
            f"their teacher windows are incomplete ({(~inside).sum()} are too close to an end of a recording).",
            DataWarning,
            stacklevel=3,
        )
    student = windows.take(kept)
    # Subjects and extents stay those of the student windows.
    spec = replace(dataset.spec, window=length, hop=max(1, round(windows.spec.hop * scale)))
    teacher = replace(
        student, spec=spec, signal=dataset.samples, starts=starts[kept], recording_start=first, recordings=stretches
    )
    return student, teacher


def _require_same_recordings(windows: Windows, dataset: Dataset) -> None:
    recordings = windows.recordings
    teacher_keys = [(row["subject"], row["session"], row["source"]) for row in dataset.index]
    student_keys = [
        (recordings.subjects[recordings.subject[number]], session, recordings.sources[recordings.source[number]])
        for number, session in enumerate(windows.sessions)
    ]
    if student_keys != teacher_keys:
        raise UserError(
            f"{windows.dataset}: the sensors of teachers and students have different recordings ({len(teacher_keys)} "
            f"and {len(student_keys)}), so their windows cannot be paired; choose other sensors."
        )
