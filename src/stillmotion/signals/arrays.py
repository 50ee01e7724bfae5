"""A data set of your own arrays: windows that are cut already, or whole recordings."""

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

#: Window of recordings in seconds, half of which the next repeats, unless ``cut`` is given another.
WINDOW_SECONDS = 2.56
#: More different labels than this are numbers, not classes.
MOST_CLASSES = 1000
ONE_HOT = "of one-hot rows take y.argmax(axis=1)"
#: Rows that are taken as one where columns are reduced.
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
    """Make a data set of arrays: of windows, or of a list of recordings.

    Windows stay the windows: ``cut`` gives exactly them back, in their order (with ``null="keep"`` also those without a
    class). Where windows of one subject overlap the one before them sample for sample, they are joined to the
    recordings that they were cut from, so that ``audit_splits`` sees which of them share samples, and ``data.notes``
    says so; otherwise each window is a recording. Samples are copied, as float32.

    Args:
        X: windows as one array (n, T, D), or a list of recordings, each (samples, D), evenly sampled.
        y: a label for every window; for recordings a list with one label each, or with one label for every sample of
            each. Labels are text, or whole numbers: indices into ``classes`` where these are given. -1 among numbers,
            and None, nothing or ``none`` among text mean "no class".
        subjects: who wore the sensor, one name or whole number for every window or recording.
        rate: sampling rate in Hz.
        channels: the columns, as names such as ``wrist.acc.x`` (position, sensor, axis), whose unit is then not known,
            or as ``Channel``.
        classes: names of the classes, in the order of their indices; those that occur in ``y``, sorted, by default.
        sessions: which putting-on of the device, one for every window or recording; all one session by default.
        name: of the data set.

    Returns:
        A data set for ``inspect``, ``cut`` and everything after it. The window of its signal is T for windows; for
        recordings it is 2.56 s, half of it repeated, unless ``cut`` is given another
        (``spec=data.spec.with_window(100)``).

    Raises:
        UserError: shapes that do not fit each other, values that are not finite, a channel that never changes, or
            labels that are neither text nor whole numbers.

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
        raise UserError(f"{name}: a sampling rate is a number of Hz above 0, not {rate!r}.")
    columns = _channels(channels, name)
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype.kind == "O"):
        return _of_recordings(list(cast(Any, X)), y, subjects, float(rate), columns, classes, sessions, name)
    return _of_windows(X, y, subjects, float(rate), columns, classes, sessions, name)


def _of_windows(
    X: Any,
    y: Any,
    subjects: ArrayLike,
    rate: float,
    channels: tuple[Channel, ...],
    classes: Sequence[str] | None,
    sessions: ArrayLike | None,
    name: str,
) -> Dataset:
    windows = _samples(X, f"{name}: X")
    if windows.ndim != 3:
        hint = "; recordings go in a list: [X]" if windows.ndim == 2 else ""
        raise UserError(f"{name}: X is windows (n, time, channel) or a list of recordings, not {windows.shape}{hint}.")
    count, length, width = windows.shape
    if width != len(channels):
        turned = "; the axes are (window, time, channel): X.transpose(0, 2, 1)" if length == len(channels) else ""
        raise UserError(f"{name}: X {windows.shape} has {width} channels, but {len(channels)} are named{turned}.")
    if not windows.size:
        raise UserError(f"{name}: X {windows.shape} holds no samples.")
    labels, known = _classes(_column(y, count, f"{name}: y", "window"), classes, name)
    who = _names(subjects, count, f"{name}: subjects", "window")
    when = _names("1" if sessions is None else sessions, count, f"{name}: sessions", "window", one_for_all=True)
    _require_signal(windows.reshape(-1, width), channels, name, length)
    _, owners = np.unique(np.char.add(np.char.add(who, "\0"), when), return_inverse=True)
    hop = find_hop(windows, owners)
    pieces = stitch(windows, labels, owners, hop)
    joined = count - len(np.unique(pieces.source))
    text = f"{joined} of {count} windows begin {hop} samples after the one before them and were joined to it"
    return Dataset(
        name=name,
        spec=SignalSpec(rate, channels, known, window=length, hop=hop),
        samples=pieces.samples.copy() if len(pieces.first) == count else pieces.samples,
        labels=np.repeat(labels[pieces.first], pieces.stop - pieces.start),
        times=None,
        index=_index(name, who[pieces.first], when[pieces.first], pieces.source, pieces.offset, pieces.stop),
        notes=(Note("windows joined", joined, text),) if joined else (),
    )


def _of_recordings(
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
        samples = _samples(recording, f"{name}: recording {number}")
        if samples.ndim != 2 or samples.shape[1] != len(channels) or not len(samples):
            raise UserError(
                f"{name}: recording {number} is {samples.shape}; it must be (samples, {len(channels)}), one column for "
                f"each of the channels."
            )
        parts.append(samples)
    who = _names(subjects, len(X), f"{name}: subjects", "recording")
    when = _names("1" if sessions is None else sessions, len(X), f"{name}: sessions", "recording", one_for_all=True)
    lengths = np.array([len(part) for part in parts])
    labels, known = _classes(_sample_labels(y, lengths, name), classes, name)
    samples = np.concatenate(parts)
    _require_signal(samples, channels, name, lengths)
    window = max(1, round(WINDOW_SECONDS * rate))
    return Dataset(
        name=name,
        spec=SignalSpec(rate, channels, known, window=window, hop=max(1, window // 2)),
        samples=samples,
        labels=labels,
        times=None,
        index=_index(name, who, when, np.arange(len(X)), np.zeros(len(X), np.int64), np.cumsum(lengths)),
    )


def _index(name: str, who: Names, when: Names, source: Rows, offset: Rows, stop: Rows) -> tuple[dict[str, Any], ...]:
    """``Dataset.index`` of recordings that lie behind one another, up to ``stop``."""
    start = np.concatenate([[0], stop[:-1]])
    columns = (who, when, source, offset, start, stop)
    return tuple(
        {"subject": subject, "session": session, "source": f"{name}:{at}", "offset": row, "start": begin, "stop": end}
        for subject, session, at, row, begin, end in zip(*(column.tolist() for column in columns), strict=True)
    )


def _channels(channels: Sequence[str | Channel], name: str) -> tuple[Channel, ...]:
    if isinstance(channels, str) or not hasattr(channels, "__iter__"):
        raise UserError(f"{name}: channels is a list of names, such as ['acc.x', 'acc.y'], not {channels!r}.")
    listed = tuple(channel if isinstance(channel, Channel) else Channel.of(str(channel)) for channel in channels)
    for channel in listed:
        valid = UNITS.get(channel.sensor.rsplit("-", 1)[-1])
        if channel.unit and valid and channel.unit not in valid:
            raise UserError(
                f"{name}: {channel.name} cannot be in {channel.unit!r}. Valid: {', '.join(valid)}, or none when not "
                f"known."
            )
    return listed


def _samples(values: Any, place: str) -> Floats:
    """As float32; not a copy where it is that already."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise UserError(f"{place} is ragged: its rows do not have one length.") from None
    if array.dtype.kind not in "fiu":
        raise UserError(f"{place} must hold numbers, not {array.dtype}.")
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused as such
        return np.asarray(array, np.float32, order="C")


def _require_signal(samples: Floats, channels: tuple[Channel, ...], name: str, length: Any) -> None:
    """Raise unless all values are finite and every channel moves; ``length`` says where in X a row stands."""
    low, high = _extreme(samples, np.minimum), _extreme(samples, np.maximum)  # NaN goes through both
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
            f"{channels[column].name}; fill the gap or leave it out."
        )
    still = np.flatnonzero(low == high)
    if len(still):
        at = int(still[0])
        raise UserError(
            f"{name}: channel {channels[at].name} is {low[at]:g} throughout; leave out the column of X and its name."
        )


def _extreme(samples: Floats, which: np.ufunc) -> Floats:
    """The lowest or highest value of each column."""
    # Few columns are reduced slowly: many rows are taken as one first, which is 19 times faster for six of them.
    height, width = samples.shape
    folded = height - height % FOLD
    rows = samples[folded:]
    if folded:
        wide = which.reduce(samples[:folded].reshape(-1, FOLD * width), axis=0)
        rows = np.concatenate([rows, wide.reshape(FOLD, width)])
    extreme: Floats = which.reduce(rows, axis=0)
    return extreme


def _plain(values: Any, place: str) -> Column:
    """Text or whole numbers, of any shape; what is missing is empty text."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise UserError(f"{place} is ragged: its parts do not have one length.") from None
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
    hint = ONE_HOT if array.ndim == 2 else "convert it, as by astype(int)"
    raise UserError(f"{place} must be text or whole numbers, not {array.dtype}; {hint}.")


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _column(values: Any, count: int, place: str, what: str) -> Column:
    """One value for each of ``count`` windows or recordings."""
    column = _plain(values, place)
    if column.shape != (count,):
        hint = f"; {ONE_HOT}" if column.ndim == 2 else ""
        raise UserError(f"{place} must be ({count},), one for every {what} of X, not {column.shape}{hint}.")
    return column


def _names(values: Any, count: int, place: str, what: str, *, one_for_all: bool = False) -> Names:
    if one_for_all and isinstance(values, str):
        return np.full(count, values)
    names = _column(values, count, place, what).astype(np.str_)
    if (names == "").any():
        raise UserError(f"{place}: {what} {int(np.argmax(names == ''))} has none; every {what} needs one.")
    return names


def _sample_labels(y: Any, lengths: NDArray[np.int64], name: str) -> Column:
    """The labels of recordings, one a sample, behind one another."""
    if not isinstance(y, list | tuple | np.ndarray) and hasattr(y, "__array__"):
        y = np.asarray(y)
    if isinstance(y, str) or not hasattr(y, "__len__") or len(y) != len(lengths):
        raise UserError(
            f"{name}: X is {len(lengths)} recordings; y must be a list of as many, each one label or one for every "
            f"sample."
        )
    columns = []
    for number, (labels, length) in enumerate(zip(y, lengths.tolist(), strict=True)):
        column = _plain(labels, f"{name}: y of recording {number}")
        if column.shape not in ((), (length,)):
            raise UserError(
                f"{name}: recording {number} has {length} samples and y of shape {column.shape}; give one label, or "
                f"one for every sample."
            )
        columns.append(np.broadcast_to(column, length))
    if len({column.dtype.kind for column in columns}) > 1:
        raise UserError(f"{name}: y is text for some recordings and numbers for others; give one or the other.")
    return cast(Column, np.concatenate(columns))


def _classes(y: Column, classes: Sequence[str] | None, name: str) -> tuple[Labels, tuple[str, ...]]:
    """The labels as indices into the classes, -1 for none, and the names of the classes."""
    # Labels change rarely: only the first of each run is looked up.
    begins = np.concatenate([[0], np.flatnonzero(y[1:] != y[:-1]) + 1])
    values, run = np.unique(y[begins], return_inverse=True)
    text = values.dtype.kind == "U"
    if classes is not None:
        several = hasattr(classes, "__iter__") and not isinstance(classes, str)
        if not several or not all(isinstance(each, str) and each.strip() for each in classes):
            raise UserError(f"{name}: classes is a list of names, such as ['sit', 'walk'], not {classes!r}.")
        known = list(classes)
    elif text:
        known = sorted((value for value in values.tolist() if not _means_none(value)), key=_natural)
    else:
        known = [str(value) for value in values.tolist() if value >= 0]
    if len(known) > MOST_CLASSES:
        raise UserError(f"{name}: y holds {len(known):,} different labels; is it a number, not a class?")
    if classes is None and len(known) < 2:
        only = ", ".join(known) or "none"
        raise UserError(f"{name}: y needs two classes or more, not {only} alone (-1 means no class); or name classes.")
    # Whole numbers are indices where classes are named, and names otherwise.
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
                f"{name}: label {value} is no class; whole numbers are indices from 0{highest}, or -1 for no class."
            )
    return np.repeat(codes[run], np.diff(np.append(begins, len(y)))), tuple(known)


def _means_none(label: str) -> bool:
    return label.strip().casefold() in NO_LABEL
