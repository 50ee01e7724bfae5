"""TinyHAR: convolutions over time, self-attention across sensor channels, a GRU, a dense fusion of time.

Source: Zhou et al., "TinyHAR: A Lightweight Deep Learning Model Designed for Human Activity Recognition", ISWC 2022.
The sizes are those of the WHAR Arena benchmark (32 filters, kernels 5, 5, 3, 3, dense fusions): 159 k
parameters at (128, 6, 5), of which 107 k are the last fusion; here 159,078.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from .layers import BatchNormalization, Conv2D
from .network import Network, begin, finish, tap
from .shape import Shape

FILTERS = 32
KERNELS = (5, 5, 3, 3)
STRIDES = (2, 1, 2, 1)
DROPOUT = 0.1
LEAST = 25


def build_tinyhar(shape: Shape) -> keras.Model:
    """Build TinyHAR: 32 filters, attention across channels (if there is more than one), GRU 64, dense fusion."""
    shape.require_window(LEAST, "tinyhar", f"its valid convolutions shorten it by {LEAST - 1}")
    inputs, x = begin(shape)
    x = layers.Reshape((shape.window, shape.channels, 1), name="plane")(x)
    for number, (kernel, stride) in enumerate(zip(KERNELS, STRIDES, strict=True), start=1):
        x = Conv2D(FILTERS, (kernel, 1), strides=(stride, 1), activation="relu", name=f"conv{number}")(x)
        x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{number}")(x)
        x = tap(x, f"stage{number}")  # (L, D, 32)
    x = tap(_across_channels(x) if shape.channels > 1 else x, "stage5")
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    x = layers.Reshape((x.shape[1], shape.channels * FILTERS), name="sequence")(x)
    x = tap(layers.Dense(2 * FILTERS, activation="relu", name="channel_fusion")(x), "stage6")
    x = tap(layers.GRU(2 * FILTERS, return_sequences=True, name="gru")(x), "stage7")
    x = layers.Flatten(name="flat")(x)
    x = tap(layers.Dense(2 * FILTERS, activation="relu", name="time_fusion")(x), "embedding")
    return finish(inputs, x, shape, "tinyhar")


def _across_channels(x: Any) -> Any:
    """Add self-attention between sensor channels at each moment, scaled by a trained scalar that starts at 0.

    As in the authors' code, the softmax runs over the queries. The scalar is a dense layer of one weight, so that a
    saved model needs no custom layer.
    """
    queries, keys, values = (
        layers.Dense(FILTERS, use_bias=False, name=f"attention_{part}")(x) for part in ("query", "key", "value")
    )
    scores = ops.matmul(keys, ops.transpose(queries, (0, 1, 3, 2)))  # (L, key, query)
    weights = layers.Softmax(axis=-1, name="channel_weights")(scores)
    mixed = ops.matmul(weights, values)
    mixed = layers.Reshape((*mixed.shape[1:], 1), name="attention_plane")(mixed)
    mixed = layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="attention_gamma")(mixed)
    mixed = layers.Reshape(x.shape[1:], name="attention_mixed")(mixed)
    return layers.Add(name="attention_sum")([mixed, x])


NETWORKS = (
    Network(
        name="tinyhar",
        title="TinyHAR: convolutions, attention across channels, GRU",
        source="Zhou et al., ISWC 2022, at the sizes of WHAR Arena",
        build=build_tinyhar,
        taps=("logits", "embedding", *(f"stage{number}" for number in range(1, 8))),
        published={(128, 6, 5): 159_078},
        least_window=LEAST,
    ),
)
