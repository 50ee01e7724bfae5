"""Loop-friendly layers compute what Keras' layers compute, forward and backward, and are saved as those."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stillmotion.networks import layers as ours
from stillmotion.networks import loop_friendly
from stillmotion.networks.convolution_forms import (
    BY_XLA,
    CHANNELS_FIRST,
    SLICES,
    USUAL,
    WITHOUT_XLA,
    ConvolutionForms,
    noted_forms,
    using_forms,
)
from stillmotion.networks.recurrent import LSTM

PLANE, LINE = (2, 18, 5, 3), (2, 18, 3)
CASES = [
    ("Conv2D", {"filters": 4, "kernel_size": (5, 1)}, PLANE),
    ("Conv2D", {"filters": 40, "kernel_size": (5, 1), "activation": "relu"}, PLANE),
    ("Conv2D", {"filters": 4, "kernel_size": (5, 1), "activation": "relu"}, (2, 18, 5, 1)),
    ("Conv2D", {"filters": 40, "kernel_size": (5, 1)}, (2, 18, 5, 1)),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "same", "use_bias": False}, PLANE),
    ("Conv2D", {"filters": 1, "kernel_size": 7, "padding": "same", "activation": "sigmoid"}, PLANE),
    ("Conv2D", {"filters": 4, "kernel_size": (4, 2), "strides": (2, 3), "padding": "same"}, PLANE),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "dilation_rate": (2, 2)}, PLANE),
    ("Conv2D", {"filters": 4, "kernel_size": (1, 5)}, PLANE),
    ("Conv2D", {"filters": 6, "kernel_size": (5, 1), "groups": 3}, PLANE),
    ("Conv1D", {"filters": 4, "kernel_size": 5, "strides": 2, "padding": "same"}, LINE),
    ("Conv1D", {"filters": 4, "kernel_size": 4, "dilation_rate": 2, "padding": "causal"}, LINE),
    ("Conv1D", {"filters": 40, "kernel_size": 3, "padding": "causal"}, LINE),
    ("DepthwiseConv1D", {"kernel_size": 7, "strides": 2, "padding": "same", "depth_multiplier": 2}, LINE),
    ("DepthwiseConv1D", {"kernel_size": 3, "dilation_rate": 2, "activation": "relu"}, LINE),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}, PLANE),
    ("SeparableConv1D", {"filters": 6, "kernel_size": 5, "strides": 2, "padding": "same"}, LINE),
    ("SeparableConv2D", {"filters": 6, "kernel_size": (5, 1), "depth_multiplier": 2}, PLANE),
    ("MaxPooling1D", {"pool_size": 4}, LINE),
    ("MaxPooling2D", {"pool_size": (4, 1), "strides": (2, 1)}, PLANE),
    ("MaxPooling2D", {"pool_size": 2, "padding": "same"}, PLANE),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2}, LINE),
    ("AveragePooling2D", {"pool_size": (5, 2)}, PLANE),
    ("LSTM", {"units": 6}, LINE),
    ("LSTM", {"units": 6, "return_sequences": True, "go_backwards": True}, LINE),
    ("LSTM", {"units": 6, "return_sequences": True, "use_bias": False}, (2, 4, 3)),
    ("LSTM", {"units": 6, "return_state": True}, (2, 4, 3)),
]


def equal_to_keras(kind, settings, shape):
    """Compare values and gradients of a loop-friendly layer with those of Keras' own."""
    plain_class, friendly_class = getattr(keras.layers, kind), LSTM if kind == "LSTM" else getattr(ours, kind)
    rng = np.random.default_rng(0)
    plain, friendly = plain_class(**settings), friendly_class(**settings)
    plain.build(shape), friendly.build(shape)
    weights = [rng.normal(size=variable.shape).astype(np.float32) / 3 for variable in plain.trainable_variables]
    states = [variable.value for variable in plain.non_trainable_variables]
    x = rng.normal(size=shape).astype(np.float32)

    def weighed(layer, weights, x):
        outputs, _ = layer.stateless_call(weights, states, x)
        parts = jax.tree.leaves(outputs)
        return sum((part * jnp.cos(jnp.arange(part.size).reshape(part.shape))).sum() for part in parts), parts

    @jax.jit
    def outcomes(weights, x):
        slopes = jax.value_and_grad(weighed, argnums=(1, 2), has_aux=True)
        return [jax.tree.leaves(slopes(layer, weights, x)) for layer in (friendly, plain)]

    for mine, theirs in zip(*outcomes(weights, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("kind", "settings", "shape"), CASES, ids=lambda value: str(value)[:60])
def test_loop_friendly_layer_equals_keras_own_forward_and_backward(kind, settings, shape):
    equal_to_keras(kind, settings, shape)


#: A convolution's settings, and its form with the usual choice.
CONVOLUTIONS = [
    ({"filters": 4, "kernel_size": (5, 1), "activation": "relu"}, CHANNELS_FIRST),
    ({"filters": 4, "kernel_size": (5, 1), "activation": "softmax"}, CHANNELS_FIRST),
    ({"filters": 24, "kernel_size": (5, 1)}, SLICES),
    ({"filters": 24, "kernel_size": (5, 5), "activation": "softmax"}, SLICES),
    ({"filters": 24, "kernel_size": (5, 1), "channels": 20, "activation": "tanh"}, BY_XLA),
    ({"filters": 2, "kernel_size": (5, 1), "channels": 20, "strides": (2, 1), "use_bias": False}, BY_XLA),
    ({"filters": 24, "kernel_size": (3, 2), "channels": 20, "strides": (2, 1)}, BY_XLA),
]


@pytest.mark.parametrize("forms", [USUAL, WITHOUT_XLA, ConvolutionForms(few=0, many=1, many_for_kernel=1)], ids=str)
@pytest.mark.parametrize(("settings", "form"), CONVOLUTIONS, ids=lambda value: str(value)[:70])
def test_every_form_equals_keras_own_layer_forward_and_backward(settings, form, forms):
    settings = dict(settings)
    shape = (2, 18, 5, settings.pop("channels", 3))
    noted: set[str] = set()
    with using_forms(forms), noted_forms(noted):
        equal_to_keras("Conv2D", settings, shape)
    assert len(noted) == 1
    if forms == USUAL:
        assert noted.pop().endswith(form)


@pytest.mark.parametrize(("kind", "convolutions"), [(ours.Conv2D, 0), (keras.layers.Conv2D, 1)])
def test_loop_friendly_layers_hold_no_lax_convolution(kind, convolutions):
    layer = kind(4, (5, 1), activation="relu")
    layer.build((None, 20, 3, 4))
    weights = [variable.value for variable in layer.trainable_variables]
    program = jax.make_jaxpr(lambda x: layer.stateless_call(weights, [], x)[0])(np.zeros((1, 20, 3, 4)))
    assert str(program).count("conv_general_dilated[") == convolutions


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES}))
def test_layer_writes_itself_as_the_plain_one(kind):
    settings = next(settings for name, settings, _ in CASES if name == kind)
    friendly = (LSTM if kind == "LSTM" else getattr(ours, kind))(**settings, name="it")
    stored = keras.saving.serialize_keras_object(friendly)
    plain = keras.saving.serialize_keras_object(getattr(keras.layers, kind)(**settings, name="it"))
    assert (stored["module"], stored["class_name"]) == ("keras.layers", kind)
    assert stored["config"] == plain["config"]
    assert "stillmotion" not in json.dumps(stored)
    assert type(keras.saving.deserialize_keras_object(stored)) is getattr(keras.layers, kind)


def test_a_plain_model_becomes_loop_friendly_with_the_same_weights():
    inputs = keras.Input((18, 3))
    x = keras.layers.Normalization()(inputs)
    x = keras.Sequential([keras.layers.Conv1D(4, 5), keras.layers.MaxPooling1D(2)])(x)
    x = keras.layers.SeparableConv1D(5, 3)(x)
    plain = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.LSTM(4)(x)))
    friendly = loop_friendly(plain)
    kinds = {type(layer) for layer in friendly._flatten_layers()}
    assert {ours.Conv1D, ours.MaxPooling1D, ours.SeparableConv1D, LSTM} <= kinds
    x = np.random.default_rng(1).normal(size=(4, 18, 3)).astype(np.float32)
    np.testing.assert_allclose(jax.jit(friendly)(x), jax.jit(plain)(x), atol=1e-6)
    assert loop_friendly(friendly) is friendly
