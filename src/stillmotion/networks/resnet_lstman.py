"""ResNetLSTMaN: HMKD's teacher, a residual network in parallel with an attentional LSTM network.

Source: Xiao et al. (HMKD, TNNLS 36(9), 2025), built after the same group's DKN code. One detail is not specified there
and is our choice: the second LSTMaN layer reads the first one's output of 128 values as a sequence of one step, as the
first layer reads one step per channel with one value per sample.

Every residual block and every LSTMaN layer has an auxiliary classifier. The model's output is a dictionary: ``logits``
and ``aux_logits_1`` to ``aux_logits_5``; ``make_inference_model(model)`` keeps the path to the logits only.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from .layers import BatchNormalization, Conv1D
from .network import Network, begin, tap
from .recurrent import LSTM
from .shape import Shape

FILTERS = (128, 256, 256)
KERNELS = (8, 5, 3)
UNITS = 128

#: Weights without effect: in their only step, the LSTMs of the second LSTMaN layer multiply them by a zero state.
IDLE = tuple(f"lstman2_{part}/lstm_cell/recurrent_kernel" for part in ("query", "key", "value"))


def build_resnet_lstman(shape: Shape) -> keras.Model:
    """Build ResNetLSTMaN with the published sizes."""
    inputs, signal = begin(shape)
    x, features = signal, []
    for number, filters in enumerate(FILTERS, start=1):
        x = tap(_residual_block(x, filters, number=number), f"stage{number}")  # (T, filters)
        features.append(layers.GlobalAveragePooling1D(name=f"average{number}")(x))
    x = layers.Permute((2, 1), name="sensors_first")(signal)  # D steps of T samples
    for number in (1, 2):
        x = tap(_lstman(x, number=number), f"stage{len(FILTERS) + number}")  # (128,)
        features.append(x)
        x = layers.Reshape((1, UNITS), name=f"lstman{number}_step")(x) if number == 1 else x
    embedding = layers.Concatenate(name="embedding")([features[len(FILTERS) - 1], x])
    outputs = {"logits": layers.Dense(shape.classes, name="logits")(embedding)}
    for number, feature in enumerate(features, start=1):
        name = f"aux_logits_{number}"
        outputs[name] = layers.Dense(shape.classes, name=name)(feature)
    return keras.Model(inputs, outputs, name="resnet_lstman")


def _residual_block(x: Any, filters: int, *, number: int) -> Any:
    shortcut = x
    for layer, kernel in enumerate(KERNELS, start=1):
        name = f"block{number}_conv{layer}"
        x = Conv1D(filters, kernel, padding="same", name=name)(x)
        x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
        if layer < len(KERNELS):
            x = layers.ReLU(name=f"{name}_relu")(x)
    if shortcut.shape[-1] != filters:
        shortcut = Conv1D(filters, 1, name=f"block{number}_shortcut")(shortcut)
    shortcut = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"block{number}_shortcut_norm")(shortcut)
    x = layers.Add(name=f"block{number}_sum")([x, shortcut])
    return layers.ReLU(name=f"block{number}_relu")(x)


def _lstman(x: Any, *, number: int) -> Any:
    """Attend with the last states of three LSTMs as query, key and value: softmax(q kᵀ) · v, plus a dense skip."""
    query, key, value = (LSTM(UNITS, name=f"lstman{number}_{part}")(x) for part in ("query", "key", "value"))
    column = layers.Reshape((UNITS, 1), name=f"lstman{number}_column")(query)
    row = layers.Reshape((1, UNITS), name=f"lstman{number}_row")(key)
    weights = layers.Softmax(axis=-1, name=f"lstman{number}_weights")(ops.matmul(column, row))
    values = layers.Reshape((UNITS, 1), name=f"lstman{number}_values")(value)
    mixed = layers.Reshape((UNITS,), name=f"lstman{number}_mixed")(ops.matmul(weights, values))
    skip = layers.Dense(UNITS, name=f"lstman{number}_skip")(layers.Flatten(name=f"lstman{number}_flat")(x))
    return layers.Add(name=f"lstman{number}_sum")([mixed, skip])


NETWORKS = (
    Network(
        name="resnet-lstman",
        title="ResNetLSTMaN, HMKD's teacher",
        source="Xiao et al., TNNLS 36(9), 2025, after the same group's DKN code",
        build=build_resnet_lstman,
        taps=(
            "logits",
            "embedding",
            *(f"stage{number}" for number in range(1, 6)),
            *(f"aux_logits_{number}" for number in range(1, 6)),
        ),
    ),
)
