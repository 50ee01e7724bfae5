"""Convolution and pooling in forms that stay fast inside compiled training loops on JAX.

The trap: inside ``lax.scan`` on a CPU, XLA runs ``lax.conv`` by a slow generic routine, and a convolution whose
kernel carries a replica axis under ``vmap`` becomes a grouped convolution, slow on every device. Slices, element-wise
work and matrix products stay fast in both.

Measured: four (5, 1) convolutions of a training step (forward and backward, batch 64) inside a compiled loop, two
shared cores of an x86 server, milliseconds a step, best of three:

===========================  ========  ==================  ===============  =============
T, D, filters, replicas      lax.conv  a product each tap  slices, product  banded matrix
===========================  ========  ==================  ===============  =============
20, 3, 4, 1                      2.12                1.50             0.97           0.18
20, 3, 4, 16                     29.3                22.0             11.9            4.5
20, 3, 64, 1                    132.9                23.8             11.6           25.2
30, 45, 4, 1                     47.2                33.2             20.0            8.4
30, 45, 4, 16                  1593.7               533.2            328.0          141.3
50, 45, 4, 1                        –                   –             40.5           22.0
30, 45, 64, 1                       –                   –            536.9          869.0
128, 6, 16, 1                       –                   –             98.5          681.7
===========================  ========  ==================  ===============  =============

So short windows with few filters multiply by one banded matrix over time (more arithmetic, but in matrix products wide
enough for the processor's vector units), everything else by slices and one product. ``python benchmarks/run.py
networks`` measures it again on the machine at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp

from .adjoints import FEW, add_bias, convolve_few, convolve_taps, depthwise_taps, windows
from .xla_convolution import MANY, are_fast, convolve_by_xla

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
    x = pad(x, kernel.shape[:-2], strides=strides, padding=padding, dilation=dilation)
    if kernel.ndim > 4:
        return finish(convolve_by_xla(x, kernel, tuple(strides), tuple(dilation)))
    taps, width, channels, filters = kernel.shape
    large = are_fast() and channels >= MANY
    if width > 1 or strides[1] > 1:
        if width == x.shape[2]:
            x = x.reshape(*x.shape[:2], 1, -1)
        elif large:
            return finish(convolve_by_xla(x, kernel, tuple(strides), tuple(dilation)))
        else:
            x = jnp.concatenate(windows(x, width, axis=2, stride=strides[1], dilation=dilation[1]), axis=-1)
        kernel = kernel.reshape(taps, 1, width * channels, filters)
    if taps > 1 and strides[0] == 1 and max(kernel.shape[2:]) <= FEW:
        y = convolve_few(x.transpose(FEW_ORDER), kernel[:, 0], dilation[0])
        # The rest here too, so that a next convolution of this form undoes the exchange of axes.
        y = y if bias is None else y + bias[:, None, None, None]
        return _finish(y, activation=activation).transpose(FEW_ORDER)
    if taps > 1 and strides[0] == 1:
        return finish(convolve_taps(x, kernel[:, 0], dilation[0], are_fast()))
    if taps > 1 and large:
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
