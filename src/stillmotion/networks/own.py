"""Networks of the user's own: a ``keras.Model``, or a function that builds one, becomes an entry of the list."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras

from ..errors import UserError
from .heads import take_logits
from .layers import loop_friendly
from .network import Network
from .normaliser import NORMALISER
from .shape import Shape

#: Builds a model for a shape (samples, channels, classes).
Builder = Callable[[Shape], keras.Model]


def make_network(given: keras.Model | Builder | Network, name: str = "") -> Network:
    """Make an entry of the list from a model or a function that builds one.

    Args:
        given: a functional or sequential model, from windows (T, D) to logits or softmax probabilities, or a function
            from a ``Shape`` to one. Its weights are not kept: every training draws its own by its seed. A normaliser is
            put in front of a model that begins without one.
        name: by default the model's or the function's.

    Returns:
        The entry.

    Raises:
        UserError: it is neither, or has no usable name.
    """
    if isinstance(given, Network):
        return given
    if not isinstance(given, keras.Model) and not callable(given):
        raise UserError(
            f"A network is a name, a keras.Model or a function that builds one, not {type(given).__name__}."
        )
    own = getattr(given, "__name__", type(given).__name__) if not isinstance(given, keras.Model) else given.name
    label = name or re.sub(r"[^a-z0-9]+", "-", str(own).lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", label):
        raise UserError(f"A network needs a name of small letters, digits and hyphens, not {label!r}; give name=.")

    def build(shape: Shape) -> keras.Model:
        model = given if isinstance(given, keras.Model) else given(shape)
        return _prepare(model, shape, label)

    return Network(label, "a network of one's own", "", build, taps=("logits",), own=True)


def _prepare(model: Any, shape: Shape, name: str) -> keras.Model:
    """Copy a model with a normaliser in front, logits at its end and loop-friendly layers."""
    if not isinstance(model, keras.Model):
        raise UserError(f"The function of {name} returned {type(model).__name__}, not a keras.Model.")
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not isinstance(model, keras.src.models.Functional):
        raise UserError(f"{name} cannot be copied: build it with keras.Model(inputs, outputs) or keras.Sequential.")
    sizes = [tuple(each.shape[1:]) for each in (*model.inputs, *model.outputs)]
    if sizes != [(shape.window, shape.channels), (shape.classes,)]:
        raise UserError(
            f"{name} leads from {sizes[0]} to {sizes[-1]}, but windows are ({shape.window}, {shape.channels}) and "
            f"there are {shape.classes} classes; give a function that builds it for a shape."
        )
    try:
        copy = keras.Model.from_config(_with_normaliser(model)) if _lacks_normaliser(model) else model
        copy = keras.models.clone_model(copy)
    except (TypeError, ValueError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise UserError(f"{name} cannot be copied from its configuration: {reason}") from None
    logits = take_logits(copy.outputs[0], network=name)
    return loop_friendly(keras.Model(copy.inputs[0], logits, name=name.replace("-", "_")))


def _lacks_normaliser(model: keras.Model) -> bool:
    return not any(isinstance(layer, keras.layers.Normalization) for layer in model.layers[:2])


def _with_normaliser(model: keras.Model) -> dict[str, Any]:
    """Return the configuration of a functional model with a normaliser between its input and all that reads it."""
    config: dict[str, Any] = model.get_config()
    first = model.inputs[0]._keras_history.operation.name
    layer = keras.saving.serialize_keras_object(keras.layers.Normalization(axis=-1, name=NORMALISER))
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": list(model.inputs[0].shape), "dtype": "float32", "keras_history": [first, 0, 0]},
    }
    config["layers"] = [_reading_from(each, first) for each in config["layers"]]
    at = next(number for number, each in enumerate(config["layers"]) if each["name"] == first) + 1
    node = {"args": (tensor,), "kwargs": {}}
    config["layers"].insert(at, {**layer, "name": NORMALISER, "inbound_nodes": [node]})
    return config


def _reading_from(value: Any, first: str) -> Any:
    """Replace references to the input by references to the normaliser."""
    if isinstance(value, dict):
        return {key: _reading_from(each, first) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        if list(value) == [first, 0, 0]:
            return [NORMALISER, 0, 0]
        return type(value)(_reading_from(each, first) for each in value)
    return value
