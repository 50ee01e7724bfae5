"""Walking, stairs and jogging: harmonics and heel strikes over a stride, with variation between strides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .paths import draw_correlated, draw_drift, draw_phase
from .rotation import Array

GRID = np.arange(256) / 256  #: phase of a stride, right heel strike at 0, left at 0.5
G = 9.80665

#: Rows of the table of a stride: acceleration of the pelvis (m/s²), angles of the trunk, of the belt on the pelvis, of
#: arm and thigh (rad), impact at the thigh (m/s²).
ROWS = (
    "ax", "ay", "az", "lean", "tilt", "yaw", "belt_tilt", "belt_lean", "belt_yaw",
    "shoulder", "elbow", "pronation", "hip", "leg",
)  # fmt: skip


@dataclass(frozen=True)
class Gait:
    """Parameters of one gait of one subject.

    Args:
        stride: strides (two steps) per second.
        sway: standard deviation of the waist's |acceleration|, g.
        turn: root mean square of the waist's angular velocity, rad/s.
        weights: (7,) of vertical harmonics 1–3 of the step, impact, fore-aft, sideways, limp.
        phases: (8,) of vertical harmonics 1–3, fore-aft, sideways, arms, lag of elbow and pronation, in cycles.
        ring: frequency in Hz of the oscillation after a heel strike.
        arms: (3,) amplitudes of shoulder, elbow and pronation, rad.
        bend: elbow angle around which the forearm swings, rad.
        legs: (2,) mean and amplitude of the thigh's angle, rad.
    """

    stride: float
    sway: float
    turn: float
    weights: Array
    phases: Array
    ring: float
    arms: Array
    bend: float
    legs: Array


@dataclass(frozen=True)
class Law:
    """Median of one gait, and the standard deviations between subjects (of logarithms for positive quantities)."""

    median: Gait
    stride_spread: float
    sway_spread: float
    turn_spread: float
    arms_spread: float = 0.20


def _median(
    stride: float,
    sway: float,
    turn: float,
    weights: tuple[float, ...],
    phases: tuple[float, ...],
    arms: tuple[float, float, float],
    bend: float,
    legs: tuple[float, float],
) -> Gait:
    return Gait(stride, sway, turn, np.array(weights), np.array(phases), 10.0, np.array(arms), bend, np.array(legs))


LAWS = {
    "walking": Law(
        _median(
            0.890, 0.248, 0.77, (1.0, 0.38, 0.18, 1.1, 0.50, 0.45, 0.0), (0.18, 0.05, 0.10, 0.05, 0.10, 0.0, 0.07, 0.0),
            (0.25, 0.13, 0.60), 0.35, (0.10, 0.38),
        ), 0.045, 0.130, 0.18,
    ),
    "upstairs": Law(
        _median(
            0.830, 0.270, 0.88, (1.0, 0.50, 0.15, 0.6, 0.45, 0.50, 0.0),
            (0.25, 0.30, 0.08, 0.08, 0.12, 0.0, 0.28, 0.22),
            (0.22, 0.15, 0.46), 0.45, (0.38, 0.45),
        ), 0.075, 0.125, 0.17,
    ),
    "downstairs": Law(
        _median(
            0.890, 0.375, 0.94, (1.0, 0.52, 0.32, 1.4, 0.50, 0.45, 0.0),
            (0.15, 0.00, 0.16, 0.04, 0.08, 0.0, -0.12, 0.45),
            (0.22, 0.12, 0.50), 0.40, (0.20, 0.30),
        ), 0.050, 0.120, 0.12,
    ),
    "jogging": Law(
        _median(
            1.310, 0.550, 1.90, (1.0, 0.25, 0.12, 0.7, 0.30, 0.30, 0.0), (0.28, 0.20, 0.10, 0.10, 0.10, 0.0, 0.0, 0.1),
            (0.17, 0.10, 0.56), 1.40, (0.30, 0.55),
        ), 0.035, 0.080, 0.18, 0.11,
    ),
}  # fmt: skip


def draw_gait(rng: np.random.Generator, name: str, *, vigour: float, tempo: float, arms: float) -> Gait:
    """Draw one subject's version of a gait; ``vigour``, ``tempo`` and ``arms`` are shared by all of its gaits."""
    law = LAWS[name]
    noise = rng.standard_normal(4)
    arm = law.arms_spread * np.array([1.0, 1.0, 1.3])  # pronation varies most between subjects
    share, rest = 0.75, 0.66  # 0.75² + 0.66² = 1
    return replace(
        law.median,
        stride=law.median.stride * np.exp(law.stride_spread * (share * tempo + rest * noise[0])),
        sway=law.median.sway * np.exp(law.sway_spread * (share * vigour + rest * noise[1])),
        turn=law.median.turn * np.exp(law.turn_spread * (share * vigour + rest * noise[2])),
        weights=_scatter(rng, law.median.weights, 0.25) + np.array([0] * 6 + [0.06 * rng.standard_normal()]),
        phases=law.median.phases + 0.03 * rng.standard_normal(8),
        ring=law.median.ring * np.exp(0.15 * rng.standard_normal()),
        arms=law.median.arms * np.exp(arm * (share * arms + rest * rng.standard_normal(3))),
        bend=law.median.bend * np.exp(0.12 * rng.standard_normal()),
        legs=_scatter(rng, law.median.legs, 0.12),
    )


def vary_gait(rng: np.random.Generator, gait: Gait) -> Gait:
    """Vary a gait for one bout: speed, size, shape, and sometimes a hand that holds something."""
    n = rng.standard_normal(4)
    held = 0.25 if rng.random() < 0.12 else 1.0  # a hand that holds something hardly swings
    return replace(
        gait,
        stride=gait.stride * np.exp(0.025 * n[0]),
        sway=gait.sway * np.exp(0.06 * n[1]),
        turn=gait.turn * np.exp(0.07 * n[2]),
        weights=_scatter(rng, gait.weights, 0.12),
        phases=gait.phases + 0.015 * rng.standard_normal(8),
        arms=gait.arms * held * np.exp(0.28 * n[3] + 0.12 * rng.standard_normal(3)),
        bend=gait.bend + (0.9 if held < 1 else 0.0) * (gait.bend < 1) + 0.08 * rng.standard_normal(),
    )


def make_strides(rng: np.random.Generator, gait: Gait, n: int, dt: float) -> Array:
    """Make a bout of ``n`` samples, ``dt`` s apart: (len(ROWS), n). Strides differ in length, size and shape."""
    phase = draw_phase(rng, n, dt, gait.stride, 0.03)
    table = _stride_table(gait)
    count = int(phase[-1]) + 2
    # arm swing varies more between strides than the legs
    size = np.exp(np.stack([spread * draw_correlated(rng, count, 0.6) for spread in (0.09, 0.09, 0.22, 0.09)]))
    groups = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3)
    along = [np.interp(phase, np.arange(count), row) for row in size]
    wrapped = phase % 1.0
    grid = np.append(GRID, 1.0)
    path = np.stack(
        [np.interp(wrapped, grid, np.append(row, row[0])) * along[g] for row, g in zip(table, groups, strict=True)]
    )
    # steps are not smooth: soft tissue, clothes and ground add a tenth of the power between 2 and 8 Hz
    rough = np.repeat([0.24 * gait.sway * G, 0.006 * gait.turn], 3)
    jolts = [0, 1, 2, 6, 7, 8]
    path[jolts] = 0.96 * path[jolts] + draw_drift(rng, n, dt, rough, 0.08)
    return path


def _stride_table(gait: Gait) -> Array:
    """Compute one stride (len(ROWS), 256), scaled so that the waist reaches the gait's ``sway`` and ``turn``."""
    step = 2 * GRID % 1.0
    w, p = gait.weights, gait.phases
    turn = 2 * np.pi
    limp = np.where(GRID < 0.5, 1 + w[6], 1 - w[6])
    ring = _ring_down(step / (2 * gait.stride), gait.ring) * limp
    vertical = sum(w[k] * np.cos(turn * (k + 1) * (step - p[k])) for k in range(3)) * limp + w[3] * ring
    fore = w[4] * (np.sin(turn * (step - p[3])) + 0.4 * np.sin(2 * turn * (step - p[1])) - 1.2 * w[3] * ring)
    foot = np.where(GRID < 0.5, 1.0, -1.0)
    side = w[5] * (np.cos(turn * (GRID - p[4])) + 0.5 * np.cos(3 * turn * (GRID - p[4])) + 0.4 * w[3] * ring * foot)
    pelvis = np.stack([fore, side, vertical])
    for _ in range(4):  # |g + a| is not linear in a: four iterations reach the target to 1 %
        pelvis *= gait.sway * G / np.linalg.norm(pelvis + np.array([[0], [0], [G]]), axis=0).std()
    trunk = np.stack(
        [
            0.20 * np.cos(turn * (step - p[3] - 0.1)) + 0.06 * np.cos(2 * turn * (step - p[2])),
            0.45 * np.cos(turn * (GRID - p[4])) + 0.12 * np.cos(3 * turn * (GRID - p[4])),
            0.55 * np.cos(turn * (GRID - p[5] - 0.2)) + 0.10 * np.cos(2 * turn * (step - p[1])),
        ]
    )
    shake = 0.10 * np.sqrt(w[3]) * _ring_down(step / (2 * gait.stride), 0.7 * gait.ring)
    belt = np.stack([0.8 * shake * foot, -shake, -0.6 * shake * foot])
    speed = np.gradient(trunk[[1, 0, 2]] + belt, 1 / 256, axis=1) * gait.stride
    to_scale = gait.turn / np.sqrt((speed**2).sum(0).mean())
    trunk, belt = to_scale * trunk, to_scale * belt
    arm = GRID - 0.5 - p[5]
    arms = gait.arms[:, None] * np.stack(
        [
            np.cos(turn * arm) + 0.12 * np.cos(2 * turn * (arm - p[0])),
            np.cos(turn * (arm - p[6])) + 0.25 * np.cos(2 * turn * (arm - p[1])),
            np.cos(turn * (arm - p[7])) + 0.20 * np.cos(2 * turn * (arm - p[4])),
        ]
    )
    hip = gait.legs[0] + gait.legs[1] * (np.cos(turn * GRID) + 0.25 * np.cos(2 * turn * (GRID - p[0])))
    leg = w[3] * gait.sway * G * _ring_down(GRID / gait.stride, gait.ring * 1.2) * 1.5
    return np.concatenate([pelvis, trunk, belt, arms, hip[None], leg[None]])


def _ring_down(t: Array, frequency: float) -> Array:
    """Compute the damped oscillation (35 ms) after a heel strike at t = 0."""
    oscillation: Array = np.exp(-t / 0.035) * np.sin(2 * np.pi * frequency * t) * 2.0
    return oscillation


def _scatter(rng: np.random.Generator, values: Array, spread: float) -> Array:
    return values * np.exp(spread * rng.standard_normal(len(values)))
