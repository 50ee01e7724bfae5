"""Estimate the peak activation memory of a network that runs one operation after another.

Each result is kept from the operation that computes it to the last one that reads it. Views (reshape, flatten,
identity, dropout) share their input's memory; an element-wise operation overwrites an input that is not read later, as
device runtimes do. A recurrent layer also holds its state and the gates of one step, window features hold a stream and
its order. Weights, code and stack are not included.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ..features.cost import feature_cost
from ..features.feature_set import FeatureSet
from .graph import Graph, Node

VIEWS = ("Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "Reshape", "Flatten", "Squeeze", "ExpandDims")
IN_PLACE = (
    *("Normalization", "BatchNormalization", "Activation", "ReLU", "Softmax", "Add", "Multiply", "Subtract"),
    *("Relu", "Relu6", "Sigmoid", "Tanh", "Maximum", "Minimum", "Average", "Clip"),
)


def peak_activations(graph: Graph, width: Callable[[Node], int] = lambda node: 1) -> int:
    """Return the most that is held at once, for one window, in the graph's order.

    Args:
        graph: the network.
        width: bytes of each value of a node's results; by default values are counted.
    """
    buffer: dict[str, int] = {}  # tensor → its buffer
    size: dict[int, int] = {}
    last = {name: place for place, node in enumerate(graph.nodes) for name in node.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    peak = 0
    for place, node in enumerate(graph.nodes):
        for result, shape in enumerate(node.shapes):
            name = node.name if result == 0 else f"{node.name}:{result}"
            buffer[name] = _reused(node, place, buffer, last, size) if result == 0 else len(size)
            size[buffer[name]] = max(size.get(buffer[name], 0), width(node) * prod(shape))
        alive = {memory for name, memory in buffer.items() if last.get(name, place) >= place}
        peak = max(peak, sum(size[memory] for memory in alive) + width(node) * _scratch(node))
    return peak


def _reused(node: Node, place: int, buffer: dict[str, int], last: dict[str, int], size: dict[int, int]) -> int:
    """Return the buffer of the first result: that of an input that may be overwritten, or a new one."""
    if node.op in VIEWS:
        return buffer[node.inputs[0]]
    if node.op in IN_PLACE:
        for name, shape in zip(node.inputs, node.input_shapes, strict=True):
            shared = [other for other, memory in buffer.items() if memory == buffer[name]]
            if shape == node.shape and all(last.get(other, -1) <= place for other in shared):
                return buffer[name]
    return len(size)


def _scratch(node: Node) -> int:
    """Count the values of state and gates of recurrent layers, and those that features are computed from."""
    if node.op == "WindowFeatures":
        return feature_cost(FeatureSet.from_dict(node.attributes["features"])).scratch
    kind = node.attributes.get("layer", node.op)
    per_unit = {"LSTM": 6, "GRU": 7, "SimpleRNN": 2, "FastGRNN": 2}.get(str(kind), 0)
    return per_unit * int(node.attributes["units"]) if per_unit else 0
