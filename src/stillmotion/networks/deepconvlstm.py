"""DeepConvLSTM in the three sizes of Agac & Incel: four convolutions, two LSTMs, a classifier.

Published order (Agac & Incel): the recurrence runs over *sensor channels*, D steps of (T − 16) · f features. The
original DeepConvLSTM (Ordóñez & Roggen, Sensors 2016) runs over *time*, T − 16 steps of D · f features, and classifies
from the last step; ``recurrence="time"`` gives that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import keras
from keras import layers

from ..errors import UnknownName
from .layers import Conv2D
from .network import Network, begin, finish, tap
from .placement import Attention, blocks_after, parse_attention, require_convolutions
from .recurrent import LSTM
from .shape import Shape

Recurrence = Literal["channels", "time"]

CONVOLUTIONS = 4
KERNEL = 5


def build_deepconvlstm(
    shape: Shape,
    *,
    filters: int,
    units: int,
    name: str,
    recurrence: str = "channels",
    attention: str | Attention | Sequence[Attention] | None = None,
) -> keras.Model:
    """Build a DeepConvLSTM.

    Args:
        shape: samples (at least 17), channels and classes.
        filters: filters of each (5, 1) convolution (valid padding, ReLU, orthogonal kernels).
        units: units of each LSTM.
        name: the model's name.
        recurrence: axis of the recurrence, ``channels`` (published) or ``time``.
        attention: blocks of attention, see ``parse_attention``.
    """
    if recurrence not in get_args(Recurrence):
        raise UnknownName("recurrence", recurrence, list(get_args(Recurrence)))
    shortened = CONVOLUTIONS * (KERNEL - 1)
    shape.require_window(shortened + 1, name, f"four valid convolutions of {KERNEL} shorten it by {shortened}")
    blocks = parse_attention(attention)
    require_convolutions(blocks, CONVOLUTIONS, name)

    inputs, x = begin(shape)  # (T, D)
    x = layers.Reshape((shape.window, shape.channels, 1), name="plane")(x)
    for number in range(1, CONVOLUTIONS + 1):  # (T - 4 number, D, f)
        x = Conv2D(filters, (KERNEL, 1), activation="relu", kernel_initializer="orthogonal", name=f"conv{number}")(x)
        for block in blocks_after(blocks, number):
            x = block.add(x, number)
        x = tap(x, f"stage{number}")
    length = shape.window - shortened
    if recurrence == "channels":
        x = layers.Permute((2, 1, 3), name="sensors_first")(x)
        x = layers.Reshape((shape.channels, length * filters), name="sequence")(x)
    else:
        x = layers.Reshape((length, shape.channels * filters), name="sequence")(x)
    x = LSTM(units, return_sequences=True, name="lstm1")(x)
    x = tap(x, "stage5")
    x = LSTM(units, return_sequences=recurrence == "channels", name="lstm2")(x)
    x = tap(x, "stage6")
    x = layers.Flatten(name="embedding")(x)  # D · u, or u
    return finish(inputs, x, shape, name)


#: Parameter counts that Agac & Incel publish, by (T, D, C): Opportunity, WISDM, "Sensors" (Shoaib).
PUBLISHED = {
    "lm": {(30, 45, 17): 9_037, (20, 3, 6): 1_770, (50, 45, 7): 7_987},
    "mm": {(30, 45, 17): 23_657, (20, 3, 6): 6_574, (50, 45, 7): 26_687},
    "om": {(30, 45, 17): 816_337, (20, 3, 6): 393_030, (50, 45, 7): 1_414_087},
}


def _size(size: str, filters: int, units: int, title: str) -> Network:
    name = f"deepconvlstm-{size}"

    def build(
        shape: Shape,
        *,
        recurrence: str = "channels",
        attention: str | Attention | Sequence[Attention] | None = None,
    ) -> keras.Model:
        return build_deepconvlstm(
            shape, filters=filters, units=units, name=name, recurrence=recurrence, attention=attention
        )

    return Network(
        name=name,
        title=title,
        source="Agac & Incel, attention-based knowledge distillation; after Ordóñez & Roggen, Sensors 16(1), 2016",
        build=build,
        options=("recurrence", "attention"),
        taps=("logits", "embedding", *(f"stage{number}" for number in range(1, 7))),
        published=PUBLISHED[size],
        least_window=CONVOLUTIONS * (KERNEL - 1) + 1,
    )


NETWORKS = (
    _size("lm", 4, 8, "Light DeepConvLSTM, the student"),
    _size("mm", 8, 16, "Moderate DeepConvLSTM"),
    _size("om", 64, 128, "Original-size DeepConvLSTM, the teacher"),
)
