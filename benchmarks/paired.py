"""Time two functions in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median


def paired(ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int) -> tuple[float, float, float]:
    """Return the median milliseconds of both, and the median of the pairwise ratios, theirs over ours."""
    pairs = in_pairs(ours, theirs, repeats=repeats)
    ratio = median(second / first for first, second in pairs)
    return median(first for first, _ in pairs), median(second for _, second in pairs), ratio


def in_pairs(ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int) -> list[tuple[float, float]]:
    """Return the milliseconds of both, turn by turn.

    The two run in turns, so that a slower machine affects both: take the ratio of each pair first. A first turn is not
    counted; it warms up files and compilers.
    """
    ours(), theirs()
    return [(_milliseconds(ours), _milliseconds(theirs)) for _ in range(repeats)]


def _milliseconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)
