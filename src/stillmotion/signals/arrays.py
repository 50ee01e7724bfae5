"""Data sets from NumPy arrays: windows that are cut already, or whole recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnknownName, UserError
from .recording import NULL, Dataset, Floats, Labels, Note, _natural
from .spec import UNITS, Channel, SignalSpec
from .stitch import Rows, find_hop, stitch
from .tables.mapping import NO_LABEL

Names = NDArray[np.str_]
Column = NDArray[np.int64] | Names

#: Default window of recordings in seconds; consecutive windows overlap by half.
WINDOW_SECONDS = 2.56
#: More distinct labels than this are taken for numbers, not classes.
MOST_CLASSES = 1000
ONE_HOT = "for one-hot rows pass y.argmax(axis=1)"
#: Rows that are folded into one before columns are reduced.
FOLD = 128


def from_arrays(
    X: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike | Sequence[ArrayLike],
    subjects: ArrayLike,
    *,
    rate: float,
    channels: Sequence[str | Channel],
    classes: Sequence[str] | None = None,
    sessions: ArrayLike | None = None,
    name: str = "arrays",
) -> Dataset:
    """Make a data set from arrays of windows or from a list of recordings.

    ``cut`` returns exactly the given windows, in their order (with ``null="keep"`` also those without a class). Where
    a window overlaps the previous one of the same subject sample for sample, the two are joined to the recording that
    they were cut from, so that ``audit_splits`` sees which windows share samples; ``data.notes`` counts these windows.
    Every other window is a recording of its own. Samples are copied, as float32.

    Args:
        X: windows as one array (n, T, D), or a list of recordings, each (samples, D), evenly sampled.
        y: one label for each window; for recordings a list of one label for each recording, or of one array of
            per-sample labels for each. Labels are text or whole numbers; numbers are indices into ``classes`` if
            these are given. The number -1, None, empty text and ``none`` mean "no class".
        subjects: the subject of each window or recording, a name or a whole number.
        rate: sampling rate in Hz.
        channels: the columns, as ``Channel`` or as names such as ``wrist.acc.x`` (position, sensor, axis); the unit of
            a channel given by name is not known.
        classes: names of the classes, in the order of their indices; by default those that occur in ``y``, sorted.
        sessions: the session (one mounting of the device) of each window or recording; one session by default.
        name: name of the data set.

    Returns:
        A data set for ``inspect`` and ``cut``. Its window length is T for windows and 2.56 s with half overlap for
        recordings; ``cut(data, spec=data.spec.with_window(100))`` sets another.

    Raises:
        UserError: shapes do not fit each other, values are not finite, a channel is constant, or labels are neither
            text nor whole numbers.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(6, 50, 3))
        >>> y = ["walk", "sit", "walk", "sit", "walk", "sit"]
        >>> subjects = ["ann", "ann", "bob", "bob", "cat", "cat"]
        >>> data = sm.from_arrays(X, y, subjects, rate=25, channels=["wrist.acc.x", "wrist.acc.y", "wrist.acc.z"])
        >>> data.spec.classes, data.subjects
        (('sit', 'walk'), ('ann', 'bob', 'cat'))
        >>> windows = sm.cut(data)
        >>> bool((windows.values() == X.astype("float32")).all())
        True
        >>> recordings = [np.random.default_rng(k).normal(size=(200, 3)) for k in range(3)]
        >>> data = sm.from_arrays(recordings, ["walk", "sit", "walk"], [1, 2, 3], rate=25, channels=["x", "y", "z"])
        >>> len(sm.cut(data, spec=data.spec.with_window(50, 25)))
        21
    """
    if not isinstance(rate, int | float | np.number) or not (math.isfinite(rate) and rate > 0):
        raise UserError(f"{name}: rate must be a number of Hz above 0, not {rate!r}.")
    columns = _parse_channels(channels, name)
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype.kind == "O"):
        return _from_recordings(list(cast(Any, X)), y, subjects, float(rate), columns, classes, sessions, name)
    return _from_windows(X, y, subjects, float(rate), columns, classes, sessions, name)


def _from_windows(
    X: Any,
    y: Any,
    subjects: ArrayLike,
    rate: float,
    channels: tuple[Channel, ...],
    classes: Sequence[str] | None,
    sessions: ArrayLike | None,
    name: str,
) -> Dataset:
    windows = _as_float32(X, f"{name}: X")
    if windows.ndim != 3:
        hint = "; recordings go in a list: [X]" if windows.ndim == 2 else ""
        raise UserError(
            f"{name}: X must be windows (n, time, channel) or a list of recordings, not {windows.shape}{hint}."
        )
    count, length, width = windows.shape
    if width != len(channels):
        hint = "; the axes are (window, time, channel): X.transpose(0, 2, 1)" if length == len(channels) else ""
        raise UserError(f"{name}: X {windows.shape} has {width} channels, but {len(channels)} are named{hint}.")
    if not windows.size:
        raise UserError(f"{name}: X {windows.shape} holds no samples.")
    labels, known = _code_labels(_one_each(y, count, f"{name}: y", "window"), classes, name)
    subject_names = _as_names(subjects, count, f"{name}: subjects", "window")
    session_names = _as_names(
        "1" if sessions is None else sessions, count, f"{name}: sessions", "window", one_for_all=True
    )
    _require_signal(windows.reshape(-1, width), channels, name, length)
    _, owners = np.unique(np.char.add(np.char.add(subject_names, "\0"), session_names), return_inverse=True)
    hop = find_hop(windows, owners)
    pieces = stitch(windows, labels, owners, hop)
    joined = count - len(np.unique(pieces.source))
    text = f"{joined} of {count} windows start {hop} samples after the previous one and were joined to it"
    return Dataset(
        name=name,
        spec=SignalSpec(rate, channels, known, window=length, hop=hop),
        samples=pieces.samples.copy() if len(pieces.first) == count else pieces.samples,
        labels=np.repeat(labels[pieces.first], pieces.stop - pieces.start),
        times=None,
        index=_make_index(
            name, subject_names[pieces.first], session_names[pieces.first], pieces.source, pieces.offset, pieces.stop
        ),
        notes=(Note("windows joined", joined, text),) if joined else (),
    )


def _from_recordings(
    X: list[Any],
    y: Any,
    subjects: ArrayLike,
    rate: float,
    channels: tuple[Channel, ...],
    classes: Sequence[str] | None,
    sessions: ArrayLike | None,
    name: str,
) -> Dataset:
    if not X:
        raise UserError(f"{name}: X holds no recordings.")
    parts = []
    for number, recording in enumerate(X):
        samples = _as_float32(recording, f"{name}: recording {number}")
        if samples.ndim != 2 or samples.shape[1] != len(channels) or not len(samples):
            raise UserError(
                f"{name}: recording {number} is {samples.shape}; it must be (samples, {len(channels)}), one column for "
                f"each of the channels."
            )
        parts.append(samples)
    subject_names = _as_names(subjects, len(X), f"{name}: subjects", "recording")
    session_names = _as_names(
        "1" if sessions is None else sessions, len(X), f"{name}: sessions", "recording", one_for_all=True
    )
    lengths = np.array([len(part) for part in parts])
    labels, known = _code_labels(_sample_labels(y, lengths, name), classes, name)
    samples = np.concatenate(parts)
    _require_signal(samples, channels, name, lengths)
    window = max(1, round(WINDOW_SECONDS * rate))
    return Dataset(
        name=name,
        spec=SignalSpec(rate, channels, known, window=window, hop=max(1, window // 2)),
        samples=samples,
        labels=labels,
        times=None,
        index=_make_index(
            name, subject_names, session_names, np.arange(len(X)), np.zeros(len(X), np.int64), np.cumsum(lengths)
        ),
    )


def _make_index(
    name: str, subject_names: Names, session_names: Names, source: Rows, offset: Rows, stop: Rows
) -> tuple[dict[str, Any], ...]:
    """Make ``Dataset.index`` for consecutive recordings that end at ``stop``."""
    start = np.concatenate([[0], stop[:-1]])
    columns = (subject_names, session_names, source, offset, start, stop)
    return tuple(
        {"subject": subject, "session": session, "source": f"{name}:{at}", "offset": row, "start": begin, "stop": end}
        for subject, session, at, row, begin, end in zip(*(column.tolist() for column in columns), strict=True)
    )


def _parse_channels(channels: Sequence[str | Channel], name: str) -> tuple[Channel, ...]:
    if isinstance(channels, str) or not hasattr(channels, "__iter__"):
        raise UserError(f"{name}: channels must be a list of names, such as ['acc.x', 'acc.y'], not {channels!r}.")
    listed = tuple(channel if isinstance(channel, Channel) else Channel.of(str(channel)) for channel in channels)
    for channel in listed:
        valid = UNITS.get(channel.sensor.rsplit("-", 1)[-1])
        if channel.unit and valid and channel.unit not in valid:
            raise UserError(
                f"{name}: {channel.name} cannot be in {channel.unit!r}. Valid: {', '.join(valid)}, or '' when not "
                f"known."
            )
    return listed


def _as_float32(values: Any, place: str) -> Floats:
    """Convert to float32, without a copy if possible."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise UserError(f"{place} is ragged: its rows differ in length.") from None
    if array.dtype.kind not in "fiu":
        raise UserError(f"{place} must hold numbers, not {array.dtype}.")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite and is refused later
        return np.asarray(array, np.float32, order="C")


def _require_signal(samples: Floats, channels: tuple[Channel, ...], name: str, length: Any) -> None:
    """Raise unless all values are finite and no channel is constant; ``length`` locates a row in X."""
    low, high = _column_extremes(samples, np.minimum), _column_extremes(samples, np.maximum)  # both propagate NaN
    if not (np.isfinite(low) & np.isfinite(high)).all():
        bad = ~np.isfinite(samples)
        row, column = (int(at[0]) for at in np.nonzero(bad))
        if isinstance(length, int):
            place = f"window {row // length}, sample {row % length}"
        else:
            begin = np.cumsum(length) - length
            number = int(np.searchsorted(begin, row, side="right")) - 1
            place = f"recording {number}, sample {row - int(begin[number])}"
        raise UserError(
            f"{name}: {int(bad.sum())} values of X are NaN or infinite (as float32), the first in {place}, channel "
            f"{channels[column].name}; fill the gap or leave the window or recording out."
        )
    still = np.flatnonzero(low == high)
    if len(still):
        at = int(still[0])
        raise UserError(
            f"{name}: channel {channels[at].name} is constant ({low[at]:g}); remove it from X and from channels."
        )


def _column_extremes(samples: Floats, which: np.ufunc) -> Floats:
    """Return the lowest or highest value of each column."""
    # NumPy reduces few columns slowly; folding many rows into one first is 19 times faster for six columns.
    height, width = samples.shape
    folded = height - height % FOLD
    rows = samples[folded:]
    if folded:
        wide = which.reduce(samples[:folded].reshape(-1, FOLD * width), axis=0)
        rows = np.concatenate([rows, wide.reshape(FOLD, width)])
    extreme: Floats = which.reduce(rows, axis=0)
    return extreme


def _as_labels(values: Any, place: str) -> Column:
    """Convert to text or whole numbers of any shape; a missing value becomes empty text."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise UserError(f"{place} is ragged: its parts differ in length.") from None
    if array.dtype.kind == "O":
        items = ["" if _is_missing(value) else value for value in array.ravel().tolist()]
        if all(isinstance(value, str) for value in items):
            array = np.array(items, np.str_).reshape(array.shape)
        elif all(isinstance(value, int) and not isinstance(value, bool) for value in items):
            array = np.array(items, np.int64).reshape(array.shape)
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.int64)
    if np.issubdtype(array.dtype, np.str_):
        return array.astype(np.str_)
    hint = ONE_HOT if array.ndim == 2 else "convert it, for example with astype(int)"
    raise UserError(f"{place} must be text or whole numbers, not {array.dtype}; {hint}.")


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _one_each(values: Any, count: int, place: str, unit: str) -> Column:
    """Return one value for each of ``count`` windows or recordings."""
    column = _as_labels(values, place)
    if column.shape != (count,):
        hint = f"; {ONE_HOT}" if column.ndim == 2 else ""
        raise UserError(f"{place} must be ({count},), one for every {unit} of X, not {column.shape}{hint}.")
    return column


def _as_names(values: Any, count: int, place: str, unit: str, *, one_for_all: bool = False) -> Names:
    if one_for_all and isinstance(values, str):
        return np.full(count, values)
    names = _one_each(values, count, place, unit).astype(np.str_)
    if (names == "").any():
        raise UserError(f"{place}: {unit} {int(np.argmax(names == ''))} has none; every {unit} needs one.")
    return names


def _sample_labels(y: Any, lengths: NDArray[np.int64], name: str) -> Column:
    """Concatenate the labels of recordings, one for each sample."""
    if not isinstance(y, list | tuple | np.ndarray) and hasattr(y, "__array__"):
        y = np.asarray(y)
    if isinstance(y, str) or not hasattr(y, "__len__") or len(y) != len(lengths):
        raise UserError(
            f"{name}: X holds {len(lengths)} recordings; y must be a list of the same length, each entry one label or "
            f"one for every sample."
        )
    columns = []
    for number, (labels, length) in enumerate(zip(y, lengths.tolist(), strict=True)):
        column = _as_labels(labels, f"{name}: y of recording {number}")
        if column.shape not in ((), (length,)):
            raise UserError(
                f"{name}: recording {number} has {length} samples and y of shape {column.shape}; give one label, or "
                f"one for every sample."
            )
        columns.append(np.broadcast_to(column, length))
    if len({column.dtype.kind for column in columns}) > 1:
        raise UserError(f"{name}: y is text for some recordings and numbers for others; give one or the other.")
    return cast(Column, np.concatenate(columns))


def _code_labels(y: Column, classes: Sequence[str] | None, name: str) -> tuple[Labels, tuple[str, ...]]:
    """Return the labels as class indices (-1 for no class) and the class names."""
    # Labels change rarely, so only the first of each run is looked up.
    begins = np.concatenate([[0], np.flatnonzero(y[1:] != y[:-1]) + 1])
    values, run = np.unique(y[begins], return_inverse=True)
    text = values.dtype.kind == "U"
    if classes is not None:
        several = hasattr(classes, "__iter__") and not isinstance(classes, str)
        if not several or not all(isinstance(label, str) and label.strip() for label in classes):
            raise UserError(f"{name}: classes must be a list of names, such as ['sit', 'walk'], not {classes!r}.")
        known = list(classes)
    elif text:
        known = sorted((value for value in values.tolist() if not _means_none(value)), key=_natural)
    else:
        known = [str(value) for value in values.tolist() if value >= 0]
    if len(known) > MOST_CLASSES:
        raise UserError(
            f"{name}: y holds {len(known):,} different labels, more than {MOST_CLASSES:,}; is it a number, not a class?"
        )
    if classes is None and len(known) < 2:
        only = ", ".join(known) or "none"
        raise UserError(
            f"{name}: y must hold two classes or more, not {only} alone (-1 means no class); or pass classes."
        )
    # Whole numbers are indices if classes are given, and names otherwise.
    keys: list[Any] = known if text else list(range(len(known))) if classes is not None else [int(key) for key in known]
    index = {key: number for number, key in enumerate(keys)}
    codes = np.empty(len(values), np.int16)
    for at, value in enumerate(values.tolist()):
        if value in index:
            codes[at] = index[value]
        elif value == NULL or (text and _means_none(value)):
            codes[at] = NULL
        elif text:
            raise UnknownName("class", value, known)
        else:
            highest = f" to {len(known) - 1}" if classes is not None else " on"
            raise UserError(
                f"{name}: label {value} is not a class; whole numbers are indices from 0{highest}, or -1 for no class."
            )
    return np.repeat(codes[run], np.diff(np.append(begins, len(y)))), tuple(known)


def _means_none(label: str) -> bool:
    return label.strip().casefold() in NO_LABEL
