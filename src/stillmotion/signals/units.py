"""Unit conversion, sensor by sensor."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np

from ..errors import UserError
from .recording import Dataset
from .spec import UNITS

#: Standard gravity, m/s² (CGPM 1901).
STANDARD_GRAVITY = 9.80665

#: One of each unit, in the first unit of its sensor.
SIZE = {"g": 1.0, "m/s2": 1 / STANDARD_GRAVITY, "rad/s": 1.0, "deg/s": pi / 180, "uT": 1.0, "gauss": 100.0}


def convert_units(dataset: Dataset, **wanted: str) -> Dataset:
    """Convert sensors to other units: ``convert_units(data, acc="g", gyr="deg/s")``.

    A derived sensor (``body-acc``) is converted with the sensor that its name ends with. Units are never guessed: an
    unknown unit is an error.

    Args:
        dataset: recordings whose units are known.
        wanted: sensor to unit.

    Returns:
        The same recordings in these units.

    Raises:
        UserError: the unit of a channel is not known, or the sensor cannot have the wanted unit.

    Example:
        >>> from stillmotion.signals import convert_units
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=1)
        >>> converted = convert_units(data, acc="m/s2")
        >>> converted.spec.channels[0].unit
        'm/s2'
        >>> round(float(converted.samples[0, 2] / data.samples[0, 2]), 4)
        9.8067
    """
    for sensor, unit in wanted.items():
        if sensor not in UNITS:
            raise UserError(f"Unknown sensor {sensor!r}. Valid: {', '.join(UNITS)}.")
        if unit not in UNITS[sensor]:
            raise UserError(f"{sensor} cannot be given in {unit!r}. Valid: {', '.join(UNITS[sensor])}.")
    factors, channels = [], []
    for channel in dataset.spec.channels:
        target = wanted.get(channel.sensor.rsplit("-", 1)[-1], channel.unit)
        if target != channel.unit and channel.unit not in SIZE:
            raise UserError(f"The unit of {channel.name} is not known, so it cannot be converted to {target}.")
        factors.append(1.0 if target == channel.unit else SIZE[channel.unit] / SIZE[target])
        channels.append(replace(channel, unit=target))
    if all(factor == 1.0 for factor in factors):
        return dataset
    scale = np.array(factors, np.float32)
    return dataset.rebuilt(
        [replace(recording, samples=recording.samples * scale) for recording in dataset.recordings],
        spec=replace(dataset.spec, channels=tuple(channels)),
        raw=dataset.raw,
    )
