"""The C of every network gives the bits of its NumPy program, which agrees with Keras."""

from __future__ import annotations

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.deploy import read_program
from stillmotion.networks import build_network, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import has_normaliser
from tests.deploy.compiling import Compiled
from tests.deploy.conftest import MORE, REAL, make_case, sources
from tests.deploy.nets import SMALL, draw_weights, draw_windows

SMALL_NAMES = [builder.__name__ for builder in SMALL]
NAMES = [*SMALL_NAMES, *(name.replace("-", "_") for name in REAL)]
#: Networks whose Keras form takes XLA long to compile.
COMPILED_LONG = ("planes", "pools", "activations", "grus", "features")


def same_bits(left, right):
    """Compare floats by their bits, so that -0 is not 0, and NaN is itself."""
    assert left.dtype == right.dtype
    kind = {"float32": np.uint32}.get(left.dtype.name, left.dtype)
    return np.array_equal(np.ascontiguousarray(left).view(kind), np.ascontiguousarray(right).view(kind))


def require_equal(case, compiled, windows):
    expected = case.exact.run(windows)
    logits, classes = compiled.predict(f"{case.name}_f", windows, expected.shape[1])
    assert same_bits(logits, expected)
    assert np.array_equal(classes, expected.argmax(1))
    raw = case.counts.of(windows)
    integers = case.integers.run(raw)
    logits, classes = compiled.predict(f"{case.name}_q", raw, expected.shape[1])
    assert same_bits(logits, integers)
    assert np.array_equal(classes, integers.argmax(1))


@pytest.mark.parametrize("name", NAMES)
def test_c_gives_the_bits_of_numpy_in_float_and_in_integers(name, cases, compiled):
    # Other windows than those of the calibration, the first far beyond it, so that integers saturate.
    windows = draw_windows(20, seed=1) * np.where(np.arange(20) < 3, 4, 1)[:, None, None].astype(np.float32)
    require_equal(cases[name], compiled, windows)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.slow if each in COMPILED_LONG else ()) for each in SMALL_NAMES],
)
def test_the_float_program_of_every_layer_agrees_with_keras(name, cases):
    case = cases[name]
    expected = np.asarray(case.model.predict_on_batch(case.windows))
    error = np.abs(case.exact.run(case.windows) - expected).max()
    assert error < 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_integers_are_near_float(name, cases):
    """Within 6 % of the range of the logits, 2 % on average; the random networks here amplify every rounding."""
    case = cases[name]
    exact = case.exact.run(case.windows)
    real = case.integers.logits.dequantise(case.integers.run(case.counts.of(case.windows)))
    error, span = np.abs(real - exact), np.ptp(exact)
    assert error.max() < 0.06 * span
    assert error.mean() < 0.02 * span


@pytest.mark.slow
@pytest.mark.parametrize("name", [*REAL, *MORE])
def test_real_networks_agree_with_keras(name):
    options = REAL.get(name, {})
    model = build_network(name.removesuffix("-cbam"), (48, 6, 5), **options)
    draw_weights(model)
    windows = draw_windows(20, 48)
    expected = np.asarray(model.predict_on_batch(windows))
    error = np.abs(read_program(model).run(windows) - expected).max()
    assert error < 1e-5 * max(1.0, np.abs(expected).max())


def hapt_cases(windows, names):
    for name in names:
        model = build_network(name.removesuffix("-cbam"), windows.spec, **REAL.get(name, {}))
        draw_weights(model)
        values = windows.values(np.linspace(0, len(windows.starts) - 1, 200).astype(int))
        if has_normaliser(model):
            set_statistics(model, values.mean((0, 1)), values.std((0, 1)))
        set_feature_statistics(model, values)
        yield make_case(name.replace("-", "_"), model, values, windows.spec)


def hapt_windows(real):
    return sm.cut(sm.load("hapt", data=real("hapt")))


@pytest.mark.real
def test_c_gives_the_bits_of_numpy_on_real_windows(real, tmp_path):
    windows = hapt_windows(real)
    made = list(hapt_cases(windows, ["feature-net-s", "deepconvlstm-lm"]))
    compiled = Compiled(tmp_path / "c", list(sources(made, windows.spec)), "-O0")
    for case in made:
        require_equal(case, compiled, windows.values(np.linspace(5, len(windows.starts) - 5, 20).astype(int)))
