"""CBAM attention after a convolution, and attention over sensor channels.

CBAM (Woo et al., ECCV 2018; attached to one convolution of a student by Agac & Incel): first over filters, then
over positions. Its "channel" attention weights the filters of the feature map, not the sensor channels, which are an
axis of the spatial map. ``add_sensor_attention`` adds one weight per sensor channel.

Where this differs from the published code (the authors' attention-module):

- The spatial convolution is followed by its sigmoid alone, as in the paper's formula; published code has a batch norm
  between the two.
- The two pooled maps enter that convolution as mean, then maximum, as in the paper; published the other way round. This
  matters only when weights are copied from published code.
- At least one hidden unit is kept where the reduction exceeds the number of filters; published code would keep none.
  Reduction and kernel have no defaults in the layers; published defaults are 16 and 7.
- A map over time alone (batch, time, filters) is pooled over time, and the spatial kernel runs over time.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import layers, ops

from ..errors import DataWarning, UserError
from .layers import Conv1D, Conv2D

Tensor = Any


def add_cbam(
    x: Tensor, *, channel: int | None = None, spatial: int | None = None, name: str = "1", use_bias: bool = True
) -> Tensor:
    """Add attention over filters, then over positions: ``F' = M_c ⊗ F``, ``F'' = M_s ⊗ F'``.

    ``M_c = σ(MLP(mean) + MLP(max))``, pooled over all positions, with one shared two-layer MLP;
    ``M_s = σ(convolution k×k of [mean; max over filters])``, no bias. Plain layers and ``keras.ops`` in a functional
    graph; the maps are the outputs of the layers ``channel_attention_<name>`` (batch, filters) and
    ``spatial_attention_<name>`` (batch, positions …, 1).

    Args:
        x: feature map (batch, time, sensors, filters) or (batch, time, filters).
        channel: reduction of the MLP (its hidden units are ``max(1, filters // reduction)``); None leaves it out.
        spatial: size of the spatial kernel, odd; None leaves it out.
        name: suffix of the maps' names, usually the number of the convolution.
        use_bias: whether the MLP has biases (it does in the authors' code).

    Returns:
        The weighted feature map, of the same shape.

    Raises:
        UserError: a reduction below 1, or a kernel that is not odd.

    Example:
        >>> import keras
        >>> from stillmotion.networks import add_cbam
        >>> x = keras.layers.Conv1D(8, 5)(inputs := keras.Input((50, 3)))
        >>> model = keras.Model(inputs, add_cbam(x, channel=4, spatial=7))
        >>> model.get_layer("channel_attention_1").output.shape, model.output_shape
        ((None, 8), (None, 46, 8))
    """
    if channel is not None:
        x = _scale(x, _channel_map(x, channel, name, use_bias), name=f"channel_weighted_{name}")
    if spatial is not None:
        x = layers.Multiply(name=f"spatial_weighted_{name}")([x, _spatial_map(x, spatial, name)])
    return x


def add_sensor_attention(x: Tensor, *, reduction: int = 2, name: str = "1", use_bias: bool = True) -> Tensor:
    """Add a weight per sensor channel: CBAM's channel attention over sensors instead of filters.

    Pooled over time and filters; the map is the output of ``sensor_attention_<name>`` (batch, sensors).

    Args:
        x: feature map (batch, time, sensors, filters).
        reduction: reduction of the MLP (its hidden units are ``max(1, sensors // reduction)``).
        name: suffix of the map's name.
        use_bias: whether the MLP has biases.

    Returns:
        The weighted feature map, of the same shape.

    Raises:
        UserError: the feature map has no axis of sensors.

    Example:
        >>> import keras
        >>> from stillmotion.networks import add_sensor_attention
        >>> inputs = keras.Input((50, 6, 1))
        >>> model = keras.Model(inputs, add_sensor_attention(keras.layers.Conv2D(8, (5, 1))(inputs)))
        >>> model.get_layer("sensor_attention_1").output.shape, model.output_shape
        ((None, 6), (None, 46, 6, 8))
    """
    if len(x.shape) != 4:
        raise UserError(f"sensor_attention needs a map (batch, time, sensors, filters), not {_shape(x)}.")
    sensors = x.shape[2]
    pooled = [ops.mean(x, axis=(1, 3)), ops.max(x, axis=(1, 3))]
    weights = _shared_mlp(pooled, sensors, reduction, "sensor", name, use_bias)
    weights = layers.Reshape((1, sensors, 1), name=f"sensor_weights_{name}")(weights)
    return layers.Multiply(name=f"sensor_weighted_{name}")([x, weights])


def _channel_map(x: Tensor, reduction: int, name: str, use_bias: bool) -> Tensor:
    positions = tuple(range(1, len(x.shape) - 1))
    pooled = [ops.mean(x, axis=positions), ops.max(x, axis=positions)]
    return _shared_mlp(pooled, x.shape[-1], reduction, "channel", name, use_bias)


def _spatial_map(x: Tensor, kernel: int, name: str) -> Tensor:
    if kernel < 1 or kernel % 2 == 0:
        raise UserError(
            f"The kernel of spatial attention must be an odd number of positions (3, 5, 7 …), not {kernel}."
        )
    pooled = layers.Concatenate(name=f"spatial_pooled_{name}")(
        [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)]
    )
    convolution = Conv2D if len(x.shape) == 4 else Conv1D
    return convolution(
        1, kernel, padding="same", use_bias=False, activation="sigmoid", name=f"spatial_attention_{name}"
    )(pooled)


def _shared_mlp(pooled: list[Tensor], width: int, reduction: int, kind: str, name: str, use_bias: bool) -> Tensor:
    if reduction < 1:
        raise UserError(f"A reduction must be a whole number from 1, not {reduction}.")
    if reduction > width:
        what = "filters" if kind == "channel" else "sensor channels"
        warnings.warn(
            f"{kind.capitalize()} attention {name}: reduction {reduction} exceeds {width} {what}; one hidden unit "
            "kept.",
            DataWarning,
            stacklevel=4,
        )
    hidden = layers.Dense(
        max(1, width // reduction), activation="relu", use_bias=use_bias, name=f"{kind}_hidden_{name}"
    )
    output = layers.Dense(width, use_bias=use_bias, name=f"{kind}_output_{name}")
    total = layers.Add(name=f"{kind}_sum_{name}")([output(hidden(values)) for values in pooled])
    return layers.Activation("sigmoid", name=f"{kind}_attention_{name}")(total)


def _scale(x: Tensor, weights: Tensor, *, name: str) -> Tensor:
    weights = layers.Reshape((1,) * (len(x.shape) - 2) + (x.shape[-1],), name=f"{name}_weights")(weights)
    return layers.Multiply(name=name)([x, weights])


def _shape(x: keras.KerasTensor) -> tuple[int | None, ...]:
    return tuple(x.shape)
