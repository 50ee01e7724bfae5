"""The Keras layer of window features against NumPy, on real windows, on backends, and where derivatives end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, WindowFeatures, extract_array_features, extract_features
from tests.conftest import unavailable

NAMES = ("w.acc.x", "w.acc.y", "w.acc.z", "w.gyr.x", "w.gyr.y", "w.gyr.z", "pulse")
SENSORS = ("w.acc",) * 3 + ("w.gyr",) * 3 + ("pulse",)
EVERY = ("axes", "norms", "jerk", "time", "spectrum", "correlations")
#: Features that count or point at something: a rounding at the threshold changes them by a whole step.
STEPS = ("zero_crossings", "peak_hz")
ROOT = Path(__file__).parents[2]
#: Keras copies its variables in a way that NumPy 2 deprecates.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def drawn(count, window, seed=0):
    """Windows with gravity, a still sensor's offset, quantised values and a constant channel."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, window, 7)) * rng.gamma(1.0, 0.3, (count, 1, 7)) + np.array(
        [0, 0, 1, 0, 0.2, 0, 9]
    )
    values[:, :, 3] = np.round(values[:, :, 3] * 8) / 8
    values[0] = values[0, 0]
    values[1, :, :3] = 0
    return values.astype(np.float32)


def features_of(window, rate=25.0, groups=EVERY, **options):
    return FeatureSet(window, rate, NAMES, SENSORS, groups, **options)


def assert_equal_features(found, expected, names, steps_off=0):
    """Compare to 1e-5; a feature of ``STEPS`` may be a step off in ``steps_off`` windows."""
    steps = np.array([name.endswith(STEPS) for name in names])
    np.testing.assert_allclose(found[:, ~steps], expected[:, ~steps], rtol=1e-5, atol=1e-5)
    off = ~np.isclose(found[:, steps], expected[:, steps], rtol=1e-5, atol=1e-5)
    assert off.sum() <= steps_off


@pytest.mark.parametrize(("window", "compressed"), [(20, False), (21, True)])
def test_the_layer_equals_numpy(window, compressed):
    values = drawn(40, window)
    features = features_of(window, compressed=compressed)
    options = {"rate": 25.0, "sensors": SENSORS, "names": NAMES, "groups": EVERY, "compressed": compressed}
    expected = extract_array_features(values, **options)
    assert expected.names == features.names
    found = np.asarray(jax.jit(WindowFeatures(features))(values))
    assert found.shape == (40, len(features.names))
    # A derivative is rate times a difference, so its float32 rounding is that of the signal times the rate.
    assert_equal_features(found, expected.values, features.names)


@pytest.fixture
def quick_compilation():
    """Gradients compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.real
def test_the_layer_equals_numpy_on_real_windows(real):
    """One sample in ten million lies within float32 rounding of the margin of its window's mean."""
    dataset = sm.load("hapt", data=real("hapt"))
    windows = sm.cut(dataset, spec=dataset.spec.with_window(128, 64))
    index = np.arange(0, len(windows), 5)
    expected = extract_features(windows, index)
    layer = jax.jit(WindowFeatures(FeatureSet.of(windows.spec)))
    found = np.concatenate([layer(windows.values(part)) for part in np.array_split(index, 2)])
    assert_equal_features(found, expected.values, expected.names, steps_off=1)


@pytest.mark.parametrize("window", [3, pytest.param(9, marks=pytest.mark.slow)])
def test_gradients_flow_and_are_finite_where_a_root_or_quotient_is_not_defined(window, quick_compilation):
    values = drawn(6, window)
    values[2, :, 0] = np.arange(window)
    features = features_of(window, compressed=True)
    layer = WindowFeatures(features)
    weights = np.random.default_rng(1).normal(size=len(features.names)).astype(np.float32)
    slopes = np.asarray(jax.jit(jax.grad(lambda x: (layer(x) * weights).sum()))(values))
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes[3:]).max(1) > 0).all()  # every channel of every window that moves


def test_gradients_are_those_of_finite_differences(quick_compilation):
    features = FeatureSet(16, 25.0, NAMES[:3], SENSORS[:3], EVERY)
    x = np.random.default_rng(3).normal(size=(1, 16, 3))
    smooth = [not name.endswith(STEPS) for name in features.names]

    def numpy_features(values):
        return extract_array_features(
            values, rate=25.0, sensors=SENSORS[:3], names=NAMES[:3], groups=EVERY
        ).values.astype(float)[0]

    layer, small = WindowFeatures(features), np.float32
    slopes = jax.jit(lambda x, direction: jax.jvp(lambda x: layer(x)[0], (x,), (direction,))[1])
    for sample, channel in [(0, 0), (5, 1), (8, 2), (15, 0)]:
        step = np.zeros_like(x)
        step[0, sample, channel] = 1
        change = (numpy_features(x + 1e-3 * step) - numpy_features(x - 1e-3 * step)) / 2e-3
        found = np.asarray(slopes(x.astype(small), step.astype(small)))
        np.testing.assert_allclose(found[smooth], change[smooth], atol=2e-3 * max(1, np.abs(change[smooth]).max()))
        assert not found[np.invert(smooth)].any()


@saves
def test_a_saved_model_opens_again_and_predicts_the_same(tmp_path):
    values = drawn(5, 20)
    layer = WindowFeatures(features_of(20, compressed=True), name="described")
    model = keras.Sequential([keras.Input((20, 7)), layer, keras.layers.Dense(3)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("described").features == layer.features
    np.testing.assert_array_equal(jax.jit(loaded)(values), jax.jit(model)(values))


#: Opens a model where nothing but the layer of this package is imported, and writes what it predicts.
ALONE = """
import pathlib, sys
import numpy as np, keras
import stillmotion.features.feature_layer
folder = pathlib.Path(sys.argv[1])
model = keras.models.load_model(folder / "model.keras")
np.save(folder / "found.npy", keras.ops.convert_to_numpy(model(np.load(folder / "x.npy"), training=False)))
assert not {"pyarrow", "scipy", "jax"} & set(sys.modules)
print(keras.backend.backend())
"""


@saves
@pytest.mark.slow
def test_a_saved_network_opens_on_tensorflow_with_the_layer_alone(tmp_path):
    python = ROOT / ".venv-tensorflow" / "bin" / "python"  # made by `make test`
    if not python.exists():
        unavailable("TensorFlow is not installed")
    values = drawn(8, 32)[:, :, :6]
    model = sm.networks.build_network("hybrid-net-s", (32, 6, 5), seed=1)
    sm.networks.set_feature_statistics(model, values)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", values)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = str(ROOT / "src")
    run = subprocess.run([python, "-c", ALONE, tmp_path], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == "tensorflow"
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model(values), rtol=1e-4, atol=1e-4)


def test_windows_of_another_shape_are_refused():
    with pytest.raises(UserError, match=r"windows \(20, 7\) \(time, channels\), not \(20, 3\)"):
        WindowFeatures(features_of(20))(jnp.zeros((1, 20, 3)))


@saves
def test_a_bundle_with_window_features_opens_and_its_card_names_the_layer(tmp_path, wrist):
    spec = wrist.with_window(16)
    model = sm.networks.build_network("feature-net-xs", spec)
    assert model.get_layer("window_features").features.names[0] == "wrist.acc.x.mean"
    bundle = sm.bundles.Bundle.save(tmp_path / "bundle", model, spec)
    assert "import keras\nimport stillmotion.features.feature_layer" in (bundle.path / "README.md").read_text()
    windows = np.random.default_rng(0).normal(size=(3, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(bundle.logits(windows, spec), jax.jit(model)(windows), rtol=1e-4, atol=1e-4)
