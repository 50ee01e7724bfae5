"""The description of features: groups that can be switched, independence of orientation, and what cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, extract_array_features, fit_scale
from stillmotion.features.feature_set import ORIENTATION_FREE, STANDARD

NAMES, SENSORS = ("w.acc.x", "w.acc.y", "w.acc.z", "pulse"), ("w.acc", "w.acc", "w.acc", "pulse")
RATE = 25.0


def described(groups, **options):
    return FeatureSet(40, RATE, NAMES, SENSORS, groups, **options)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0.3, 1.0, (5, 40, 4)).astype(np.float32)


def extracted(values, groups, **options):
    features = extract_array_features(values, rate=RATE, sensors=SENSORS, names=NAMES, groups=groups, **options)
    return {name: features.values[:, at] for at, name in enumerate(features.names)}


def test_a_group_switched_off_leaves_the_others_as_they_are(values):
    whole = extracted(values, STANDARD)
    for group, gone in {
        "axes": lambda name: name.startswith("w.acc.") and ".norm." not in name and "~" not in name,
        "norms": lambda name: ".norm." in name,
        "time": lambda name: not ("~" in name or "power_" in name or "peak_" in name),
        "spectrum": lambda name: "power_" in name or "peak_" in name,
        "correlations": lambda name: "~" in name,
    }.items():
        rest = extracted(values, [other for other in STANDARD if other != group])
        assert list(rest) == [name for name in whole if not gone(name)], group
        assert len(rest) < len(whole)
        for name, column in rest.items():
            np.testing.assert_array_equal(column, whole[name], err_msg=name)


def test_jerk_is_the_difference_of_samples_times_the_rate(values):
    found = extracted(values, [*STANDARD, "jerk"])
    assert list(found)[: len(extracted(values, STANDARD))] == list(extracted(values, STANDARD))
    jerk = np.diff(values.astype(float), axis=1) * RATE
    norm = np.sqrt((jerk[:, :, :3] ** 2).sum(2))
    np.testing.assert_allclose(found["w.acc.x.jerk.std"], jerk[:, :, 0].std(1), rtol=1e-5)
    np.testing.assert_allclose(found["pulse.jerk.max"], jerk[:, :, 3].max(1), rtol=1e-5)
    np.testing.assert_allclose(found["w.acc.jerk.norm.median"], np.median(norm, axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["w.acc.jerk.norm.energy"], (norm**2).mean(1), rtol=1e-5)
    assert not [name for name in found if "jerk" in name and ("power" in name or "peak" in name)]


def test_orientation_free_features_do_not_see_how_a_sensor_is_turned(values):
    turned = values.copy()
    for number, rotation in enumerate(Rotation.random(5, random_state=1)):
        turned[number, :, :3] = rotation.apply(values[number, :, :3])
    free = extracted(values, ORIENTATION_FREE)
    assert {"w.acc.norm.std", "w.acc.jerk.norm.std", "pulse.mean"} <= set(free)
    for name, column in extracted(turned, ORIENTATION_FREE).items():
        np.testing.assert_allclose(column, free[name], rtol=1e-4, atol=1e-4, err_msg=name)
    moved = extracted(turned, STANDARD)
    assert abs(moved["w.acc.x.mean"] - extracted(values, STANDARD)["w.acc.x.mean"]).max() > 0.1


def test_compression_is_sign_times_log_of_one_and_magnitude(values):
    plain, compressed = extracted(values, STANDARD), extracted(values, STANDARD, compressed=True)
    for name, column in plain.items():
        wanted = [np.sign(x) * np.log(1 + abs(x)) for x in column.astype(float)]
        np.testing.assert_allclose(compressed[name], wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_scale_is_that_of_the_training_rows_and_clips_at_five():
    rows = np.random.default_rng(0).normal(3, 2, (50, 3))
    rows[:, 2] = 0.1
    scale = fit_scale(rows)
    np.testing.assert_allclose(scale.mean, [rows[:, 0].mean(), rows[:, 1].mean(), 0.1], rtol=1e-5)
    np.testing.assert_allclose(scale.std, [rows[:, 0].std(), rows[:, 1].std(), 1], rtol=1e-5)
    others = np.array([[3.0, 100, 0.1], [-100, 3, 0.6]])
    wanted = np.clip((others - scale.mean) / scale.std, -5, 5)
    np.testing.assert_allclose(scale.apply(others), wanted, rtol=1e-5, atol=1e-6)
    assert scale.apply(others).max() == 5


def test_ties_are_decided_alike_in_both_precisions():
    """Quantised samples that lie on the mean, and an impulse whose bins are equally large."""
    values = np.tile([0.1, 0.3, 0.2, 0.2], 8)[None, :, None]  # the mean is 0.2
    impulse = np.full((1, 32, 1), 0.7)
    impulse[0, 9] = 0.9
    for window in (values, impulse):
        wide, narrow = (
            extract_array_features(window.astype(kind), rate=RATE, names=["a"]).values for kind in (float, np.float32)
        )
        np.testing.assert_allclose(wide, narrow, rtol=1e-5, atol=1e-6)
    column = dict(zip(features_names(), extract_array_features(values, rate=RATE, names=["a"]).values[0], strict=True))
    assert column["a.zero_crossings"] == pytest.approx(
        15 * RATE / 31
    )  # only 0.1 is below: up at the start, then 7 × down and up
    column = dict(zip(features_names(), extract_array_features(impulse, rate=RATE, names=["a"]).values[0], strict=True))
    assert column["a.peak_hz"] == pytest.approx(RATE / 32)


def features_names():
    return FeatureSet(32, RATE, ("a",), ("a",)).names


def test_the_description_travels_as_json():
    features = described(ORIENTATION_FREE, compressed=True)
    assert FeatureSet.from_dict(json.loads(json.dumps(features.to_dict()))) == features


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: FeatureSet(1, RATE, ("a",), ("a",)), "two samples or more, not 1"),
        (
            lambda: FeatureSet(2, RATE, ("a",), ("a",), ("time", "jerk")),
            r"three samples or more, not 2 \(jerk takes one\)",
        ),
        (lambda: described(("norms", "tiem")), "Unknown feature group 'tiem'. Did you mean 'time'"),
        (
            lambda: FeatureSet(8, RATE, ("x", "y"), ("a", "a"), ("time",)),
            "time leave no feature of x, y: add axes or norms",
        ),
        (lambda: described(("axes", "norms")), "leave no feature"),
        (lambda: FeatureSet(8, float("inf"), ("x",), ("a",)), "above 0 Hz, not inf"),
        (lambda: FeatureSet(8, RATE, ("x", "y"), ("a",)), "2 channels have 1 sensors"),
        (lambda: described(STANDARD, edges=(1.0, 2.0)), r"must rise from 0 Hz, not \(1.0, 2.0\)"),
        (lambda: fit_scale(np.zeros((0, 3))), r"at least one window, not \(0, 3\)"),
        (lambda: fit_scale([[0.0, np.nan]]), "Feature 1 is NaN"),
    ],
)
def test_what_cannot_be_is_one_sentence(make, says):
    with pytest.raises(UserError, match=says):
        make()
