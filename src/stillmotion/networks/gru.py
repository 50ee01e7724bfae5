"""gru: one small GRU over time and a classifier of its last state.

After the recognisers of arXiv 2606.17249, which run on a 16 MHz MSP430: with three accelerometer axes and six classes,
ten units are 516 parameters. A device that takes samples as they come keeps one state and no window; the activations
below are those of a schedule that runs layer after layer, and so keeps the states of all T samples.

That paper gives a macro-F1 of 0.787, 0.881, 0.899, 0.916 and 0.913 for 4, 6, 8, 10 and 12 units (HAPT's six basic
activities, three accelerometer axes, subjects 22 to 30 tested, five seeds).
"""

from __future__ import annotations

from functools import partial

import keras
from keras import layers

from .network import Network, begin, finish, tap
from .shape import Shape


def build_gru(shape: Shape, *, units: int, name: str) -> keras.Model:
    """Build the normaliser, one GRU over time and a classifier of its last state."""
    inputs, x = begin(shape)
    x = tap(layers.GRU(units, return_sequences=True, name="gru")(x), "stage1")
    return finish(inputs, tap(x[:, -1], "embedding"), shape, name)


def _size(units: int) -> Network:
    name = f"gru-{units}"
    return Network(
        name=name,
        title=f"GRU with {units} units over time",
        source="After emre1998/fastgrnn-har (arXiv 2606.17249)",
        build=partial(build_gru, units=units, name=name),
        taps=("logits", "embedding", "stage1"),
    )


NETWORKS = (_size(4), _size(8), _size(12))
