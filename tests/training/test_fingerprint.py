"""A model's fingerprint covers its configuration, weights and the code of a user's layers, but not names."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.networks import build_network
from stillmotion.training.fingerprint import model_fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class Scaled(layers.Layer):
    def call(self, x):
        return 2.0 * x


class ScaledOtherwise(layers.Layer):
    def call(self, x):
        return 3.0 * x


def small(units=3, activation="relu", layer=None, seed=0):
    x = inputs = layers.Input((4, 2))
    x = layers.Flatten()(x)
    x = layers.Dense(units, activation=activation)(x)
    x = x if layer is None else layer()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def test_a_models_fingerprint_is_of_its_configuration_and_weights():
    known = model_fingerprint(small())
    assert known == model_fingerprint(small()), "names that Keras counts up do not matter"
    others = [small(units=4), small(activation="tanh"), small(seed=1), small(layer=Scaled)]
    assert len({known, *map(model_fingerprint, others)}) == 5
    changed = small()
    values = changed.get_weights()
    values[0][0, 0] += 1e-6
    changed.set_weights(values)
    assert model_fingerprint(changed) != known


def test_the_code_of_a_users_own_layer_is_in_a_models_fingerprint():
    ScaledOtherwise.__name__ = "Scaled"  # As if the file had been edited.
    first, other = small(layer=Scaled), small(layer=ScaledOtherwise)
    assert model_fingerprint(first) != model_fingerprint(other)
    assert model_fingerprint(first) == model_fingerprint(small(layer=Scaled))


def test_a_network_of_the_package_has_the_same_fingerprint_whenever_it_is_built():
    first, other = (build_network("mlp", (8, 3, 2), seed=4) for _ in range(2))
    assert (
        model_fingerprint(first)
        == model_fingerprint(other)
        != model_fingerprint(build_network("mlp", (8, 3, 2), seed=5))
    )
