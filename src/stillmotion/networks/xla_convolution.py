"""XLA's own convolution, as fast in a compiled loop on a processor as outside, derivatives included.

XLA has a fast routine (Eigen's) for a convolution with the batch first and the channels last in values and results,
and plain loops for every other layout, which is what JAX derives for gradients. So the derivatives are written here as
convolutions of that layout. The XLA of JAX 0.10 also hands convolutions to another library (YNN), which is slower
still: ``COMPILER_OPTIONS`` keep them from it, and only programs compiled with these may use this form.

Measured: forward and backward of one convolution (batch 64, five taps) in a compiled loop, two cores with AVX2,
milliseconds:

=========================  ========  =================  ===============  =========
T × positions, C, filters  lax.conv  with YNN, by hand  slices, product  this form
=========================  ========  =================  ===============  =========
128 × 6, 64, 64                   –                  –              104         69
128 × 1, 256, 256                 –                  –              153        130
128 × 1, 64, 64                 484                  –               14         11
62 × 6, 50, 40                    –                 67               31         20
128 × 1, 16, 16                   –                  –              1.2        1.5
128 × 6, 4, 4                     –                  –              2.4        7.0
=========================  ========  =================  ===============  =========
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Array = Any

#: Options of XLA under which its convolutions run by its own routine.
COMPILER_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve_by_xla(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """Convolve without padding.

    Args:
        x: (batch, *positions, channels), one to three axes of positions.
        kernel: (*taps, channels, filters).
        strides: samples between two outputs, for each axis of positions.
        dilation: samples between two taps, for each axis of positions.
    """
    return run_convolution(x, kernel, strides=strides, dilation=dilation)


def _forward(
    x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Array, tuple[Array, Array]]:
    return convolve_by_xla(x, kernel, strides, dilation), (x, kernel)


def _backward(
    strides: tuple[int, ...], dilation: tuple[int, ...], saved: tuple[Array, Array], change: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    geometry: list[tuple[int, ...]] = list(
        zip(x.shape[1:-1], change.shape[1:-1], kernel.shape[:-2], strides, dilation, strict=True)
    )
    # The gradient of the input is the convolution of the output's, with gaps for strides, with the flipped kernel.
    to_input = run_convolution(
        change,
        jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2),
        padding=[
            (gap * (taps - 1), length - (steps - 1) * stride - 1) for length, steps, taps, stride, gap in geometry
        ],
        gaps=strides,
        dilation=dilation,
    )
    return to_input, kernel_gradient(x, change, kernel.shape[:-2], strides=strides, dilation=dilation)


convolve_by_xla.defvjp(_forward, _backward)


def kernel_gradient(
    x: Array, change: Array, taps: Sequence[int], *, strides: Sequence[int], dilation: Sequence[int]
) -> Array:
    """Return the gradient of a kernel: the convolution of values and gradients, batch and channels exchanged."""
    moved = run_convolution(
        jnp.swapaxes(x, 0, -1), jnp.moveaxis(change, 0, -2), strides=dilation, dilation=strides
    )  # (channels, *taps, filters); samples that no step of a stride reaches may add taps
    kept = moved[(slice(None), *(slice(count) for count in taps))]
    return jnp.moveaxis(kept, 0, -2)


def run_convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
    padding: Sequence[tuple[int, int]] | None = None,
    gaps: Sequence[int] | None = None,
) -> Array:
    """Run XLA's convolution in the layout of its fast routine, without derivatives by hand.

    ``padding`` are zeros before and after each axis of positions, ``gaps`` the distances to which its samples are
    spread.
    """
    axes = "HWD"[: x.ndim - 2]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        tuple(strides or (1,) * len(axes)),
        tuple(padding or ((0, 0),) * len(axes)),
        lhs_dilation=gaps and tuple(gaps),
        rhs_dilation=dilation and tuple(dilation),
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
