"""Taps of networks and of users' models: functional, nested, sequential, subclassed."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from stillmotion.errors import UnknownName, UserError
from stillmotion.networks import list_taps, make_inference_model, network_cost, read_graph, with_taps

X = np.random.default_rng(0).normal(size=(4, 12, 2)).astype(np.float32)


class Backbone(keras.Model):
    """A class with named layers, a model inside, and an operation of ``keras.ops``."""

    def __init__(self):
        super().__init__(name="backbone")
        self.first = layers.Conv1D(4, 3, name="first")
        self.body = keras.Sequential([layers.Conv1D(5, 3, name="second"), layers.ReLU(name="rectified")], name="body")
        self.last = layers.Dense(3, name="last")

    def call(self, x):
        x = self.body(self.first(x))
        return self.last(ops.mean(x, axis=1))


def nested():
    inner_input = keras.Input((12, 2))
    x = layers.Conv1D(4, 3, name="inner")(inner_input)
    inner = keras.Model(inner_input, layers.GlobalAveragePooling1D(name="pooled")(x), name="inside")
    outer_input = keras.Input((12, 2))
    return keras.Model(outer_input, layers.Dense(3, name="head")(inner(layers.ReLU(name="outer")(outer_input))))


def test_taps_are_the_layers_own_outputs(built, signal):
    model = built("mlp-small")
    found = with_taps(model, ["stage1", "logits"])(signal)
    first = model.get_layer("dense1")
    normalised = model.get_layer("normaliser")(signal).reshape(len(signal), -1)
    np.testing.assert_allclose(found["stage1"], np.maximum(normalised @ first.kernel + first.bias, 0), atol=1e-5)
    np.testing.assert_allclose(found["logits"], model(signal), atol=1e-6)
    assert list(found) == ["stage1", "logits"]


def test_training_a_tapped_model_trains_the_model(built):
    tapped = with_taps(built("mlp-small"), ["logits", "stage1"])
    theirs = {id(variable) for variable in built("mlp-small").trainable_variables}
    assert {id(variable) for variable in tapped.trainable_variables} == theirs


def test_a_class_with_named_layers_joins(signal):
    model = Backbone()
    expected = model(X)
    assert list_taps(model)[1:] == ["first", "second", "rectified", "last", "logits"]
    found = with_taps(model, ["first", "rectified", "logits"])(X)
    np.testing.assert_allclose(found["logits"], expected, atol=1e-6)
    np.testing.assert_allclose(found["first"], model.first(X), atol=1e-6)
    np.testing.assert_allclose(found["rectified"], np.maximum(model.body.layers[0](model.first(X)), 0), atol=1e-6)


def test_a_class_that_was_never_called_says_so():
    with pytest.raises(UserError, match="Call 'backbone' once on a window"):
        with_taps(Backbone(), ["first"])


def test_a_class_whose_call_leaves_keras_is_told_what_to_use():
    class Foreign(keras.Model):
        def call(self, x):
            return np.asarray(x) * 2

    model = Foreign(name="foreign")
    model(X)
    with pytest.raises(UserError, match=r"Cannot look into 'foreign': its call\(\) must use layers and keras.ops"):
        list_taps(model)


def test_layers_of_a_model_inside_a_model_are_taps():
    model = nested()
    names = list_taps(model)
    assert names[1:] == ["outer", "inner", "pooled", "head", "logits"]
    found = with_taps(model, ["inner", "logits"])(X)
    np.testing.assert_allclose(found["logits"], model(X), atol=1e-6)
    np.testing.assert_allclose(
        found["inner"], model.get_layer("inside").get_layer("inner")(np.maximum(X, 0)), atol=1e-6
    )


def test_the_graph_opens_models_up_and_the_cost_counts_inside():
    kinds = [node.op for node in read_graph(nested()).nodes]
    assert kinds == ["InputLayer", "ReLU", "Conv1D", "GlobalAveragePooling1D", "Dense"]
    assert network_cost(nested()).params == (3 * 2 * 4 + 4) + (4 * 3 + 3)
    model = Backbone()
    model(X)
    kinds = [node.op for node in read_graph(model).nodes if node.op != "ConvertToTensor"]
    assert kinds == ["InputLayer", "Conv1D", "Conv1D", "ReLU", "Mean", "Dense"]


def test_an_unknown_tap_names_the_valid_ones(built):
    with pytest.raises(
        UnknownName, match="Unknown tap of mlp_small 'stage9'.*Valid: stage1, stage2, embedding, logits"
    ):
        with_taps(built("mlp-small"), ["stage9"])


def test_inference_leaves_the_auxiliary_classifiers_out(built, studied):
    model = studied("resnet-lstman", {}).model
    device = make_inference_model(model)
    assert device.output_shape == (None, 5)
    assert {layer.name for layer in model.layers} - {layer.name for layer in device.layers} == {
        *(f"aux_logits_{number}" for number in range(1, 6)),
        *("average1", "average2"),
    }
    assert make_inference_model(built("mlp")) is built("mlp")
