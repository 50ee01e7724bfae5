"""Motion of the body over a session: all joints and the pelvis, before any sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import gestures
from .anatomy import SimulatedSubject
from .gait import LAWS, make_strides, vary_gait
from .paths import draw_drift, pass_poses
from .postures import (
    ABDUCTION,
    ELBOW,
    HIP,
    LEAN,
    ON_THE_TABLE,
    PRONATION,
    SHOULDER,
    TILT,
    YAW,
    draw_rest_pose,
    place_arm,
)
from .rotation import Array
from .timeline import OTHER, Bout, Change, Timetable

DT = 0.01  #: s between the model's own samples; sensors read every second one
ARM = (SHOULDER, ABDUCTION, ELBOW, PRONATION)
CYCLES = {"brushing-teeth": gestures.brush_teeth, "clapping": gestures.clap, "typing": gestures.type_keys}
ARMS = {"brushing-teeth": gestures.AT_TEETH, "clapping": gestures.TO_CLAP, "typing": gestures.TO_TYPE}
STILL = {"stand": "standing", "sit": "sitting", "lie": "lying"}
RESTLESS = {
    "stand": 2.2,
    "sit": 0.9,
    "lie": 0.5,
}  #: factor of slow unrest; standing subjects sway and fidget (WISDM, HAPT)
LEANING = {"upstairs": 0.10, "jogging": 0.12, "downstairs": -0.02}


@dataclass(frozen=True, eq=False)
class Motion:
    """Hold joints (len(JOINTS), N) and accelerations (3, N) in m/s² of the pelvis and of impacts at hand and thigh.

    ``belt`` (3, N) in rad is the rotation of the waist unit on the pelvis, about the axes x, y, z of the trunk;
    ``passed`` (N,) is the share of the pelvis' acceleration that reaches the hand through trunk and arm.
    """

    joints: Array
    pelvis: Array
    hand: Array
    leg: Array
    belt: Array
    passed: Array


def simulate_motion(rng: np.random.Generator, subject: SimulatedSubject, plan: Timetable) -> Motion:
    """Simulate the motion of a timetable: poses in order, plus cycles, plus slow unrest."""
    n = round(plan.seconds / DT)
    t = np.arange(n) * DT
    keys = _keys(rng, subject, plan)
    joints = pass_poses(t, np.array([at for at, _ in keys]), np.stack([pose for _, pose in keys]))
    unrest = np.radians([0.6, 0.6, 0.9, 0.3, 1.3, 1.1, 1.8, 3.0, 0.4, 0.4, 0.0, 0.0]) * subject.unrest
    joints += draw_drift(rng, n, DT, unrest, 1.7) * _unrest_size(t, plan)
    pelvis, hand, leg, belt = np.zeros((4, 3, n))
    motion = Motion(joints, pelvis, hand, leg, belt, np.ones(n))
    for change in plan.changes:
        _swing_trunk(rng, motion, t, change)
    for bout in plan.bouts:
        if bout.activity in LAWS:
            _walk(rng, subject, motion, bout)
        elif bout.activity in CYCLES:
            _cycle(rng, subject, motion, bout)
    return motion


def _keys(rng: np.random.Generator, subject: SimulatedSubject, plan: Timetable) -> list[gestures.Key]:
    """List the times and poses of the session, in order."""
    keys: list[gestures.Key] = []
    changes = list(plan.changes)
    for bout in plan.bouts:
        rest = _bout_pose(rng, subject, bout)
        if changes and changes[0].stop <= bout.start:
            change = changes.pop(0)
            if keys:
                keys.append((change.start, keys[-1][1]))
            if {change.before, change.after} == {"stand", "lie"}:  # through sitting on the edge
                edge = draw_rest_pose(rng, subject, "sit", subject.habits["sitting"])
                keys.append((change.start + (change.stop - change.start) * rng.uniform(0.4, 0.55), edge))
            keys.append((change.stop, rest))
        start = bout.start if not keys else max(bout.start, keys[-1][0] + 0.4)
        keys.append((start, rest))
        habit = subject.habits.get(bout.activity, 0.5)
        span = (rng, subject, rest, start, bout.stop)
        if bout.activity == "drinking":
            keys += gestures.drink(*span, habit)
        elif bout.activity == "eating":
            keys += gestures.eat(*span, habit)
        elif bout.activity == OTHER:
            keys += gestures.reach_about(*span, 0.5)
        elif bout.activity in ("sitting", "standing"):
            keys += gestures.reach_about(*span, 12.0 / subject.unrest)
        elif bout.activity in ("brushing-teeth", "typing"):
            keys += gestures.shift_arm(rng, rest, start, bout.stop, 0.25 if bout.activity == "typing" else 0.4, 2.5)
        keys.append((bout.stop, rest))
    return keys


def _unrest_size(t: Array, plan: Timetable) -> Array:
    """Return the size of slow unrest (N,) by posture, interpolated between bouts."""
    times = [edge for bout in plan.bouts for edge in (bout.start, bout.stop)]
    return np.interp(t, times, [RESTLESS[bout.posture] for bout in plan.bouts for _ in range(2)])


def _bout_pose(rng: np.random.Generator, subject: SimulatedSubject, bout: Bout) -> Array:
    """Draw the rest pose of a bout."""
    habit = subject.habits.get(bout.activity, 0.5)
    pose = draw_rest_pose(rng, subject, bout.posture, subject.habits[STILL[bout.posture]])
    if bout.activity in ARMS:
        pose = place_arm(rng, pose, ARMS[bout.activity][gestures.draw_style(rng, habit)])
    elif bout.activity == "eating" or (bout.activity == "drinking" and bout.posture == "sit"):
        pose = place_arm(rng, pose, ON_THE_TABLE)
    elif bout.activity == "drinking":
        pose = place_arm(rng, pose, (0.25, 0.10, 1.55, 0.40))
    elif bout.activity in LAWS:
        pose[[SHOULDER, ABDUCTION, PRONATION]] = 0.0, 0.15, 0.25
        pose[ELBOW] = subject.gaits[bout.activity].bend
        pose[LEAN] += LEANING.get(bout.activity, 0.0)
    return pose


def _swing_trunk(rng: np.random.Generator, motion: Motion, t: Array, change: Change) -> None:
    """Add the trunk's swing forward and back while the subject gets up or down."""
    span = slice(*np.searchsorted(t, (change.start, change.stop)))
    push = np.array([0.4, 0.4, 0.4])  # m/s²: getting up and lying down are not smooth movements
    motion.pelvis[:, span] += draw_drift(rng, span.stop - span.start, DT, push, 0.6)
    if "lie" in (change.before, change.after):
        return
    u = (t[span] - change.start) / (change.stop - change.start)
    motion.joints[LEAN, span] += rng.uniform(0.35, 0.75) * np.sin(np.pi * u) ** 2
    motion.joints[TILT, span] += 0.06 * rng.standard_normal() * np.sin(np.pi * u) ** 2


def _walk(rng: np.random.Generator, subject: SimulatedSubject, motion: Motion, bout: Bout) -> None:
    span, envelope = _span(motion, bout, 0.7)
    n = len(envelope)
    gait = vary_gait(rng, subject.gaits[bout.activity])
    path = make_strides(rng, gait, n, DT) * envelope
    lean, tilt, yaw = path[3:6]
    shoulder, elbow, pronation, hip, leg = path[9:]
    elbow += (gait.bend - subject.gaits[bout.activity].bend) * envelope
    rows = [LEAN, TILT, YAW, SHOULDER, ELBOW, PRONATION, HIP]
    side = subject.side  # the arms swing half a stride apart, so the other one is mirrored
    motion.joints[rows, span] += np.stack([lean, tilt, yaw, side * shoulder, side * elbow, side * pronation, hip])
    motion.joints[YAW, span.start :] += _heading(rng, motion.joints.shape[1] - span.start, n)
    # the hand's motion varies from bout to bout, and vigorous walkers hold it steadier
    steady = (LAWS[bout.activity].median.sway / gait.sway) ** 0.6
    wander = 0.18 * rng.standard_normal() + draw_drift(rng, n, DT, np.array([0.14]), 3.0)[0]
    motion.passed[span] = 1.03 * steady * np.exp(wander)
    motion.pelvis[:, span] += path[:3]
    motion.belt[:, span] += path[6:9]
    motion.leg[:, span] += np.stack([0.5 * leg, 0.2 * leg, -leg])


def _heading(rng: np.random.Generator, rest: int, n: int) -> Array:
    """Draw the heading: one turn of up to a right angle in every 7 s of ``n`` samples, kept for ``rest`` samples."""
    count = max(1, int(n * DT / 7.0))
    slot = n * DT / count
    length = min(3.0, 0.8 * slot)
    starts = (np.arange(count) + rng.random(count) * (1 - length / slot)) * slot
    after = np.cumsum(rng.uniform(-1.5, 1.5, count))
    times = np.stack([starts, starts + length], axis=1).ravel()
    angles = np.stack([np.append(0.0, after[:-1]), after], axis=1).reshape(-1, 1)
    heading: Array = pass_poses(np.arange(rest) * DT, times, angles)[0]
    return heading


def _cycle(rng: np.random.Generator, subject: SimulatedSubject, motion: Motion, bout: Bout) -> None:
    span, envelope = _span(motion, bout, 0.2)
    joints, impacts = CYCLES[bout.activity](rng, subject, len(envelope), DT, subject.habits[bout.activity])
    motion.joints[list(ARM), span] += joints * envelope
    motion.hand[:, span] += impacts * envelope


def _span(motion: Motion, bout: Bout, ramp: float) -> tuple[slice, Array]:
    """Return the bout's samples and an envelope that rises at its start and falls at its end within ``ramp`` s."""
    n = motion.joints.shape[1]
    span = slice(max(0, round((bout.start - ramp / 2) / DT)), min(n, round((bout.stop + ramp / 2) / DT)))
    t = np.arange(span.start, span.stop) * DT
    edges = [bout.start - ramp / 2, bout.start + ramp / 2, bout.stop - ramp / 2, bout.stop + ramp / 2]
    envelope: Array = pass_poses(t, np.array(edges), np.array([[0.0], [1.0], [1.0], [0.0]]))[0]
    return span, envelope
