"""Models as a user writes them, in plain Keras layers, from windows (T, D) to C classes."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers


def user_model(name: str, shape: tuple[int, int, int]) -> keras.Model:
    """Build one of ``USER_MODELS``, with weights drawn by Keras."""
    length, channels, classes = shape
    inputs = keras.Input((length, channels))
    return keras.Model(inputs, layers.Dense(classes)(USER_MODELS[name](inputs)))


def _convolutional(x: keras.KerasTensor) -> keras.KerasTensor:
    for _ in range(2):
        x = layers.Conv1D(64, 3, activation="relu")(x)
    return layers.GlobalAveragePooling1D()(layers.MaxPooling1D(2)(x))


def _light(x: keras.KerasTensor) -> keras.KerasTensor:
    for _ in range(2):
        x = layers.Conv1D(8, 5, activation="relu")(x)
    return layers.GlobalAveragePooling1D()(layers.MaxPooling1D(2)(x))


def _recurrent(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.LSTM(32)(x)


def _solid(x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a three-dimensional convolution, which ``networks/rewrite.py`` keeps in XLA's form."""
    x = layers.Conv3D(8, (5, 3, 1), activation="relu")(layers.Reshape((*x.shape[1:], 1, 1))(x))
    return layers.Flatten()(layers.MaxPooling3D((4, 1, 1))(x))


USER_MODELS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "two-conv1d-64": _convolutional,
    "two-conv1d-8": _light,
    "lstm-32": _recurrent,
    "conv3d-8": _solid,
}
