"""Small networks that hold every kind of layer, and the windows that they are tested on."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from stillmotion.features import FeatureSet, WindowFeatures
from stillmotion.networks import FastGRNN, add_cbam, add_sensor_attention
from stillmotion.networks.draws import drawn_by_numpy
from stillmotion.signals import Channel, SignalSpec

WINDOW, CHANNELS, CLASSES = 24, 6, 4
SPEC = SignalSpec(
    25.0,
    tuple(Channel.of(f"wrist.{sensor}.{axis}") for sensor in ("acc", "gyr") for axis in "xyz"),
    ("rest", "walk", "run", 'say "hi"\\ü'),
    WINDOW,
    8,
)


def draw_windows(count: int, window: int = WINDOW, channels: int = CHANNELS, seed: int = 0) -> np.ndarray:
    """Waves and noise, each window of another size, as exact counts of 2^-12."""
    random = np.random.default_rng(seed)
    time = np.arange(window)[None, :, None]
    waves = np.sin(time * random.uniform(0.05, 1.5, (count, 1, channels)) + random.uniform(0, 6, (count, 1, channels)))
    values = random.uniform(0.1, 3, (count, 1, channels)) * waves + random.normal(size=(count, 1, channels))
    return (np.rint((values + 0.1 * random.normal(size=values.shape)) * 4096) / 4096).astype(np.float32)


def _finish(inputs, x, name):
    x = x if len(x.shape) == 2 else layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name=name)


def _begin():
    inputs = keras.Input((WINDOW, CHANNELS))
    return inputs, layers.Normalization(axis=-1, name="normaliser")(inputs)


def convolutions():
    inputs, x = _begin()
    x = layers.Conv1D(8, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu6")(x)
    x = layers.Conv1D(8, 3, padding="causal", dilation_rate=2, groups=4, activation="relu")(x)
    x = layers.BatchNormalization()(x)  # behind an activation: it cannot fold
    x = layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same", strides=2, activation="tanh")(x)
    return _finish(inputs, layers.SeparableConv1D(5, 3, activation="relu", name="3rd-Block Sep")(x), "convolutions")


def planes():
    inputs, x = _begin()
    x = layers.Reshape((WINDOW, CHANNELS, 1))(x)
    x = layers.Conv2D(4, (5, 1), activation="relu")(x)
    x = layers.DepthwiseConv2D((3, 3), padding="same")(x)
    x = layers.SpatialDropout2D(0.2)(x)
    x = layers.MaxPooling2D((2, 1))(x)
    x = layers.AveragePooling2D((3, 2), strides=(2, 1), padding="same")(x)
    x = layers.SeparableConv2D(3, (2, 2), strides=1, dilation_rate=2)(x)
    return _finish(inputs, layers.Permute((2, 1, 3))(x), "planes")


def attention():
    inputs, x = _begin()
    x = layers.Reshape((WINDOW, CHANNELS, 1))(x)
    x = add_cbam(layers.Conv2D(4, (5, 1), activation="relu")(x), channel=2, spatial=3)
    x = add_sensor_attention(x)
    return _finish(inputs, ops.transpose(x, (0, 2, 1, 3))[:, 1:5:2, ::3, -1], "attention")


def pools():
    inputs, x = _begin()
    parts = [
        layers.GlobalAveragePooling1D()(x),
        layers.GlobalMaxPooling1D()(x),
        layers.Flatten()(layers.MaxPooling1D(3, strides=2, padding="same")(x)),
        layers.Flatten()(layers.AveragePooling1D(4, padding="same")(x)),
        ops.sum(x, axis=1),
        layers.Flatten()(ops.max(x, axis=-1, keepdims=True)),
    ]
    return _finish(inputs, layers.Concatenate()(parts), "pools")


def activations():
    inputs, x = _begin()
    names = ("elu", "leaky_relu", "silu", "hard_sigmoid", "hard_silu", "tanh", "sigmoid", "softmax")
    parts = [layers.Dense(3, activation=name)(x) for name in names]
    parts += [layers.ReLU(max_value=1.5)(x), layers.LeakyReLU(0.1)(x), layers.ELU(0.5)(x), ops.clip(x, -0.5, 0.75)]
    return _finish(inputs, layers.Concatenate()(parts)[:, ::2], "activations")


def merges():
    inputs, x = _begin()
    a, b = layers.Dense(4, activation="relu")(x), layers.Dense(4)(x)
    total = layers.Activation("relu")(layers.Add()([a, b, layers.Dense(4, use_bias=False)(x)]))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(total))
    weighted = layers.Multiply()([total, weights])
    return _finish(inputs, layers.Concatenate()([ops.sum(weighted, axis=1), ops.mean(a, axis=1)]), "merges")


def lstms():
    inputs, x = _begin()
    x = layers.LSTM(5, return_sequences=True)(x)
    return _finish(inputs, layers.LSTM(4, go_backwards=True)(x), "lstms")


def grus():
    inputs, x = _begin()
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum")(x)
    return _finish(inputs, layers.GRU(5, return_sequences=True)(x)[:, -1], "grus")


def fastgrnns():
    inputs, x = _begin()
    x = FastGRNN(5, return_sequences=True)(x)
    return _finish(inputs, FastGRNN(4)(x), "fastgrnns")


def features():
    inputs, x = _begin()
    described = WindowFeatures(FeatureSet.of(SPEC, compressed=True))(inputs)
    described = ops.clip(layers.Normalization(axis=-1, name="feature_normaliser")(described), -5, 5)
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3, activation="relu")(x))
    return _finish(inputs, layers.Concatenate()([x, layers.Dense(6, activation="relu")(described)]), "features")


SMALL = (convolutions, planes, attention, pools, activations, merges, lstms, grus, fastgrnns, features)


def build(builder) -> keras.Model:
    """Build a small network and draw all of its weights, statistics included."""
    with drawn_by_numpy():
        model = builder()
    draw_weights(model)
    return model


def draw_weights(model: keras.Model, seed: int = 0) -> None:
    """Draw all weights: biases, factors and statistics as a training would leave them."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        name, shape = variable.path.rsplit("/", 1)[-1], tuple(variable.shape)
        if name == "count":
            continue
        if "variance" in name or name == "gamma":
            value = random.uniform(0.5, 2, shape)
        elif name in ("zeta", "nu"):
            value = (1 if name == "zeta" else -2) + 0.3 * random.normal(size=shape)
        elif len(shape) < 2 or name == "bias":
            value = 0.3 * random.normal(size=shape)
        else:
            value = random.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
