"""Logits are taken from before a final softmax, in every form that it can have."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from stillmotion.bundles import Bundle
from stillmotion.errors import UserError
from stillmotion.networks import make_inference_model, with_taps
from stillmotion.networks.heads import are_probabilities, as_logits
from stillmotion.signals import Channel, SignalSpec

#: Keras copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

X = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
CLASSES = 5
SPEC = SignalSpec(
    rate=50.0,
    channels=tuple(Channel("acc", axis, "m/s2", "wrist") for axis in "xyz"),
    classes=("walk", "run", "sit", "stand", "lie"),
    window=6,
    hop=3,
)

HEADS = {
    "dense": lambda x: layers.Dense(CLASSES, activation="softmax")(x),
    "named-logits": lambda x: layers.Dense(CLASSES, activation="softmax", name="logits")(x),
    "softmax-layer": lambda x: layers.Softmax()(layers.Dense(CLASSES)(x)),
    "activation-layer": lambda x: layers.Activation("softmax")(layers.Dense(CLASSES)(x)),
    "layer-as-activation": lambda x: layers.Dense(CLASSES, activation=layers.Softmax())(x),
    "operation": lambda x: ops.softmax(layers.Dense(CLASSES)(x)),
    "function": lambda x: keras.activations.softmax(layers.Dense(CLASSES)(x), axis=1),
    "identity-after": lambda x: layers.Identity()(layers.Softmax()(layers.Dense(CLASSES)(x))),
    "einsum": lambda x: layers.EinsumDense("ab,bc->ac", (CLASSES,), bias_axes="c", activation="softmax")(x),
}
SIGMOIDS = {
    "dense": lambda x: layers.Dense(CLASSES, activation="sigmoid")(x),
    "activation-layer": lambda x: layers.Activation("hard_sigmoid")(layers.Dense(CLASSES)(x)),
    "operation": lambda x: ops.sigmoid(layers.Dense(CLASSES)(x)),
    "one-output": lambda x: layers.Dense(1, activation="sigmoid")(x),
}


class Class(keras.Model):
    """A user's class around what a graph gives."""

    def __init__(self, head):
        super().__init__()
        self.flat, self.head = layers.Flatten(), head

    def call(self, x):
        return self.head(self.flat(x))


def graph(head):
    inputs = keras.Input((6, 3))
    return keras.Model(inputs, head(layers.Flatten()(inputs)))


def nested(head):
    inner = keras.Input((18,))
    inputs = keras.Input((6, 3))
    return keras.Model(inputs, keras.Model(inner, head(inner))(layers.Flatten()(inputs)))


def classed(head):
    inner = keras.Input((18,))
    model = Class(keras.Model(inner, head(inner)))
    model(X)
    return model


FORMS = {"graph": graph, "nested": nested, "class": classed}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("head", HEADS)
def test_a_softmax_at_the_end_is_not_taken_for_logits(head, form):
    model = FORMS[form](HEADS[head])
    tapped = with_taps(model, ["logits"])
    logits = tapped(X)["logits"]
    assert not are_probabilities(logits)
    np.testing.assert_allclose(ops.softmax(logits), model(X), atol=1e-6)
    assert {id(variable) for variable in tapped.variables} == {id(variable) for variable in model.variables}
    # What the logits learn, the probabilities have learnt.
    for variable in tapped.trainable_variables:
        variable.assign(variable + 0.5)
    np.testing.assert_allclose(ops.softmax(tapped(X)["logits"]), model(X), atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("head", SIGMOIDS)
def test_a_sigmoid_at_the_end_is_refused_with_what_to_do(head, form):
    with pytest.raises(UserError, match=r"ends in (hard_)?sigmoid .*softmax") as error:
        with_taps(FORMS[form](SIGMOIDS[head]), ["logits"])
    assert "\n" not in str(error.value)


def test_an_inner_softmax_and_an_inner_sigmoid_are_left_alone():
    inputs = keras.Input((6, 3))
    gate = layers.Dense(18, activation="sigmoid")(layers.Softmax()(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Dense(CLASSES)(gate))
    np.testing.assert_array_equal(with_taps(model, ["logits"])(X)["logits"], model(X))
    assert make_inference_model(model) is model


def test_auxiliary_classifiers_that_end_in_softmax_give_logits_too():
    inputs = keras.Input((6, 3))
    x = layers.Flatten()(inputs)
    aside = layers.Dense(CLASSES, activation="softmax", name="aux_logits_1")(x)
    model = keras.Model(inputs, [layers.Dense(CLASSES, activation="softmax", name="logits")(x), aside])
    taps = with_taps(model, ["logits", "aux_logits_1"])(X)
    for tap, output in zip(("logits", "aux_logits_1"), model(X), strict=True):
        assert not are_probabilities(taps[tap])
        np.testing.assert_allclose(ops.softmax(taps[tap]), output, atol=1e-6)


@pytest.mark.parametrize("head", ["dense", "softmax-layer", "operation"])
def test_a_bundle_of_a_model_that_ends_in_softmax_gives_logits(head, tmp_path):
    model = graph(HEADS[head])
    bundle = Bundle.save(tmp_path / "model", model, SPEC)
    assert not are_probabilities(bundle.logits(X, SPEC))
    np.testing.assert_allclose(bundle.predict(X, SPEC), model(X), atol=1e-6)
    assert not are_probabilities(keras.models.load_model(bundle.path / "model.keras").predict(X, verbose=0))


def test_a_bundle_refuses_probabilities_whose_logits_cannot_be_taken(tmp_path):
    with pytest.raises(UserError, match="rows sum to 1"):
        Bundle.save(tmp_path / "model", graph(hidden), SPEC)
    assert list(tmp_path.iterdir()) == []


def hidden(x):
    """A softmax that no graph shows."""
    halves = ops.exp(layers.Dense(CLASSES)(x))
    return halves / ops.sum(halves, axis=-1, keepdims=True)


def test_scores_that_are_probabilities_become_their_logarithms():
    logits = np.random.default_rng(1).normal(size=(7, 4)) * 3
    powers = np.exp(logits)
    probabilities = powers / powers.sum(1, keepdims=True)
    found = as_logits(probabilities)
    np.testing.assert_allclose(found - found.mean(1, keepdims=True), logits - logits.mean(1, keepdims=True), atol=1e-9)
    np.testing.assert_array_equal(as_logits(logits), logits)
    np.testing.assert_allclose(as_logits(np.eye(3)), np.where(np.eye(3) > 0, 0, np.log(1e-12)))
    assert are_probabilities(probabilities.round(3))
    for other in (probabilities + 0.1, -probabilities, probabilities[:0], probabilities[0], np.full((2, 3), np.nan)):
        assert not are_probabilities(other)
