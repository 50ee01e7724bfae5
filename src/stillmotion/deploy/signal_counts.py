"""Raw counts of sensors: 16-bit integers whose step, for every axis of a sensor, is a power of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnknownName, UserError
from ..signals import SignalSpec

#: How many times the largest value of the calibration windows fits: other subjects move harder.
HEADROOM = 1.25
#: Steps may lie between 2^-24 and 2^8.
SHIFTS = range(-8, 25)


@dataclass(frozen=True)
class Counts:
    """How raw counts stand for values: value = count · 2^-shift.

    Args:
        shifts: of each channel.
    """

    shifts: tuple[int, ...]

    @property
    def scales(self) -> tuple[float, ...]:
        """Value of one count, of each channel."""
        return tuple(2.0**-shift for shift in self.shifts)

    def of(self, values: ArrayLike) -> NDArray[np.int16]:
        """Return the counts of finite values (…, channels), rounded half away from zero and saturated, as C does."""
        scaled = np.asarray(values, np.float32) * np.asarray([2.0**shift for shift in self.shifts], np.float32)
        limited = np.clip(scaled, -32768, 32767)
        return np.trunc(limited + np.where(limited < 0, np.float32(-0.5), np.float32(0.5))).astype(np.int16)


def fit_counts(spec: SignalSpec, windows: ArrayLike | None, full_scale: Mapping[str, float] | None = None) -> Counts:
    """Find, for each sensor, the finest counts that hold its values.

    Args:
        spec: the contract.
        windows: (n, time, channels) of training subjects; None where every sensor's full scale is given.
        full_scale: largest value of sensors (``wrist.acc``) or of all sensors of a kind (``acc``), which goes before
            the windows; such as 8 for an accelerometer of ±8 g.

    Returns:
        The counts.

    Raises:
        UnknownName: a full scale is of no sensor of the contract.
        UserError: a full scale is not above 0, or there are no windows and none is given.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.deploy import fit_counts
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec
        >>> fit_counts(spec, None, {"acc": 8}).shifts
        (12, 12, 12)
    """
    given = dict(full_scale or {})
    known = {*spec.groups, *(channel.sensor for channel in spec.channels)}
    for name, value in given.items():
        if name not in known:
            raise UnknownName("sensor", name, sorted(known))
        if not 0 < value < 2.0**23:
            raise UserError(f"The full scale of {name} must be above 0 and below 2^23, not {value:g}.")
    largest = None if windows is None else np.abs(np.asarray(windows, np.float64)).max((0, 1))
    shifts = {}
    for group in spec.groups:
        columns = [place for place, channel in enumerate(spec.channels) if channel.group == group]
        kind = spec.channels[columns[0]].sensor
        if group in given or kind in given:
            most = float(given.get(group, given.get(kind, 0.0)))
        elif largest is None:
            raise UserError(f"{group} has no full scale: give its largest value, such as --full-scale {group}=8.")
        else:
            most = float(largest[columns].max()) * HEADROOM
        shifts[group] = min(max(15 - ceil(log2(max(most, 1e-9))), SHIFTS.start), SHIFTS.stop - 1)
    return Counts(tuple(shifts[channel.group] for channel in spec.channels))
