"""Read the graph of a Keras model node by node, as a program of float32 blocks.

Batch normalisation folds into the convolution before it, and so do activations that only limit values; dropout and
identities vanish; a reshape is another view of the same memory. A layer without a C form is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any, NoReturn

import numpy as np

from ..errors import UserError
from ..networks.graph import Graph, Node
from .arithmetic import LARGEST, float_tensor
from .convolution import Convolve
from .elementwise import Map
from .float_block import FloatBlock
from .merging import Merge
from .normalising import Normalise
from .program import SIGNAL, Program, Step
from .softmax import Softmax

#: Operations that leave every value where it is.
VIEWS = (
    *("InputLayer", "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    *("Reshape", "Flatten", "Squeeze", "ExpandDims", "ActivityRegularization"),
)
#: What reads the signal itself.
TAKE_SIGNAL = ("Normalization", "WindowFeatures")
#: What to use instead of layers that a device cannot run.
INSTEAD = {
    "Lambda": "a Lambda holds Python code and is never executed; use layers or keras.ops",
    "LayerNormalization": "use BatchNormalization, which costs a device nothing",
    "GroupNormalization": "use BatchNormalization, which costs a device nothing",
    "MultiHeadAttention": "use CBAM attention or a recurrent layer",
    "SimpleRNN": "use GRU or FastGRNN",
    "EinsumDense": "use Dense",
    "Conv1DTranspose": "use Conv1D",
    "ConvLSTM1D": "use Conv1D and LSTM",
}
#: The kind and settings of activations by their names in Keras.
NAMED: dict[str, tuple[str, tuple[float, ...]]] = {
    "linear": ("linear", ()),
    "relu": ("clamp", (0.0, LARGEST)),
    "relu6": ("clamp", (0.0, 6.0)),
    "hard_tanh": ("clamp", (-1.0, 1.0)),
    "sigmoid": ("sigmoid", ()),
    "tanh": ("tanh", ()),
    "silu": ("silu", ()),
    "swish": ("silu", ()),
    "hard_sigmoid": ("hard_sigmoid", ()),
    "hard_silu": ("hard_silu", ()),
    "hard_swish": ("hard_silu", ()),
    "elu": ("elu", (1.0,)),
    "leaky_relu": ("leaky_relu", (0.2,)),
    "softmax": ("softmax", ()),
}
Rule = Callable[["Reader", Node], str]
#: How a refusal names generated C.
AS_C = "on a device as C"
#: How each type of layer or operation becomes blocks; the files of rules fill it.
RULES: dict[str, Rule] = {}


class Reader:
    """Read a graph node by node.

    Args:
        graph: of the model.
        more: rules that replace those of the C, or add to them.
        form: how refusals name what is written.
    """

    def __init__(self, graph: Graph, *, more: Mapping[str, Rule] | None = None, form: str = AS_C) -> None:
        self.graph, self.form = graph, form
        self.rules = RULES | dict(more or {})
        self.steps: dict[str, Step] = {}
        #: The tensor of the program that holds each tensor of the graph, and the last node that is part of its block.
        self.at: dict[str, str] = {}
        self.owner: dict[str, str] = {}
        self._consumers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self._consumers.setdefault(name, []).append(node)

    def read(self) -> Program:
        """Return the program."""
        for node in self.graph.nodes:
            if node.op == "InputLayer":
                self.at[node.name] = SIGNAL
            elif _is_view(node):
                self.at[node.name] = self.at[node.inputs[0]]
            elif node.op in self.rules:
                self._normalise(node)
                self.at[node.name] = self.rules[node.op](self, node)
                self.owner[self.at[node.name]] = node.name
            else:
                self.refuse(node)
        signal = float_tensor(self.graph[self.graph.inputs[0]].shape)
        return Program(tuple(self.steps.values()), signal, self.at[self.graph.outputs[0]])

    def _normalise(self, node: Node) -> None:
        """Put a normaliser that changes nothing before a node that reads the signal itself: it takes raw counts."""
        if node.op in TAKE_SIGNAL or all(self.at[name] != SIGNAL for name in node.inputs):
            return
        name = self.name("normaliser")
        shape = self.graph[self.graph.inputs[0]].shape
        given = float_tensor(shape)
        nothing = {"mean": np.zeros(shape[-1]), "std": np.ones(shape[-1])}
        self.add(Normalise(name=name, inputs=(given,), output=given, **nothing), SIGNAL)
        self.at |= {each: name for each, tensor in self.at.items() if tensor == SIGNAL and each in node.inputs}

    def refuse(self, node: Node, why: str = "") -> NoReturn:
        """Raise ``UserError`` for a node without a C form."""
        kind = node.op.rpartition(".")[2]
        instead = why or INSTEAD.get(kind, "use convolutions, Dense, pooling, LSTM, GRU or FastGRNN")
        raise UserError(f"{node.name} ({kind}) cannot run {self.form}: {instead}.")

    def uses(self, name: str) -> int:
        """Count what reads a tensor of the graph, through views."""
        count = int(name in self.graph.outputs)
        for node in self._consumers.get(name, []):
            count += self.uses(node.name) if _is_view(node) else 1
        return count

    def alone(self, node: Node) -> Step | None:
        """Return the step that computes a node's input, where nothing else reads it."""
        tensor = self.at[node.inputs[0]]
        step = self.steps.get(tensor)
        return step if step is not None and self.uses(self.owner[tensor]) == 1 else None

    def name(self, text: str) -> str:
        """Return a new C name after a layer's."""
        base = re.sub(r"\W+", "_", text.replace("#", "_"), flags=re.ASCII).strip("_").lower() or "block"
        base = f"l{base}" if base[0].isdigit() else base
        taken, number, name = {*self.steps, SIGNAL}, 2, base
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        return name

    def add(self, block: FloatBlock, *inputs: str) -> str:
        """Add a step that reads tensors of the program, and return its tensor."""
        self.steps[block.name] = Step(block, inputs)
        return block.name

    def change(self, tensor: str, block: FloatBlock) -> str:
        """Put another block of the same name in the place of a tensor's, and return the tensor."""
        self.steps[tensor] = replace(self.steps[tensor], block=block)
        return tensor

    def activate(self, tensor: str, activation: Any, node: Node) -> str:
        """Apply an activation, by its name in Keras, to a tensor that the node itself computes."""
        kind, settings = self.activation(activation, node)
        return self.apply(tensor, kind, settings, node, alone=True)

    def apply(self, tensor: str, kind: str, settings: tuple[float, ...], node: Node, *, alone: bool) -> str:
        """Apply an activation to a tensor.

        Args:
            tensor: of the program.
            kind: of ``ACTIVATIONS``, or ``linear`` or ``softmax``.
            settings: its numbers.
            node: whose activation it is.
            alone: whether nothing else reads the tensor, so that limits may become part of its block.
        """
        if kind == "linear":
            return tensor
        if kind == "softmax":
            return self.softmax(tensor, node, len(node.shape) - 1)
        step = self.steps.get(tensor)
        if kind == "clamp" and alone and step is not None and (block := _limited(step.block, *settings)):
            self.steps[tensor] = replace(step, block=block)
            return tensor
        given = float_tensor(node.shape)
        name = self.name(node.name)
        return self.add(Map(name=name, inputs=(given,), output=given, activation=kind, settings=settings), tensor)

    def softmax(self, tensor: str, node: Node, axis: int) -> str:
        """Apply a softmax along an axis, counted without that of windows."""
        given, shape = float_tensor(node.shape), node.shape
        axes = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        return self.add(Softmax(name=self.name(node.name), inputs=(given,), output=given, axes=axes), tensor)

    def activation(self, activation: Any, node: Node) -> tuple[str, tuple[float, ...]]:
        """Return the kind and the settings of an activation by its name in Keras."""
        if isinstance(activation, str) and activation in NAMED:
            return NAMED[activation]
        shown = activation if isinstance(activation, str) else "of one's own"
        valid = ", ".join(sorted(NAMED))
        return self.refuse(node, f"its activation {shown} has no such form; use one of {valid}")


def _is_view(node: Node) -> bool:
    return node.op in VIEWS or (node.op == "Activation" and node.attributes["activation"] == "linear")


def _limited(block: Any, low: float, high: float) -> FloatBlock | None:
    """Return a convolution or sum with these limits, or None where a block has none or has others already."""
    if isinstance(block, Convolve | Merge) and block.low == -LARGEST and block.high == LARGEST:
        return replace(block, low=low, high=high)
    return None
