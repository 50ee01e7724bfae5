"""Convolution and pooling in forms that stay fast inside compiled training loops on JAX.

Inside ``lax.scan`` on a processor XLA runs ``lax.conv`` and what JAX derives from it by a slow generic routine, and a
convolution whose kernel carries a replica axis under ``vmap`` becomes a grouped convolution, slow on every device. So a
convolution is, by the numbers of its channels and filters:

- few of both: a sum of shifted values, or a product, with channels first and the batch last;
- many channels: XLA's convolution with derivatives written by hand (``xla_convolution``);
- else: slices and one product (``convolution_forms`` has the sizes).

Measured: four (5, 1) convolutions with ReLU in a compiled loop, forward and backward, batch 64, two cores with AVX2,
milliseconds:

=============  ==================  ===================  ==============
T, D, filters  slices and product  product, batch last  shifted values
=============  ==================  ===================  ==============
128, 6, 4                     3.7                  3.1             2.3
30, 45, 4                     5.9                  4.0             4.0
50, 45, 4                    22.3                 14.5            11.9
128, 6, 8                    11.9                  8.2             8.5
=============  ==================  ===================  ==============

``xla_convolution`` has the same for more channels. The forms that a fleet trained with are in its record
(``Fleet.program.forms``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp

from .adjoints import add_bias, convolve_few, convolve_taps, depthwise_taps, windows
from .convolution_forms import BY_XLA, CHANNELS_FIRST, SLICES, current_forms, note_form
from .xla_convolution import convolve_by_xla

Array = Any
Padding = Literal["valid", "same", "causal"]

#: Exchanges (batch, time, positions, channels) and (channels, time, positions, batch).
FEW_ORDER = (3, 1, 2, 0)


def convolve(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    bias: Array | None = None,
    activation: Callable[[Array], Array] | None = None,
) -> Array:
    """Convolve ``x`` (batch, time, [width, [depth,]] channels) with a Keras kernel in the fastest form for its size.

    ``bias`` (filters,) is added, and then ``activation`` applied, which must act on each value by itself.
    """
    finish = partial(_finish, bias=bias, activation=activation)
    if kernel.ndim == 3:
        plane = convolve(
            x[:, :, None],
            kernel[:, None],
            strides=(*strides, 1),
            padding=padding,
            dilation=(*dilation, 1),
            bias=bias,
            activation=activation,
        )
        return plane[:, :, 0]
    x = pad(x.astype(kernel.dtype), kernel.shape[:-2], strides=strides, padding=padding, dilation=dilation)
    if kernel.ndim > 4:
        note_form(kernel.shape, BY_XLA)
        return finish(convolve_by_xla(x, kernel, tuple(strides), tuple(dilation)))
    taps, width, channels, filters = kernel.shape
    forms = current_forms()
    if width > 1 or strides[1] > 1:
        if width == x.shape[2]:
            x = x.reshape(*x.shape[:2], 1, -1)
        elif channels >= forms.many:
            note_form(kernel.shape, BY_XLA)
            return finish(convolve_by_xla(x, kernel, tuple(strides), tuple(dilation)))
        else:
            x = jnp.concatenate(windows(x, width, axis=2, stride=strides[1], dilation=dilation[1]), axis=-1)
        kernel = kernel.reshape(taps, 1, width * channels, filters)
    along = strides[0] == 1 and taps > 1
    large = taps > 1 and kernel.shape[2] >= forms.many
    form = forms.of(kernel.shape[2], filters) if along else BY_XLA if large else SLICES
    note_form(kernel.shape, form)
    if form == CHANNELS_FIRST:
        y = convolve_few(x.transpose(FEW_ORDER), kernel[:, 0], dilation[0])
        # The rest here too, so that a next convolution of this form undoes the exchange of axes.
        y = y if bias is None else y + bias[:, None, None, None]
        return _finish(y, activation=activation).transpose(FEW_ORDER)
    if along:
        return finish(convolve_taps(x, kernel[:, 0], dilation[0], forms))
    if form == BY_XLA:
        return finish(convolve_by_xla(x, kernel, (strides[0], 1), (dilation[0], 1)))
    slices = windows(x, taps, stride=strides[0], dilation=dilation[0])
    if x.shape[-1] == 1:
        return finish(sum(part * kernel[tap, 0, 0] for tap, part in enumerate(slices)))
    return finish(jnp.concatenate(slices, axis=-1) @ kernel.reshape(-1, filters))


def _finish(y: Array, *, bias: Array | None = None, activation: Callable[[Array], Array] | None = None) -> Array:
    y = y if bias is None else add_bias(y, bias)
    return y if activation is None else activation(y)


def depthwise(x: Array, kernel: Array, *, strides: Sequence[int], padding: str, dilation: Sequence[int]) -> Array:
    """Convolve depthwise by shift, multiply and add; kernel (time, [width,] channels, multiplier)."""
    if kernel.ndim == 3:
        plane = depthwise(
            x[:, :, None],
            kernel[:, None],
            strides=(strides[0], 1),
            padding=padding,
            dilation=(dilation[0], 1),
        )
        return plane[:, :, 0]
    x = pad(x, kernel.shape[:2], strides=strides, padding=padding, dilation=dilation)
    _, width, _, multiplier = kernel.shape
    if (width, multiplier, strides[1]) == (1, 1, 1):
        # Positions beside time are channels with the same kernels, so that the last axis is long.
        flat = x.reshape(*x.shape[:2], -1)
        y = depthwise_taps(flat, jnp.tile(kernel[:, 0, :, 0], x.shape[2]), strides[0], dilation[0])
        return y.reshape(*y.shape[:2], *x.shape[2:])
    total = sum(
        part[..., None] * kernel[row, column]
        for row, band in enumerate(windows(x, kernel.shape[0], axis=1, stride=strides[0], dilation=dilation[0]))
        for column, part in enumerate(windows(band, kernel.shape[1], axis=2, stride=strides[1], dilation=dilation[1]))
    )
    return total.reshape(*total.shape[:-2], -1)


def pool(x: Array, size: Sequence[int], *, strides: Sequence[int], mode: str) -> Array:
    """Pool the axes after the batch axis by maximum or mean, with valid padding, by slices.

    Where several samples of a window tie, the gradient is shared between them (Keras gives it to one). A maximum of a
    reshaped block would be shorter code, but its gradient divides by the number of samples *equal* to the maximum: when
    the compiler computes both with different rounding, no sample is equal, and the gradient becomes NaN (seen with XLA
    at optimisation level 0, after a batch normalisation).
    """

    def merge(parts: Sequence[Array]) -> Array:
        return reduce(jnp.maximum if mode == "max" else jnp.add, parts)

    for axis, (length, stride) in enumerate(zip(size, strides, strict=True), start=1):
        if stride > 1 and length % stride == 0:
            # Samples between two windows' beginnings first: their slices have no gaps, nor have the gradients of these.
            reach = length // stride
            blocks = (x.shape[axis] - length) // stride + reach
            x = jax.lax.slice_in_dim(x, 0, blocks * stride, axis=axis)
            x = x.reshape(*x.shape[:axis], blocks, stride, *x.shape[axis + 1 :])
            x = merge([jax.lax.index_in_dim(x, place, axis + 1, keepdims=False) for place in range(stride)])
            x = merge(windows(x, reach, axis=axis))
        else:
            x = merge(windows(x, length, axis=axis, stride=stride))
        x = x if mode == "max" else x / length
    return x


def pad(x: Array, kernel: Sequence[int], *, strides: Sequence[int], padding: str, dilation: Sequence[int]) -> Array:
    """Pad ``x`` with zeros as Keras' ``valid``, ``same`` and (along time) ``causal`` padding do."""
    if padding == "valid":
        return x
    margins = [(0, 0)] * x.ndim
    for axis, (taps, stride, gap) in enumerate(zip(kernel, strides, dilation, strict=True), start=1):
        span = gap * (taps - 1)
        if padding == "causal":
            margins[axis] = (span, 0)
        else:
            missing = max(0, (-(-x.shape[axis] // stride) - 1) * stride + span + 1 - x.shape[axis])
            margins[axis] = (missing // 2, missing - missing // 2)
    return jnp.pad(x, margins) if any(map(any, margins)) else x
