"""Augmentations change windows as documented, and nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UnknownName
from stillmotion.signals.spec import Channel, SignalSpec
from stillmotion.windows.augment import KINDS, MIXUP, augment, check_kinds, draw_mix, sensor_places

#: Two positions with an accelerometer and a gyroscope each, shuffled columns, and a channel on its own.
ORDER = (
    *("wrist.acc.y", "hip.gyr.x", "wrist.acc.x", "hip.acc.z", "wrist.gyr.z", "hip.acc.x", "wrist.acc.z"),
    *("hip.gyr.z", "wrist.gyr.x", "hip.acc.y", "hip.gyr.y", "wrist.gyr.y", "head.mag.x"),
)
GROUPS = ("wrist.acc", "wrist.gyr", "hip.acc", "hip.gyr")
ALL = (*KINDS, MIXUP)
#: One shape for all tests, so that each kind is compiled once. At 41 samples every eighth is a knot of the warps.
SHAPE = BATCH, TIME, CHANNELS = 256, 41, len(ORDER)
CLASSES = 3
RNG = np.random.default_rng(0)
X = (RNG.normal(1, 2, SHAPE) * RNG.uniform(0.1, 10, CHANNELS)).astype(np.float32)
Y = np.eye(CLASSES, dtype=np.float32)[RNG.integers(0, CLASSES, BATCH)]


def spec():
    named = (name.split(".") for name in ORDER)
    channels = tuple(Channel(sensor, axis, position=position) for position, sensor, axis in named)
    return SignalSpec(50.0, channels, ("a", "b", "c"), TIME, 10)


PLACES = sensor_places(spec())


def columns(group):
    return [ORDER.index(f"{group}.{axis}") for axis in "xyz"]


@cache
def compiled(*kinds):
    import jax

    @jax.jit
    def run(seed, x, targets, strengths):
        return augment(jax.random.key(seed), x, targets, kinds, strengths, PLACES)

    return run


def change(kind, strength, x=X, *, seed=0):
    changed, targets = compiled(kind)(seed, x, Y, {kind: np.float32(strength)})
    return np.asarray(changed), np.asarray(targets)


def test_sensors_of_three_axes_are_found_by_position():
    wrist, hip = (
        {(tuple(columns(f"{place}.{sensor}")), sensor == "gyr") for sensor in ("acc", "gyr")}
        for place in ("wrist", "hip")
    )
    assert {frozenset(place) for place in PLACES} == {frozenset(wrist), frozenset(hip)}
    assert [len(sensors) for sensors in PLACES] == [2, 2]


@pytest.mark.parametrize("kind", ALL)
def test_strength_0_leaves_windows_as_they_are(kind):
    changed, targets = change(kind, 0.0)
    np.testing.assert_allclose(changed, X, atol=1e-5 * np.abs(X).max() if kind == "time-warp" else 0)
    np.testing.assert_array_equal(targets, Y)


@pytest.mark.parametrize("kind", ALL)
def test_a_key_always_gives_the_same_and_another_key_another(kind):
    first, again, other = change(kind, 0.5), change(kind, 0.5), change(kind, 0.5, seed=1)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0] - other[0]).max() > 0.1
    assert np.abs(first[0] - X).max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_one_batch_are_changed_apart_and_targets_not_at_all(kind):
    changed, targets = change(kind, 0.5, np.broadcast_to(X[:1], SHAPE))
    assert np.abs(changed - changed[:1]).max() > 0.1
    np.testing.assert_array_equal(targets, Y)


def test_jitter_is_white_noise_of_a_share_of_each_channels_deviation():
    noise, deviation = change("jitter", 0.2)[0] - X, X.std((0, 1))
    np.testing.assert_allclose(noise.std((0, 1)), 0.2 * deviation, rtol=0.03)
    white = noise / noise.std((0, 1))
    assert np.abs(white.mean((0, 1))).max() < 0.04
    assert np.abs(np.corrcoef(white.reshape(-1, CHANNELS).T) - np.eye(CHANNELS)).max() < 0.05
    assert np.abs((white[:, 1:] * white[:, :-1]).mean((0, 1))).max() < 0.05


def test_scaling_is_one_factor_for_each_window_and_sensor():
    factors = change("scaling", 0.2, np.ones(SHAPE, np.float32))[0]
    np.testing.assert_array_equal(factors, np.broadcast_to(factors[:, :1], SHAPE))
    sensors = [columns(group) for group in GROUPS] + [[ORDER.index("head.mag.x")]]
    for sensor in sensors:
        np.testing.assert_array_equal(factors[:, 0, sensor], factors[:, 0, sensor[:1]] * np.ones(len(sensor)))
    each = factors[:, 0, [sensor[0] for sensor in sensors]]
    assert np.abs(np.corrcoef(each.T) - np.eye(5)).max() < 0.25
    np.testing.assert_allclose(each.mean(0), 1, atol=0.05)
    np.testing.assert_allclose(each.std(0), 0.2, rtol=0.15)
    np.testing.assert_allclose(change("scaling", 0.2)[0], factors * X, rtol=1e-6)


def rotations(changed, group):
    """Fit the rotation matrix of a sensor in each window by least squares."""
    before, after = (part[:, :, columns(group)].astype(np.float64) for part in (X, changed))
    np.testing.assert_allclose(np.linalg.norm(after, axis=2), np.linalg.norm(before, axis=2), rtol=1e-4)
    return (np.linalg.pinv(before) @ after).transpose(0, 2, 1)


def test_rotation_is_the_same_for_sensors_of_a_position_and_differs_between_positions():
    changed = change("rotation", 0.6)[0]
    turned = {group: rotations(changed, group) for group in GROUPS}
    for turn in turned.values():
        np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-4)
        np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-4)
    np.testing.assert_allclose(turned["wrist.acc"], turned["wrist.gyr"], atol=1e-4)
    np.testing.assert_allclose(turned["hip.acc"], turned["hip.gyr"], atol=1e-4)
    assert np.abs(turned["wrist.acc"] - turned["hip.acc"]).mean() > 0.1
    alone = ORDER.index("head.mag.x")
    np.testing.assert_array_equal(changed[:, :, alone], X[:, :, alone])


def test_rotation_is_by_angles_of_the_strength_about_axes_of_all_directions():
    found = [change("rotation", 0.3, seed=seed)[0] for seed in range(4)]
    turn = np.concatenate([rotations(changed, group) for changed in found for group in ("wrist.acc", "hip.gyr")])
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert np.sqrt((angle**2).mean()) == pytest.approx(0.3, rel=0.06)
    axis = np.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    np.testing.assert_allclose(axis.T @ axis / len(axis), np.eye(3) / 3, atol=0.04)


def test_magnitude_warp_is_a_smooth_factor_around_1_in_each_channel():
    factor = change("magnitude-warp", 0.2, np.ones(SHAPE, np.float32))[0]
    knots = factor[:, ::8]  # Full draws; between them two are mixed, never beyond either.
    assert knots.std() == pytest.approx(0.2, rel=0.05)
    assert factor.mean() == pytest.approx(1, abs=0.02)
    for at in range(8):
        between = factor[:, at:-1:8] if at else knots[:, :-1]
        assert (between >= np.minimum(knots[:, :-1], knots[:, 1:]) - 1e-6).all()
        assert (between <= np.maximum(knots[:, :-1], knots[:, 1:]) + 1e-6).all()
    assert np.abs(np.corrcoef(knots[:, 2].T) - np.eye(CHANNELS)).max() < 0.3
    np.testing.assert_allclose(change("magnitude-warp", 0.2)[0], factor * X, rtol=1e-5)


def test_time_warp_keeps_the_ends_and_never_runs_backwards():
    clock = np.broadcast_to(np.arange(TIME, dtype=np.float32)[None, :, None], SHAPE)
    warped = change("time-warp", 0.7, clock)[0]
    np.testing.assert_allclose(warped[:, 0], 0, atol=1e-4)
    np.testing.assert_allclose(warped[:, -1], TIME - 1, atol=1e-3)
    assert np.diff(warped, axis=1).min() > 0
    np.testing.assert_array_equal(warped, np.broadcast_to(warped[:, :, :1], SHAPE))  # All sensors share one clock.
    assert np.abs(warped - clock).max() > 2
    # A signal at its warped times: between two samples, a straight line.
    expected = np.stack([np.interp(warped[n, :, 0], np.arange(TIME), X[n, :, 4]) for n in range(BATCH)])
    np.testing.assert_allclose(change("time-warp", 0.7)[0][:, :, 4], expected, atol=2e-4 * np.abs(X[:, :, 4]).max())


def test_channel_dropout_sets_a_share_of_the_channels_to_their_mean():
    changed = change("channel-dropout", 0.3)[0]
    dropped = (changed != X).any(1)
    assert dropped.mean() == pytest.approx(0.3, abs=0.03)
    expected = np.where(dropped[:, None], X.mean(1, keepdims=True), X)
    np.testing.assert_allclose(changed, expected, atol=1e-5 * np.abs(X).max())
    assert change("channel-dropout", 1.0)[0].std(1).max() < 1e-4


def test_mirror_reflects_x_of_every_sensor_in_a_share_of_the_windows():
    changed = change("mirror", 0.3)[0]
    mirrored = (changed != X).any((1, 2))
    assert mirrored.mean() == pytest.approx(0.3, abs=0.08)
    np.testing.assert_array_equal(change("mirror", 1.0)[0][mirrored], changed[mirrored])
    reflection = np.diag([-1.0, 1, 1])
    for group in GROUPS:
        # A mirror image turns the other way round: rotations are reflected by det(M) M.
        matrix = reflection if group.endswith("acc") else np.linalg.det(reflection) * reflection
        np.testing.assert_allclose(changed[mirrored][:, :, columns(group)], X[mirrored][:, :, columns(group)] @ matrix)
    alone = ORDER.index("head.mag.x")
    np.testing.assert_array_equal(changed[:, :, alone], X[:, :, alone])


def test_the_mirror_image_of_a_rotating_body_rotates_as_the_signs_say():
    """Gravity in a rotating frame: dg/dt = −ω × g holds for the mirrored signals too."""
    rng = np.random.default_rng(1)
    gravity, turn = rng.normal(size=(2, 50, 3))
    before = np.cross(-turn, gravity)
    polar, axial = np.array([-1, 1, 1]), np.array([1, -1, -1])
    np.testing.assert_allclose(np.cross(-turn * axial, gravity * polar), before * polar)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(strength=st.floats(0.01, 5), seed=st.integers(0, 2**30))
def test_mixup_mixes_two_windows_and_their_targets_alike(strength, seed):
    # Windows that hold their own targets, so that both must be mixed alike.
    x = np.zeros(SHAPE, np.float32)
    x[:, :, :CLASSES] = Y[:, None]
    mixed, targets = change(MIXUP, strength, x, seed=seed)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert targets.min() >= 0
    np.testing.assert_allclose(mixed[:, :, :CLASSES], np.repeat(targets[:, None], TIME, axis=1), atol=1e-6)
    # Each window stays the larger part of itself.
    assert ((targets * Y).sum(1) >= 0.5 - 1e-6).all()


def test_mixup_is_applied_last_in_any_order():
    changed, _ = compiled(MIXUP, "channel-dropout")(0, X, Y, {MIXUP: np.float32(1), "channel-dropout": np.float32(0.3)})
    still = np.asarray(changed).std(1) < 1e-3
    # A channel is constant where both mixed windows have dropped it: 0.3² of them, not 0.3.
    assert still.mean() == pytest.approx(0.09, abs=0.03)


def test_unknown_kinds_are_refused():
    check_kinds(ALL)
    with pytest.raises(UnknownName, match="Unknown augmentation 'rotate'. Did you mean 'rotation'"):
        check_kinds(("rotate",))


def test_what_is_computed_from_windows_is_mixed_as_the_windows_are():
    import jax

    key, strengths = jax.random.key(5), {"mixup": np.float32(0.7), "scaling": np.float32(0.0)}
    x, targets = augment(key, X, Y, ("mixup", "scaling"), strengths, PLACES)
    mix = draw_mix(key, ("mixup", "scaling"), strengths["mixup"], len(X))
    np.testing.assert_allclose(mix(X), x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mix(Y), targets, rtol=1e-6)
    assert not np.allclose(targets, Y)
    # Sums over time are linear in a window, so that those of the mixed windows are the mixed sums.
    np.testing.assert_allclose(mix(X.sum(1)), np.asarray(x).sum(1), rtol=1e-4, atol=1e-3)
