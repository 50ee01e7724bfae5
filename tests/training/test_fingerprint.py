"""A model's fingerprint covers its configuration, weights and the code of a user's layers, but not names."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.networks import build_network
from stillmotion.networks.layers import loop_friendly
from stillmotion.training import Recipe
from stillmotion.training.fingerprint import describe_layers, model_fingerprint

from .small import dense, fleet, normed, replica, same, train

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


def normalised(mean):
    """Keras' own normaliser keeps what it was adapted to as a constant, which its configuration lacks."""
    layer = layers.Normalization(axis=-1)
    layer.adapt(np.full((4, 2), mean) + np.eye(4, 2))
    inputs = layers.Input((4, 2))
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layer(inputs))))


def doubled(x):
    return 2 * x


def test_layers_are_described_where_their_configuration_tells_what_they_compute():
    assert describe_layers(small()) == describe_layers(small(seed=1)), "neither names nor weights matter"
    known = [small(), small(units=4), small(activation="tanh"), dense(), normed()]
    assert len(set(map(describe_layers, known))) == 5
    plain = keras.Model.from_config(build_network("motion-net-xs", (16, 3, 4)).get_config())
    assert describe_layers(plain) != describe_layers(loop_friendly(plain)), "other code, the same configuration"


@pytest.mark.parametrize(
    "model",
    [
        lambda: small(layer=Scaled),
        lambda: small(activation=doubled),
        lambda: small(activation=lambda x: 2 * x),
        lambda: small(layer=lambda: layers.Lambda(doubled)),
        lambda: normalised(0.0),
    ],
    ids=["own layer", "function", "nameless function", "layer of a function", "adapted layer"],
)
def test_layers_whose_configuration_does_not_tell_are_not_described(model):
    assert describe_layers(model()) is None


def test_fleets_of_equal_layers_and_settings_share_a_program_and_others_do_not(compile_anew):
    first = fleet(dense(), [replica(0)])
    again = fleet(dense(), [replica(1), replica(2)], recipe=Recipe(batch=16, epochs=2, learning_rate=0.1))
    assert again.program is first.program
    for other in (
        fleet(normed(), [replica(0)]),
        fleet(dense(), [replica(0)], recipe=Recipe(batch=8, epochs=1, schedule="cosine")),
        fleet(dense(), [replica(0)], recipe=Recipe(batch=8, epochs=1, augment=("jitter",))),
        fleet(dense(), [replica(0), replica(1)], together=2),
    ):
        assert other.program is not first.program


def test_a_shared_program_comes_to_what_one_compiled_anew_comes_to(compile_anew):
    runs = [replica(3, learning_rate=0.02)]
    train(dense(), [replica(0)])
    (shared,) = train(dense(), runs)
    compile_anew()
    (alone,) = train(dense(), runs)
    same(shared, alone)
