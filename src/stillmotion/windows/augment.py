"""Augmentation of windows, compiled into the training step; every strength is an array.

Strength 0 leaves windows as they are. All act on the raw signal, before the normaliser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import UnknownName
from ..signals.spec import SignalSpec

Array = Any
#: For each place on the body the columns x, y, z of each of its sensors.
Places = Sequence[Sequence[Sequence[int]]]
#: (key, windows (B, T, D), strength, sensors by place) → windows.
Change = Callable[[Array, Array, Array, Places], Array]


def jitter(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """White noise of ``strength`` times each channel's deviation in the batch."""
    return x + strength * x.std((0, 1)) * jax.random.normal(key, x.shape)


def scaling(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """One factor a window and sensor, from a normal distribution around 1 with deviation ``strength``."""
    factors = 1 + strength * jax.random.normal(key, (x.shape[0], 1, x.shape[2]))
    first = list(range(x.shape[2]))
    for sensors in places:
        for columns in sensors:
            for column in columns:
                first[column] = columns[0]
    return x * factors[:, :, jnp.asarray(first)]


def rotation(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """A turn about a random axis by an angle of deviation ``strength`` (rad), one for each window and place.

    All sensors at a place (``wrist.acc``, ``wrist.gyr``) turn together, as they do when a strap slips.
    """
    for number, sensors in enumerate(places):
        turn = _turn(jax.random.fold_in(key, number), x.shape[0], strength)
        for columns in sensors:
            at = jnp.asarray(columns)
            x = x.at[:, :, at].set(jnp.einsum("bij,btj->bti", turn, x[:, :, at]))
    return x


def magnitude_warp(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """A smooth factor over time around 1, deviation ``strength`` at four knots a window."""
    return x * (1 + strength * _curve(key, x.shape, x.shape[2]))


def time_warp(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Time runs faster and slower by ``strength`` at four knots a window; its ends stay where they are."""
    length = x.shape[1]
    speed = jnp.maximum(1 + strength * _curve(key, x.shape, 1)[:, :, 0], 0.1)
    clock = jnp.cumsum(speed, axis=1)
    clock = (clock - clock[:, :1]) / (clock[:, -1:] - clock[:, :1]) * (length - 1)
    low = jnp.clip(jnp.floor(clock).astype(jnp.int32), 0, length - 2)
    share = (clock - low)[:, :, None]
    rows = jnp.arange(x.shape[0])[:, None]
    return x[rows, low] * (1 - share) + x[rows, low + 1] * share


def channel_dropout(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Each channel of a window stands still, at its own mean, with probability ``strength``."""
    lost = jax.random.uniform(key, (x.shape[0], 1, x.shape[2])) < strength
    return jnp.where(lost, x.mean(1, keepdims=True), x)


KINDS: dict[str, Change] = {
    "jitter": jitter,
    "scaling": scaling,
    "rotation": rotation,
    "magnitude-warp": magnitude_warp,
    "time-warp": time_warp,
    "channel-dropout": channel_dropout,
}
MIXUP = "mixup"


def augment(
    key: Array,
    x: Array,
    targets: Array,
    kinds: Sequence[str],
    strengths: Mapping[str, Array],
    places: Places,
) -> tuple[Array, Array]:
    """Windows (B, T, D) and targets (B, C) after each kind in turn, ``mixup`` (Zhang et al., ICLR 2018) last.

    Args:
        key: a JAX key; each kind takes a key of its own from it.
        strengths: one number a kind; for ``mixup`` the parameter of the Beta distribution.
        places: see ``sensor_places``.
    """
    x, targets = jnp.asarray(x), jnp.asarray(targets)
    for number, kind in enumerate(sorted(kinds, key=MIXUP.__eq__)):
        own = jax.random.fold_in(key, number)
        if kind != MIXUP:
            x = KINDS[kind](own, x, strengths[kind], places)
            continue
        alpha = jnp.maximum(strengths[kind], 1e-3)
        share = jax.random.beta(own, alpha, alpha)
        share = jnp.where(strengths[kind] > 0, jnp.maximum(share, 1 - share), 1.0)
        order = jax.random.permutation(jax.random.fold_in(own, 1), x.shape[0])
        x = share * x + (1 - share) * x[order]
        targets = share * targets + (1 - share) * targets[order]
    return x, targets


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise for a kind of augmentation that is not known."""
    for kind in kinds:
        if kind not in (*KINDS, MIXUP):
            raise UnknownName("augmentation", kind, [*KINDS, MIXUP])


def sensor_places(spec: SignalSpec) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """For each place on the body the columns x, y, z of each of its sensors that has all three."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for group in spec.groups:
        columns = {channel.axis: n for n, channel in enumerate(spec.channels) if channel.group == group}
        if set(columns) == set("xyz"):
            position = spec.channels[columns["x"]].position
            found.setdefault(position, []).append(tuple(columns[axis] for axis in "xyz"))
    return tuple(tuple(sensors) for sensors in found.values())


def _turn(key: Array, count: int, strength: Array) -> Array:
    """Rotations (B, 3, 3) about random axes: R = 1 + sin θ K + (1 − cos θ) K² (Rodrigues)."""
    towards = jax.random.normal(key, (count, 3))
    axis = towards / (jnp.linalg.norm(towards, axis=1, keepdims=True) + 1e-9)
    angle = strength * jax.random.normal(jax.random.fold_in(key, 1), (count, 1, 1))
    zero = jnp.zeros(count)
    a, b, c = axis.T
    cross = jnp.stack([zero, -c, b, c, zero, -a, -b, a, zero], 1).reshape(-1, 3, 3)
    return jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * cross @ cross


def _curve(key: Array, shape: tuple[int, ...], channels: int, knots: int = 4) -> Array:
    """Smooth normal noise (B, T, channels): ``knots`` + 2 normal values, joined by cosines."""
    values = jax.random.normal(key, (shape[0], knots + 2, channels))
    place = jnp.linspace(0, knots + 1, shape[1])
    low = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, knots)
    share = 0.5 * (1 - jnp.cos(jnp.pi * (place - low)))[:, None]
    return values[:, low] * (1 - share) + values[:, low + 1] * share
