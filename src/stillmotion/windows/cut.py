"""Cut recordings into windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from ..signals.recording import NULL, Dataset, Floats, Note
from ..signals.spec import SignalSpec, describe_length
from .labels import label_windows
from .stretches import Rows, Stretches, expand, recording_stretches
from .timing import require_even
from .windows import Windows

NullRule = Literal["drop", "keep"]


def cut(
    dataset: Dataset,
    *,
    spec: SignalSpec | None = None,
    window: float | None = None,
    hop: float | None = None,
    null: NullRule = "drop",
    missing: NullRule = "keep",
    last: NullRule = "keep",
) -> Windows:
    """Cut every recording into windows, one hop apart, starting at its first sample.

    A window lies inside one recording, so none crosses a gap, a session or two subjects; the remainder at a
    recording's end is dropped. Nothing is copied: windows are rows of ``dataset.samples``.

    Args:
        dataset: evenly timed recordings.
        spec: window, hop and label policy (``data.spec.with_window(128)``); by default those of the data set. The
            rest of it must match the data.
        window, hop: in seconds, instead of ``spec``; without ``hop`` consecutive windows overlap as those of the data
            set do.
        null: whether windows without a class are dropped or kept with label -1.
        missing: whether windows with NaN or infinite values are dropped or kept (networks cannot train on them).
        last: whether a window that ends with the last sample of its recording is dropped, as WHAR Arena does (with
            ``split_segments``), or kept.

    Returns:
        The windows, as positions in the recordings' samples; ``values()`` copies them out.

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
        spec = _spec_in_seconds(dataset.spec, window, hop)
    elif window is not None or hop is not None:
        raise UserError("Windows are given either by spec=, in samples, or by window= and hop=, in seconds; not both.")
    spec.require_fit(replace(dataset.spec, window=spec.window), this="wanted window", other=f"data of {dataset.name}")
    for kind, rule in (("null", null), ("missing", missing), ("last", last)):
        if rule not in get_args(NullRule):
            raise UnknownName(f"rule for {kind} windows", rule, list(get_args(NullRule)))
    begin = np.array([row["start"] for row in dataset.index], np.int64)
    length = np.array([row["stop"] for row in dataset.index], np.int64) - begin
    usable = length - (last == "drop")
    count = np.maximum((usable - spec.window) // spec.hop + 1, 0)
    if not count.any():
        raise UserError(
            f"{dataset.name}: no recording is {'longer than' if last == 'drop' else 'as long as'} a window of "
            f"{describe_length(spec.window, spec.rate)}, the longest has "
            f"{describe_length(int(length.max()), spec.rate)}; choose a shorter window."
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
    nans = 0
    if missing == "drop":
        keep = np.flatnonzero(are_whole(dataset.samples, starts, spec.window))
        nans = len(starts) - len(keep)
        if len(keep) == 0:
            raise UserError(f"{dataset.name}: all {nans} windows hold NaN or infinite values; fill the gaps first.")
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
        notes=_notes(dataset, spec, short=short, nulls=nulls, nans=nans, absent=[whole.subjects[i] for i in absent]),
        official_test=dataset.official_test,
        same_subjects_as=dataset.same_subjects_as,
        raw=dataset.raw,
    )


def _spec_in_seconds(spec: SignalSpec, window: float | None, hop: float | None) -> SignalSpec:
    lengths = []
    for name, seconds, default in (("window", window, spec.window), ("hop", hop, None)):
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds * spec.rate < 1e9):
            raise UserError(f"{name} of cut must be a number of seconds above 0, such as 2.56, not {seconds!r}.")
        lengths.append(default if seconds is None else max(1, round(seconds * spec.rate)))
    return spec if window is None and hop is None else spec.with_window(lengths[0] or spec.window, lengths[1])


def are_whole(samples: Floats, starts: Rows, length: int) -> NDArray[np.bool_]:
    """Tell for each start (n,) whether the next ``length`` samples (N, D) are all finite."""
    # Non-finite samples before each row: a window is whole when the count does not grow within it.
    before = np.concatenate([[0], np.cumsum(~np.isfinite(samples).all(axis=1))])
    return np.asarray(before[starts + length] == before[starts])


def _notes(
    dataset: Dataset, spec: SignalSpec, *, short: int, nulls: int, nans: int, absent: list[str]
) -> tuple[Note, ...]:
    notes = []
    if short:
        text = (
            f"{short} of {len(dataset)} recordings are shorter than a window of "
            f"{describe_length(spec.window, spec.rate)} and have none."
        )
        notes.append(Note("short recordings", short, text))
    if nulls:
        notes.append(Note("null windows", nulls, f"{nulls} windows have no class and were dropped."))
    if nans:
        notes.append(Note("windows with NaN", nans, f"{nans} windows hold NaN or infinite values and were dropped."))
    if absent:
        text = f"{len(absent)} of {len(dataset.subjects)} subjects have no window: {', '.join(absent)}."
        notes.append(Note("subjects without windows", len(absent), text))
    return tuple(notes)
