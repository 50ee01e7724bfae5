"""Cut recordings into windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from ..signals.recording import NULL, Dataset, Floats, Note
from ..signals.spec import SignalSpec
from .labels import label_windows
from .stretches import Rows, Stretches, expand, recording_stretches
from .timing import require_even
from .windows import Windows

NullRule = Literal["drop", "keep"]


def cut(
    dataset: Dataset, *, spec: SignalSpec | None = None, null: NullRule = "drop", missing: NullRule = "keep"
) -> Windows:
    """Cut every recording into windows, from its first sample on, a hop apart.

    A window lies inside one recording, so none straddles a gap, a session or two subjects; what is left at a
    recording's end is dropped. Nothing is copied: windows are rows of ``dataset.samples``.

    Args:
        dataset: evenly timed recordings.
        spec: window, hop and label policy, if others than the data set's own (``data.spec.with_window(128)``);
            the rest of it must fit the data.
        null: whether windows without a class are dropped or kept with label -1.
        missing: whether windows with a value that is not a finite number are dropped or kept (no network trains on
            them).

    Returns:
        The windows, as places in the recordings' samples; ``values()`` copies them out.

    Raises:
        UserError: no recording is as long as a window, no window is left, or samples are not evenly timed.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=2, minutes=1)
        >>> windows = sm.cut(data, spec=data.spec.with_window(100, 50), null="keep")
        >>> len(windows), windows.values().shape
        (116, (116, 100, 18))
    """
    if spec is None:
        spec = dataset.spec
    spec.require_fit(replace(dataset.spec, window=spec.window), this="wanted window", other=f"data of {dataset.name}")
    for what, rule in (("null", null), ("missing", missing)):
        if rule not in get_args(NullRule):
            raise UnknownName(f"rule for {what} windows", rule, list(get_args(NullRule)))
    begin = np.array([row["start"] for row in dataset.index], np.int64)
    length = np.array([row["stop"] for row in dataset.index], np.int64) - begin
    count = np.maximum((length - spec.window) // spec.hop + 1, 0)
    if not count.any():
        raise UserError(
            f"{dataset.name}: no recording is as long as a window of {spec.window} samples "
            f"(the longest has {length.max()}); choose a shorter window."
        )
    require_even(dataset, np.flatnonzero(count))
    recording, number = expand(np.zeros_like(count), count)
    starts = begin[recording] + number * spec.hop
    labels = label_windows(dataset.labels, starts, spec)
    nulls = 0
    if null == "drop":
        keep = np.flatnonzero(labels != NULL)
        nulls = len(labels) - len(keep)
        if len(keep) == 0:
            raise UserError(
                f"{dataset.name}: none of {nulls} windows has a class under the label policy "
                f"{spec.label_policy!r}; keep them with null='keep' or lower label_share."
            )
        starts, labels, recording = starts[keep], labels[keep], recording[keep]
    torn = 0
    if missing == "drop":
        keep = np.flatnonzero(are_whole(dataset.samples, starts, spec.window))
        torn = len(starts) - len(keep)
        if len(keep) == 0:
            raise UserError(f"{dataset.name}: all {torn} windows hold values that are not finite numbers.")
        starts, labels, recording = starts[keep], labels[keep], recording[keep]
    whole = recording_stretches(dataset.index, dataset.subjects)
    first = whole.begin[recording] + (starts - begin[recording])
    source, subject = whole.source[recording], whole.subject[recording]
    extents = Stretches(whole.sources, whole.subjects, source, subject, first, first + spec.window, whole.base)
    short = int(np.count_nonzero(count == 0))
    absent = np.flatnonzero(np.bincount(subject, minlength=len(whole.subjects)) == 0).tolist()
    return Windows(
        dataset=dataset.name,
        spec=spec,
        signal=dataset.samples,
        starts=starts,
        labels=labels,
        recording=recording.astype(np.int32),
        extents=extents,
        recordings=whole,
        recording_start=begin,
        sessions=tuple(row["session"] for row in dataset.index),
        short=short,
        notes=_notes(dataset, spec, short=short, nulls=nulls, torn=torn, absent=[whole.subjects[i] for i in absent]),
        official_test=dataset.official_test,
        same_subjects_as=dataset.same_subjects_as,
        raw=dataset.raw,
    )


def are_whole(samples: Floats, starts: Rows, length: int) -> NDArray[np.bool_]:
    """(n,) whether the ``length`` samples (N, D) from each start on are all finite numbers."""
    # How many bad samples come before each one: a window is whole when none is added within it.
    before = np.concatenate([[0], np.cumsum(~np.isfinite(samples).all(axis=1))])
    return np.asarray(before[starts + length] == before[starts])


def _notes(
    dataset: Dataset, spec: SignalSpec, *, short: int, nulls: int, torn: int, absent: list[str]
) -> tuple[Note, ...]:
    said = []
    if short:
        text = f"{short} of {len(dataset)} recordings are shorter than a window of {spec.window} samples and give none."
        said.append(Note("short recordings", short, text))
    if nulls:
        said.append(Note("null windows", nulls, f"{nulls} windows have no class and were dropped."))
    if torn:
        said.append(
            Note("torn windows", torn, f"{torn} windows hold values that are not finite numbers and were dropped.")
        )
    if absent:
        text = f"{len(absent)} of {len(dataset.subjects)} subjects have no window: {', '.join(absent)}."
        said.append(Note("subjects without windows", len(absent), text))
    return tuple(said)
