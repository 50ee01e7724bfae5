"""Compute a feature set with NumPy or with ``keras.ops``: one definition for both.

Every function takes the module of operations (``xp``) first and signals with time last: (n, streams, T).

Decisions that rounding would toss (is a sample above the mean, which of two equal bins is the peak, is a channel
constant) have a margin of a few float32 roundings, so that float64, float32 and a device's C agree on quantised and on
constant signals. A root or quotient that is undefined there is 0, with a gradient of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .feature_set import ORDER, TIME, FeatureSet, Stream

Array = Any
Module = Any

#: Margin of a comparison with the mean, relative to the largest magnitude in the window: four float32 roundings.
MARGIN = 2.0**-21
#: Bins whose power is this close to the largest count as equally large; the peak is the first of them.
PEAK_MARGIN = 1e-5


def compute_features(xp: Module, signal: Array, features: FeatureSet, *, dtype: str) -> Array:
    """Compute features: (n, D, T) to (n, F).

    Args:
        xp: ``numpy`` or ``keras.ops``.
        signal: windows, time last.
        features: the description.
        dtype: type of the constants, that of the signal.
    """
    parts: list[tuple[list[str], Array]] = []

    def add(streams: Sequence[Stream], statistics: Sequence[str], values: Array) -> None:
        parts.append(([f"{stream.name}.{name}" for name in statistics for stream in streams], values))

    def add_in_time(signal: Array, own: Sequence[Stream], described: Sequence[Stream]) -> None:
        for streams, statistics in features.group_in_time(own):
            x = _rows(xp, signal, described, streams)
            add(streams, statistics, _in_time(xp, x, features.rate, statistics))

    if features.streams:
        described = _select(xp, signal, features.streams)
        add_in_time(described, features.timed, features.streams)
        if features.spectral:
            x = _rows(xp, described, features.streams, features.spectral)
            statistics = [name for name in features.statistics if name not in TIME]
            add(features.spectral, statistics, _in_frequency(xp, x, features, dtype))
    if features.pairs:
        parts.append(([*map(features.name_correlation, features.pairs)], _correlations(xp, signal, features.pairs)))
    if features.jerks:
        jerk = (signal[:, :, 1:] - signal[:, :, :-1]) * features.rate
        add_in_time(_select(xp, jerk, features.jerks), features.jerks, features.jerks)
    values = xp.concatenate([values for _, values in parts], axis=1)
    place = {name: at for at, name in enumerate(name for names, _ in parts for name in names)}
    if tuple(place) != features.names:
        values = xp.take(values, np.array([place[name] for name in features.names]), axis=1)
    return compress(xp, values) if features.compressed else values


def compress(xp: Module, values: Array) -> Array:
    """Return sign(x) · log(1 + |x|): powers and energies become as even as the rest."""
    # By cases, so that the derivative at 0 is 1.
    positive = values >= 0
    size = xp.log1p(xp.where(positive, values, -values))
    return xp.where(positive, size, -size)


def _select(xp: Module, signal: Array, streams: Sequence[Stream]) -> Array:
    """Return the streams of a signal: (n, D, T) to (n, streams, T)."""
    channels = [stream.columns[0] for stream in streams if not stream.is_norm]
    parts = [xp.take(signal, np.array(channels), axis=1)] if channels else []
    for stream in streams:
        if stream.is_norm:
            squares = xp.square(xp.take(signal, np.array(stream.columns), axis=1))
            parts.append(_root(xp, xp.sum(squares, axis=1, keepdims=True)))
    return xp.concatenate(parts, axis=1)


def _centre(xp: Module, x: Array) -> tuple[Array, Array, Array, Array]:
    """Return the centred signal, its mean, the margin of a comparison with it, and whether the signal varies.

    Differences to the first sample come first: they are exact where the signal hardly moves, so that the rounding of a
    mean as large as gravity does not drown it in float32.
    """
    shifted = x - x[:, :, :1]
    rest = xp.mean(shifted, axis=2)
    low, high = xp.min(x, axis=2), xp.max(x, axis=2)
    margin = MARGIN * xp.maximum(xp.abs(low), xp.abs(high))
    return shifted - rest[:, :, None], x[:, :, 0] + rest, margin, high - low > margin


def _rows(xp: Module, described: Array, streams: Sequence[Stream], some: Sequence[Stream]) -> Array:
    """Return some of the streams (n, streams, T)."""
    if len(some) == len(streams):
        return described
    return xp.take(described, np.array([streams.index(stream) for stream in some]), axis=1)


def _in_time(xp: Module, x: Array, rate: float, statistics: Sequence[str]) -> Array:
    """Compute features in time: (n, S, T) to (n, statistics · S), statistic by statistic."""
    centred, mean, margin, _ = _centre(xp, x)
    values = {"mean": mean}
    if "std" in statistics:
        values["std"] = _root(xp, xp.mean(xp.square(centred), axis=2))
    if set(ORDER) & set(statistics):
        ordered = _sort(xp, x)
        # The ends of the order, not a minimum: its gradient would compare values for equality again.
        values |= {"min": ordered[:, :, 0], "max": ordered[:, :, -1]}
        first, values["median"], third = (_quantile(ordered, share) for share in (0.25, 0.5, 0.75))
        values["iqr"] = third - first
    else:
        values |= {"min": xp.min(x, axis=2), "max": xp.max(x, axis=2)}
    if "energy" in statistics:
        values["energy"] = xp.mean(xp.square(x), axis=2)
    if "zero_crossings" in statistics:
        above = xp.where(centred >= -margin[:, :, None], 1.0, 0.0)
        changes = xp.sum(xp.abs(above[:, :, 1:] - above[:, :, :-1]), axis=2)
        values["zero_crossings"] = changes * (rate / (int(x.shape[2]) - 1))
    return xp.concatenate([values[name] for name in statistics], axis=1)


def _sort(xp: Module, x: Array) -> Array:
    """Sort the samples of each stream; outside NumPy by a bitonic network of comparisons of whole slices.

    XLA's own sort took 16 ms on a processor core for 128 windows of 8 streams of 128 samples, the network 3 ms.
    """
    if xp is np:
        return np.sort(x, axis=2)
    streams, length = int(x.shape[1]), int(x.shape[2])
    whole = 1 << (length - 1).bit_length()
    t = xp.pad(xp.transpose(x, (2, 0, 1)), ((0, whole - length), (0, 0), (0, 0)), constant_values=np.inf)

    def exchange(t: Array, span: int, *, mirrored: bool) -> Array:
        """Order each pair of samples in blocks of 2 · ``span``: at the same place of both halves, or mirrored."""
        blocks = xp.reshape(t, (whole // (2 * span), 2, span, -1, streams))
        first, second = blocks[:, 0], blocks[:, 1]
        second = xp.flip(second, axis=1) if mirrored else second
        swap = first > second
        low, high = xp.where(swap, second, first), xp.where(swap, first, second)
        return xp.reshape(xp.stack([low, xp.flip(high, axis=1) if mirrored else high], axis=1), (whole, -1, streams))

    size = 1
    while size < whole:
        t = exchange(t, size, mirrored=True)
        span = size // 2
        while span:
            t = exchange(t, span, mirrored=False)
            span //= 2
        size *= 2
    return xp.transpose(t[:length], (1, 2, 0))


def _quantile(ordered: Array, share: float) -> Array:
    """Interpolate between the two ordered samples beside a quantile, as ``numpy.quantile`` does by default."""
    last = int(ordered.shape[2]) - 1
    at = share * last
    below = int(at)
    low, high = ordered[:, :, below], ordered[:, :, min(below + 1, last)]
    part = at - below
    # NumPy's two forms, which are exact at both ends.
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def _in_frequency(xp: Module, x: Array, features: FeatureSet, dtype: str) -> Array:
    """Compute spectral features: (n, S, T) to (n, (2 + bands) · S); the one-sided power sums to the variance."""
    length = int(x.shape[2])
    centred, _, _, varies = _centre(xp, x)
    tables = {name: xp.array(table, dtype) for name, table in make_spectrum_tables(features, length).items()}
    even, odd = _fold(xp, centred)
    real, imaginary = xp.matmul(even, tables["cosines"]), xp.matmul(odd, tables["sines"])
    power = (xp.square(real) + xp.square(imaginary)) * tables["weights"]
    power = xp.where(varies[:, :, None], power, 0.0)
    total = xp.sum(power, axis=2)
    largest = xp.max(power, axis=2, keepdims=True)
    # The peak's power is read by its place, for its gradient.
    place = xp.argmax(xp.where(power >= (1 - PEAK_MARGIN) * largest, 1.0, 0.0), axis=2)
    peak = xp.take_along_axis(power, place[:, :, None], axis=2)[:, :, 0]
    defined = total > 0
    share = xp.where(defined, peak / xp.where(defined, total, 1.0), 0.0)
    hertz = xp.where(varies, xp.take(tables["hertz"], place), 0.0)
    bands = xp.matmul(power, tables["bands"])
    return xp.concatenate([hertz, share, *(bands[:, :, band] for band in range(bands.shape[2]))], axis=1)


def _fold(xp: Module, x: Array) -> tuple[Array, Array]:
    """Add and subtract the samples t and T - t: a cosine is even in time and a sine odd, so half the products do."""
    length = int(x.shape[2])
    half = (length - 1) // 2
    later = x[:, :, 1:]
    mirrored = xp.flip(later, axis=2)[:, :, :half]
    even = [x[:, :, :1], later[:, :, :half] + mirrored]
    if length % 2 == 0:
        even.append(x[:, :, length // 2 : length // 2 + 1])
    return xp.concatenate(even, axis=2), later[:, :, :half] - mirrored


def make_spectrum_tables(features: FeatureSet, length: int) -> dict[str, NDArray[np.float64]]:
    """Make the constants of a spectrum of ``length`` samples with K = T // 2 bins.

    Returns:
        ``cosines`` (T // 2 + 1, K) and ``sines`` ((T - 1) // 2, K) of the folded samples, ``weights`` (K,) that make
        squares the one-sided power, ``hertz`` (K,) and ``bands`` (K, bands), 1 where a bin lies in a band.
    """
    bins = np.arange(1, length // 2 + 1)
    # Whole turns are removed before the product with 2π, so that the tables are exact to the last digit.
    even = np.outer(np.arange(length // 2 + 1), bins) % length
    odd = np.outer(np.arange(1, (length - 1) // 2 + 1), bins) % length
    hertz = _hertz(features, length)
    return {
        "cosines": np.cos(2 * np.pi / length * even),
        "sines": np.sin(2 * np.pi / length * odd),
        "weights": np.where(2 * bins == length, 1.0, 2.0) / length**2,
        "hertz": hertz,
        "bands": np.stack([(hertz > low) & (hertz <= high) for low, high in features.bands], axis=1).astype(float),
    }


def count_bins(features: FeatureSet, length: int) -> list[int]:
    """Count the bins in each band of a spectrum of ``length`` samples."""
    hertz = _hertz(features, length)
    return [int(((hertz > low) & (hertz <= high)).sum()) for low, high in features.bands]


def _hertz(features: FeatureSet, length: int) -> NDArray[np.float64]:
    """Return the frequencies of the bins 1 … T // 2."""
    return np.arange(1, length // 2 + 1) / (length * (1 / features.rate))


def _correlations(xp: Module, signal: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Compute the correlations of pairs of channels: (n, D, T) to (n, pairs); 0 where one is constant."""
    centred, _, _, varies = _centre(xp, signal)
    first, second = (np.array(columns) for columns in zip(*pairs, strict=True))
    std = _root(xp, xp.mean(xp.square(centred), axis=2))
    size = xp.take(std, first, axis=1) * xp.take(std, second, axis=1)
    defined = xp.logical_and(xp.take(varies, first, axis=1), xp.take(varies, second, axis=1))
    defined = xp.logical_and(defined, size > 0)
    product = xp.mean(xp.take(centred, first, axis=1) * xp.take(centred, second, axis=1), axis=2)
    return xp.where(defined, product / xp.where(defined, size, 1.0), 0.0)


def _root(xp: Module, x: Array) -> Array:
    """Return the square root, with a gradient of 0 at 0."""
    positive = x > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, x, 1.0)), 0.0)
