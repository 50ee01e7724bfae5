"""Programs of any layers compute the same without XLA's convolutions, forward and backward."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras import layers, ops

from stillmotion.networks import rewrite as room
from stillmotion.networks.convolution_forms import USUAL, using_forms
from stillmotion.networks.rewrite import rewrite

LINE, PLANE = (2, 18, 6), (2, 12, 5, 4)


class Own(layers.Layer):
    """A layer of a user's own, whose convolution no list of layers knows."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, shape[-1], 4))

    def call(self, x):
        return ops.conv(x, self.kernel, padding="same")


def cases():
    """(layer, settings, shape) of every kind of padding, stride, dilation, group and layout."""
    for padding, groups in itertools.product(("valid", "same", "causal"), (1, 2)):
        for strides, dilation in ((1, 1), (2, 1), (1, 2)):
            settings = {"padding": padding, "groups": groups, "strides": strides, "dilation_rate": dilation}
            yield layers.Conv1D, {"filters": 4, "kernel_size": 3, **settings}, LINE
    for padding in ("valid", "same"):
        yield layers.Conv2D, {"filters": 4, "kernel_size": (3, 2), "strides": (2, 1), "padding": padding}, PLANE
        yield layers.Conv2D, {"filters": 4, "kernel_size": (3, 2), "groups": 2, "padding": padding}, PLANE
        yield layers.DepthwiseConv1D, {"kernel_size": 3, "strides": 2, "depth_multiplier": 2, "padding": padding}, LINE
        yield layers.DepthwiseConv2D, {"kernel_size": 3, "dilation_rate": 2, "padding": padding}, PLANE
        yield layers.SeparableConv1D, {"filters": 5, "kernel_size": 3, "padding": padding}, LINE
        yield layers.SeparableConv2D, {"filters": 5, "kernel_size": 3, "padding": padding}, PLANE
        for strides in (1, 2, 3):
            settings = {"filters": 3, "kernel_size": 3, "strides": strides, "padding": padding}
            yield layers.Conv1DTranspose, settings, LINE
            yield layers.Conv2DTranspose, settings, PLANE
    yield layers.Conv1D, {"filters": 4, "kernel_size": 3, "data_format": "channels_first", "groups": 2}, (2, 6, 18)
    yield layers.Conv2D, {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}, (2, 4, 12, 5)
    yield layers.ConvLSTM1D, {"filters": 3, "kernel_size": 3}, (2, 4, 8, 3)
    yield Own, {}, LINE


ALL = list(cases())
#: Strided and grouped; causal; in two dimensions; channels first; of the user's own.
QUICK = {10, 14, 19, len(ALL) - 4, len(ALL) - 1}


def built(kind, settings, shape):
    layer = kind(**settings)
    layer.build(shape)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=variable.shape).astype(np.float32) / 3 for variable in layer.trainable_variables]
    states = [variable.value for variable in layer.non_trainable_variables]
    return lambda weights, x: layer.stateless_call(weights, states, x)[0], weights, rng.normal(size=shape)


def count(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments)).count("conv_general_dilated[")


def outcomes_of(functions, weights, x):
    """Values and gradients of each function, compiled as one program."""

    def weighed(function, weights, x):
        y = function(weights, x)
        return (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).mean(), y

    @jax.jit
    def outcomes(weights, x):
        return [
            jax.tree.leaves(jax.value_and_grad(weighed, argnums=(1, 2), has_aux=True)(each, weights, x))
            for each in functions
        ]

    return outcomes(weights, x)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{number}-{case[0].__name__}", marks=[] if number in QUICK else [pytest.mark.slow])
        for number, case in enumerate(ALL)
    ],
)
def test_a_plain_layer_gives_the_same_without_a_convolution_forward_and_backward(case):
    plain, weights, x = built(*case)
    x = x.astype(np.float32)

    def converted(weights, x):
        return rewrite(plain, weights, x)

    assert count(plain, weights, x) >= 1
    assert count(converted, weights, x) == 0

    for theirs, mine in zip(*outcomes_of([plain, converted], weights, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_on_an_accelerator_nothing_is_rewritten(monkeypatch):
    monkeypatch.setattr(room.jax, "default_backend", lambda: "gpu")
    plain, weights, x = built(layers.Conv1D, {"filters": 64, "kernel_size": 5}, LINE)
    assert count(lambda w, x: rewrite(plain, w, x), weights, x) == 1


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv1D(24, 3, strides=2, padding="same"),
        layers.Conv1D(24, 3, dilation_rate=2, padding="causal"),
        layers.Conv1D(24, 3, groups=2),
        layers.Conv1DTranspose(24, 3, strides=2),
        layers.Conv2D(24, (3, 2), data_format="channels_first"),
        layers.Conv3D(2, (3, 2, 1)),
        layers.Conv3D(4, (3, 2, 1), groups=2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_large_convolutions_stay_xlas_with_the_same_results(layer):
    ranks = {"Conv1D": (2, 18, 32), "Conv1DTranspose": (2, 18, 32), "Conv2D": (2, 32, 12, 5), "Conv3D": (2, 9, 5, 3, 2)}
    plain, weights, x = built(lambda: layer, {}, ranks[type(layer).__name__])
    x = x.astype(np.float32)

    def fast(weights, x):
        with using_forms(USUAL):
            return rewrite(plain, weights, x)

    assert count(fast, weights, x) >= 1
    for theirs, mine in zip(*outcomes_of([plain, fast], weights, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_a_function_with_a_derivative_of_its_own_keeps_it():
    @jax.custom_vjp
    def doubled(x, kernel):
        return 2 * jax.lax.conv_general_dilated(x, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))

    doubled.defvjp(lambda x, k: (doubled(x, k), (x, k)), lambda saved, change: jax.tree.map(jnp.zeros_like, saved))
    x, kernel = np.ones((2, 9, 3), np.float32), np.ones((3, 3, 4), np.float32)
    slopes = jax.grad(lambda k: rewrite(doubled, x, k).sum())(kernel)
    assert not slopes.any()
