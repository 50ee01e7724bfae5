"""Sensors with separate clocks: split each at its gaps, and join two of them on one clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .interpolate import interpolate

#: A pause longer than this many nominal periods is a gap: the recording ends.
GAP_PERIODS = 5.0
#: On an uneven clock a gap is longer than ``GAP_PERIODS`` of this quantile of its steps, up to this many seconds.
JITTER_QUANTILE, LONGEST_STEP = 0.9, 0.5
#: Fewer steps than this say nothing about jitter.
FEWEST_STEPS = 100
#: What is dropped where one of two sensors is silent.
UNPAIRED = "samples of one sensor without the other, dropped"
#: A sample at most this late (s) is dropped; if it is later, the clock was reset.
STRAGGLER_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of one sensor (or of two, joined) without a gap: activity code, session, first row."""

    code: int
    session: int
    row: int
    seconds: NDArray[np.float64]
    values: NDArray[np.float32]


def split_at_gaps(
    codes: NDArray[np.int64],
    seconds: NDArray[np.float64],
    values: NDArray[np.float32],
    *,
    rate: float,
    counted: dict[str, int] | None = None,
) -> list[Stretch]:
    """Split one sensor's rows into stretches of one activity and one session without a gap.

    Of repeated timestamps the first row is kept; a sample up to a second late is dropped; a larger backward jump starts
    a new session. ``row`` counts the rows of the file.

    Args:
        codes: activity of every row, in file order.
        seconds: the sensor's own clock.
        values: (rows, axes).
        rate: nominal rate in Hz; a pause of more than five periods is a gap.
        counted: receives the counts of repeated and late samples, gaps and backward jumps.
    """
    counted = {} if counted is None else counted
    rows = np.arange(len(seconds))
    boundary = np.diff(codes, prepend=codes[:1] - 1) != 0
    step = np.diff(seconds, prepend=seconds[:1])
    jump = step < np.where(boundary, 0.0, -STRAGGLER_SECONDS)
    jump[:1] = False
    session = 1 + np.cumsum(jump)
    # Within one activity and session, a row is kept if its time is above all earlier ones.
    block = np.cumsum(boundary | jump)
    latest = highest_before(seconds, block)
    repeated, late = seconds == latest, seconds < latest
    keep = ~(repeated | late)
    rows, codes, seconds, values, session = (
        rows[keep],
        codes[keep],
        seconds[keep],
        values[keep],
        session[keep],
    )
    changed = (np.diff(codes) != 0) | (np.diff(session) != 0)
    gap = ~changed & (np.diff(seconds) > GAP_PERIODS / rate)
    for kind, count in (
        ("repeated timestamps dropped", repeated),
        ("late samples dropped", late),
        ("backward jumps of a clock, each a new session", jump),
        ("gaps in a clock, each ending a recording", gap),
    ):
        counted[kind] = counted.get(kind, 0) + int(count.sum())
    bounds = [0, *(np.flatnonzero(changed | gap) + 1).tolist(), len(rows)]
    return [
        Stretch(int(codes[a]), int(session[a]), int(rows[a]), seconds[a:b], values[a:b])
        for a, b in itertools.pairwise(bounds)
        if b > a
    ]


def join(lead: list[Stretch], other: list[Stretch], *, counted: dict[str, int] | None = None) -> list[Stretch]:
    """Interpolate a second sensor at the times of the first, never across a gap.

    Each result is the part of a stretch of ``lead`` that a stretch of ``other`` (same activity, same session)
    covers in time. Where the two clocks agree, the second sensor's values are unchanged.
    """
    counted = {} if counted is None else counted
    joined: list[Stretch] = []
    dropped = 0
    by_session: dict[tuple[int, int], list[Stretch]] = {}
    for stretch in other:
        by_session.setdefault((stretch.code, stretch.session), []).append(stretch)
    for stretch in lead:
        used = 0
        for candidate in by_session.get((stretch.code, stretch.session), ()):
            first, last = np.searchsorted(stretch.seconds, candidate.seconds[[0, -1]], side="left")
            last += int(last < len(stretch.seconds) and stretch.seconds[last] == candidate.seconds[-1])
            if last <= first:
                continue
            seconds = stretch.seconds[first:last]
            interpolated = interpolate(candidate.seconds, candidate.values, seconds).astype(np.float32)
            values = np.concatenate([stretch.values[first:last], interpolated], axis=1)
            joined.append(Stretch(stretch.code, stretch.session, stretch.row + int(first), seconds, values))
            used += last - first
        dropped += len(stretch.seconds) - int(used)
    counted[UNPAIRED] = counted.get(UNPAIRED, 0) + dropped
    return joined


def measure_gap(seconds: NDArray[np.float64], rate: float) -> float:
    """Return the pause that ends a recording, in seconds: five periods, or more on an uneven clock.

    On an uneven clock it is five times the step that nine of ten do not exceed, up to half a second.

    Args:
        seconds: the clock.
        rate: nominal rate in Hz.
    """
    shortest = GAP_PERIODS / rate
    steps = np.diff(seconds)
    steps = steps[steps > 0]
    if len(steps) < FEWEST_STEPS:
        return shortest
    return max(shortest, min(GAP_PERIODS * float(np.quantile(steps, JITTER_QUANTILE)), LONGEST_STEP))


def highest_before(values: NDArray[np.float64], block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest earlier value in each row's block; minus infinity at a block's first row."""
    highest = np.full(len(values), -np.inf)
    bounds = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(values)]
    for a, b in itertools.pairwise(bounds):
        highest[a + 1 : b] = np.maximum.accumulate(values[a : max(a, b - 1)])
    return highest
