"""Count what the features of a window cost on a device, by exact formulas.

Counted is one pass in which every stream's mean, margin, centred samples and deviation are computed once, whatever
needs them, and nothing that no feature needs. A stream has T samples, K = T // 2 bins, h = (T - 1) // 2 and
L = ⌈log2 T⌉; moving and counting are free.

======================================  ==================  =====================================================
step                                    multiply-adds       other operations
======================================  ==================  =====================================================
norm of m channels                      m T                 T (roots)
derivative of a channel (T samples)     0                   2 T (differences, rate)
mean, centred samples                   0                   3 T + 1 (from the first sample; sum; centring)
smallest and largest                    0                   2 (T - 1); 0 with the order, whose ends they are
margin; variation (not for time alone)  0                   4; 2
standard deviation                      T                   2 (division, root); for std and correlations
order of the samples                    0                   T L - 2^L + 1 (comparisons of a merge sort at most)
median; iqr                             1; 2                1; 3
energy                                  T                   1
zero crossings                          0                   2 T (margin, changes, rate)
Fourier transform                       K (T // 2 + 1 + h)  2 h (sums and differences of mirrored samples)
power                                   2 K                 K (weights of sums of squares)
peak                                    0                   2 K (largest, threshold, first)
frequency of the peak; its share        0                   1; K (total, quotient)
a band that has bins                    0                   bins - 1
correlation of two channels             T                   3
compression of a feature                0                   3
======================================  ==================  =====================================================

The tables of the Fourier transform, shared by all streams, are T values: cosines at T // 2 + 1 angles, sines at h.
Three times T values are in memory besides the window and the features: a stream, its order, and the room to sort it.
All of them are float32, also where a network's weights are int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from .compute import count_bins
from .feature_set import ORDER, SPECTRUM, FeatureSet


@dataclass(frozen=True)
class FeatureCost:
    """The cost of the features of one window.

    Args:
        multiply_adds: multiply-add operations.
        elementary: all other operations, comparisons included.
        tables: float32 constants.
        scratch: float32 values in memory besides the window and the features.
    """

    multiply_adds: int
    elementary: int
    tables: int
    scratch: int


def feature_cost(features: FeatureSet) -> FeatureCost:
    """Count the operations and memory of features on a device.

    Args:
        features: the description.

    Returns:
        The cost of one window.

    Example:
        >>> from stillmotion.features import FeatureSet, feature_cost
        >>> feature_cost(FeatureSet(4, 2.0, ("pulse",), ("pulse",), groups=("time",)))
        FeatureCost(multiply_adds=11, elementary=37, tables=0, scratch=12)
    """
    length, total = features.window, [0, 0]

    def add(products: int, others: int) -> None:
        total[0], total[1] = total[0] + products, total[1] + others

    paired = {column for pair in features.pairs for column in pair}
    for stream in features.streams:
        related = not stream.is_norm and stream.columns[0] in paired
        statistics = set(features.statistics_of(stream))
        if stream.is_norm:
            add(*_norm(len(stream.columns), length))
        add(*_in_time(statistics, length, spectral=stream in features.spectral, related=related))
        if stream in features.spectral:
            add(*_spectrum(statistics, features))
    for _ in paired - {stream.columns[0] for stream in features.streams if not stream.is_norm}:
        add(*_in_time(set(), length, spectral=False, related=True))
    add(length * len(features.pairs), 3 * len(features.pairs))
    for _ in {column for stream in features.jerks for column in stream.columns}:
        add(0, 2 * (length - 1))
    for stream in features.jerks:
        if stream.is_norm:
            add(*_norm(len(stream.columns), length - 1))
        add(*_in_time(set(features.statistics_of(stream)), length - 1, spectral=False, related=False))
    if features.compressed:
        add(0, 3 * len(features.names))
    return FeatureCost(total[0], total[1], tables=length if features.spectral else 0, scratch=3 * length)


def _norm(channels: int, length: int) -> tuple[int, int]:
    return channels * length, length


def _in_time(statistics: set[str], length: int, *, spectral: bool, related: bool) -> tuple[int, int]:
    """Count what a stream takes before its spectrum; ``related`` if its correlations are computed too."""
    products, others = 0, 0
    varies, is_sorted = spectral or related, bool({*ORDER} & statistics)
    compared = varies or "zero_crossings" in statistics
    if compared or {"mean", "std"} & statistics:
        others += 3 * length + 1
    if compared or {"min", "max"} & statistics:
        others += 0 if is_sorted else 2 * (length - 1)
    others += 4 * compared + 2 * varies
    if related or "std" in statistics:
        products, others = products + length, others + 2
    if is_sorted:
        levels = ceil(log2(length))
        others += length * levels - 2**levels + 1
    for name, (more_products, more_others) in {
        "median": (1, 1),
        "iqr": (2, 3),
        "energy": (length, 1),
        "zero_crossings": (0, 2 * length),
    }.items():
        if name in statistics:
            products, others = products + more_products, others + more_others
    return products, others


def _spectrum(statistics: set[str], features: FeatureSet) -> tuple[int, int]:
    length = features.window
    bins, half = length // 2, (length - 1) // 2
    others = 2 * half + bins
    others += (
        2 * bins * bool({*SPECTRUM} & statistics) + ("peak_hz" in statistics) + bins * ("peak_share" in statistics)
    )
    powers = [name for name in features.statistics if name.startswith("power_")]
    for name, count in zip(powers, count_bins(features, length), strict=True):
        others += max(0, count - 1) * (name in statistics)
    return bins * (length // 2 + 1 + half) + 2 * bins, others
