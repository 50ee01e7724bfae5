"""Costs against independent counts: XLA's analysis, sums by hand, memory schedules by hand."""

import json
from dataclasses import replace

import jax
import keras
import numpy as np
import pytest
from keras import layers, ops
from rich.console import Console

from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, WindowFeatures, feature_cost
from stillmotion.features.feature_set import GROUPS
from stillmotion.networks import (
    FastGRNN,
    add_cbam,
    build_network,
    format_cost,
    named_network_cost,
    network_cost,
    parse_attention,
    read_graph,
    register_network,
)
from stillmotion.networks.memory import peak_activations


def model_of(shape, *added):
    inputs = x = keras.Input(shape)
    for layer in added:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("name", ["mlp-small", "cnn-har", "motion-net-xs", "motion-net-l"])
def test_flops_agree_with_xla_where_nothing_recurs(name):
    """Within 4 %: XLA spends four operations on a batch normalisation that we count as a scale and a shift, does not
    count comparisons (ReLU, maxima) as FLOPs, and leaves out products with padding zeros.
    """
    model = build_network(name, (128, 6, 6))
    plain = keras.Model.from_config(model.get_config())  # Keras' own layers: loop-friendly forms do more arithmetic
    weights, states = ([v.value for v in group] for group in (plain.trainable_variables, plain.non_trainable_variables))
    forward = jax.jit(lambda x: plain.stateless_call(weights, states, x, training=False)[0])
    xla = forward.lower(np.zeros((1, 128, 6), np.float32)).cost_analysis()["flops"]
    counted = network_cost(model)
    assert counted.flops + counted.normaliser_flops == pytest.approx(xla, rel=0.04)


@pytest.mark.parametrize(
    ("layer", "shape", "multiply_adds", "elementary"),
    [
        (layers.Conv2D(4, (3, 2), activation="relu"), (10, 5, 3), 8 * 4 * 4 * 3 * 2 * 3, 2 * 8 * 4 * 4),
        (layers.Conv1D(4, 3, strides=2, padding="same", use_bias=False), (9, 2), 5 * 4 * 3 * 2, 0),
        (layers.Conv1D(4, 3, groups=2), (9, 6), 7 * 4 * 3 * 3, 7 * 4),
        (layers.DepthwiseConv1D(5, depth_multiplier=2, padding="same"), (9, 3), 9 * 6 * 5, 9 * 6),
        (layers.DepthwiseConv2D((5, 1)), (9, 2, 3), 5 * 2 * 3 * 5, 5 * 2 * 3),
        (layers.SeparableConv1D(7, 3), (9, 2), 7 * 2 * 3 + 7 * 7 * 2, 7 * 7),
        (layers.Dense(5, activation="softmax"), (4, 3), 4 * 5 * 3, 4 * 5 + 3 * 4 * 5),
        (layers.LSTM(5), (7, 3), 7 * 4 * 5 * 8, 7 * (4 * 5 + 9 * 5)),
        (layers.LSTM(5, use_bias=False, return_sequences=True), (7, 3), 7 * 4 * 5 * 8, 7 * 9 * 5),
        (layers.GRU(5), (7, 3), 7 * 3 * 5 * 8, 7 * (6 * 5 + 9 * 5)),
        (layers.GRU(5, reset_after=False), (7, 3), 7 * 3 * 5 * 8, 7 * (3 * 5 + 8 * 5)),
        (FastGRNN(5), (7, 3), 7 * 5 * 8, 7 * (2 * 5 + 2 * 5 + 6 * 5)),
        (layers.SimpleRNN(5), (7, 3), 7 * 5 * 8, 7 * (5 + 5)),
        (layers.Bidirectional(layers.GRU(5)), (7, 3), 2 * 7 * 3 * 5 * 8, 2 * 7 * (6 * 5 + 9 * 5)),
        (layers.Bidirectional(layers.LSTM(5), merge_mode="ave"), (7, 3), 2 * 7 * 4 * 5 * 8, 2 * 7 * 65 + 2 * 5),
        (layers.BatchNormalization(), (7, 3), 0, 2 * 21),
        (layers.LayerNormalization(), (7, 3), 0, 7 * 21),
        (layers.MaxPooling1D(3), (7, 3), 0, 2 * 3 * 2),
        (layers.AveragePooling2D((2, 1)), (8, 2, 3), 0, 4 * 2 * 3 * 2),
        (layers.GlobalAveragePooling1D(), (7, 3), 0, 21),
        (layers.GlobalMaxPooling2D(), (7, 2, 3), 0, 14 * 3 - 3),
        (layers.Softmax(), (7, 3), 0, 3 * 21),
        (layers.ReLU(), (7, 3), 0, 21),
        (layers.Activation("linear"), (7, 3), 0, 0),
        (layers.Flatten(), (7, 3), 0, 0),
        (layers.Dropout(0.5), (7, 3), 0, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_each_layer_type_by_hand(layer, shape, multiply_adds, elementary):
    counted = network_cost(model_of(shape, layer))
    assert counted.multiply_adds == multiply_adds
    assert counted.flops == 2 * multiply_adds + elementary
    assert counted.params == sum(v.value.size for v in layer.trainable_variables)


def test_multi_head_attention_by_hand():
    x = keras.Input((6, 8))
    counted = network_cost(keras.Model(x, layers.MultiHeadAttention(2, 3, value_dim=5)(x, x)))
    projections = 6 * 8 * 2 * (3 + 3 + 5)
    mixing = 2 * 6 * 6 * (3 + 5)
    output = 6 * 2 * 5 * 8
    biases, scaling, softmax = 6 * 2 * (3 + 3 + 5) + 6 * 8, 2 * 6 * 3, 3 * 2 * 6 * 6
    assert counted.multiply_adds == projections + mixing + output
    assert counted.flops == 2 * counted.multiply_adds + biases + scaling + softmax


def test_operations_between_layers_are_counted():
    x = keras.Input((6, 4))
    mixed = ops.matmul(x, ops.transpose(x, (0, 2, 1)))  # (6, 6)
    y = ops.sum(ops.multiply(mixed, 2.0) + ops.exp(mixed), axis=1)
    counted = {layer.kind: layer.flops for layer in network_cost(keras.Model(x, y)).layers}
    assert counted == {
        "InputLayer": 0,
        "Transpose": 0,
        "Matmul": 2 * 6 * 6 * 4,
        "Multiply": 36,
        "Exp": 36,
        "Add": 36,
        "Sum": 36 - 6,
    }


def test_cbam_by_hand_and_its_shared_mlp_is_stored_once_but_runs_twice():
    x = keras.Input((12, 3, 4))
    counted = network_cost(keras.Model(x, add_cbam(x, channel=2, spatial=3)))
    positions, filters, hidden = 12 * 3, 4, 2
    mlp = (
        2 * hidden * filters + hidden + hidden + 2 * filters * hidden + filters
    )  # products, bias, ReLU; products, bias
    channel = (positions * filters) + (positions - 1) * filters + 2 * mlp + filters + filters + positions * filters
    pooled = positions * filters + positions * (filters - 1)
    spatial = pooled + 2 * positions * 9 * 2 + positions + positions * filters
    assert counted.flops == channel + spatial
    assert counted.flops_convolutions == 2 * positions * 9 * 2
    assert counted.params == (filters * hidden + hidden) + (hidden * filters + filters) + 9 * 2


def test_an_unknown_layer_type_is_an_error_that_names_it():
    class Secret(layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(UserError, match=r"'mystery': no formula for the layer type .*Secret"):
        network_cost(model_of((7, 3), Secret(name="mystery")))
    with pytest.raises(UserError, match="'unit': no formula for the layer type UnitNormalization"):
        network_cost(model_of((7, 3), layers.UnitNormalization(name="unit")))


def test_a_subclass_with_a_call_of_its_own_is_not_counted_as_its_parent():
    class Twice(layers.Dense):
        def call(self, x):
            return super().call(x) * 2

    with pytest.raises(UserError, match="no formula for the layer type .*Twice"):
        network_cost(model_of((3,), Twice(2)))


def test_auxiliary_classifiers_are_no_part_of_what_a_device_runs(built):
    counted = network_cost(built("resnet-lstman"))
    assert counted.auxiliary_params == (128 + 256 + 256 + 128 + 128) * 5 + 5 * 5
    poolings_of_the_first_blocks = 32 * (128 + 256)
    assert counted.auxiliary_flops == 2 * 896 * 5 + 25 + poolings_of_the_first_blocks
    assert not any("aux" in layer.name for layer in counted.layers)


def test_weight_bytes_by_hand():
    model = model_of((8, 2), layers.Conv1D(4, 3, use_bias=False), layers.BatchNormalization(), layers.Dense(3))
    counted = network_cost(model)
    assert counted.params == 24 + 8 + 15
    assert counted.weight_bytes == 4 * (24 + 16 + 15)
    assert counted.weight_bytes_int8 == 24 + 4 * 4 + (12 + 4 * 3)  # the normalisation folds into one bias


def test_peak_memory_of_a_chain_by_hand():
    """Input 8×2 → conv 6×4 → ReLU in its place → flatten (a view) → dense 3: conv holds 16 + 24."""
    model = model_of((8, 2), layers.Conv1D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(3))
    assert peak_activations(read_graph(model)) == 16 + 24
    assert network_cost(model).activation_bytes == 4 * 40
    assert network_cost(model).activation_bytes_int8 == 40


def test_peak_memory_of_a_residual_keeps_the_shortcut():
    """Input 10 and shortcut 30 and branch 30: the sum is written over one of them."""
    inputs = keras.Input((10,))
    x = layers.Dense(30)(inputs)
    wide = layers.Dense(30)(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([x, wide])))
    assert peak_activations(read_graph(model)) == 30 + 30
    chain = model_of((10,), layers.Dense(30), layers.Dense(30), layers.Dense(2))
    assert peak_activations(read_graph(chain)) == 60
    late = keras.Model(inputs, layers.Concatenate()([inputs, wide]))
    assert peak_activations(read_graph(late)) == 10 + 30 + 40


def test_peak_memory_of_a_recurrence_holds_state_and_gates():
    model = model_of((5, 3), layers.LSTM(4))
    assert peak_activations(read_graph(model)) == 15 + 4 + (2 + 4) * 4


def test_an_input_that_an_in_place_operation_still_needs_is_kept():
    inputs = keras.Input((10,))
    x = layers.Dense(20)(inputs)
    y = layers.ReLU()(x)
    assert peak_activations(read_graph(keras.Model(inputs, layers.Concatenate()([x, y])))) == 20 + 20 + 40


def test_json_holds_the_promised_keys():
    values = json.loads(json.dumps(named_network_cost("deepconvlstm-lm", (20, 3, 6)).to_dict()))
    assert values["params"] == 1_770
    assert values["flops"] == 22_998
    assert values["flops_convolutions"] == 13_920
    assert sum(layer["flops"] for layer in values["layers"]) == values["flops"]
    assert {"name", "kind", "shape", "params", "multiply_adds", "flops"} <= set(values["layers"][0])


def test_attention_is_in_the_cost_of_a_network_by_name():
    plain = named_network_cost("deepconvlstm-lm", (20, 3, 6))
    attended = named_network_cost("deepconvlstm-lm", (20, 3, 6), attention="spatial:k=7,after=1")
    assert attended.params - plain.params == 2 * 7 * 7
    assert attended.flops_convolutions - plain.flops_convolutions == 2 * (2 * 49) * 16 * 3
    with pytest.raises(UserError, match="mlp takes no option 'attention'"):
        named_network_cost("mlp", (20, 3, 6), attention="spatial,after=1")


def test_the_table_shows_layers_and_totals():
    console = Console(width=140, record=True)
    console.print(format_cost(named_network_cost("deepconvlstm-lm", (20, 3, 6))))
    text = console.export_text()
    for part in ("deepconvlstm-lm", "lstm1", "4,920", "22,998", "13,920", "1,770", "120 FLOPs"):
        assert part in text
    assert "plane" not in text  # layers that do nothing are left out


def test_window_features_by_hand():
    """Three axes and a pulse, 8 samples at 4 Hz: 4 bins at 0.5, 1, 1.5, 2 Hz, bands 0–1 and 1–2; all groups on."""
    features = FeatureSet(8, 4.0, ("x", "y", "z", "pulse"), ("acc",) * 3 + ("pulse",), GROUPS, compressed=True)
    # Streams: x, y, z, pulse, norm. Each: from the first sample 8, mean 8 + 1, centring 8, margin 4, variation 2, root
    # and division 2.
    centred = 5 * (8 + 9 + 8 + 4 + 2 + 2)
    time = 5 * ((8 * 3 - 8 + 1) + 4 + 1 + (8 + 7 + 1))  # merge sort 17, quantiles, energy, crossings
    # Mirrored samples 3 + 3, weights 4, total 3, largest 3, threshold 1, first 4, Hz 1, share 1, bands 1 + 1.
    spectrum = 5 * (6 + 4 + 3 + 3 + 1 + 4 + 1 + 1 + 2)
    correlations = 3 * 3
    jerk = 4 * 2 * 7 + 7  # differences and rates of four channels, roots of one norm
    jerk_streams = 5 * ((7 + 8 + 7 + 4 + 2) + (7 * 3 - 8 + 1) + 4 + 1 + (7 + 6 + 1))
    count = 5 * (8 + 2 + 2) + 3 + 5 * 8
    others = 8 + centred + time + spectrum + correlations + jerk + jerk_streams + 3 * count
    products = 3 * 8 + 5 * (8 + 8 + 3) + 5 * (4 * (5 + 3) + 2 * 4) + 3 * 8  # norm; variance, energy, quantiles; …
    products += 3 * 7 + 5 * (7 + 7 + 3)
    assert len(features.names) == count

    inputs = keras.Input((8, 4), name="signal")
    x = WindowFeatures(features, name="window_features")(inputs)
    x = ops.clip(keras.layers.Normalization(axis=-1)(x), -5, 5)
    counted = network_cost(keras.Model(inputs, keras.layers.Dense(3)(x)))
    layer = next(layer for layer in counted.layers if layer.name == "window_features")
    assert (layer.kind, layer.params, layer.multiply_adds) == ("WindowFeatures", 0, products)
    assert layer.flops == 2 * products + others
    assert counted.flops - layer.flops == 2 * count + count + 2 * 3 * count + 3  # standardise, clip, dense, bias
    assert counted.normaliser_flops == 0
    assert counted.params == 3 * count + 3
    # Mean and deviation of each feature, eight values of the Fourier transform's tables.
    assert counted.weight_bytes == 4 * (3 * count + 3) + 4 * (2 * count + 8)
    assert counted.weight_bytes_int8 == (3 * count + 4 * 3) + 4 * (2 * count + 8)
    # The window, the features, and three times eight values to compute them, float32 in both forms.
    assert counted.activation_bytes == counted.activation_bytes_int8 == 4 * (8 * 4 + count + 3 * 8)


@pytest.mark.parametrize(
    ("groups", "products", "others"),
    [
        # Per norm of 3 axes: 24 products and 8 roots. With time: 11 + 8; with the spectrum alone ends cost 14.
        (("norms", "time"), 24 + 19, 8 + (8 + 9 + 8 + 4 + 2) + 17 + 4 + 1 + 16),
        (("norms", "spectrum"), 24 + 40, 8 + (8 + 9 + 8 + 14 + 4 + 2) + 25),
        (("correlations",), 3 * 8 + 3 * 8, 3 * (8 + 9 + 8 + 14 + 4 + 2 + 2) + 9),
    ],
)
def test_groups_switched_off_cost_nothing(groups, products, others):
    counted = feature_cost(FeatureSet(8, 4.0, ("x", "y", "z"), ("acc",) * 3, groups))
    assert (counted.multiply_adds, counted.elementary) == (products, others)
    assert counted.tables == (8 if "spectrum" in groups else 0)


def test_the_cost_of_a_name_is_that_of_its_network_now(forget_own):
    """Costs of built-in networks are kept; a network of one's own may change under its name."""
    for attention in (None, "channel:r=2,after=1", list(parse_attention("channel:r=2,after=1"))):
        options = {"attention": attention} if attention else {}
        expected = network_cost(build_network("deepconvlstm-lm", (20, 3, 6), **options))
        for _ in range(2):
            counted = named_network_cost("deepconvlstm-lm", (20, 3, 6), attention=attention)
            for mine, theirs in zip(counted.layers, expected.layers, strict=True):  # Keras numbers their names
                assert replace(mine, name="") == replace(theirs, name="")
            assert replace(counted, layers=()) == replace(expected, layers=())
    for units in (3, 5):
        register_network(
            lambda shape, units=units: model_of(
                (shape.window, shape.channels), layers.Flatten(), layers.Dense(units), layers.Dense(shape.classes)
            ),
            "own",
        )
        assert named_network_cost("own", (8, 2, 4)).params == 16 * units + units + units * 4 + 4
