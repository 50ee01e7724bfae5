"""Derivatives written by hand against those that JAX derives from plain definitions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stillmotion.networks import adjoints
from stillmotion.networks.adjoints import (
    PAIRED_LENGTH,
    WIDE,
    add_bias,
    convolve_few,
    convolve_taps,
    depthwise_taps,
    normalise_batch,
)
from stillmotion.networks.convolution_forms import NEVER, USUAL, WITHOUT_XLA, ConvolutionForms
from stillmotion.networks.layers import BatchNormalization

#: All convolutions by slices and a product.
SLICED = ConvolutionForms(few=0, many=NEVER, many_for_kernel=NEVER)
RANDOM = np.random.default_rng(7)


def drawn(*shape: int) -> Any:
    return jax.device_put(RANDOM.normal(size=shape).astype(np.float32))


def same_gradients(ours: Any, plain: Any, *inputs: Any) -> None:
    """Compare values, and gradients of a weighted sum of all outputs, with respect to all inputs."""
    shapes = jax.tree.leaves(jax.eval_shape(plain, *inputs))
    weights = [drawn(*leaf.shape) for leaf in shapes]

    def total(function: Any) -> Any:
        def weighed(*inputs: Any) -> Any:
            leaves = jax.tree.leaves(function(*inputs))
            return sum((leaf * weight).sum() for leaf, weight in zip(leaves, weights, strict=True)), leaves

        return weighed

    @jax.jit
    def outcomes(*inputs: Any) -> Any:
        """Gradients and values of both; compiled as one program, which takes less time than operation by operation."""
        return [jax.grad(total(each), tuple(range(len(inputs))), has_aux=True)(*inputs) for each in (ours, plain)]

    (slopes, values), (plain_slopes, plain_values) = outcomes(*inputs)
    for mine, other in zip(values, plain_values, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-5)
    for mine, other in zip(slopes, plain_slopes, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-3, atol=2e-3 * float(np.abs(other).max()))


def convolve_plainly(x: Any, kernel: Any, strides: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """Convolve (batch, *positions, channels) by XLA and the derivatives that JAX has for it."""
    axes = "HWD"[: len(strides)]
    names = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    return jax.lax.conv_general_dilated(x, kernel, strides, "VALID", rhs_dilation=dilation, dimension_numbers=names)


def convolve_along_time(x: Any, kernel: Any, dilation: int) -> Any:
    """Convolve (batch, time, positions, channels) along time."""
    return convolve_plainly(x, kernel[:, None], (1, 1), (dilation, 1))


@pytest.mark.parametrize(("dilation", "positions"), [(1, (4,)), (3, ())])
@pytest.mark.parametrize(
    ("channels", "filters", "forms"),
    [
        (2, 9, WITHOUT_XLA),
        (16, 17, WITHOUT_XLA),
        (16, 17, USUAL),
        (9, 17, USUAL),
        (2, 16, USUAL),
        (16, 2, USUAL),
        (3, 2, SLICED),
    ],
)
def test_a_convolution_has_the_gradients_of_xlas(
    dilation: int, positions: tuple[int, ...], channels: int, filters: int, forms: ConvolutionForms
) -> None:
    x, kernel = drawn(3, 19, *positions, channels), drawn(5, channels, filters)

    def plain(x: Any, kernel: Any) -> Any:
        y = convolve_along_time(x if positions else x[:, :, None], kernel, dilation)
        return y if positions else y[:, :, 0]

    same_gradients(lambda x, kernel: convolve_taps(x, kernel, dilation, forms), plain, x, kernel)


@pytest.mark.parametrize(
    ("dilation", "most", "channels", "filters"),
    [(1, 0, 1, 4), (3, 0, 3, 2), (1, adjoints.MOST_TERMS, 3, 2), (3, adjoints.MOST_TERMS, 1, 4)],
)
def test_a_convolution_of_few_channels_has_the_gradients_of_xlas(
    dilation: int, most: int, channels: int, filters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a sum of shifted values, and as a product (``most`` is 0)."""
    monkeypatch.setattr(adjoints, "MOST_TERMS", most)
    monkeypatch.setattr(adjoints, "MANY_COLUMNS", 0)
    x, kernel = drawn(3, 19, 4, channels), drawn(5, channels, filters)

    def exchanged(x: Any, kernel: Any) -> Any:
        return convolve_few(x.transpose(3, 1, 2, 0), kernel, dilation).transpose(3, 1, 2, 0)

    same_gradients(exchanged, lambda x, kernel: convolve_along_time(x, kernel, dilation), x, kernel)
    program = str(jax.make_jaxpr(exchanged)(x, kernel))
    assert ("dot_general" in program) == (most == 0)


@pytest.mark.parametrize("shape", [(8, 5), (6, 9, 3), (6, 9, WIDE), (16, 9, 4, WIDE // 4), (3, 9, WIDE)])
def test_a_bias_has_the_gradient_of_an_addition(shape: tuple[int, ...]) -> None:
    same_gradients(add_bias, lambda x, bias: x + bias, drawn(*shape), drawn(shape[-1]))


@pytest.mark.parametrize("length", [20, PAIRED_LENGTH + 30])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_a_depthwise_convolution_has_the_gradients_of_xlas(length: int, stride: int, dilation: int) -> None:
    x, kernel = drawn(3, length, 6), drawn(5, 6)

    def plain(x: Any, kernel: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            kernel[:, None],
            (stride,),
            "VALID",
            rhs_dilation=(dilation,),
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=6,
        )

    same_gradients(lambda x, kernel: depthwise_taps(x, kernel, stride, dilation), plain, x, kernel)


@pytest.mark.parametrize("shape", [(8, 5), (4, 6, 5), (4, 6, 3, 5), (4, 6, 13, 5)])
def test_a_batch_normalisation_has_the_gradients_of_its_definition(shape: tuple[int, ...]) -> None:
    """Mean and variance are outputs too: their gradients count."""
    x, scale, offset = 3 * drawn(*shape) + 1, drawn(5), drawn(5)

    def plain(x: Any, scale: Any, offset: Any) -> Any:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
        return scale * (x - mean) / jnp.sqrt(variance + 1e-3) + offset, mean, variance

    same_gradients(lambda *inputs: normalise_batch(*inputs, 1e-3), plain, x, scale, offset)


@pytest.mark.parametrize(
    "settings", [{}, {"momentum": 0.9, "epsilon": 1e-5}, {"scale": False}, {"axis": 1}, {"trainable": False}]
)
@pytest.mark.parametrize("training", [True, False])
def test_the_layer_gives_kerass_outputs_and_statistics(settings: dict[str, Any], training: bool) -> None:
    x = 2 * drawn(6, 7, 3) - 1
    layers = [kind(**settings) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.build(x.shape)
    values = [drawn(*variable.shape) ** 2 for variable in layers[0].variables]
    outputs = []
    for layer in layers:
        for variable, value in zip(layer.variables, values, strict=True):
            variable.assign(value)
        y = layer(x, training=training)
        outputs.append([np.asarray(value) for value in (y, *layer.variables)])
    for mine, other in zip(*outputs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
