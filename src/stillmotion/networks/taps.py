"""Taps: a network's named intermediate outputs.

A tap is the output of the layer of that name. Layer names are kept by every Keras file, so taps survive saving without
a list beside the model. Networks of this package name theirs by one convention: ``logits``, ``embedding`` (what the
classifier sees), ``stage1`` … (front to back), ``channel_attention_l``, ``spatial_attention_l``,
``sensor_attention_l`` (maps after convolution l) and ``aux_logits_1`` … (auxiliary classifiers). Of any other
``keras.Model``, every layer name is a tap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import keras

from ..errors import UnknownName, UserError
from .heads import take_logits
from .trace import layer_outputs, trace_model

CONVENTION = re.compile(r"(aux_logits|stage|(channel|spatial|sensor)_attention)_?\d+|logits|embedding")
LOGITS = re.compile(r"logits|aux_logits_\d+")


def with_taps(model: keras.Model, names: Iterable[str]) -> keras.Model:
    """Make a model over the same layers and weights whose output is a dictionary of the taps ``names``.

    It can be trained in the model's place: what it learns, the model has learnt. Its variables are those that the
    chosen taps depend on.

    Args:
        model: functional, or a class whose ``call`` uses layers and ``keras.ops``, built.
        names: layer names; ``logits`` also means the output of a model that has no layer of that name. Logits are
            taken before the softmax where the model ends in one.

    Returns:
        The model.

    Raises:
        UnknownName: the network has no such tap.

    Example:
        >>> from stillmotion.networks import build_network, with_taps
        >>> model = with_taps(build_network("mlp-small", (50, 3, 4)), ["embedding", "logits"])
        >>> {name: output.shape for name, output in model.output.items()}
        {'embedding': (None, 32), 'logits': (None, 4)}
    """
    graph = trace_model(model)
    found = layer_outputs(graph)
    if "logits" not in found and len(graph.outputs) == 1:
        found["logits"] = graph.outputs[0]
    names = list(names)
    for name in names:
        if name == "logits" and name not in found:
            raise UserError(
                f"{model.name} has {len(graph.outputs)} outputs: name the layer that gives its logits 'logits'."
            )
        if name not in found:
            raise UnknownName(f"tap of {model.name}", name, list_taps(model))
        if LOGITS.fullmatch(name):
            found[name] = take_logits(found[name], network=model.name)
    return keras.Model(_structure(graph.inputs), {name: found[name] for name in names}, name=f"{model.name}_taps")


def list_taps(model: keras.Model) -> list[str]:
    """List the taps of a network by convention, front to back; of a model that follows none, all its layers' names.

    Args:
        model: built.

    Returns:
        The names.

    Example:
        >>> from stillmotion.networks import build_network, list_taps
        >>> list_taps(build_network("mlp-small", (50, 3, 4)))
        ['stage1', 'stage2', 'embedding', 'logits']
    """
    graph = trace_model(model)
    every = list(layer_outputs(graph))
    named = [name for name in every if CONVENTION.fullmatch(name)]
    if "logits" not in every and len(graph.outputs) == 1:
        every.append("logits")
    return named if "logits" in named else every


def count_classes(model: keras.Model) -> int:
    """How many classes a network tells apart: the width of its logits."""
    classes = int(with_taps(model, ["logits"]).output["logits"].shape[-1])
    if classes < 2:
        raise UserError(f"{model.name} gives {classes} output: a network gives one for each class, of two at least.")
    return classes


def make_inference_model(model: keras.Model) -> keras.Model:
    """Take the part of a network that a device runs: from the signal to the logits, auxiliary classifiers left out.

    Args:
        model: built.

    Returns:
        The part; the model itself where that is all it is; without its softmax where it ends in one.

    Raises:
        UnknownName: the model has several outputs and none is called ``logits``.

    Example:
        >>> from stillmotion.networks import build_network, make_inference_model
        >>> model = build_network("resnet-lstman", (50, 3, 4))
        >>> len(model.outputs) > 1, make_inference_model(model).output_shape
        (True, (None, 4))
    """
    graph = trace_model(model)
    outputs = layer_outputs(graph)
    single = len(graph.outputs) == 1
    if not single and "logits" not in outputs:
        raise UnknownName(f"tap of {model.name}", "logits", list(outputs))
    output = graph.outputs[0] if single else outputs["logits"]
    logits = take_logits(output, network=model.name)
    return model if single and logits is output else keras.Model(_structure(graph.inputs), logits, name=model.name)


def _structure(inputs: list[Any]) -> Any:
    """One input by itself: Keras warns when a model made with a list is called with a tensor."""
    return inputs[0] if len(inputs) == 1 else inputs
