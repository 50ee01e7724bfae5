"""TinierHAR: depthwise-separable residual blocks over time, a small bidirectional GRU, attention over time.

Source: "TinierHAR: Towards Ultra-Lightweight Deep Learning Models for Efficient Human Activity Recognition on Edge
Devices", ISWC 2025. Parameters equal the published 7.3 k at (128, 6, 5): 7,252.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from .layers import BatchNormalization, Conv2D, DepthwiseConv2D, MaxPooling2D
from .network import Network, begin, finish, tap
from .shape import Shape

FILTERS = 4
UNITS = 16
DROPOUT = 0.3


def build_tinierhar(shape: Shape) -> keras.Model:
    """Build TinierHAR with the published sizes: blocks 1→4→8 with pooling, four of 8, GRU 16 each way."""
    shape.require_window(8, "tinierhar", "it halves time twice, before attention over time")
    inputs, x = begin(shape)
    x = layers.Reshape((shape.window, shape.channels, 1), name="plane")(x)
    x = _block(x, FILTERS, number=1, pooled=True)
    x = _block(x, 2 * FILTERS, number=2, pooled=True)
    for number in range(3, 7):
        x = _block(x, 2 * FILTERS, number=number, pooled=False)  # (T / 4, D, 8)
    x = layers.Reshape((shape.window // 4, 2 * FILTERS * shape.channels), name="sequence")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    x = layers.Bidirectional(layers.GRU(UNITS, return_sequences=True, name="gru"), name="bidirectional")(x)
    x = tap(x, "stage7")
    scores = layers.Dense(1, name="time_scores")(x)
    weights = layers.Softmax(axis=1, name="time_weights")(scores)
    x = tap(ops.sum(layers.Multiply(name="weighted")([x, weights]), axis=1), "embedding")
    return finish(inputs, x, shape, "tinierhar")


def _block(x: Any, filters: int, *, number: int, pooled: bool) -> Any:
    shortcut = x
    x = DepthwiseConv2D((5, 1), padding="same", name=f"depthwise{number}")(x)
    x = Conv2D(filters, 1, name=f"pointwise{number}")(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{number}")(x)
    x = layers.ReLU(name=f"relu{number}")(x)
    if shortcut.shape[-1] != filters:
        shortcut = Conv2D(filters, 1, name=f"shortcut{number}")(shortcut)
        shortcut = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"shortcut_norm{number}")(shortcut)
    if pooled:
        x = MaxPooling2D((2, 1), name=f"pool{number}")(x)
        shortcut = MaxPooling2D((2, 1), name=f"shortcut_pool{number}")(shortcut)
    return tap(layers.Add(name=f"sum{number}")([x, shortcut]), f"stage{number}")


NETWORKS = (
    Network(
        name="tinierhar",
        title="TinierHAR: separable convolutions, bidirectional GRU, attention over time",
        source="TinierHAR, ISWC 2025 (arXiv 2507.07949)",
        build=build_tinierhar,
        taps=("logits", "embedding", *(f"stage{number}" for number in range(1, 8))),
        published={(128, 6, 5): 7_252},
        least_window=8,
    ),
)
