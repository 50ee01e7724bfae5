"""The normaliser: first layer, statistics of the training subjects, one set per replica where needed."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.networks import Shape, build_network, find_statistics, set_statistics, with_taps
from stillmotion.networks.network import begin

MEAN, STD = np.array([9.81, -0.5, 100.0]), np.array([2.0, 0.1, 30.0])


def normalising():
    inputs, x = begin(Shape(8, 3, 2))
    return keras.Model(inputs, x)


def test_it_standardises_each_channel():
    model = normalising()
    x = np.random.default_rng(0).normal(size=(4, 8, 3)) * STD + MEAN
    np.testing.assert_allclose(model(x), x, rtol=1e-6)  # a fresh one changes nothing
    set_statistics(model, MEAN, STD)
    np.testing.assert_allclose(model(x), (x - MEAN) / STD, rtol=1e-4, atol=1e-4)


def test_it_equals_keras_own_layer():
    model, x = normalising(), np.random.default_rng(1).normal(size=(50, 8, 3)).astype(np.float32) * STD + MEAN
    own = keras.layers.Normalization(axis=-1)
    own.adapt(x)
    set_statistics(model, np.ravel(own.mean), np.sqrt(np.ravel(own.variance)))
    np.testing.assert_allclose(model(x), own(x), rtol=1e-4, atol=1e-5)


def test_each_replica_holds_the_statistics_of_its_fold():
    """Keras' own layer would give every replica the constants it was built with."""
    model = normalising()
    states = [variable.value for variable in model.non_trainable_variables]
    mean, variance = find_statistics(model)
    several = [jnp.stack([state, state]) for state in states]
    several[mean] = jnp.stack([jnp.zeros(3), jnp.asarray(MEAN, jnp.float32)])
    several[variance] = jnp.stack([jnp.ones(3), jnp.asarray(STD**2, jnp.float32)])
    x = np.random.default_rng(0).normal(size=(4, 8, 3)).astype(np.float32)
    both = jax.vmap(lambda states: model.stateless_call([], states, x)[0])(several)
    np.testing.assert_allclose(both[0], x, rtol=1e-6)
    np.testing.assert_allclose(both[1], (x - MEAN) / STD, rtol=1e-4)


def test_a_tapped_model_shares_the_statistics(built):
    tapped = with_taps(built("tinyhar"), ["logits", "stage1"])
    mean, variance = find_statistics(tapped)
    assert tapped.non_trainable_variables[mean] is built("tinyhar").layers[1].adapt_mean
    assert tapped.non_trainable_variables[variance] is built("tinyhar").layers[1].adapt_variance


@pytest.mark.parametrize(
    ("mean", "std", "says"),
    [
        ([0, 0], [1, 1, 1], r"mean of shape \(3,\), not \(2,\)"),
        ([0, 0, 0], 1.0, r"std of shape \(3,\), not \(\)"),
        ([0, 0, 0], [1, 0, 1], "Channel 1 never changes"),
        ([0, np.nan, 0], [1, 1, 1], "mean of channel 1 is not a finite number"),
    ],
)
def test_bad_statistics_are_one_sentence(mean, std, says):
    with pytest.raises(UserError, match=says):
        set_statistics(normalising(), mean, std)


def test_a_model_without_a_normaliser_is_told_so():
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(1)], name="bare")
    with pytest.raises(UserError, match="'bare' has no normaliser.*Normalization"):
        set_statistics(model, [0, 0], [1, 1])


def test_statistics_are_no_parameters():
    model = build_network("mlp-small", (8, 3, 2))
    names = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert "normaliser" not in names
