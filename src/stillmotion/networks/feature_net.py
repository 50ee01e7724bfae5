"""feature-net: window features, compressed and standardised, into a small multilayer perceptron.

A softmax regression or a few hidden units on window features are hard to beat for their size. The features are computed
from the raw signal inside the network, pass through sign(x) · log(1 + |x|), are standardised by the mean and standard
deviation of the training subjects' windows and clipped at ±5. The size xs has no hidden layer; xl, with much dropout,
is a teacher for the others.

Rate and sensors are those of the signal contract; bare numbers (T, D, C) stand for 50 Hz and three axes a sensor. The
option ``features`` names the groups to compute, by default ``axes,norms,time,spectrum,correlations``; ``jerk`` adds
derivatives, and without ``axes`` and ``correlations`` nothing depends on how a sensor is turned. Behind a minus stands
what is left out, such as what ``training.select_features`` drops: ``axes,norms,time,-wrist.acc.x.order``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import layers, ops

from ..features.feature_layer import WindowFeatures
from ..features.feature_set import FeatureSet, parse_selection
from ..features.scale import LIMIT
from .network import Network, finish, tap
from .normaliser import FEATURE_NORMALISER, Normaliser
from .shape import Shape

DROPOUT = 0.1
#: Of the size that is made to teach: many units that learn apart make probabilities that say more than the label.
TEACHER_DROPOUT = 0.4
LEAST = 2


def build_feature_net(
    shape: Shape, *, units: int, name: str, features: str = "", dropout: float = DROPOUT
) -> keras.Model:
    """Build a feature-net.

    Args:
        shape: samples, channels and classes; rate and sensors for the features.
        units: hidden units; 0 for none.
        name: the model's name.
        features: groups of features and what is dropped of them, see ``features.parse_selection``.
        dropout: rate behind the hidden units.
    """
    shape.require_window(LEAST, name, "one sample has no features")
    inputs = keras.Input((shape.window, shape.channels), name="signal")
    x = describe(inputs, shape, features)
    if units:
        x = layers.Dense(units, activation="relu", name="hidden")(x)
        x = tap(x, "embedding")
        x = layers.Dropout(dropout, name="dropout")(x)
    else:
        x = tap(x, "embedding")
    return finish(inputs, x, shape, name)


def describe(inputs: Any, shape: Shape, features: str) -> Any:
    """Return the compressed, standardised and clipped features of the raw signal, as the tap ``features``."""
    groups, dropped = parse_selection(features)
    described = FeatureSet(
        shape.window, shape.rate, shape.names, shape.sensors, groups, compressed=True, dropped=dropped
    )
    x = WindowFeatures(described, name="window_features")(inputs)
    x = Normaliser(axis=-1, name=FEATURE_NORMALISER)(x)
    return tap(ops.clip(x, -LIMIT, LIMIT), "features")


def _size(size: str, *, units: int, about: str, dropout: float = DROPOUT) -> Network:
    name, form = f"feature-net-{size}", f"{units} hidden units" if units else "softmax regression"
    return Network(
        name=name,
        title=f"Window features and {form}, about {about} parameters at (128, 6, 12)",
        source="Own design",
        build=partial(build_feature_net, units=units, name=name, dropout=dropout),
        options=("features",),
        taps=("logits", "embedding", "features"),
        least_window=LEAST,
    )


NETWORKS = (
    _size("xs", units=0, about="1.6 k"),
    _size("s", units=16, about="2.4 k"),
    _size("m", units=48, about="7 k"),
    _size("l", units=256, about="38 k"),
    _size("xl", units=512, about="75 k", dropout=TEACHER_DROPOUT),
)
