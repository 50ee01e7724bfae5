"""Multilayer perceptrons: the student of HMKD, and a small one for a watch.

Xiao et al. (HMKD, TNNLS 36(9), 2025) name their student "MLP" without sizes; we take the MLP baseline of Wang, Yan &
Oates (IJCNN 2017): three layers of 500 units with dropout 0.1/0.2/0.2/0.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from .network import Network, begin, finish, tap
from .shape import Shape

SOURCE = "Our reading of HMKD's student (Xiao et al., TNNLS 36(9), 2025) after Wang, Yan & Oates, IJCNN 2017"


def build_mlp(shape: Shape, *, units: Sequence[int], dropout: Sequence[float], name: str) -> keras.Model:
    """Build an MLP: flatten, dense ReLU layers with dropout before each, and the classifier after a last dropout.

    Args:
        shape: samples, channels and classes.
        units: units of each hidden layer.
        dropout: dropout rate before each hidden layer and before the classifier (0 leaves it out).
        name: the model's name.
    """
    inputs, x = begin(shape)
    x = layers.Flatten(name="flat")(x)
    for number, (width, rate) in enumerate(zip(units, dropout, strict=False), start=1):
        x = layers.Dropout(rate, name=f"dropout{number}")(x) if rate else x
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
        x = tap(x, f"stage{number}")
    x = tap(x, "embedding")
    x = layers.Dropout(dropout[-1], name="dropout_last")(x) if dropout[-1] else x
    return finish(inputs, x, shape, name)


def _standard(shape: Shape) -> keras.Model:
    return build_mlp(shape, units=(500, 500, 500), dropout=(0.1, 0.2, 0.2, 0.3), name="mlp")


def _small(shape: Shape) -> keras.Model:
    return build_mlp(shape, units=(32, 32), dropout=(0.0, 0.0, 0.0), name="mlp-small")


NETWORKS = (
    Network(
        name="mlp",
        title="Multilayer perceptron 3 × 500, HMKD's student",
        source=SOURCE,
        build=_standard,
        taps=("logits", "embedding", "stage1", "stage2", "stage3"),
    ),
    Network(
        name="mlp-small",
        title="Multilayer perceptron 2 × 32, about 26 k parameters at (128, 6, 12)",
        source="Own, for devices",
        build=_small,
        taps=("logits", "embedding", "stage1", "stage2"),
    ),
)
