"""Read a Keras model as a simple graph: operations, shapes, attributes, weights.

Cost and exporters work on this graph, so that they do not depend on Keras' internals. Nested models are expanded; a
bidirectional wrapper stays one node with the weights of both directions; operations of ``keras.ops`` are nodes like
layers. Shapes have no batch axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .trace import Call, name_calls, trace_model

Size = tuple[int, ...]

#: Settings of a layer that do not affect what it computes.
NOT_ATTRIBUTES = ("name", "trainable", "dtype", "batch_shape", "sparse", "ragged", "optional", "seed", "autocast")

#: Packages whose operations go by their bare name.
OWN = ("keras", "stillmotion")


@dataclass(frozen=True, eq=False)
class Weight:
    """A weight of a node.

    Args:
        name: its name in the layer (``kernel``, ``recurrent_kernel``, ``bias``, ``gamma`` …); in a bidirectional node
            after the direction and a slash.
        shape: its shape.
        learnt: False for statistics of the data (of a batch normalisation or a normaliser).
        variable: the Keras variable itself; two nodes that share a layer share it.
    """

    name: str
    shape: Size
    learnt: bool
    variable: Any

    @property
    def size(self) -> int:
        """Number of its elements."""
        return int(np.prod(self.shape))

    def values(self) -> NDArray[Any]:
        """Return its current values."""
        return np.asarray(self.variable)


@dataclass(frozen=True, eq=False)
class Node:
    """One call of an operation.

    Args:
        name: its name, unique in the graph; a layer called again gets ``#2``, ``#3`` …
        op: name of the class (``Conv2D``, ``LSTM``, ``Mean`` …); with its module where it is a user's own.
        inputs: names of its input tensors: a node's name, or ``name:1`` for a second result.
        input_shapes: shapes of the inputs.
        shapes: shapes of its results, usually one.
        attributes: settings that affect the computation: strides, padding, activation, axis …
        weights: its weights, in the order of the layer.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Size, ...]
    shapes: tuple[Size, ...]
    attributes: Mapping[str, Any]
    weights: tuple[Weight, ...]

    @property
    def shape(self) -> Size:
        """Shape of its first result."""
        return self.shapes[0]

    @property
    def size(self) -> int:
        """Number of elements of its first result."""
        return int(np.prod(self.shapes[0]))


@dataclass(frozen=True, eq=False)
class Graph:
    """The nodes of a model in an executable order, and the names of its inputs and outputs."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)


def read_graph(model: keras.Model) -> Graph:
    """Read a built model as a graph: operations, shapes, attributes, weights.

    Args:
        model: built; nested models are expanded.

    Returns:
        The graph, its nodes in an executable order.

    Raises:
        UserError: the window has no fixed size, or the model's ``call`` does more than layers and ``keras.ops``.

    Example:
        >>> import keras
        >>> from stillmotion.networks import read_graph
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(4, name="logits")])
        >>> node = read_graph(model)["logits"]
        >>> node.op, node.input_shapes, node.shape, [weight.name for weight in node.weights]
        ('Dense', ((10,),), (4,), ['kernel', 'bias'])
    """
    trace = trace_model(model)
    for tensor in trace.inputs:
        if None in tensor.shape[1:]:
            raise UserError(
                f"{model.name} takes windows of any size {tuple(tensor.shape)}; build it with a fixed one, such as "
                f"keras.Input((100, 6))."
            )
    names: dict[int, str] = {}
    nodes = []
    for name, call in zip(name_calls(trace), trace.calls, strict=True):
        for place, tensor in enumerate(call.outputs):
            names[id(tensor)] = name if place == 0 else f"{name}:{place}"
        nodes.append(_node(name, call, tuple(names[id(tensor)] for tensor in call.inputs)))
    return Graph(
        name=model.name,
        inputs=tuple(names[id(tensor)] for tensor in trace.inputs),
        outputs=tuple(names[id(tensor)] for tensor in trace.outputs),
        nodes=tuple(nodes),
    )


def _node(name: str, call: Call, inputs: tuple[str, ...]) -> Node:
    operation = call.operation
    kind = type(operation)
    return Node(
        name=name,
        op=kind.__name__ if kind.__module__.split(".")[0] in OWN else f"{kind.__module__}.{kind.__name__}",
        inputs=inputs,
        input_shapes=tuple(_size(tensor) for tensor in call.inputs),
        shapes=tuple(_size(tensor) for tensor in call.outputs),
        attributes=_layer_attributes(operation) if isinstance(operation, keras.layers.Layer) else _arguments(call),
        weights=tuple(list_weights(operation)) if isinstance(operation, keras.layers.Layer) else (),
    )


def _size(tensor: Any) -> Size:
    return tuple(int(length) for length in tensor.shape[1:])


def _layer_attributes(layer: Any) -> dict[str, Any]:
    if isinstance(layer, keras.layers.Bidirectional):
        inner = {"layer": type(layer.forward_layer).__name__, **_layer_attributes(layer.forward_layer)}
        return {"merge_mode": layer.merge_mode, **inner}
    dropped = ("_initializer", "_regularizer", "_constraint")
    return {
        key: value
        for key, value in layer.get_config().items()
        if key not in NOT_ATTRIBUTES and not key.endswith(dropped)
    }


def _arguments(call: Call) -> dict[str, Any]:
    """Return the settings of an operation of ``keras.ops``, and its positional constants."""
    settings = {key: value for key, value in vars(call.operation).items() if not key.startswith("_") and key != "name"}
    args, kwargs = call.arguments
    tensors = {id(tensor) for tensor in call.inputs}
    named = {key: value for key, value in kwargs.items() if id(value) not in tensors}
    if type(call.operation).__name__ == "GetItem":
        key = args[1] if len(args) > 1 else kwargs["key"]
        return {"key": tuple(key) if isinstance(key, list) else key}  # a saved model gives a list
    constants = tuple(value for value in args if id(value) not in tensors and not isinstance(value, (list, tuple)))
    return {**settings, **named, **({"constants": constants} if constants else {})}


def list_weights(layer: Any) -> list[Weight]:
    """Return the weights of a layer, as those of its nodes."""
    if isinstance(layer, keras.layers.Bidirectional):
        directions = (("forward", layer.forward_layer), ("backward", layer.backward_layer))
        return [
            Weight(f"{direction}/{weight.name}", weight.shape, weight.learnt, weight.variable)
            for direction, part in directions
            for weight in list_weights(part)
        ]
    data = isinstance(layer, keras.layers.Normalization)
    return [
        Weight(variable.name, tuple(variable.shape), not (data or variable.name.startswith("moving_")), variable)
        for variable in layer.weights
    ]
