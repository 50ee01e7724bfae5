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
from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .convolution_forms import ConvolutionForms
from .xla_convolution import kernel_gradient, run_convolution

Array = Any

#: Most numbers of a kernel, and fewest values of a channel, for which a sum of shifted values times a number each is
#: faster than a product, and worth the second that it takes longer to compile.
MOST_TERMS, MANY_COLUMNS = 128, 1 << 14
#: Longest output for which one product of all pairs of samples is faster than a sum over the batch for each tap.
PAIRED_LENGTH = 64
#: Shortest rows (positions × channels) of which the windows are summed first, and in how many parts of the batch.
WIDE, PARTS = 64, 8


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve_taps(x: Array, kernel: Array, dilation: int, forms: ConvolutionForms) -> Array:
    """Convolve along time without stride, by the form that suits the numbers of channels and filters.

    Args:
        x: (batch, time, …, channels), padded.
        kernel: (taps, channels, filters).
        dilation: samples between two taps.
        forms: from which sizes XLA's convolution is used.
    """
    taps, channels, filters = kernel.shape
    if channels >= forms.many:
        return run_convolution(x, _with_positions(kernel, x), dilation=_with_ones(dilation, x))
    parts = jnp.concatenate(windows(x, taps, dilation=dilation), axis=-1)
    return parts @ kernel.reshape(-1, filters)


def _convolve_forward(
    x: Array, kernel: Array, dilation: int, forms: ConvolutionForms
) -> tuple[Array, tuple[Array, Array]]:
    return convolve_taps(x, kernel, dilation, forms), (x, kernel)


def _convolve_backward(
    dilation: int, forms: ConvolutionForms, saved: tuple[Array, Array], change: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    taps, channels, filters = kernel.shape
    # The gradient of the input is the convolution of the output's with the flipped kernel.
    to_input = convolve_taps(_widen(change, dilation * (taps - 1)), kernel[::-1].swapaxes(1, 2), dilation, forms)
    if channels >= forms.many_for_kernel:
        steps = (1,) * (x.ndim - 2)
        spread = kernel_gradient(x, change, (taps, *steps[1:]), strides=steps, dilation=_with_ones(dilation, x))
        return to_input, spread.reshape(kernel.shape)
    parts = jnp.concatenate(windows(x, taps, dilation=dilation), axis=-1)
    to_kernel = parts.reshape(-1, taps * channels).T @ change.reshape(-1, filters)
    return to_input, to_kernel.reshape(kernel.shape)


convolve_taps.defvjp(_convolve_forward, _convolve_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_few(x: Array, kernel: Array, dilation: int) -> Array:
    """Convolve few channels along time, channels first and batch last: long rows, over which loops are vectorised.

    Args:
        x: (channels, time, positions, batch), padded.
        kernel: (taps, channels, filters).
        dilation: samples between two taps.

    Returns:
        (filters, steps, positions, batch).
    """
    filters = kernel.shape[-1]
    parts = windows(x, len(kernel), dilation=dilation)
    if kernel.size > MOST_TERMS or parts[0][0].size < MANY_COLUMNS or jax.default_backend() != "cpu":
        y = kernel.reshape(-1, filters).T @ _flat(jnp.concatenate(parts))
        return y.reshape(filters, *parts[0].shape[1:])
    pairs = [(kernel[tap, channel], part[channel]) for tap, part in enumerate(parts) for channel in range(len(x))]
    return jnp.stack([sum(weights[number] * row for weights, row in pairs) for number in range(filters)])


def _few_forward(x: Array, kernel: Array, dilation: int) -> tuple[Array, tuple[Array, Array]]:
    return convolve_few(x, kernel, dilation), (x, kernel)


def _few_backward(dilation: int, saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    x, kernel = saved
    margin = dilation * (len(kernel) - 1)
    to_input = convolve_few(_widen(change, margin), kernel[::-1].swapaxes(1, 2), dilation)
    parts = jnp.concatenate(windows(x, len(kernel), dilation=dilation))
    return to_input, (_flat(parts) @ _flat(change).T).reshape(kernel.shape)


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


convolve_few.defvjp(_few_forward, _few_backward)


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


@jax.custom_vjp
def add_bias(x: Array, bias: Array) -> Array:
    """Add the bias of each channel to ``x`` (batch, time, …, channels)."""
    return x + bias


def _bias_forward(x: Array, bias: Array) -> tuple[Array, None]:
    return add_bias(x, bias), None


def _bias_backward(_: None, change: Array) -> tuple[Array, Array]:
    return change, channel_sums(change)


add_bias.defvjp(_bias_forward, _bias_backward)


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
    rows = _rows(x)
    spread = partial(jnp.tile, reps=rows.shape[1] // x.shape[-1])
    mean = _channel_means(x)
    variance = _channel_means(jnp.square(rows - spread(mean)).reshape(x.shape))
    inverse = jax.lax.rsqrt(variance + epsilon)
    factor = inverse * scale
    y = rows * spread(factor) + spread(offset - mean * factor)
    return (y.reshape(x.shape), mean, variance), (x, scale, mean, inverse)


def _normalise_backward(
    epsilon: float, saved: tuple[Array, ...], changes: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    x, scale, mean, inverse = saved
    change, of_mean, of_variance = changes
    rows, count = _rows(x), x.size // x.shape[-1]
    spread = partial(jnp.tile, reps=rows.shape[1] // x.shape[-1])
    change, centred = change.reshape(rows.shape), rows - spread(mean)
    to_offset = channel_sums(change.reshape(x.shape))
    to_scale = channel_sums((centred * change).reshape(x.shape)) * inverse
    factor = scale * inverse
    slope = (2 * of_variance - factor * inverse * to_scale) / count
    to_x = spread(factor) * change + (centred * spread(slope) + spread((of_mean - factor * to_offset) / count))
    return to_x.reshape(x.shape), to_scale, to_offset


def _rows(x: Array) -> Array:
    """Return (batch × time, positions × channels): a long last axis, over which loops are vectorised."""
    return x.reshape(-1, int(np.prod(x.shape[2:]))) if x.ndim > 2 else x


def _channel_means(x: Array) -> Array:
    return channel_sums(x) / (x.size // x.shape[-1])


def channel_sums(x: Array) -> Array:
    """Return the sum of each channel of (batch, …, channels).

    XLA sums over all axes at once by one thread and channel by channel. Windows first, in parts for the threads and
    over long rows, take a tenth of the time where there are many channels.
    """
    rows = _rows(x)
    if rows.shape[1] >= WIDE:
        parts = gcd(len(x), PARTS)
        rows = _rows(x.reshape(parts, len(x) // parts, *x.shape[1:]).sum(1))
    return rows.sum(0).reshape(-1, x.shape[-1]).sum(0)


normalise_batch.defvjp(_normalise_forward, _normalise_backward)


def _with_positions(kernel: Array, x: Array) -> Array:
    """Give a kernel (taps, channels, filters) the axes of length 1 of the positions beside time."""
    return kernel.reshape(len(kernel), *[1] * (x.ndim - 3), *kernel.shape[1:])


def _with_ones(along_time: int, x: Array) -> tuple[int, ...]:
    return (along_time, *[1] * (x.ndim - 3))


def windows(x: Array, taps: int, *, axis: int = 1, stride: int = 1, dilation: int = 1) -> list[Array]:
    """Return the input of each tap of a kernel along ``axis``: ``taps`` slices of equal length."""
    count = (x.shape[axis] - dilation * (taps - 1) - 1) // stride + 1
    before = (slice(None),) * axis
    return [
        x[(*before, slice(tap * dilation, tap * dilation + (count - 1) * stride + 1, stride))] for tap in range(taps)
    ]


def _widen(x: Array, margin: int) -> Array:
    """Add zeros before and after the first and last sample (axis 1)."""
    return jnp.pad(x, [(margin, margin) if axis == 1 else (0, 0) for axis in range(x.ndim)])
