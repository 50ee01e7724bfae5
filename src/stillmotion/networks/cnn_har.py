"""CNN-HAR: three convolutions over time per sensor channel, one across the channels, maximum over time.

Source: Yang et al., "Deep Convolutional Neural Networks on Multichannel Time Series for Human Activity Recognition",
IJCAI 2015, in the version of WHAR Arena (global max pooling, for any window length): 63.2 k parameters at
(128, 6, 5); here 63,165. Its local response normalisation is left out: with the published weights (2e-5 · Σ x² over
five filters, to the power 0.75) it changes activations of size 1 by less than 1e-4, and device runtimes lack it.
"""

from __future__ import annotations

import keras
from keras import layers

from .layers import Conv2D, MaxPooling2D
from .network import Network, begin, finish, tap
from .shape import Shape

LEAST = 30


def build_cnn_har(shape: Shape) -> keras.Model:
    """Build CNN-HAR with the published sizes: 50, 40, 20 and 400 filters."""
    shape.require_window(LEAST, "cnn-har", f"its convolutions and poolings shorten it by {LEAST - 1}")
    inputs, x = begin(shape)
    x = layers.Reshape((shape.window, shape.channels, 1), name="plane")(x)
    for number, (filters, kernel) in enumerate(((50, 5), (40, 5), (20, 3)), start=1):
        x = Conv2D(filters, (kernel, 1), activation="relu", name=f"conv{number}")(x)
        if number < 3:
            x = MaxPooling2D((4, 1), strides=(2, 1), name=f"pool{number}")(x)
        x = tap(x, f"stage{number}")
    x = Conv2D(400, (1, shape.channels), activation="relu", name="conv4")(x)
    x = tap(x, "stage4")
    x = layers.GlobalMaxPooling2D(name="embedding")(x)
    return finish(inputs, x, shape, "cnn-har")


NETWORKS = (
    Network(
        name="cnn-har",
        title="CNN-HAR: convolutions per channel, then across channels",
        source="Yang et al., IJCAI 2015, as in WHAR Arena",
        build=build_cnn_har,
        taps=("logits", "embedding", "stage1", "stage2", "stage3", "stage4"),
        published={(128, 6, 5): 63_165},
        least_window=LEAST,
    ),
)
