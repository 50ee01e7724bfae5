"""XLA's convolution with derivatives written by hand, against those that JAX derives, and its routine."""

from __future__ import annotations

import itertools
import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from stillmotion.networks.xla_convolution import COMPILER_OPTIONS, convolve_by_xla

from .test_adjoints import convolve_plainly, drawn, same_gradients

#: The layouts of XLA's fast routine: batch first and channels last in values and results.
FAST = re.compile(r"dim_labels=b0?1?2?f_0?1?2?io->b0?1?2?f")


@pytest.mark.parametrize(("stride", "dilation"), list(itertools.product((1, 2, 3), (1, 2))))
@pytest.mark.parametrize("sizes", [((13,), (4,)), ((12, 7), (3, 2)), ((7, 6, 5), (3, 2, 1))])
def test_the_gradients_are_those_that_jax_derives(sizes: Any, stride: int, dilation: int) -> None:
    """Strides that leave samples over, dilation, one to three axes."""
    positions, taps = sizes
    strides, gaps = (stride,) * len(taps), (dilation,) * len(taps)
    x, kernel = drawn(2, *positions, 3), drawn(*taps, 3, 4)
    same_gradients(
        lambda x, kernel: convolve_by_xla(x, kernel, strides, gaps),
        lambda x, kernel: convolve_plainly(x, kernel, strides, gaps),
        x,
        kernel,
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_all_three_convolutions_of_a_step_have_the_layout_of_the_fast_routine(stride: int) -> None:
    x, kernel = drawn(4, 20, 3, 16), drawn(5, 1, 16, 16)

    def step(carry: Any, _: None) -> tuple[Any, None]:
        slopes = jax.grad(lambda x, k: jnp.square(convolve_by_xla(x, k, (stride, 1), (1, 1))).sum(), (0, 1))(*carry)
        return jax.tree.map(lambda value, slope: value - 1e-3 * slope, carry, slopes), None

    looped = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=2)[0], compiler_options=COMPILER_OPTIONS)
    found = re.findall(r"dim_labels=\S+", looped.lower((x, kernel)).compile().as_text())
    assert len(found) == 3
    assert all(map(FAST.match, found))
