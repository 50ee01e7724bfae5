"""Sensors with clocks of their own: find unbroken stretches of each, join two of them on one clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .interpolate import interpolate

#: A clock that stands still longer than this many nominal periods has lost samples: the recording ends.
GAP_PERIODS = 5.0
#: A sample this late (s) at most is a straggler and is dropped; further back, the clock was set anew.
STRAGGLER_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of one sensor (or of two, joined) without a gap: code of the activity, session, first row."""

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
    """Cut one sensor's rows into stretches of one activity, one session and no gap.

    Args:
        codes: activity of every row, in file order.
        seconds: the sensor's own clock.
        values: (rows, axes).
        rate: nominal rate in Hz; a pause of more than five periods is a gap.
        counted: takes the counts of what was found: repeated and late samples, gaps, backward jumps.

    Repeated timestamps keep their first row; a straggler of up to a second is dropped; a larger backward
    jump starts a new session. ``row`` counts the rows of the file.
    """
    counted = {} if counted is None else counted
    rows = np.arange(len(seconds))
    boundary = np.diff(codes, prepend=codes[:1] - 1) != 0
    step = np.diff(seconds, prepend=seconds[:1])
    jump = step < np.where(boundary, 0.0, -STRAGGLER_SECONDS)
    jump[:1] = False
    session = 1 + np.cumsum(jump)
    # Within one activity and session, a row is kept when its time is above all before it.
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
    """Bring a second sensor onto the clock of the first by interpolation, never across a gap.

    Each result is the part of a stretch of ``lead`` that a stretch of ``other`` (same activity, same session)
    covers in time; where the two clocks agree, the second sensor's values come through unchanged.
    """
    counted = {} if counted is None else counted
    joined: list[Stretch] = []
    lost = 0
    by_place: dict[tuple[int, int], list[Stretch]] = {}
    for stretch in other:
        by_place.setdefault((stretch.code, stretch.session), []).append(stretch)
    for stretch in lead:
        used = 0
        for partner in by_place.get((stretch.code, stretch.session), ()):
            first, last = np.searchsorted(stretch.seconds, partner.seconds[[0, -1]], side="left")
            last += int(last < len(stretch.seconds) and stretch.seconds[last] == partner.seconds[-1])
            if last <= first:
                continue
            seconds = stretch.seconds[first:last]
            moved = interpolate(partner.seconds, partner.values, seconds).astype(np.float32)
            values = np.concatenate([stretch.values[first:last], moved], axis=1)
            joined.append(Stretch(stretch.code, stretch.session, stretch.row + int(first), seconds, values))
            used += last - first
        lost += len(stretch.seconds) - int(used)
    kind = "samples of one sensor without the other, dropped"
    counted[kind] = counted.get(kind, 0) + lost
    return joined


def highest_before(values: NDArray[np.float64], block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest value before each row within its block; minus infinity at a block's first row."""
    highest = np.full(len(values), -np.inf)
    bounds = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(values)]
    for a, b in itertools.pairwise(bounds):
        highest[a + 1 : b] = np.maximum.accumulate(values[a : max(a, b - 1)])
    return highest
