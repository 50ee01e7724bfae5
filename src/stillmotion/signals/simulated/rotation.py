"""Rotations of body segments as unit quaternions (4, N), scalar first, mapping segment to world."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]  #: results keep the precision of their inputs


def turned(q: Array, axis: int, angle: Array | float) -> Array:
    """Turn ``q`` by a rotation of ``angle`` rad about the segment's own axis (0 x, 1 y, 2 z).

    A product with a quaternion of one imaginary part takes half the work of a general product.
    """
    half = np.multiply(angle, 0.5)
    c, s = np.cos(half), np.sin(half)
    w, v, a, b = q[0], q[1 + axis], q[1 + (axis + 1) % 3], q[1 + (axis + 2) % 3]
    out = np.empty((4, *np.broadcast_shapes(w.shape, np.shape(c))), np.result_type(w, c))
    out[0] = w * c - v * s
    out[1 + axis] = v * c + w * s
    out[1 + (axis + 1) % 3] = a * c + b * s
    out[1 + (axis + 2) % 3] = b * c - a * s
    return out


def product(p: Array, q: Array) -> Array:
    """Return the Hamilton product: the turn ``q`` (in the frame of ``p``), then ``p``."""
    w, x, y, z = p
    a, b, c, d = q
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ]
    )


def conjugate(q: Array) -> Array:
    """Return the inverse rotation."""
    return np.concatenate([q[:1], -q[1:]])


def rotate(q: Array, v: Array) -> Array:
    """Rotate vectors ``v`` (3, N) from the segment's frame into the world's."""
    w, u = q[0], q[1:]
    t = 2 * _cross(u, v)
    rotated: Array = v + w * t + _cross(u, t)
    return rotated


def long_axis(q: Array) -> Array:
    """Return the segment's z axis in the world (3, N): ``rotate(q, (0, 0, 1))`` at a third of the cost."""
    w, x, y, z = q
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z])


def angular_velocity(q: Array, dt: float) -> Array:
    """Compute the angular velocity (3, N) in rad/s in the segment's frame, by central differences of the rotation."""
    d = product(conjugate(q[:, :-2]), q[:, 2:])
    d *= np.where(d[0] < 0, -1, 1).astype(d.dtype)
    sine = np.sqrt((d[1:] ** 2).sum(0))
    angle = 2 * np.arctan2(sine, d[0])
    scale = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2) / (2 * dt)
    inner = d[1:] * scale
    return np.concatenate([inner[:, :1], inner, inner[:, -1:]], axis=1)


def differentiate_twice(x: Array, dt: float) -> Array:
    """Compute the second derivative along time of ``x`` (…, N), ends repeated."""
    inner = (x[..., 2:] - 2 * x[..., 1:-1] + x[..., :-2]) / dt**2
    return np.concatenate([inner[..., :1], inner, inner[..., -1:]], axis=-1)


def rotation_about(axis: Array, angle: float) -> Array:
    """Return the quaternion (4,) of a rotation by ``angle`` rad about ``axis`` (3,)."""
    axis = axis / np.sqrt((axis**2).sum())
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis])


def frame_rotation(x: tuple[int, int, int], y: tuple[int, int, int]) -> Array:
    """Return the quaternion (4,) of the frame whose x and y axes are these unit vectors of the segment."""
    from scipy.spatial.transform import Rotation

    columns = np.array([x, y, np.cross(x, y)], float).T
    v = Rotation.from_matrix(columns).as_quat()
    return np.array([v[3], v[0], v[1], v[2]])


def _cross(a: Array, b: Array) -> Array:
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
