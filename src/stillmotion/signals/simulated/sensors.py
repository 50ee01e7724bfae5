"""Sensor units on rigid segments; the rotation of a segment gives both acceleration and angular velocity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .anatomy import UNITS, SimulatedSubject
from .motion import DT, Motion
from .postures import ABDUCTION, ELBOW, HIP, LEAN, PRONATION, SHOULDER, SPREAD, TILT, TWIST, YAW, X, Z
from .rotation import Array, angular_velocity, conjugate, differentiate_twice, long_axis, product, rotate, turned

G = 9.80665
UP = np.array([[0], [0], [1]], np.float32)
ACC_RANGE = 4.0  #: g
GYR_RANGE = float(np.radians(1000.0))  #: rad/s
NOISE = {"acc": 0.0035, "gyr": 0.006}  #: g and rad/s, white
BIAS = {"acc": 0.012, "gyr": 0.010}  #: g and rad/s, standard deviation between sessions


def simulate_sensors(
    rng: np.random.Generator, subject: SimulatedSubject, motion: Motion, worn: Mapping[str, Array]
) -> Array:
    """Simulate the readings of the three units: (N // 2, 18) at 50 Hz, acceleration in g, angular velocity in rad/s.

    ``worn`` is the attitude (4,) of each unit on its segment in this session.
    """
    columns = []
    for unit, (attitude, acceleration) in zip(UNITS, track_segments(subject, motion), strict=True):
        q = product(attitude, worn[unit][:, None].astype(attitude.dtype))
        columns += list(read(q, acceleration))
    ideal = np.concatenate(columns)
    # the sensor's low-pass before sampling: 1-2-1, then every second value
    sampled = 0.5 * ideal[:, 1::2]
    sampled += 0.25 * ideal[:, :-1:2]
    sampled[:, :-1] += 0.25 * ideal[:, 2::2]
    sampled[:, -1] += 0.25 * ideal[:, -1]
    return _degrade(rng, sampled).T


def read(q: Array, acceleration: Array) -> tuple[Array, Array]:
    """Return the ideal readings of a unit with attitude ``q`` (4, N): Rᵀ(a − g) in g, and ω of the same R in rad/s."""
    felt = acceleration / G + UP
    return rotate(conjugate(q), felt), angular_velocity(q, DT)


def track_segments(subject: SimulatedSubject, motion: Motion) -> list[tuple[Array, Array]]:
    """Compute attitude (4, N) and acceleration (3, N) in m/s², in the world, of hand, pelvis and thigh."""
    single = (part.astype(np.float32) for part in (motion.joints, motion.pelvis, motion.hand, motion.leg))
    j, pelvis, at_palm, at_pocket = single  # float32 takes half the time, and its error is far below the noise
    heading = turned(np.array([[1], [0], [0], [0]], np.float32), 2, j[YAW])
    trunk = turned(turned(turned(heading, 1, j[LEAN]), 0, j[TILT]), 2, j[TWIST])
    place = np.stack([j[X], np.zeros_like(j[X]), j[Z]])
    root = rotate(heading, pelvis + differentiate_twice(place, DT))

    upper = turned(turned(trunk, 1, -j[SHOULDER]), 0, -subject.side * j[ABDUCTION])
    fore = turned(upper, 1, -j[ELBOW])
    wrist = subject.trunk * long_axis(trunk) - subject.upper_arm * long_axis(upper) - subject.forearm * long_axis(fore)
    hand = turned(fore, 2, subject.side * j[PRONATION])
    passed = motion.passed.astype(np.float32) * root
    at_hand = passed + differentiate_twice(wrist, DT) + rotate(hand, at_palm)

    thigh = turned(turned(turned(heading, 1, -j[HIP]), 0, -j[SPREAD]), 2, j[TWIST])
    pocket = -subject.thigh * long_axis(thigh)
    at_thigh = root + differentiate_twice(pocket, DT) + rotate(thigh, at_pocket)
    belt = trunk
    for axis, angle in enumerate(motion.belt.astype(np.float32)):
        belt = turned(belt, axis, angle)
    return [(hand, at_hand), (belt, root), (thigh, at_thigh)]


def _degrade(rng: np.random.Generator, clean: Array) -> Array:
    """Add scale error, bias and noise to each axis, then clip to the range."""
    size = (18, 1)
    scale = 1 + 0.01 * rng.standard_normal(size, np.float32)
    bias = _per_channel(BIAS["acc"], BIAS["gyr"]) * rng.standard_normal(size, np.float32)
    limit = _per_channel(ACC_RANGE, GYR_RANGE)
    read = rng.standard_normal(clean.shape, np.float32)
    read *= _per_channel(NOISE["acc"], NOISE["gyr"])
    read += clean * scale + bias
    return np.clip(read, -limit, limit, out=read)


def _per_channel(acc: float, gyr: float) -> Array:
    """Return one value per channel (18, 1), the same for all accelerometers and for all gyroscopes."""
    return np.tile(np.repeat(np.array([acc, gyr], np.float32), 3), len(UNITS))[:, None]
