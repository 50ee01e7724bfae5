"""FastGRNN against its formula in NumPy, and through files."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stillmotion.networks import FastGRNN, build_network, with_taps

X = np.random.default_rng(0).normal(size=(4, 11, 3)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(x, kernel, recurrent, bias, zeta, nu):
    """Every state, one window, step and unit at a time."""
    units = len(recurrent)
    states = np.zeros((*x.shape[:2], units))
    for window in range(len(x)):
        h = np.zeros(units)
        for step in range(x.shape[1]):
            after = np.zeros(units)
            for unit in range(units):
                total = sum(kernel[c, unit] * x[window, step, c] for c in range(x.shape[2]))
                total += sum(recurrent[other, unit] * h[other] for other in range(units))
                z, candidate = sigmoid(total + bias[0, unit]), np.tanh(total + bias[1, unit])
                after[unit] = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * candidate + z * h[unit]
            h = states[window, step] = after
    return states


@pytest.fixture(scope="module")
def layer():
    """Five units with weights of size 1."""
    layer = FastGRNN(5, return_sequences=True)
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


def test_states_are_those_of_the_formula(layer):
    expected = by_hand(X, *(np.asarray(weight, np.float64) for weight in layer.weights))
    np.testing.assert_allclose(jax.jit(layer)(X), expected, atol=1e-5)
    last = FastGRNN(5)
    last.build(X.shape)
    last.set_weights([np.asarray(weight) for weight in layer.weights])
    np.testing.assert_allclose(jax.jit(last)(X), expected[:, -1], atol=1e-5)


def test_gradients_are_those_of_small_changes(layer):
    weights = [np.asarray(weight, np.float64) for weight in layer.weights]
    names = ["kernel", "recurrent_kernel", "bias", "zeta", "nu"]
    assert [weight.name for weight in layer.weights] == names

    def loss(values):
        return jnp.square(layer.stateless_call(values, [], X)[0]).sum()

    slopes = jax.jit(jax.grad(loss))([jnp.asarray(value, jnp.float32) for value in weights])
    for place, name in enumerate(names):
        change = np.random.default_rng(place).normal(size=weights[place].shape)
        values = [
            (by_hand(X, *(w + (at * change if p == place else 0) for p, w in enumerate(weights))) ** 2).sum()
            for at in (1e-5, -1e-5)
        ]
        slope = float((np.asarray(slopes[place]) * change).sum())
        assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3), name


def test_training_starts_as_the_authors_code_does():
    layer = build_network("fastgrnn-12", (128, 6, 6), seed=1).get_layer("fastgrnn")
    kernel, recurrent, bias, zeta, nu = (np.asarray(weight) for weight in layer.weights)
    assert np.concatenate([kernel.ravel(), recurrent.ravel()]).std() == pytest.approx(0.1, rel=0.15)
    assert (bias == 1).all()
    assert (zeta, nu) == (1, -4)


def test_the_embedding_is_the_last_state():
    for name in ("fastgrnn-8", "gru-8"):
        model = build_network(name, (11, 3, 4))
        taps = jax.jit(with_taps(model, ["stage1", "embedding", "logits"]))(X)
        np.testing.assert_array_equal(taps["embedding"], taps["stage1"][:, -1])
        assert taps["stage1"].shape == (4, 11, 8)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_saved_model_opens_in_keras_where_the_layer_is_registered(tmp_path):
    model = build_network("fastgrnn-8", X.shape[1:] + (4,), seed=2)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", X)
    code = """
import sys, numpy as np
import stillmotion.networks
import keras
model = keras.models.load_model(sys.argv[1] + "/model.keras")
np.save(sys.argv[1] + "/y.npy", keras.ops.convert_to_numpy(model(np.load(sys.argv[1] + "/x.npy"))))
"""
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), jax.jit(model)(X), atol=1e-5)
    assert keras.saving.get_registered_name(FastGRNN) == "stillmotion>FastGRNN"
