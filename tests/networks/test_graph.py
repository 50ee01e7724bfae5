"""The graph that cost and exporters read."""

import keras
import numpy as np
from keras import layers, ops

from stillmotion.networks import read_graph


def test_nodes_follow_the_order_of_computation(built):
    for name in ("resnet-lstman", "tinyhar", "tinierhar"):
        found = read_graph(built(name))
        seen = set()
        for node in found.nodes:
            assert {tensor.split(":")[0] for tensor in node.inputs} <= seen
            seen.add(node.name)
        assert len(seen) == len(found.nodes)
        assert found.inputs == ("signal",)
        assert set(found.outputs) <= seen


def test_a_convolution_keeps_what_a_writer_needs(built):
    node = read_graph(built("motion-net-s"))["depthwise2"]
    assert node.op == "DepthwiseConv1D"
    wanted = {"kernel_size": (7,), "strides": (2,), "padding": "same", "use_bias": False, "activation": "linear"}
    assert {key: tuple(v) if isinstance(v := node.attributes[key], list) else v for key in wanted} == wanted
    assert node.input_shapes == ((16, 16),)
    assert node.shape == (8, 16)
    (kernel,) = node.weights
    assert (kernel.name, kernel.shape, kernel.learnt) == ("kernel", (7, 16, 1), True)
    np.testing.assert_array_equal(kernel.values(), built("motion-net-s").get_layer("depthwise2").kernel)


def test_a_bidirectional_layer_is_one_node_with_both_directions(built):
    node = read_graph(built("tinierhar"))["bidirectional"]
    assert node.attributes["layer"] == "GRU"
    assert node.attributes["merge_mode"] == "concat"
    assert node.attributes["units"] == 16
    names = [weight.name for weight in node.weights]
    assert names == [
        f"{side}/{part}" for side in ("forward", "backward") for part in ("kernel", "recurrent_kernel", "bias")
    ]


def test_statistics_are_told_from_what_is_learnt(built):
    found = read_graph(built("motion-net-xs"))
    learnt = {weight.name: weight.learnt for node in found.nodes for weight in node.weights}
    assert {name for name, value in learnt.items() if not value} == {
        *("moving_mean", "moving_variance"),
        *("mean", "variance", "count"),
    }


def test_operations_carry_their_settings_and_constants():
    x = keras.Input((6, 4))
    model = keras.Model(x, ops.max(ops.multiply(x, 3.0), axis=1, keepdims=True))
    _, product, maximum = read_graph(model).nodes
    assert product.op == "Multiply"
    assert product.attributes["constants"] == (3.0,)
    assert maximum.op == "Max"
    assert (maximum.attributes["axis"], maximum.attributes["keepdims"]) == ([1], True)
    assert maximum.shape == (1, 4)


def test_a_layer_called_twice_is_two_nodes_with_the_same_weights():
    first, second = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(2, name="shared")
    model = keras.Model([first, second], layers.Add(name="sum")([shared(first), shared(second)]))
    found = read_graph(model)
    assert found["sum"].inputs == ("shared", "shared#2")
    assert found["shared"].weights[0].variable is found["shared#2"].weights[0].variable


def test_results_of_a_layer_with_several_are_told_apart():
    x = keras.Input((5, 3))
    _, state, cell = layers.LSTM(2, return_sequences=True, return_state=True, name="lstm")(x)
    model = keras.Model(x, layers.Concatenate(name="both")([state, cell]))
    found = read_graph(model)
    assert found["lstm"].shapes == ((5, 2), (2,), (2,))
    assert found["both"].inputs == ("lstm:1", "lstm:2")
