"""Joints, postures and rest poses."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .anatomy import SimulatedSubject
from .rotation import Array

Posture = Literal["stand", "sit", "lie"]

#: Joint angles in rad, then the position of the pelvis in m. All angles are 0 when standing with hanging arms.
JOINTS = (
    "lean",  # trunk forward
    "tilt",  # trunk to the right
    "yaw",  # trunk to the left
    "twist",  # trunk about its long axis: lying on the side
    "shoulder",  # upper arm forward
    "abduction",  # upper arm away from the body
    "elbow",
    "pronation",  # forearm about its long axis, palm down
    "hip",  # thigh forward, against the vertical
    "spread",  # thigh outward
    "x",
    "z",
)
LEAN, TILT, YAW, TWIST, SHOULDER, ABDUCTION, ELBOW, PRONATION, HIP, SPREAD, X, Z = range(len(JOINTS))

#: (shoulder, abduction, elbow, pronation) of an arm at rest, by posture; each subject prefers one.
ARMS_AT_REST = {
    "stand": ((0.05, 0.12, 0.25, 0.2), (0.05, 0.15, 0.15, 0.5), (0.00, 0.10, 0.30, 0.9), (-0.15, 0.35, 0.9, 0.3)),
    "sit": ((0.45, 0.15, 1.20, 1.30), (0.35, 0.20, 1.10, 0.6), (0.15, 0.30, 1.45, 1.0), (0.60, 0.20, 0.75, 1.2)),
    "lie": ((0.10, 0.20, 0.25, -0.2), (0.15, 0.30, 0.60, -0.6), (2.60, 0.30, 0.60, 0.3)),
}
ON_THE_TABLE = (0.50, 0.15, 1.25, 1.20)


def draw_rest_pose(rng: np.random.Generator, subject: SimulatedSubject, posture: Posture, habit: float) -> Array:
    """Draw a rest pose (len(JOINTS),) of a posture in the subject's style, with a small variation."""
    pose = np.zeros(len(JOINTS))
    pose[LEAN], pose[TILT] = subject.lean, subject.tilt
    pose[Z] = 0.95
    if posture == "sit":
        pose[[LEAN, HIP, SPREAD, X, Z]] = subject.lean - 0.05, 1.42, 0.15, -0.2, 0.5
    if posture == "lie":
        on_the_side = habit > 0.65
        pose[LEAN] = -1.5 + 0.3 * subject.lean
        pose[TWIST] = (1.15 if rng.random() < 0.5 else -1.15) if on_the_side else 0.25 * subject.tilt
        pose[[HIP, SPREAD, X, Z]] = 1.48 - 0.35 * on_the_side, 0.12, -0.5, 0.5
    styles = ARMS_AT_REST[posture]
    usual = int(habit * len(styles)) % len(styles)
    style = usual if rng.random() < 0.6 else int(rng.integers(len(styles)))
    pose[SHOULDER : PRONATION + 1] = styles[style]
    spread = np.radians([4.0, 3.0, 0.0, 4.0, 7.0, 6.0, 10.0, 14.0, 5.0, 6.0])
    pose[:X] += spread * rng.standard_normal(X)
    return pose


def place_arm(rng: np.random.Generator, pose: Array, arm: tuple[float, float, float, float]) -> Array:
    """Return the pose with another arm position, accurate to a few degrees."""
    placed = pose.copy()
    placed[SHOULDER : PRONATION + 1] = np.array(arm) + np.radians([6, 5, 8, 12]) * rng.standard_normal(4)
    return placed
