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

from collections.abc import Sequence
from functools import reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .adjoints import convolve_taps, depthwise_taps, windows

Array = Any
Padding = Literal["valid", "same", "causal"]

#: Largest T × filters, and largest T / kernel length, for which the banded matrix was faster.
BANDED_WIDTH = 256
BANDED_LENGTH = 10


def convolve(x: Array, kernel: Array, *, strides: Sequence[int], padding: str, dilation: Sequence[int]) -> Array:
    """Convolve ``x`` (batch, time, [width,] channels) with a Keras kernel, without ``lax.conv``."""
    if kernel.ndim == 3:
        plane = convolve(
            x[:, :, None],
            kernel[:, None],
            strides=(*strides, 1),
            padding=padding,
            dilation=(*dilation, 1),
        )
        return plane[:, :, 0]
    x = pad(x, kernel.shape[:2], strides=strides, padding=padding, dilation=dilation)
    taps, width, channels, filters = kernel.shape
    if width > 1 or strides[1] > 1:
        x = jnp.concatenate(windows(x, width, axis=2, stride=strides[1], dilation=dilation[1]), axis=-1)
        kernel = kernel.reshape(taps, 1, width * channels, filters)
    if taps > 1 and x.shape[1] * filters <= BANDED_WIDTH and x.shape[1] <= BANDED_LENGTH * taps:
        return _banded(x, kernel[:, 0], stride=strides[0], dilation=dilation[0])
    if strides[0] == 1 and taps > 1:
        return convolve_taps(x, kernel[:, 0], dilation[0])
    slices = windows(x, taps, stride=strides[0], dilation=dilation[0])
    if x.shape[-1] == 1:
        return sum(part * kernel[tap, 0, 0] for tap, part in enumerate(slices))
    return jnp.concatenate(slices, axis=-1) @ kernel.reshape(-1, filters)


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


def _banded(x: Array, kernel: Array, *, stride: int, dilation: int) -> Array:
    """Convolve along time by one product with a banded matrix (time × channels, steps × filters)."""
    taps, length = kernel.shape[0], x.shape[1]
    steps = (length - dilation * (taps - 1) - 1) // stride + 1
    place = np.zeros((taps, length, steps), np.float32)  # which tap links which sample to which step
    tap, step = np.meshgrid(np.arange(taps), np.arange(steps), indexing="ij")
    place[tap, step * stride + tap * dilation, step] = 1
    matrix = jnp.einsum("kts,kcf->tcsf", place.astype(kernel.dtype), kernel)
    return jnp.einsum("btdc,tcsf->bsdf", x, matrix)
