"""A simulated subject: body, gaits, habits, and how the units are worn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .gait import LAWS, Gait, draw_gait
from .rotation import Array, frame_rotation, product, rotation_about

UNITS = ("wrist", "waist", "pocket")


@dataclass(frozen=True)
class SimulatedSubject:
    """Hold what stays constant over all recordings of one simulated subject.

    Args:
        name: "1", "2", …
        upper_arm, forearm, trunk, thigh: lengths of levers in m (thigh: hip to pocket).
        side: +1 if the watch is worn on the right wrist, -1 on the left.
        tempo: speed of hand movements, 1 on average.
        unrest: size of small movements, 1 on average.
        lean: lean of the trunk forward, rad; tilt: lean to the right, rad.
        gaits: the subject's walking, upstairs, downstairs and jogging.
        habits: preferred style in each activity, 0 to 1.
        worn: attitude of each unit on its segment, sensor axes to segment, before remounting.
    """

    name: str
    upper_arm: float
    forearm: float
    trunk: float
    thigh: float
    side: float
    tempo: float
    unrest: float
    lean: float
    tilt: float
    gaits: Mapping[str, Gait]
    habits: Mapping[str, float]
    worn: Mapping[str, Array]


def draw_subject(rng: np.random.Generator, name: str, activities: tuple[str, ...]) -> SimulatedSubject:
    """Draw a random subject. Height scales the levers; vigour, tempo and arm swing are shared by all gaits."""
    size = float(np.exp(0.06 * rng.standard_normal()))
    vigour, tempo, arms = rng.standard_normal(3)
    side = 1.0 if rng.random() < 0.7 else -1.0
    lean, tilt = np.radians(5.2) * rng.standard_normal(2)
    return SimulatedSubject(
        name=name,
        upper_arm=0.29 * size,
        forearm=0.25 * size,
        trunk=0.45 * size,
        thigh=0.22 * size,
        side=side,
        tempo=float(np.exp(0.14 * (0.5 * tempo + 0.87 * rng.standard_normal()))),
        unrest=float(np.exp(0.35 * rng.standard_normal())),
        lean=float(lean),
        tilt=float(tilt),
        gaits={gait: draw_gait(rng, gait, vigour=vigour, tempo=tempo, arms=arms) for gait in LAWS},
        habits={activity: float(rng.random()) for activity in activities},
        worn=_draw_attitudes(rng, side),
    )


def remount(rng: np.random.Generator, worn: Array) -> Array:
    """Return the attitude of a unit put on again: turned by 5–15° about a random axis."""
    return product(worn, rotation_about(rng.standard_normal(3), np.radians(rng.uniform(5.0, 15.0))))


def _draw_attitudes(rng: np.random.Generator, side: float) -> dict[str, Array]:
    """Draw the attitudes of the units: waist x up, z forward; wrist x to the fingers, z out of the back of the hand."""
    wrist = frame_rotation((0, 0, -1), (int(side), 0, 0))
    if rng.random() < 0.3:  # the crown points the other way: half a turn about the watch's face
        wrist = product(wrist, rotation_about(np.array([0.0, 0.0, 1.0]), np.pi))
    pocket = frame_rotation((0, 0, 1), (0, 1, 0))
    for axis in np.eye(3)[:2]:  # upside down, or with its face to the leg
        if rng.random() < 0.5:
            pocket = product(pocket, rotation_about(axis, np.pi))
    waist = frame_rotation((0, 0, 1), (0, -1, 0))
    return {"wrist": wrist, "waist": waist, "pocket": pocket}
