"""Taps: a network's named intermediate outputs.

A tap is the output of the layer of that name. Keras files keep layer names, so taps survive saving. The networks of
this package follow one convention: ``logits``, ``embedding`` (the input of the classifier), ``stage1`` …
(front to back), ``features`` (window features, standardised), ``channel_attention_l``, ``spatial_attention_l``,
``sensor_attention_l`` (maps after convolution l) and ``aux_logits_1`` … (auxiliary classifiers). In any other
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

CONVENTION = re.compile(r"(aux_logits|stage|(channel|spatial|sensor)_attention)_?\d+|logits|embedding|features")
LOGITS = re.compile(r"logits|aux_logits_\d+")


def with_taps(model: keras.Model, names: Iterable[str]) -> keras.Model:
    """Return a model with the same layers and weights whose output is a dictionary of the taps ``names``.

    The two models share their variables, so training one trains the other. The result has only the variables that the
    chosen taps depend on.

    Args:
        model: functional, or a class whose ``call`` uses layers and ``keras.ops``, built.
        names: layer names; ``logits`` also means the output of a model that has no layer of that name. Logits are
            taken from before a final softmax.

    Returns:
        The model with taps.

    Raises:
        UnknownName: the network has no such tap.

    Example:
        >>> from stillmotion.networks import build_network, with_taps
        >>> model = with_taps(build_network("mlp-small", (50, 3, 4)), ["embedding", "logits"])
        >>> {name: output.shape for name, output in model.output.items()}
        {'embedding': (None, 32), 'logits': (None, 4)}
    """
    graph = trace_model(model)
    taps = layer_outputs(graph)
    if "logits" not in taps and len(graph.outputs) == 1:
        taps["logits"] = graph.outputs[0]
    names = list(names)
    for name in names:
        if name == "logits" and name not in taps:
            raise UserError(
                f"{model.name} has {len(graph.outputs)} outputs: name the layer that gives its logits 'logits'."
            )
        if name not in taps:
            raise UnknownName(f"tap of {model.name}", name, list_taps(model))
        if LOGITS.fullmatch(name):
            taps[name] = take_logits(taps[name], network=model.name)
    return keras.Model(_structure(graph.inputs), {name: taps[name] for name in names}, name=f"{model.name}_taps")


def list_taps(model: keras.Model) -> list[str]:
    """List a network's taps, front to back; for a model that does not follow the convention, all layer names.

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
    names = list(layer_outputs(graph))
    conventional = [name for name in names if CONVENTION.fullmatch(name)]
    if "logits" not in names and len(graph.outputs) == 1:
        names.append("logits")
    return conventional if "logits" in conventional else names


def count_classes(model: keras.Model) -> int:
    """Return the number of classes of a network: the width of its logits."""
    classes = int(with_taps(model, ["logits"]).output["logits"].shape[-1])
    if classes < 2:
        raise UserError(f"{model.name} gives {classes} output; it must give one for each class, at least two.")
    return classes


def make_inference_model(model: keras.Model) -> keras.Model:
    """Return the part of a network that a device runs: signal to logits, without auxiliary classifiers.

    Args:
        model: built.

    Returns:
        The inference model, without a final softmax; the model itself where there is nothing to remove.

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
    """Unpack a single input: Keras warns when a model built with a list is called with a tensor."""
    return inputs[0] if len(inputs) == 1 else inputs
