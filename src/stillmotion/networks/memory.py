"""Peak activation memory of a network run one operation after another.

Every result lives from the operation that makes it to the last that reads it. Views (reshape, flatten, identity,
dropout) share their input's memory; an element-wise operation writes over an input that nobody reads later, as device
runtimes do. A recurrent layer also holds its state and one step's gates. Weights are not in it, nor code or stack.
"""

from __future__ import annotations

from math import prod

from .graph import Graph, Node

VIEWS = ("Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "Reshape", "Flatten", "Squeeze", "ExpandDims")
IN_PLACE = (
    *("Normalization", "BatchNormalization", "Activation", "ReLU", "Softmax", "Add", "Multiply", "Subtract"),
    *("Relu", "Relu6", "Sigmoid", "Tanh", "Maximum", "Minimum", "Average"),
)


def peak_activations(graph: Graph) -> int:
    """Largest number of values held at once, for one window, in the graph's order."""
    buffer: dict[str, int] = {}  # tensor → the memory it lies in
    size: dict[int, int] = {}
    last = {name: place for place, node in enumerate(graph.nodes) for name in node.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    peak = 0
    for place, node in enumerate(graph.nodes):
        for result, shape in enumerate(node.shapes):
            name = node.name if result == 0 else f"{node.name}:{result}"
            buffer[name] = _reused(node, place, buffer, last, size) if result == 0 else len(size)
            size[buffer[name]] = max(size.get(buffer[name], 0), prod(shape))
        alive = {memory for name, memory in buffer.items() if last.get(name, place) >= place}
        peak = max(peak, sum(size[memory] for memory in alive) + _scratch(node))
    return peak


def _reused(node: Node, place: int, buffer: dict[str, int], last: dict[str, int], size: dict[int, int]) -> int:
    """The memory of the first result: an input's where that is free to take, else new."""
    if node.op in VIEWS:
        return buffer[node.inputs[0]]
    if node.op in IN_PLACE:
        for name, shape in zip(node.inputs, node.input_shapes, strict=True):
            shared = [other for other, memory in buffer.items() if memory == buffer[name]]
            if shape == node.shape and all(last.get(other, -1) <= place for other in shared):
                return buffer[name]
    return len(size)


def _scratch(node: Node) -> int:
    """State and gates of recurrent layers, in numbers."""
    kind = node.attributes.get("layer", node.op)
    numbers = {"LSTM": 6, "GRU": 7, "SimpleRNN": 2}.get(str(kind), 0)
    return numbers * int(node.attributes["units"]) if numbers else 0
