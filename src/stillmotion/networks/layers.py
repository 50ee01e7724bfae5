"""Loop-friendly forms of Keras' layers: same weights and configuration, saved as Keras' plain layers.

On JAX they compute by ``loop_forms``; on other backends, and for the rare settings that ``loop_forms`` does not cover,
by Keras' own operation. A saved model names ``keras.layers.Conv2D`` and so on, so that it opens with Keras alone;
``loop_friendly`` converts any model of plain layers into one that trains fast inside a compiled loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras
from keras import ops

from .draws import drawn_by_numpy

Tensor = Any
Class = TypeVar("Class", bound=type)

#: Activations that act on each value by itself, so that they may come before axes are exchanged.
ELEMENTWISE = {getattr(keras.activations, name) for name in ("linear", "relu", "relu6", "elu", "sigmoid", "tanh")}
#: The loop-friendly class for each plain one.
LOOP_FRIENDLY: dict[type, type] = {}


def loop_friendly(model: keras.Model) -> keras.Model:
    """Copy a functional model with loop-friendly layers in place of plain ones, and the same weights.

    Args:
        model: functional or sequential, built.

    Returns:
        The copy; the model itself where no layer has to be replaced.

    Example:
        >>> import keras
        >>> from stillmotion.networks import loop_friendly
        >>> model = keras.Sequential([keras.Input((10, 3)), keras.layers.Conv1D(4, 3)])
        >>> fast = loop_friendly(model)
        >>> fast is model, fast.count_params() == model.count_params()
        (False, True)
    """
    if not any(type(layer) in LOOP_FRIENDLY for layer in _leaves(model)):
        return model

    def swap(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind: Any = LOOP_FRIENDLY.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    with drawn_by_numpy():
        copy = keras.models.clone_model(model, clone_function=swap, recursive=True)
    for variable, value in zip(copy.variables, model.variables, strict=True):
        variable.assign(value)
    return copy


def _leaves(layer: Any) -> list[Any]:
    if not isinstance(layer, keras.Model):
        return [layer]
    return [leaf for part in layer.layers for leaf in _leaves(part)]


def saved_as(plain: type) -> Callable[[Class], Class]:
    """Save a subclass as the plain Keras layer.

    Keras stores the module and name of a layer's class. With those of the plain layer, a file does not need this
    package.
    """

    def rename(kind: Class) -> Class:
        kind.__module__ = "keras.layers"
        kind.__name__ = kind.__qualname__ = plain.__name__
        LOOP_FRIENDLY[plain] = kind
        return kind

    return rename


def _on_jax(layer: Any) -> bool:
    plain_layout = layer.data_format == "channels_last" and getattr(layer, "groups", 1) == 1
    return keras.backend.backend() == "jax" and plain_layout


def _finish(layer: Any, outputs: Tensor) -> Tensor:
    """Add bias and activation as Keras' convolutions do, on JAX."""
    if layer.use_bias:
        from .adjoints import add_bias

        outputs = add_bias(outputs, ops.convert_to_tensor(layer.bias))
    return outputs if layer.activation is None else layer.activation(outputs)


class _Convolution:
    def call(self: Any, inputs: Tensor) -> Tensor:
        if not _on_jax(self):
            return super().call(inputs)  # type: ignore[misc]
        from .loop_forms import convolve

        bias = ops.convert_to_tensor(self.bias) if self.use_bias else None
        inside = self.activation if self.activation in ELEMENTWISE else None
        y = convolve(inputs, ops.convert_to_tensor(self.kernel), **_geometry(self), bias=bias, activation=inside)
        return y if self.activation is inside else self.activation(y)


class _Depthwise:
    def call(self: Any, inputs: Tensor) -> Tensor:
        if not _on_jax(self):
            return super().call(inputs)  # type: ignore[misc]
        from .loop_forms import depthwise

        return _finish(self, depthwise(inputs, ops.convert_to_tensor(self.kernel), **_geometry(self)))


class _Separable:
    def call(self: Any, inputs: Tensor) -> Tensor:
        if not _on_jax(self):
            return super().call(inputs)  # type: ignore[misc]
        from .loop_forms import depthwise

        kernel = ops.convert_to_tensor(self.depthwise_kernel)
        filtered = depthwise(inputs, kernel, **_geometry(self))
        pointwise = ops.reshape(self.pointwise_kernel, (-1, self.filters))
        return _finish(self, ops.matmul(filtered, pointwise))


class _Pooling:
    def call(self: Any, inputs: Tensor) -> Tensor:
        if not _on_jax(self) or self.padding != "valid":
            return super().call(inputs)  # type: ignore[misc]
        from .loop_forms import pool

        return pool(inputs, self.pool_size, strides=self.strides, mode=self.pool_mode)


def _geometry(layer: Any) -> dict[str, Any]:
    def each(value: Any) -> tuple[int, ...]:
        return (value,) * layer.rank if isinstance(value, int) else tuple(value)

    return {"strides": each(layer.strides), "padding": layer.padding, "dilation": each(layer.dilation_rate)}


@saved_as(keras.layers.Conv1D)
class Conv1D(_Convolution, keras.layers.Conv1D):
    """``keras.layers.Conv1D`` in loop-friendly form."""


@saved_as(keras.layers.Conv2D)
class Conv2D(_Convolution, keras.layers.Conv2D):
    """``keras.layers.Conv2D`` in loop-friendly form."""


@saved_as(keras.layers.DepthwiseConv1D)
class DepthwiseConv1D(_Depthwise, keras.layers.DepthwiseConv1D):
    """``keras.layers.DepthwiseConv1D`` in loop-friendly form."""


@saved_as(keras.layers.DepthwiseConv2D)
class DepthwiseConv2D(_Depthwise, keras.layers.DepthwiseConv2D):
    """``keras.layers.DepthwiseConv2D`` in loop-friendly form."""


@saved_as(keras.layers.SeparableConv1D)
class SeparableConv1D(_Separable, keras.layers.SeparableConv1D):
    """``keras.layers.SeparableConv1D`` in loop-friendly form."""


@saved_as(keras.layers.SeparableConv2D)
class SeparableConv2D(_Separable, keras.layers.SeparableConv2D):
    """``keras.layers.SeparableConv2D`` in loop-friendly form."""


@saved_as(keras.layers.MaxPooling1D)
class MaxPooling1D(_Pooling, keras.layers.MaxPooling1D):
    """``keras.layers.MaxPooling1D`` in loop-friendly form."""


@saved_as(keras.layers.MaxPooling2D)
class MaxPooling2D(_Pooling, keras.layers.MaxPooling2D):
    """``keras.layers.MaxPooling2D`` in loop-friendly form."""


@saved_as(keras.layers.AveragePooling1D)
class AveragePooling1D(_Pooling, keras.layers.AveragePooling1D):
    """``keras.layers.AveragePooling1D`` in loop-friendly form."""


@saved_as(keras.layers.AveragePooling2D)
class AveragePooling2D(_Pooling, keras.layers.AveragePooling2D):
    """``keras.layers.AveragePooling2D`` in loop-friendly form."""


@saved_as(keras.layers.BatchNormalization)
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization`` with a derivative written by hand (training on JAX, no mask, last axis)."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Normalise, and update the moving statistics in training."""
        plain = keras.backend.backend() == "jax" and mask is None and self.axis in (-1, len(inputs.shape) - 1)
        usual = self.scale and self.center and not getattr(self, "renorm", False) and not self.synchronized
        if not (training and self.trainable and plain and usual and inputs.dtype == "float32"):
            return super().call(inputs, training=training, mask=mask)
        from .adjoints import normalise_batch

        scale, offset = ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta)
        outputs, mean, variance = normalise_batch(inputs, scale, offset, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs
