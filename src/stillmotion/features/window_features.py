"""Standard features of windows in time and frequency, for feature classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..windows.windows import Windows

Floats = NDArray[np.float64]

#: Edges of the frequency bands in Hz: sway, gait and its harmonics, shaking. Bands above half the rate do not exist.
EDGES = (0.0, 1.0, 2.0, 3.5, 5.0, 10.0, np.inf)
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


def extract_features(windows: Windows, index: ArrayLike | None = None) -> Features:
    """Compute the features of a data set's windows.

    Args:
        windows: the windows that ``cut`` returned.
        index: numbers of windows (``fold.train``), or a mask; by default all.

    Returns:
        One row per window, with the name of each column.

    Raises:
        UserError: a window holds NaN or infinite values.

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
    chosen, spec = windows.numbers(index), windows.spec
    groups = [channel.group for channel in spec.channels]
    step = max(1, BLOCK // (spec.window * len(spec.channels)))
    parts = [
        extract_array_features(
            windows.values(chosen[start : start + step]), rate=spec.rate, groups=groups, names=spec.channel_names
        )
        for start in range(0, max(len(chosen), 1), step)
    ]
    return Features(np.concatenate([part.values for part in parts]), parts[0].names)


def extract_array_features(
    values: ArrayLike, *, rate: float, groups: Sequence[str] | None = None, names: Sequence[str] | None = None
) -> Features:
    """Compute the features of an array of windows.

    For every channel, and for the norm of every sensor's vector (``norm``): mean, std, min, max, median, iqr, energy
    (mean square), zero crossings of the centred signal per second, frequency in Hz of the spectrum's peak with its
    share of the power, and the power in each band; the bands add up to the variance. For every two axes of a sensor:
    their correlation. A constant channel has no peak and no correlation: both are 0.

    Args:
        values: (n, T, D), T at least 2.
        rate: sampling rate in Hz.
        groups: sensor of each channel; by default all channels are of one sensor.
        names: of the channels, by default ``0`` ….

    Returns:
        One row per window, with the name of each column.

    Raises:
        UserError: the shapes do not match, or a window holds NaN or infinite values.

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
    if not rate > 0:
        raise UserError(f"A sampling rate must be above 0 Hz, not {rate}.")
    channels = signal.shape[2]
    channel_names = [str(name) for name in (range(channels) if names is None else names)]
    sensors = ["all"] * channels if groups is None else list(groups)
    if len(channel_names) != channels or len(sensors) != channels:
        raise UserError(
            f"{channels} channels have {len(channel_names)} names and {len(sensors)} groups; expected one per channel."
        )
    axes = {
        sensor: [column for column, group in enumerate(sensors) if group == sensor] for sensor in dict.fromkeys(sensors)
    }
    several = {sensor: columns for sensor, columns in axes.items() if len(columns) > 1}
    labels = [*channel_names, *(f"{sensor}.norm" for sensor in several)]
    pairs = [pair for columns in several.values() for pair in combinations(columns, 2)]
    features = [f"{label}.{name}" for name in (*_STATISTICS, *_spectral_names(rate)) for label in labels]
    features += [f"{channel_names[a]}~{channel_names[b]}.correlation" for a, b in pairs]
    rows = np.empty((len(signal), len(features)), np.float32)
    step = max(1, BLOCK // (signal.shape[1] * len(labels)))
    for start in range(0, len(signal), step):
        # Time last and contiguous, so that sorting and transforming along it read memory in order.
        block = np.ascontiguousarray(signal[start : start + step].transpose(0, 2, 1), np.float64)
        norms = [np.sqrt(np.square(block[:, columns]).sum(1)) for columns in several.values()]
        whole = np.concatenate([block, np.stack(norms, 1)], axis=1) if norms else block
        rows[start : start + step] = np.concatenate(
            [_in_time(whole, rate), _in_frequency(whole, rate), _correlations(block, pairs)], axis=1
        )
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise UserError(f"Window {bad} holds NaN or infinite values; fill the gap or leave the window out.")
    return Features(rows, tuple(features))


_STATISTICS = ("mean", "std", "min", "max", "median", "iqr", "energy", "zero_crossings")


def _in_time(block: Floats, rate: float) -> Floats:
    """Compute features in time: (n, C, T) to (n, 8 · C), statistic by statistic."""
    mean, std = block.mean(2), block.std(2)
    low, high = block.min(2), block.max(2)
    first, median, third = np.quantile(block, [0.25, 0.5, 0.75], axis=2)
    above = block >= mean[:, :, None]
    crossings = np.count_nonzero(above[:, :, 1:] != above[:, :, :-1], axis=2) * (rate / (block.shape[2] - 1))
    # The mean of equal values may differ from them by rounding: a constant channel has no crossings.
    crossings[low == high] = 0
    energy = np.square(block).mean(2)
    return np.concatenate([mean, std, low, high, median, third - first, energy, crossings], axis=1)


def _bands(rate: float) -> list[tuple[float, float]]:
    return [(low, high) for low, high in pairwise(EDGES) if low < rate / 2]


def _spectral_names(rate: float) -> list[str]:
    return ["peak_hz", "peak_share", *(f"power_{low:g}_{high:g}_hz" for low, high in _bands(rate))]


def _in_frequency(block: Floats, rate: float) -> Floats:
    """Compute spectral features: (n, C, T) to (n, (2 + bands) · C); the one-sided power sums to the variance."""
    length = block.shape[2]
    constant = block.min(2) == block.max(2)
    power = np.square(np.abs(np.fft.rfft(block - block.mean(2, keepdims=True), axis=2))) / length**2
    power[:, :, 1 : (length + 1) // 2] *= 2
    power[:, :, 0] = 0
    power[constant] = 0
    hertz = np.fft.rfftfreq(length, 1 / rate)
    total, peak = power.sum(2), power.argmax(2)
    share = np.divide(power.max(2), total, out=np.zeros_like(total), where=total > 0)
    bands = [power[:, :, (hertz > low) & (hertz <= high)].sum(2) for low, high in _bands(rate)]
    return np.concatenate([hertz[peak], share, *bands], axis=1)


def _correlations(block: Floats, pairs: Sequence[tuple[int, int]]) -> Floats:
    """Compute the correlations of pairs of channels: (n, C, T) to (n, pairs)."""
    if not pairs:
        return np.empty((len(block), 0))
    centred = block - block.mean(2, keepdims=True)
    constant = block.min(2) == block.max(2)
    first, second = (list(columns) for columns in zip(*pairs, strict=True))
    length = np.sqrt(np.square(centred).sum(2))
    product = np.einsum("npt,npt->np", centred[:, first], centred[:, second])
    size = length[:, first] * length[:, second]
    defined = ~(constant[:, first] | constant[:, second]) & (size > 0)
    return np.asarray(np.divide(product, size, out=np.zeros_like(product), where=defined))
