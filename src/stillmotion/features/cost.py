"""Count what the features of a window cost on a device, by exact formulas.

Counted is one pass in which every stream's mean, margin, centred samples and deviation are computed once, whatever
needs them. A stream has T samples, K = T // 2 bins, h = (T - 1) // 2 and L = ⌈log2 T⌉; moving and counting are free.

======================================  ==================  =====================================================
step                                    multiply-adds       other operations
======================================  ==================  =====================================================
norm of m channels                      m T                 T (roots)
derivative of a channel (T samples)     0                   2 T (differences, rate)
mean, centred samples                   0                   3 T + 1 (from the first sample; sum; centring)
smallest and largest                    0                   0 with time (ends of the order), else 2 (T - 1)
margin; variation (not for time alone)  0                   4; 2
standard deviation                      T                   2 (division, root); for time and correlations
order of the samples                    0                   T L - 2^L + 1 (comparisons of a merge sort at most)
median, iqr                             3                   4
energy                                  T                   1
zero crossings                          0                   2 T (margin, changes, rate)
Fourier transform                       K (T // 2 + 1 + h)  2 h (sums and differences of mirrored samples)
power, total, peak and its share        2 K                 4 K + 1
bands                                   0                   bins - 1 for each band that has bins
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

from .compute import make_spectrum_tables
from .feature_set import FeatureSet


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
    length = features.window
    timed, spectral = "time" in features.groups, "spectrum" in features.groups
    paired = {column for pair in features.pairs for column in pair}
    single = {stream.columns[0] for stream in features.streams if not stream.is_norm}
    multiply_adds, elementary = 0, 0

    def add(products: int, others: int) -> None:
        nonlocal multiply_adds, elementary
        multiply_adds, elementary = multiply_adds + products, elementary + others

    if timed or spectral:
        for stream in features.streams:
            related = not stream.is_norm and stream.columns[0] in paired
            if stream.is_norm:
                add(*_norm(len(stream.columns), length))
            add(*_centred(length, timed=timed, varies=spectral or related, deviation=timed or related))
            if timed:
                add(*_in_time(length))
            if spectral:
                add(*_spectrum(features))
    for _ in paired - (single if timed or spectral else set()):
        add(*_centred(length, timed=False, varies=True, deviation=True))
    add(length * len(features.pairs), 3 * len(features.pairs))
    for _ in {column for stream in features.jerks for column in stream.columns}:
        add(0, 2 * (length - 1))
    for stream in features.jerks:
        if stream.is_norm:
            add(*_norm(len(stream.columns), length - 1))
        add(*_centred(length - 1, timed=True, varies=False, deviation=True))
        add(*_in_time(length - 1))
    if features.compressed:
        add(0, 3 * len(features.names))
    return FeatureCost(multiply_adds, elementary, length if spectral and features.streams else 0, 3 * length)


def _norm(channels: int, length: int) -> tuple[int, int]:
    return channels * length, length


def _centred(length: int, *, timed: bool, varies: bool, deviation: bool) -> tuple[int, int]:
    ends = 0 if timed else 2 * (length - 1)
    return length * deviation, 3 * length + 1 + ends + 4 + 2 * varies + 2 * deviation


def _in_time(length: int) -> tuple[int, int]:
    levels = ceil(log2(length))
    comparisons = length * levels - 2**levels + 1
    return 3 + length, comparisons + 4 + 1 + 2 * length


def _spectrum(features: FeatureSet) -> tuple[int, int]:
    length = features.window
    bins, half = length // 2, (length - 1) // 2
    sums = sum(max(0, int(count) - 1) for count in make_spectrum_tables(features, length)["bands"].sum(0))
    return bins * (length // 2 + 1 + half) + 2 * bins, 2 * half + 4 * bins + 1 + sums
