"""Order windows into sequences: windows of one recording in time, with the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
#: Gaps: 0 starts a sequence, 1 is the window right after the one before, g the one g hops after it.
Gaps = NDArray[np.int64]
#: A distance that differs by more than this share of a hop from a whole number of hops is refused.
JITTER = 0.25


def order_windows(recording: ArrayLike, time: ArrayLike, hop: float) -> tuple[Integers, Gaps]:
    """Order windows by recording and time, and count the hops between neighbours.

    Args:
        recording: (n,) recording of each window, names or numbers; include subject and run where these differ.
        time: (n,) start of each window in seconds within its recording.
        hop: seconds from one window to the next.

    Returns:
        The order (n,) that sorts the windows, and the gaps (n,) of the sorted windows: 0 for the first of a recording,
        otherwise the number of hops since the window before (1 without a gap).

    Raises:
        UserError: the hop is not above 0, two windows of a recording begin at the same time, or a distance is no whole
            number of hops.

    Example:
        >>> from stillmotion.decoding import order_windows
        >>> order, gaps = order_windows(["b", "a", "a", "a"], [0.0, 4.0, 0.0, 1.0], hop=1.0)
        >>> order, gaps
        (array([2, 3, 1, 0]), array([0, 1, 3, 0]))
    """
    if not hop > 0:
        raise UserError(f"A hop must be longer than 0 s, not {hop} s.")
    source = np.unique(np.asarray(recording), return_inverse=True)[1].ravel()
    seconds = np.asarray(time, np.float64)
    order = np.lexsort((seconds, source))
    if len(order) == 0:
        return order, np.zeros(0, np.int64)
    hops = np.diff(seconds[order]) / hop
    inside = np.diff(source[order]) == 0
    if (inside & (hops <= JITTER)).any():
        at = int(np.flatnonzero(inside & (hops <= JITTER))[0])
        raise UserError(
            f"Two windows of one recording begin at {seconds[order[at]]:g} s and {seconds[order[at + 1]]:g} s, less "
            f"than a hop of {hop:g} s apart; decode windows of one hop."
        )
    whole = np.maximum(np.rint(hops), 1)
    if (inside & (np.abs(hops - whole) > JITTER)).any():
        at = int(np.flatnonzero(inside & (np.abs(hops - whole) > JITTER))[0])
        raise UserError(
            f"Windows at {seconds[order[at]]:g} s and {seconds[order[at + 1]]:g} s are {hops[at]:.2f} hops of {hop:g} "
            f"s apart; expected a whole number of hops."
        )
    gaps = np.zeros(len(order), np.int64)
    gaps[1:] = np.where(inside, np.minimum(whole, 2**31), 0)
    return order, gaps


def check_gaps(gaps: ArrayLike | None, windows: int) -> Gaps:
    """Return gaps as an array; without any, all windows are one sequence.

    Raises:
        UserError: there is not one gap a window, or the first window does not start a sequence.
    """
    if gaps is None:
        return np.minimum(np.arange(windows), 1)
    values = np.asarray(gaps, np.int64)
    if values.shape != (windows,) or (windows and (values[0] != 0 or values.min() < 0)):
        raise UserError(
            f"Gaps of {windows} windows must be {windows} whole numbers of 0 or more and begin with 0, not "
            f"{values.tolist()[:8]}."
        )
    return values


def restart_at(gaps: Gaps, longest: int) -> Gaps:
    """Start a new sequence at every gap of more than ``longest`` windows without a prediction."""
    return np.where(gaps > longest + 1, 0, gaps)


def steps(gaps: Gaps) -> Iterator[Integers]:
    """Yield for each step the windows at that place of their sequences; sequences that have ended are left out."""
    starts = np.flatnonzero(gaps == 0)
    lengths = np.diff(np.append(starts, len(gaps)))
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    for step in range(int(lengths[0]) if len(lengths) else 0):
        running = int(np.searchsorted(-lengths, -step))
        yield starts[:running] + step
