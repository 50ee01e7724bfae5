"""Augmentation does to windows what it says, and no more."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UnknownName
from stillmotion.signals.spec import Channel, SignalSpec
from stillmotion.windows.augment import KINDS, MIXUP, augment, check_kinds, sensor_places

#: Two places with an accelerometer and a gyroscope each, shuffled columns, and a channel on its own.
ORDER = ("wrist.acc.y", "hip.gyr.x", "wrist.acc.x", "hip.acc.z", "wrist.gyr.z", "hip.acc.x", "wrist.acc.z",
         "hip.gyr.z", "wrist.gyr.x", "hip.acc.y", "hip.gyr.y", "wrist.gyr.y", "head.mag.x")  # fmt: skip
SPEC = SignalSpec(
    50.0,
    tuple(Channel(sensor, axis, position=position) for position, sensor, axis in (name.split(".") for name in ORDER)),
    ("a", "b", "c"),
    20,
    10,
)
PLACES = sensor_places(SPEC)
BATCH, TIME, CHANNELS, CLASSES = 64, 20, len(ORDER), 3
ALL = (*KINDS, MIXUP)
RNG = np.random.default_rng(0)
X = RNG.normal(1, 2, (BATCH, TIME, CHANNELS)).astype(np.float32)
Y = np.eye(CLASSES, dtype=np.float32)[RNG.integers(0, CLASSES, BATCH)]


def columns(group):
    return [ORDER.index(f"{group}.{axis}") for axis in "xyz"]


@cache
def compiled(kind):
    import jax

    return jax.jit(lambda key, x, y, strength: augment(jax.random.key(key), x, y, (kind,), {kind: strength}, PLACES))


def change(kind, strength, x=X, y=Y, *, seed=0):
    changed, targets = compiled(kind)(seed, x, y, np.float32(strength))
    assert changed.shape == x.shape
    return np.asarray(changed), np.asarray(targets)


def test_sensors_of_three_axes_are_found_by_place():
    wrist, hip = (tuple(tuple(columns(f"{place}.{sensor}")) for sensor in ("acc", "gyr")) for place in ("wrist", "hip"))
    assert {frozenset(place) for place in PLACES} == {frozenset(wrist), frozenset(hip)}
    assert all(len(sensors) == 2 for sensors in PLACES)


@pytest.mark.parametrize("kind", ALL)
def test_strength_0_leaves_windows_as_they_are(kind):
    changed, targets = change(kind, 0.0)
    np.testing.assert_allclose(changed, X, atol=2e-5 if kind == "time-warp" else 0)
    np.testing.assert_array_equal(targets, Y)


@pytest.mark.parametrize("kind", ALL)
def test_a_key_always_gives_the_same_and_another_key_another(kind):
    one, again, other = change(kind, 0.5), change(kind, 0.5), change(kind, 0.5, seed=1)
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert np.abs(one[0] - other[0]).max() > 0.1
    assert np.abs(one[0] - X).max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_one_batch_are_changed_apart_and_targets_not_at_all(kind):
    still = np.broadcast_to(X[:1], X.shape)
    changed, targets = change(kind, 0.5, still)
    assert np.abs(changed - changed[:1]).max() > 0.1
    np.testing.assert_array_equal(targets, Y)


def test_jitter_is_white_noise_of_a_share_of_each_channels_deviation():
    wide = np.random.default_rng(1).normal(3, 1, (512, 40, 3)).astype(np.float32) * np.array([1, 10, 0.1], np.float32)
    noise = change("jitter", 0.2, wide, np.ones((512, CLASSES), np.float32))[0] - wide
    deviation = wide.std((0, 1))
    np.testing.assert_allclose(noise.std((0, 1)), 0.2 * deviation, rtol=0.03)
    np.testing.assert_allclose(noise.mean((0, 1)), 0, atol=0.01 * deviation.max())
    flat = (noise / deviation).reshape(-1, 3)
    assert np.abs(np.corrcoef(flat.T) - np.eye(3)).max() < 0.03
    assert np.abs(np.mean(flat[1:] * flat[:-1], axis=0)).max() < 0.003


def test_scaling_is_one_factor_for_each_window_and_sensor():
    factors = change("scaling", 0.2)[0] / X
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1], factors.shape), rtol=1e-4)
    factors = factors[:, 0]
    groups = [columns(group) for group in ("wrist.acc", "wrist.gyr", "hip.acc", "hip.gyr")] + [[12]]
    for group in groups:
        np.testing.assert_allclose(factors[:, group], factors[:, group[:1]] * np.ones(len(group)), rtol=1e-4)
    each = factors[:, [group[0] for group in groups]]
    assert np.abs(np.corrcoef(each.T) - np.eye(5)).max() < 0.5
    assert each.mean() == pytest.approx(1, abs=0.05)
    assert each.std() == pytest.approx(0.2, rel=0.2)


def turns_of(before, after):
    """For each window the matrix that turns ``before`` (B, T, 3) into ``after``, by least squares."""
    return (np.linalg.pinv(before.astype(np.float64)) @ after).transpose(0, 2, 1)


def test_rotation_turns_the_sensors_of_a_place_alike_and_places_apart():
    changed = change("rotation", 0.6)[0].astype(np.float64)
    groups = ("wrist.acc", "wrist.gyr", "hip.acc", "hip.gyr")
    turns = {group: turns_of(X[:, :, columns(group)], changed[:, :, columns(group)]) for group in groups}
    for group, turn in turns.items():
        np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-4)
        np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-4)
        before, after = X[:, :, columns(group)], changed[:, :, columns(group)]
        np.testing.assert_allclose(np.linalg.norm(after, axis=2), np.linalg.norm(before, axis=2), rtol=1e-4)
    np.testing.assert_allclose(turns["wrist.acc"], turns["wrist.gyr"], atol=1e-4)
    np.testing.assert_allclose(turns["hip.acc"], turns["hip.gyr"], atol=1e-4)
    assert np.abs(turns["wrist.acc"] - turns["hip.acc"]).mean() > 0.1
    # A channel that is no part of three axes stays.
    np.testing.assert_array_equal(changed[:, :, 12], X[:, :, 12])


def test_rotation_is_by_angles_of_the_strength_about_axes_of_all_directions():
    import jax

    many = np.zeros((4000, 2, 3), np.float32)
    many[:, 0, 0] = many[:, 1, 1] = 1  # The first two base vectors give the whole turn.
    places = (((0, 1, 2),),)
    turned, _ = augment(jax.random.key(2), many, np.ones((4000, 1)), ("rotation",), {"rotation": 0.2}, places)
    first, second = np.asarray(turned, np.float64).transpose(1, 0, 2)
    turn = np.stack([first, second, np.cross(first, second)], axis=2)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert np.sqrt((angle**2).mean()) == pytest.approx(0.2, rel=0.05)
    axis = np.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    np.testing.assert_allclose(axis.T @ axis / 4000, np.eye(3) / 3, atol=0.03)


def test_magnitude_warp_is_a_smooth_factor_around_1():
    long = np.ones((256, 101, 3), np.float32)
    factor = change("magnitude-warp", 0.2, long, np.ones((256, CLASSES), np.float32))[0]
    # Knots are full draws; between them two are mixed.
    assert factor[:, [0, 20, 40, 60, 80, 100]].std() == pytest.approx(0.2, rel=0.1)
    assert factor.mean() == pytest.approx(1, abs=0.03)
    assert np.abs(np.diff(factor, axis=1)).max() < 0.1
    assert np.abs(np.corrcoef(factor[:, 0].T) - np.eye(3)).max() < 0.2


def test_time_warp_keeps_the_ends_and_never_runs_backwards():
    clock = np.broadcast_to(np.arange(50.0, dtype=np.float32)[None, :, None], (200, 50, 2))
    warped = change("time-warp", 0.7, clock, np.ones((200, CLASSES), np.float32))[0]
    np.testing.assert_allclose(warped[:, 0], 0, atol=1e-4)
    np.testing.assert_allclose(warped[:, -1], 49, atol=1e-3)
    assert np.diff(warped, axis=1).min() > 0
    np.testing.assert_allclose(warped[:, :, 0], warped[:, :, 1])
    assert np.abs(warped - clock).max() > 2


def test_channel_dropout_stills_a_share_of_the_channels_at_their_mean():
    many = np.random.default_rng(3).normal(2, 1, (400, 10, 13)).astype(np.float32)
    changed = change("channel-dropout", 0.3, many, np.ones((400, CLASSES), np.float32))[0]
    lost = (changed != many).any(1)
    assert lost.mean() == pytest.approx(0.3, abs=0.02)
    expected = np.where(lost[:, None], many.mean(1, keepdims=True), many)
    np.testing.assert_allclose(changed, expected, atol=1e-5)
    np.testing.assert_allclose(
        change("channel-dropout", 1.0, many, np.ones((400, 3), np.float32))[0].std(1), 0, atol=1e-6
    )


@settings(max_examples=15, deadline=None)
@given(strength=st.floats(0.01, 5), seed=st.integers(0, 2**30))
def test_mixup_mixes_two_windows_and_their_targets_alike(strength, seed):
    # The windows carry their own targets, so what is done to the one can be read off the other.
    x = np.repeat(Y[:, None, :], 5, axis=1)
    mixed, targets = change(MIXUP, strength, x, Y, seed=seed)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert targets.min() >= 0
    np.testing.assert_allclose(mixed, np.repeat(targets[:, None, :], 5, axis=1), atol=1e-6)
    # Each window stays the larger part of itself.
    assert ((targets * Y).sum(1) >= 0.5 - 1e-6).all()


def test_mixup_comes_last_wherever_it_stands_and_the_rest_in_turn():
    import jax

    strengths = {MIXUP: 1.0, "jitter": 0.3, "scaling": 0.2}

    def together(*kinds):
        return jax.jit(lambda key: augment(key, X, Y, kinds, strengths, PLACES))(jax.random.key(0))

    one, other = together("scaling", "jitter", MIXUP), together(MIXUP, "scaling", "jitter")
    for mine, yours in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, yours, atol=1e-6)
    # Scaled by the first key, then noisy by the second.
    scaled = KINDS["scaling"](jax.random.fold_in(jax.random.key(0), 0), X, 0.2, PLACES)
    noisy = KINDS["jitter"](jax.random.fold_in(jax.random.key(0), 1), scaled, 0.3, PLACES)
    np.testing.assert_allclose(together("scaling", "jitter")[0], noisy, atol=1e-5)


def test_unknown_kinds_are_refused():
    check_kinds(ALL)
    with pytest.raises(UnknownName, match="Unknown augmentation 'rotate'. Did you mean 'rotation'"):
        check_kinds(("rotate",))
