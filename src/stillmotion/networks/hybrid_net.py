"""hybrid-net: the separable convolutions of motion-net next to hidden units on window features.

Features describe a window as a whole, convolutions find patterns in its course. The convolutions read the normalised
signal and end in mean and maximum over time; the features (as in feature-net) are computed from the raw signal; the
classifier reads both.
"""

from __future__ import annotations

from functools import partial

import keras
from keras import layers

from .feature_net import describe
from .layers import MaxPooling1D
from .motion_net import stack_blocks
from .network import Network, begin, finish, tap
from .shape import Shape

DROPOUT = 0.2
BLOCKS = 4


def build_hybrid_net(shape: Shape, *, width: int, units: int, name: str, features: str = "") -> keras.Model:
    """Build a hybrid-net.

    Args:
        shape: samples (at least 4), channels and classes; rate and sensors for the features.
        width: filters of the first convolution, as in motion-net.
        units: hidden units on the features.
        name: the model's name.
        features: groups of features, separated by commas.
    """
    shape.require_window(4, name, "it halves time twice")
    inputs, x = begin(shape)
    x = stack_blocks(x, width, blocks=BLOCKS)  # (T / 4, 2 width)
    mean = layers.GlobalAveragePooling1D(name="mean")(x)
    # Pooling by slices: the gradient of a reduction to the maximum would compare values for equality again.
    largest = layers.Flatten(name="largest_flat")(MaxPooling1D(x.shape[1], name="largest")(x))
    hidden = layers.Dense(units, activation="relu", name="hidden")(describe(inputs, shape, features))
    x = tap(layers.Concatenate(name="joined")([mean, largest, hidden]), "embedding")
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    return finish(inputs, x, shape, name)


def _size(size: str, *, width: int, units: int, about: str) -> Network:
    name = f"hybrid-net-{size}"
    return Network(
        name=name,
        title=f"Separable convolutions and {units} units on features, about {about} parameters at (128, 6, 12)",
        source="Own design",
        build=partial(build_hybrid_net, width=width, units=units, name=name),
        options=("features",),
        taps=("logits", "embedding", "features", *(f"stage{number}" for number in range(1, BLOCKS + 2))),
        least_window=4,
    )


NETWORKS = (
    _size("s", width=8, units=16, about="4 k"),
    _size("m", width=16, units=16, about="7.5 k"),
    _size("l", width=32, units=48, about="20 k"),
)
