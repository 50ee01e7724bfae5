"""Window features as arrays, for feature classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..windows.windows import Windows
from .compute import compute_features
from .feature_set import STANDARD, FeatureSet

#: Values held in float64 at a time (8 MB), so that every step of a block stays in cache.
BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Features:
    """Features of windows.

    Args:
        values: (n, F) float32, all finite.
        names: (F,) such as ``wrist.acc.x.mean``.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]


def extract_features(
    windows: Windows,
    index: ArrayLike | None = None,
    *,
    groups: Sequence[str] = STANDARD,
    compressed: bool = False,
    dropped: Sequence[str] = (),
) -> Features:
    """Compute the features of a data set's windows.

    Args:
        windows: the windows that ``cut`` returned.
        index: numbers of windows (``fold.train``), or a mask; by default all.
        groups: groups of features, see ``GROUPS``.
        compressed: whether each feature passes through sign(x) · log(1 + \\|x\\|).
        dropped: units that are left out, see ``FeatureSet.units``.

    Returns:
        One row per window, with the name of each column.

    Raises:
        UserError: a window holds NaN or infinite values or is too short, or no feature is left.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> from stillmotion.features import extract_features
        >>> table = extract_features(windows, [0, 1])
        >>> table.values.shape, table.names[:2]
        ((2, 67), ('acc.x.mean', 'acc.y.mean'))
    """
    features = FeatureSet.of(windows.spec, groups=groups, compressed=compressed, dropped=dropped)
    return Features(compute_feature_table(windows.take(windows.numbers(index)), features), features.names)


def extract_array_features(
    values: ArrayLike,
    *,
    rate: float,
    sensors: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    groups: Sequence[str] = STANDARD,
    compressed: bool = False,
    dropped: Sequence[str] = (),
) -> Features:
    """Compute the features of an array of windows.

    By default, for every channel, and for the norm of every sensor's vector (``norm``): mean, std, min, max, median,
    iqr, energy (mean square), zero crossings of the centred signal per second, frequency in Hz of the spectrum's peak
    with its share of the power, and the power in each band; the bands add up to the variance. For every two axes of a
    sensor: their correlation. A constant channel has no crossing, peak or correlation: they are 0, and so is the power
    of a band in which the spectrum of so short a window has no frequency.

    Args:
        values: (n, T, D), T at least 2.
        rate: sampling rate in Hz.
        sensors: sensor of each channel; by default all channels are of one sensor.
        names: of the channels, by default ``0`` ….
        groups: groups of features, see ``GROUPS``.
        compressed: whether each feature passes through sign(x) · log(1 + \\|x\\|).
        dropped: units that are left out, see ``FeatureSet.units``.

    Returns:
        One row per window, with the name of each column.

    Raises:
        UserError: the shapes do not match, a window holds NaN or infinite values, or no feature is left.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import extract_array_features
        >>> wave = np.sin(2 * np.pi * 3 * np.arange(100) / 50)[None, :, None]
        >>> table = extract_array_features(wave, rate=50, names=["acc.x"])
        >>> float(table.values[0, table.names.index("acc.x.peak_hz")])
        3.0
    """
    signal = np.asarray(values)
    if signal.ndim != 3 or signal.shape[1] < 2 or signal.shape[2] < 1:
        raise UserError(f"Features need windows (n, time, channels) of two samples or more, not {signal.shape}.")
    window, channels = signal.shape[1:]
    channel_names = tuple(str(name) for name in (range(channels) if names is None else names))
    of_channel = ("all",) * channels if sensors is None else tuple(sensors)
    if len(channel_names) != channels or len(of_channel) != channels:
        raise UserError(
            f"{channels} channels have {len(channel_names)} names and {len(of_channel)} sensors; expected one per "
            f"channel."
        )
    features = FeatureSet(window, rate, channel_names, of_channel, tuple(groups), compressed, dropped=tuple(dropped))
    return Features(compute_feature_table(signal, features), features.names)


def compute_feature_table(values: ArrayLike | Windows, features: FeatureSet) -> NDArray[np.float32]:
    """Compute the features of windows (n, T, D) by their description, in float64 and block by block: (n, F)."""
    signal = values if isinstance(values, Windows) else np.asarray(values)
    rows = np.empty((len(signal), len(features.names)), np.float32)
    step = max(1, BLOCK // (features.window * max(1, len(features.streams))))
    for start in range(0, len(signal), step):
        # Time last and contiguous, so that sorting and transforming along it read memory in order.
        block = np.ascontiguousarray(signal[start : start + step].transpose(0, 2, 1), np.float64)
        with np.errstate(invalid="ignore", over="ignore"):  # refused below
            rows[start : start + step] = compute_features(np, block, features, dtype="float64")
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise UserError(f"Window {bad} holds NaN or infinite values; fill the gap or leave the window out.")
    return rows
