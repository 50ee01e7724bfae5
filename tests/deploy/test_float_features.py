"""Window features in float32: as Keras computes them, and the C bit for bit."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from stillmotion.deploy import float_features, read_program
from stillmotion.deploy.arithmetic import log1p_f32, sqrt_f32
from stillmotion.deploy.program import quantise_program
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, WindowFeatures, fit_scale
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import build_network, set_feature_statistics, set_statistics
from tests.deploy.blocks_in_c import BlocksInC

NAMES = ("acc.x", "acc.y", "acc.z", "bar")
SENSORS = ("acc",) * 3 + ("bar",)
EVERYTHING = ("axes", "norms", "jerk", "time", "spectrum", "correlations")


def move(window, count=20):
    random = np.random.default_rng(window)
    time = np.arange(window)[None, :, None] / 25.0
    phase = random.uniform(0, 6, (count, 1, len(NAMES)))
    waves = np.sin(2 * np.pi * random.uniform(0.4, 6, phase.shape) * time + phase)
    values = random.uniform(-1, 1, phase.shape) + waves * random.uniform(0.01, 1, phase.shape)
    return (values + 0.05 * random.normal(size=waves.shape)).astype(np.float32)


def block_of(window, groups=EVERYTHING, *, compressed=True, name="features"):
    features = FeatureSet(window, 25.0, NAMES, SENSORS, tuple(groups), compressed=compressed)
    return float_features(features, fit_scale(compute_feature_table(move(window), features)), name=name, clip=5.0)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("window", [64, 51])
def test_features_in_float32_are_those_of_float64(window, compressed):
    block = block_of(window, compressed=compressed)
    wanted = block.scale.apply(compute_feature_table(move(window), block.features))
    np.testing.assert_allclose(block.run(move(window)), wanted, atol=2e-4)


def test_c_equals_numpy_bit_for_bit(tmp_path):
    blocks = [
        block_of(64, name="even"),
        block_of(51, compressed=False, name="odd"),
        block_of(3, name="short"),
        block_of(30, ["axes", "time"], name="timed"),
        block_of(30, ["norms", "spectrum"], name="spectral"),
        block_of(30, ["axes", "correlations"], name="paired"),
    ]
    compiled = BlocksInC(tmp_path, blocks)
    for block in blocks:
        window = block.features.window
        still = np.full((2, window, len(NAMES)), [[[9.81]], [[0.0]]], np.float32)
        large = np.where(np.arange(window) % 2, -3e4, 3e4)[None, :, None] * np.ones(len(NAMES))
        every = np.concatenate([move(window), still, large.astype(np.float32), 1e-20 * move(window)])
        np.testing.assert_array_equal(compiled.run(block, every), block.run(every), err_msg=block.name)


def test_roots_and_logarithms_are_those_of_numpy():
    values = (10.0 ** np.linspace(-30, 30, 5000)).astype(np.float32)
    np.testing.assert_allclose(sqrt_f32(values), np.sqrt(values), rtol=2e-7)
    np.testing.assert_allclose(log1p_f32(values), np.log1p(values.astype(np.float64)), rtol=4e-7)
    assert sqrt_f32(np.zeros(1, np.float32)) == 0
    assert log1p_f32(np.zeros(1, np.float32)) == 0


@pytest.mark.parametrize("name", ["feature-net-s", pytest.param("hybrid-net-s", marks=pytest.mark.slow)])
def test_networks_on_features_become_programs_in_float32_and_integers(name):
    windows = move(32, 200)[:, :, :3]
    model = build_network(name, (32, 3, 4))
    set_feature_statistics(model, windows)
    if name.startswith("hybrid"):
        set_statistics(model, windows.mean((0, 1)), windows.std((0, 1)))
    program = read_program(model)
    wanted = model.predict(windows, verbose=0)
    np.testing.assert_allclose(program.run(windows), wanted, atol=1e-4)
    integers = quantise_program(program, windows[:100], (2.0**-12,) * 3)
    counts = np.rint(windows * 2.0**12).astype(np.int16)
    found = integers.logits.dequantise(integers.run(counts))
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.95
    # A few windows have two peaks as high, of which integers may take the other.
    assert np.quantile(np.abs(found - wanted), 0.95) < 0.02 * np.ptp(wanted)


def test_features_that_are_not_standardised_have_no_integers():
    features = FeatureSet(16, 25.0, ("p",), ("p",), groups=("time",))
    signal = keras.Input((16, 1))
    described = WindowFeatures(features, name="described")(signal)
    model = keras.Model(signal, keras.layers.Dense(2)(described))
    windows = np.random.default_rng(0).normal(size=(10, 16, 1)).astype(np.float32)
    program = read_program(model)
    np.testing.assert_allclose(program.run(windows), model.predict(windows, verbose=0), atol=1e-4)
    with pytest.raises(UserError, match="described: features in integers are standardised"):
        quantise_program(program, windows, (2.0**-12,))
