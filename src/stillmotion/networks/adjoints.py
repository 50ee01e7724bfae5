"""Operations of a compiled loop with derivatives written by hand, where those that JAX derives are slow.

What JAX derives for slices is a sum of padded arrays, for a normalisation six sums over the batch, and for the kernel
of a depthwise convolution one sum over the batch for each tap. Measured: a step of training (forward, backward, Adam),
windows 128 × 6, batch 64, two cores with AVX2 shared with other work, derived over written by hand, medians of turns:

===========================================  ====  =========================
derivative by hand of                        gain  network
===========================================  ====  =========================
batch normalisation                          1.1×  ``motion-net-s``
depthwise convolution, kernel and input      1.4×  ``motion-net-s``
the same, input with stride                  1.1×  ``motion-net-s``
convolution, input                           1.2×  ``cnn-har``
the same                                     1.1×  ``deepconvlstm-lm``
the same, products of few columns as rows    1.3×  ``deepconvlstm-lm``
===========================================  ====  =========================
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = Any

#: Most channels and filters for which a product of long rows, channels first, is faster than one of few columns.
FEW = 8
#: Longest output for which one product of all pairs of samples is faster than a sum over the batch for each tap.
PAIRED_LENGTH = 64


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_taps(x: Array, kernel: Array, dilation: int) -> Array:
    """Convolve along time by slices and one product, without stride.

    Args:
        x: (batch, time, …, channels), padded.
        kernel: (taps, channels, filters).
        dilation: samples between two taps.
    """
    taps, channels, filters = kernel.shape
    if max(channels, filters) <= FEW:
        rows = _channel_rows(x, taps, dilation)
        y = kernel.reshape(-1, filters).T @ rows
        return jnp.moveaxis(y.reshape(filters, len(x), -1, *x.shape[2:-1]), 0, -1)
    parts = jnp.concatenate(windows(x, taps, dilation=dilation), axis=-1)
    return parts @ kernel.reshape(-1, filters)


def _convolve_forward(x: Array, kernel: Array, dilation: int) -> tuple[Array, tuple[Array, Array]]:
    return convolve_taps(x, kernel, dilation), (x, kernel)


def _convolve_backward(dilation: int, saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    x, kernel = saved
    taps, channels, filters = kernel.shape
    # The gradient of the input is the convolution of the output's with the kernel turned round.
    to_input = convolve_taps(_widen(change, dilation * (taps - 1)), kernel[::-1].swapaxes(1, 2), dilation)
    if max(channels, filters) <= FEW:
        to_kernel = _channel_rows(x, taps, dilation) @ jnp.moveaxis(change, -1, 0).reshape(filters, -1).T
        return to_input, to_kernel.reshape(kernel.shape)
    parts = jnp.concatenate(windows(x, taps, dilation=dilation), axis=-1)
    to_kernel = parts.reshape(-1, taps * channels).T @ change.reshape(-1, filters)
    return to_input, to_kernel.reshape(kernel.shape)


convolve_taps.defvjp(_convolve_forward, _convolve_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise_taps(x: Array, kernel: Array, stride: int, dilation: int) -> Array:
    """Convolve each channel along time with its own kernel by shift, multiply and add.

    Args:
        x: (batch, time, channels), padded.
        kernel: (taps, channels).
        stride: samples between two outputs.
        dilation: samples between two taps.
    """
    return _shift_and_add(x, kernel, stride, dilation)


def _shift_and_add(x: Array, kernel: Array, stride: int, dilation: int) -> Array:
    parts = windows(x, kernel.shape[0], stride=stride, dilation=dilation)
    return sum(part * kernel[tap] for tap, part in enumerate(parts))


def _spread_and_add(change: Array, kernel: Array, stride: int, length: int) -> Array:
    """Return the gradient of the input of a convolution with stride.

    Samples are taken by their remainder at the stride: each remainder meets every stride-th tap, without gaps.
    """
    reach, count = -(-len(kernel) // stride), -(-length // stride)
    padded = jnp.pad(change, ((0, 0), (reach - 1, count - change.shape[1]), (0, 0)))
    taps = jnp.pad(kernel, ((0, reach * stride - len(kernel)), (0, 0))).reshape(reach, stride, -1)
    parts = windows(padded, reach)[::-1]
    total = sum(part[:, :, None] * taps[step] for step, part in enumerate(parts))
    return total.reshape(len(change), count * stride, -1)[:, :length]


def _depthwise_forward(x: Array, kernel: Array, stride: int, dilation: int) -> tuple[Array, tuple[Array, Array]]:
    return depthwise_taps(x, kernel, stride, dilation), (x, kernel)


def _depthwise_backward(stride: int, dilation: int, saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    x, kernel = saved
    taps, steps = len(kernel), change.shape[1]
    if stride == 1:
        margin = dilation * (taps - 1)
        to_input = depthwise_taps(_widen(change, margin), kernel[::-1], 1, dilation)
    elif dilation == 1:
        to_input = _spread_and_add(change, kernel, stride, x.shape[1])
    else:
        (to_input,) = jax.linear_transpose(lambda x: _shift_and_add(x, kernel, stride, dilation), x)(change)
    if steps <= PAIRED_LENGTH:
        pairs = jnp.einsum("bsc,btc->cst", x, change)  # (channels, samples, steps), of which each tap is a diagonal
        step = np.arange(steps)
        to_kernel = jnp.stack([pairs[:, step * stride + tap * dilation, step].sum(-1) for tap in range(taps)])
    else:
        parts = windows(x, taps, stride=stride, dilation=dilation)
        to_kernel = jnp.stack([(part * change).sum((0, 1)) for part in parts])
    return to_input, to_kernel


depthwise_taps.defvjp(_depthwise_forward, _depthwise_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise_batch(x: Array, scale: Array, offset: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """Normalise each channel over batch and positions as Keras' ``BatchNormalization`` does in training.

    Args:
        x: (batch, …, channels).
        scale, offset: (channels,) gamma and beta.
        epsilon: added to the variance.

    Returns:
        The normalised values, and mean and variance of each channel.
    """
    return _normalise_forward(x, scale, offset, epsilon)[0]


def _normalise_forward(
    x: Array, scale: Array, offset: Array, epsilon: float
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    rows, channels = _rows(x), x.shape[-1]
    spread = partial(jnp.tile, reps=rows.shape[1] // channels)
    mean = _channel_means(rows, channels)
    variance = _channel_means(jnp.square(rows - spread(mean)), channels)
    inverse = jax.lax.rsqrt(variance + epsilon)
    factor = inverse * scale
    y = rows * spread(factor) + spread(offset - mean * factor)
    return (y.reshape(x.shape), mean, variance), (x, scale, mean, inverse)


def _normalise_backward(
    epsilon: float, saved: tuple[Array, ...], changes: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    x, scale, mean, inverse = saved
    change, of_mean, of_variance = changes
    rows, channels, count = _rows(x), x.shape[-1], x.size // x.shape[-1]
    spread = partial(jnp.tile, reps=rows.shape[1] // channels)
    change, centred = change.reshape(rows.shape), rows - spread(mean)
    to_offset = count * _channel_means(change, channels)
    to_scale = count * _channel_means(centred * change, channels) * inverse
    factor = scale * inverse
    slope = (2 * of_variance - factor * inverse * to_scale) / count
    to_x = spread(factor) * change + (centred * spread(slope) + spread((of_mean - factor * to_offset) / count))
    return to_x.reshape(x.shape), to_scale, to_offset


def _rows(x: Array) -> Array:
    """Return (batch × time, positions × channels): a long last axis, over which loops are vectorised."""
    return x.reshape(-1, int(np.prod(x.shape[2:]))) if x.ndim > 2 else x


def _channel_means(rows: Array, channels: int) -> Array:
    """Return the mean of each channel over batch, time and positions."""
    return rows.mean(0).reshape(-1, channels).mean(0)


normalise_batch.defvjp(_normalise_forward, _normalise_backward)


def windows(x: Array, taps: int, *, axis: int = 1, stride: int = 1, dilation: int = 1) -> list[Array]:
    """Return the input of each tap of a kernel along ``axis``: ``taps`` slices of equal length."""
    count = (x.shape[axis] - dilation * (taps - 1) - 1) // stride + 1
    before = (slice(None),) * axis
    return [
        x[(*before, slice(tap * dilation, tap * dilation + (count - 1) * stride + 1, stride))] for tap in range(taps)
    ]


def _channel_rows(x: Array, taps: int, dilation: int) -> Array:
    """Return (taps × channels, batch × steps × positions): long rows where a product has few columns."""
    moved = jnp.moveaxis(x, -1, 0)
    parts = jnp.concatenate(windows(moved, taps, axis=2, dilation=dilation), axis=0)
    return parts.reshape(len(parts), -1)


def _widen(x: Array, margin: int) -> Array:
    """Add zeros before and after the first and last sample (axis 1)."""
    return jnp.pad(x, [(margin, margin) if axis == 1 else (0, 0) for axis in range(x.ndim)])
