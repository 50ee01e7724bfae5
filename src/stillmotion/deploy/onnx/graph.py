"""Build an ONNX graph: nodes, constants that are stored once, shapes that are views of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from ..arithmetic import LARGEST

Array = NDArray[Any]


class GraphBuilder:
    """Collect nodes and constants.

    Args:
        scope: prefix of the names of what is added next; that of a body differs from those around it.
    """

    def __init__(self, scope: str = "") -> None:
        self.scope = self._own = scope
        self.nodes: list[NodeProto] = []
        #: Shape of a tensor without its axis of windows, where a block asked for it.
        self.shapes: dict[str, tuple[int, ...]] = {}
        #: Maps with channels first, by the name of the same map with channels last.
        self.planes: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], tuple[str, Array]] = {}
        self._views: dict[tuple[str, tuple[int, ...]], str] = {}

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Return the name of a constant."""
        array = np.ascontiguousarray(np.asarray(values, dtype))
        key = array.dtype.str, np.shape(values), array.tobytes()
        if key not in self._constants:
            self._constants[key] = f"{self._own}constant_{len(self._constants)}", array.reshape(np.shape(values))
        return self._constants[key][0]

    def whole(self, *values: int) -> str:
        """Return the name of a constant list of whole numbers, such as axes."""
        return self.constant(list(values), np.int64)

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one result and return its name."""
        return self.add_many(op, inputs, 1, domain=domain, **attributes)[0]

    def add_many(self, op: str, inputs: Sequence[str], count: int, *, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several results and return their names."""
        name = f"{self.scope}{op}_{len(self.nodes)}"
        outputs = [f"{name}:{place}" if place else name for place in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=name, domain=domain, **attributes))
        return outputs

    def shaped(self, name: str, shape: tuple[int, ...]) -> str:
        """Return a tensor as another view of the same values."""
        if self.shapes.get(name) == shape:
            return name
        if (name, shape) not in self._views:
            self._views[name, shape] = self.add("Reshape", name, self.whole(-1, *shape))
            self.shapes[self._views[name, shape]] = shape
        return self._views[name, shape]

    def clip(self, x: str, low: float, high: float) -> str:
        """Limit values; limits of the largest float32 are none."""
        if (low, high) == (-LARGEST, LARGEST):
            return x
        if (low, high) == (0.0, LARGEST):
            return self.add("Relu", x)
        return self.add("Clip", x, self.constant(low), self.constant(high))

    def build(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> GraphProto:
        """Return the graph of all nodes that its outputs follow from."""
        wanted, kept = {each.name for each in outputs}, []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                kept.append(node)
                wanted |= set(node.input) | _captured(node)
        constants = [numpy_helper.from_array(array, key) for key, array in self._constants.values() if key in wanted]
        return helper.make_graph(kept[::-1], name, list(inputs), list(outputs), constants)


def _captured(node: NodeProto) -> set[str]:
    """Return what the bodies of a node read from outside."""
    bodies = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
    return {name for body in bodies for inner in body.node for name in inner.input}


def finish_model(graph: GraphProto) -> ModelProto:
    """Return a model of the versions that runtimes from ONNX Runtime 1.14 on read."""
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8, producer_name="stillmotion")
