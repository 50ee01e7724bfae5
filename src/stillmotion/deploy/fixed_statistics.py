"""The statistics of window features as exact integers, or as a mantissa and an exponent, before their units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ..features.compute import make_spectrum_tables
from ..features.feature_set import TIME, FeatureSet, Stream
from .fixed_numbers import Integers, divide, narrow, normalise, round_root, spread
from .fixed_spectrum import FixedSpectrum, find_peak

#: The norms of several channels are stored less this, in 16 bits.
NORM_BASE = 32768
#: Differences of samples are clipped to this.
LARGEST_STEP = 32767

#: Signed mantissas and exponents of one statistic (n, streams) or feature (n,), and the name of its unit.
Statistic = tuple[Integers, Integers, str]


def compute_statistics(
    counts: ArrayLike, features: FeatureSet, shifts: Sequence[int], spectrum: FixedSpectrum
) -> tuple[Integers, Integers, list[str]]:
    """Compute the statistics of windows of counts.

    Args:
        counts: (n, T, D) integers of 16 bits.
        features: which.
        shifts: of each channel: value = count · 2^-shift.
        spectrum: the transform.

    Returns:
        Signed mantissas (n, F), exponents (n, F), and the name of each feature's unit.
    """
    signal = np.asarray(counts, np.int64).transpose(0, 2, 1)
    found: dict[str, Statistic] = {}

    def exponents(streams: Sequence[Stream]) -> Integers:
        return -np.array([shifts[stream.columns[0]] for stream in streams], np.int64)

    def keep(streams: Sequence[Stream], names: Iterable[str], statistics: Iterable[Statistic]) -> None:
        for name, (mantissas, own, unit) in zip(names, statistics, strict=True):
            for place, stream in enumerate(streams):
                found[f"{stream.name}.{name}"] = (mantissas[:, place], own[:, place], unit)

    if timed := features.timed:
        keep(timed, TIME, _in_time(*_read(signal, timed), exponents(timed), ""))
    if spectral := features.spectral:
        names = (name for name in features.statistics if name not in TIME)
        streams, _ = _read(signal, spectral)
        keep(spectral, names, _in_frequency(streams, exponents(spectral), features, spectrum))
    if features.pairs:
        mantissas, own, unit = _correlate(signal, features.pairs)
        for place, pair in enumerate(features.pairs):
            found[features.name_correlation(pair)] = (mantissas[:, place], own[:, place], unit)
    if jerks := features.jerks:
        jerk = np.clip(np.diff(signal, axis=2), -LARGEST_STEP, LARGEST_STEP)
        keep(jerks, TIME, _in_time(*_read(jerk, jerks), exponents(jerks), "jerk."))
    kept = [found[name] for name in features.names]
    mantissas, own = (np.stack([each[part] for each in kept], axis=1) for part in (0, 1))
    return mantissas, own, [unit for _, _, unit in kept]


def _read(signal: Integers, streams: Sequence[Stream]) -> tuple[Integers, Integers]:
    """Return the streams of a signal (n, D, T) and what each is stored less: norms in 16 bits lack 32768."""
    parts = []
    for stream in streams:
        values = signal[:, list(stream.columns)]
        root = partial(round_root, np.minimum((values**2).sum(1), 2**32 - 1))
        parts.append(root() if stream.is_norm else values[:, 0])
    return np.stack(parts, axis=1), np.array([NORM_BASE if stream.is_norm else 0 for stream in streams])


def _in_time(x: Integers, base: Integers, exponents: Integers, prefix: str) -> list[Statistic]:
    """Compute statistics in time of streams (n, S, T)."""
    length = x.shape[2]
    sums, squares = x.sum(2), (x * x).sum(2)
    ordered = np.sort(x, axis=2)
    low, high = ordered[:, :, 0], ordered[:, :, -1]
    margin = (length * np.maximum(-low, high)) >> 21
    above = length * x >= (sums - margin)[:, :, None]
    first, median, third = (_quantile(ordered, quarters) for quarters in (1, 2, 3))
    deviation, own = spread(length, squares, sums)
    energy, double = narrow(squares)
    zero = np.zeros_like(exponents)
    values = {
        "mean": (sums, exponents),
        "std": (deviation, own + exponents),
        "min": (low, exponents),
        "max": (high, exponents),
        "median": (median, exponents),
        "iqr": (third - first, exponents),
        "energy": (energy, double + 2 * exponents),
        "zero_crossings": ((above[:, :, 1:] != above[:, :, :-1]).sum(2), zero),
    }
    return [(values[name][0], np.broadcast_to(values[name][1], sums.shape), f"{prefix}{name}") for name in TIME]


def _quantile(ordered: Integers, quarters: int) -> Integers:
    """Return four times a quantile, interpolated between the two sorted samples beside it."""
    at = quarters * (ordered.shape[2] - 1)
    low, high = ordered[:, :, at >> 2], ordered[:, :, min((at >> 2) + 1, ordered.shape[2] - 1)]
    return np.asarray(4 * low + (at & 3) * (high - low))


def _in_frequency(x: Integers, exponents: Integers, features: FeatureSet, spectrum: FixedSpectrum) -> list[Statistic]:
    """Compute peak, share and bands of streams (n, S, T)."""
    centred, shift = spectrum.centre(x)
    powers = spectrum.powers(centred)
    peak, best = find_peak(powers)
    top, up = normalise(best, 0)
    total, own = normalise(powers.sum(2), 0)
    share = divide(top, total)
    exponent = 2 * (exponents - shift)
    members = make_spectrum_tables(features, features.window)["bands"].astype(np.int64)
    bands = powers @ members
    return [
        (peak, np.zeros_like(peak), "peak_hz"),
        (share, up - own - 16, "peak_share"),
        *((bands[:, :, band], exponent, "power") for band in range(bands.shape[2])),
    ]


def _correlate(signal: Integers, pairs: Sequence[tuple[int, int]]) -> Statistic:
    """Compute the correlations of pairs of channels (n, D, T); 0 where one is constant."""
    length = signal.shape[2]
    first, second = (signal[:, list(columns)] for columns in zip(*pairs, strict=True))
    (root_a, own_a), (root_b, own_b) = (spread(length, (x * x).sum(2), x.sum(2)) for x in (first, second))
    product = (first * second).sum(2) * length - first.sum(2) * second.sum(2)
    top, exponent = narrow(np.abs(product))
    top, exponent = normalise(top, exponent)
    below, under = normalise(root_a * root_b, 0)
    size = np.where(below > 0, divide(top, below), 0)
    return np.sign(product) * size, exponent - own_a - own_b - under - 16, "correlation"
