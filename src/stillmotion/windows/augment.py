"""Augmentation of windows, compiled into the training step; every strength is an array.

Strength 0 leaves windows unchanged. All augmentations act on the raw signal, before the normaliser, but
``feature-noise``, which acts on window features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..errors import UnknownName
from ..signals.spec import SignalSpec

Array = Any


class Axes(NamedTuple):
    """The columns x, y, z of a sensor; ``axial`` is whether it measures rotation, which a mirror turns around."""

    columns: tuple[int, int, int]
    axial: bool


#: For each position on the body its sensors of three axes.
Places = Sequence[Sequence[Axes]]
#: (key, windows (B, T, D), strength, sensors by position) → windows.
Augmentation = Callable[[Array, Array, Array, Places], Array]


def jitter(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Add white noise of ``strength`` times each channel's standard deviation in the batch."""
    return x + strength * x.std((0, 1)) * jax.random.normal(key, x.shape)


def scaling(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Scale each sensor of a window by a normal factor with mean 1 and standard deviation ``strength``."""
    factors = 1 + strength * jax.random.normal(key, (x.shape[0], 1, x.shape[2]))
    first = list(range(x.shape[2]))
    for sensors in places:
        for sensor in sensors:
            for column in sensor.columns:
                first[column] = sensor.columns[0]
    return x * factors[:, :, jnp.asarray(first)]


def rotation(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Rotate about a random axis by a normal angle of standard deviation ``strength`` (rad), per window and position.

    All sensors at a position (``wrist.acc``, ``wrist.gyr``) rotate together, as when a strap slips.
    """
    for number, sensors in enumerate(places):
        rotations = _rotations(jax.random.fold_in(key, number), x.shape[0], strength)
        for sensor in sensors:
            axes = jnp.asarray(sensor.columns)
            x = x.at[:, :, axes].set(jnp.einsum("bij,btj->bti", rotations, x[:, :, axes]))
    return x


def magnitude_warp(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Multiply each channel by a smooth curve: mean 1, standard deviation ``strength``, four knots per window."""
    return x * (1 + strength * _curve(key, x.shape, x.shape[2]))


def time_warp(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Speed time up and down smoothly by ``strength``, four knots per window; both ends stay fixed."""
    length = x.shape[1]
    speed = jnp.maximum(1 + strength * _curve(key, x.shape, 1)[:, :, 0], 0.1)
    clock = jnp.cumsum(speed, axis=1)
    clock = (clock - clock[:, :1]) / (clock[:, -1:] - clock[:, :1]) * (length - 1)
    low = jnp.clip(jnp.floor(clock).astype(jnp.int32), 0, length - 2)
    share = (clock - low)[:, :, None]
    rows = jnp.arange(x.shape[0])[:, None]
    return x[rows, low] * (1 - share) + x[rows, low + 1] * share


def channel_dropout(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Replace each channel of a window by its mean with probability ``strength``."""
    dropped = jax.random.uniform(key, (x.shape[0], 1, x.shape[2])) < strength
    return jnp.where(dropped, x.mean(1, keepdims=True), x)


def mirror(key: Array, x: Array, strength: Array, places: Places) -> Array:
    """Reflect all sensors of a window along their x axes with probability ``strength``, as if the other arm moved.

    A watch's x axis lies along the forearm and points to the hand on one arm, to the elbow on the other, so that the
    mirror image of an arm's motion has the opposite x. Acceleration changes the sign of x; angular velocity, which a
    mirror turns around, the signs of y and z. In SPAR, where ten subjects exercised with both arms, these are of all 64
    changes of six signs the one that brings the two arms' means and covariances closest (``tests/signals/test_spar``).
    A device whose x axis lies otherwise (a phone in a pocket) must not be mirrored so.
    """
    signs = [1.0] * x.shape[2]
    for sensors in places:
        for (first, second, third), axial in sensors:
            signs[first], signs[second], signs[third] = (1.0, -1.0, -1.0) if axial else (-1.0, 1.0, 1.0)
    mirrored = jax.random.uniform(key, (x.shape[0], 1, 1)) < strength
    return jnp.where(mirrored, x * jnp.asarray(signs, x.dtype), x)


KINDS: dict[str, Augmentation] = {
    "jitter": jitter,
    "scaling": scaling,
    "rotation": rotation,
    "magnitude-warp": magnitude_warp,
    "time-warp": time_warp,
    "channel-dropout": channel_dropout,
    "mirror": mirror,
}
MIXUP = "mixup"
FEATURE_NOISE = "feature-noise"
#: Kinds that need no change of the windows' features but what follows from the features themselves.
ON_FEATURES = (MIXUP, FEATURE_NOISE)


class Mix(NamedTuple):
    """How ``mixup`` mixes a batch: the share of each window, and the order of the windows that it is mixed with."""

    share: Array
    order: Array

    def __call__(self, values: Array) -> Array:
        """Mix values (B, …) of the windows: anything that is computed from each window alone."""
        return self.share * values + (1 - self.share) * values[self.order]


def augment(
    key: Array,
    x: Array,
    targets: Array,
    kinds: Sequence[str],
    strengths: Mapping[str, Array],
    places: Places,
    mix: Mix | None = None,
) -> tuple[Array, Array]:
    """Apply augmentations in turn, ``mixup`` (Zhang et al., ICLR 2018) last; ``feature-noise`` changes no window.

    Args:
        key: a JAX key; each kind derives its own key from it.
        x: windows (B, T, D).
        targets: (B, C).
        kinds: names of augmentations.
        strengths: one per kind; for ``mixup`` the parameter of the Beta distribution.
        places: see ``sensor_places``.
        mix: what ``draw_mix`` has drawn from the same key; drawn here by default.

    Returns:
        The augmented windows and their targets.
    """
    x, targets = jnp.asarray(x), jnp.asarray(targets)
    for number, kind in enumerate(_in_order(kinds)):
        if kind in KINDS:
            x = KINDS[kind](jax.random.fold_in(key, number), x, strengths[kind], places)
    if MIXUP in kinds:
        mix = draw_mix(key, kinds, strengths[MIXUP], x.shape[0]) if mix is None else mix
        x, targets = mix(x), mix(targets)
    return x, targets


def draw_mix(key: Array, kinds: Sequence[str], strength: Array, count: int) -> Mix:
    """Draw how ``mixup`` mixes the windows of a batch; ``augment`` draws the same from the same key.

    Args:
        key: the key of ``augment``.
        kinds: names of augmentations.
        strength: parameter of the Beta distribution.
        count: number of windows.
    """
    kind_key = jax.random.fold_in(key, len(kinds) - 1)
    alpha = jnp.maximum(strength, 1e-3)
    share = jax.random.beta(kind_key, alpha, alpha)
    share = jnp.where(strength > 0, jnp.maximum(share, 1 - share), 1.0)
    order = jax.random.permutation(jax.random.fold_in(kind_key, 1), count)
    return Mix(share, order)


def add_feature_noise(key: Array, features: Sequence[Array], kinds: Sequence[str], strength: Array) -> list[Array]:
    """Add white noise to window features, of ``strength`` times each feature's standard deviation in the batch.

    Args:
        key: the key of ``augment``.
        features: tables (B, F) of the batch, after ``mixup``.
        kinds: names of augmentations.
        strength: of the noise.

    Returns:
        The tables with noise, each drawn on its own.
    """
    kind_key = jax.random.fold_in(key, _in_order(kinds).index(FEATURE_NOISE))
    return [
        values + strength * values.std(0) * jax.random.normal(jax.random.fold_in(kind_key, number), values.shape)
        for number, values in enumerate(features)
    ]


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise ``UnknownName`` for an unknown augmentation."""
    known = (*KINDS, *ON_FEATURES)
    for kind in kinds:
        if kind not in known:
            raise UnknownName("augmentation", kind, list(known))


def sensor_places(spec: SignalSpec) -> tuple[tuple[Axes, ...], ...]:
    """Group the three-axis sensors, each with its columns x, y, z, by position on the body."""
    positions: dict[str, list[Axes]] = {}
    for group in spec.groups:
        columns = {channel.axis: n for n, channel in enumerate(spec.channels) if channel.group == group}
        if set(columns) == set("xyz"):
            first = spec.channels[columns["x"]]
            sensor = Axes((columns["x"], columns["y"], columns["z"]), axial=first.sensor == "gyr")
            positions.setdefault(first.position, []).append(sensor)
    return tuple(tuple(sensors) for sensors in positions.values())


def _in_order(kinds: Sequence[str]) -> list[str]:
    """Return the kinds in their order, ``mixup`` last; a kind's place makes its key."""
    return sorted(kinds, key=MIXUP.__eq__)


def _rotations(key: Array, count: int, strength: Array) -> Array:
    """Draw rotations (B, 3, 3) about random axes: R = 1 + sin θ K + (1 − cos θ) K² (Rodrigues)."""
    direction = jax.random.normal(key, (count, 3))
    axis = direction / (jnp.linalg.norm(direction, axis=1, keepdims=True) + 1e-9)
    angle = strength * jax.random.normal(jax.random.fold_in(key, 1), (count, 1, 1))
    zero = jnp.zeros(count)
    a, b, c = axis.T
    cross = jnp.stack([zero, -c, b, c, zero, -a, -b, a, zero], 1).reshape(-1, 3, 3)
    return jnp.eye(3) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * cross @ cross


def _curve(key: Array, shape: tuple[int, ...], channels: int, knots: int = 4) -> Array:
    """Draw smooth normal noise (B, T, channels): ``knots`` + 2 normal values, interpolated by cosines."""
    values = jax.random.normal(key, (shape[0], knots + 2, channels))
    position = jnp.linspace(0, knots + 1, shape[1])
    low = jnp.clip(jnp.floor(position).astype(jnp.int32), 0, knots)
    share = 0.5 * (1 - jnp.cos(jnp.pi * (position - low)))[:, None]
    return values[:, low] * (1 - share) + values[:, low + 1] * share
