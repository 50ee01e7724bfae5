"""Unknown: windows for which no class is probable enough are not answered with one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from ..limits import Limits

#: What stands for a class where none is probable enough: a number, and its name.
UNKNOWN, UNKNOWN_NAME = -2, "unknown"
#: Delays that are no number of windows: each window by itself, and the whole recording.
ALONE, OFFLINE = "alone", "offline"
SHARE_REJECTED = Limits(0, 0.5)


def name_delay(delay: int | None) -> str:
    """Name a lag in windows.

    Args:
        delay: windows of future, or None for the whole recording.

    Returns:
        The number as text, or ``offline``.

    Example:
        >>> from stillmotion.decoding import name_delay
        >>> name_delay(2), name_delay(None)
        ('2', 'offline')
    """
    return OFFLINE if delay is None else str(delay)


def find_threshold(confidence: ArrayLike, reject: float) -> float:
    """Find the highest threshold below which at most a share of windows lies.

    Args:
        confidence: (n,) probability of the predicted class, of windows of known classes.
        reject: most of them that may be rejected, a share from 0 to 0.5.

    Returns:
        The threshold; windows with a lower probability are rejected.

    Raises:
        UserError: there are no windows, or the share is out of range.

    Example:
        >>> from stillmotion.decoding import find_threshold
        >>> find_threshold([0.9, 0.3, 0.6, 0.8], reject=0.25)
        0.6
    """
    SHARE_REJECTED.check(reject, "The share of windows of known classes that may be rejected")
    values = np.sort(np.asarray(confidence, np.float64))
    if not len(values):
        raise UserError("No window has a known class; a threshold for the unknown is found on labelled ones.")
    # 0.07 * 100 is a hair above 7.
    return float(values[math.floor(reject * len(values) + 1e-9)])


def pick_threshold(thresholds: Mapping[str, float], delay: str) -> float:
    """Return the threshold of a delay, or that of the nearest lag among them; 0 without any."""
    if delay in thresholds or not thresholds:
        return thresholds.get(delay, 0.0)
    lags = sorted(int(each) for each in thresholds if each not in (ALONE, OFFLINE))
    if delay == ALONE or not lags:
        return 0.0
    return thresholds[str(lags[-1] if delay == OFFLINE else min(lags, key=lambda lag: abs(lag - int(delay))))]


def check_thresholds(thresholds: Mapping[str, float]) -> dict[str, float]:
    """Return thresholds by delay, or raise ``UserError``."""
    if not isinstance(thresholds, Mapping):
        raise UserError(f"thresholds of a decoder must be numbers by delay, not {thresholds!r:.40}.")
    for delay, value in thresholds.items():
        if delay not in (ALONE, OFFLINE) and not (delay.isascii() and delay.isdigit() and len(delay) < 6):
            raise UserError(f"thresholds of a decoder are of alone, offline or a number of windows, not {delay!r:.40}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise UserError(f"The threshold {delay} of a decoder must be a probability, not {value!r:.40}.")
    return {delay: float(value) for delay, value in thresholds.items()}
