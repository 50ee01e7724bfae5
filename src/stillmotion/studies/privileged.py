"""Teachers that see more than their students: other sensors, a higher rate, what came before and comes after.

Student and teacher look at the same moments: each of the student's windows has one of the teacher's, cut from the same
recording around the same stretch of time.
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


def see(windows: Windows, dataset: Dataset, more: Privileged) -> tuple[Windows, Windows]:
    """The student's windows that teachers can see too, and the teachers' windows, one for each.

    Args:
        windows: of the student.
        dataset: the same recordings as teachers see them.
        more: how much around each window they see.

    A window is left out, for everybody, where the teacher's would leave its recording or holds a value that is missing.
    """
    rate = dataset.spec.rate
    scale = rate / windows.spec.rate
    whole = recording_stretches(dataset.index, dataset.subjects)
    _require_same_recordings(windows, dataset)
    before = round(more.before * rate)
    length = round(windows.spec.window * scale) + before + round(more.after * rate)
    first = np.array([row["start"] for row in dataset.index], np.int64)
    end = np.array([row["stop"] for row in dataset.index], np.int64)[windows.recording]
    own = windows.starts - windows.recording_start[windows.recording]
    starts = first[windows.recording] + np.rint(own * scale).astype(np.int64) - before
    # The last of a slower clock's samples stands for a stretch that the faster one may not have to its end.
    late = starts + length - end
    starts = np.where((late > 0) & (late <= np.ceil(scale)) & (more.after == 0), end - length, starts)
    inside = (starts >= first[windows.recording]) & (starts + length <= end)
    kept = np.flatnonzero(inside)
    kept = kept[are_whole(dataset.samples, starts[kept], length)]
    if len(kept) == 0:
        raise UserError(
            f"{windows.dataset}: teachers could see none of {len(windows)} windows whole ({(~inside).sum()} lie too "
            f"near to an end of a recording); ask for less under [privileged]."
        )
    if len(kept) < len(windows):
        warnings.warn(
            f"{windows.dataset}: {len(windows) - len(kept)} of {len(windows)} windows are left out, since teachers "
            f"would not see them whole ({(~inside).sum()} lie too near to an end of a recording).",
            DataWarning,
            stacklevel=3,
        )
    student = windows.take(kept)
    # Extents stay the student's: whose a window is, and how much of it is new, does not depend on who looks.
    spec = replace(dataset.spec, window=length, hop=max(1, round(windows.spec.hop * scale)))
    teacher = replace(
        student, spec=spec, signal=dataset.samples, starts=starts[kept], recording_start=first, recordings=whole
    )
    return student, teacher


def _require_same_recordings(windows: Windows, dataset: Dataset) -> None:
    mine = windows.recordings
    theirs = [(row["subject"], row["session"], row["source"]) for row in dataset.index]
    ours = [
        (mine.subjects[mine.subject[number]], session, mine.sources[mine.source[number]])
        for number, session in enumerate(windows.sessions)
    ]
    if ours != theirs:
        raise UserError(
            f"{windows.dataset}: what teachers would see was recorded in other stretches ({len(theirs)}) than what "
            f"students see ({len(ours)}), so the two cannot be brought together; choose other sensors."
        )
