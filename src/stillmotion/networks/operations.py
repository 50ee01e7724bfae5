"""Count the operations of each layer type by an exact formula; a type without a formula is an error.

Counted are multiply-adds and *elementary* operations: adding a bias, an activation, a product, a sum, a comparison or a
division each count 1 (a softmax 3 per element: exponential, sum, division). FLOPs are 2 × multiply-adds + elementary
operations. An LSTM has, per step and unit, four sums of products with a bias each, 5 activations and 4 products or
sums. Window features count as in ``features.cost``. Batch normalisation counts as the scale and shift of inference.
Moving values (reshape, concatenate, pad, slice) is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ..errors import UserError
from ..features.cost import feature_cost
from ..features.feature_set import FeatureSet
from .graph import Node


@dataclass(frozen=True)
class Operations:
    """Multiply-adds and elementary operations of one node for one window."""

    multiply_adds: int = 0
    elementary: int = 0

    @property
    def flops(self) -> int:
        """2 per multiply-add and 1 per elementary operation."""
        return 2 * self.multiply_adds + self.elementary


CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")


def count_operations(node: Node) -> Operations:
    """Count the operations of a node; raise ``UserError`` for a type without a formula."""
    if node.op not in RULES:
        raise UserError(
            f"Cannot count {node.name!r}: no formula for the layer type {node.op} (known: {', '.join(sorted(RULES))})."
        )
    return RULES[node.op](node)


def count_published_flops(node: Node) -> int:
    """Count the FLOPs of a node as Agac & Incel do: 2 per multiply-add of a convolution, and its biases."""
    if node.op not in CONVOLUTIONS:
        return 0
    return 2 * count_operations(node).multiply_adds + (node.size if node.attributes["use_bias"] else 0)


def _activated(node: Node, multiply_adds: int) -> Operations:
    """Add the bias and activation of a layer, if it has them, to its multiply-adds."""
    bias = node.size if node.attributes.get("use_bias") else 0
    return Operations(multiply_adds, bias + _activation(node.attributes.get("activation"), node.size))


def _activation(name: object, size: int) -> int:
    if name in (None, "linear"):
        return 0
    return (3 if name in ("softmax", "log_softmax") else 1) * size


def _convolution(node: Node) -> Operations:
    kernel = prod(node.attributes["kernel_size"])
    return _activated(node, node.size * kernel * node.input_shapes[0][-1] // node.attributes["groups"])


def _depthwise(node: Node) -> Operations:
    return _activated(node, node.size * prod(_each(node, "kernel_size")))


def _separable(node: Node) -> Operations:
    widened = node.input_shapes[0][-1] * node.attributes["depth_multiplier"]
    positions = prod(node.shape[:-1])
    return _activated(node, positions * widened * prod(node.attributes["kernel_size"]) + node.size * widened)


def _each(node: Node, key: str) -> tuple[int, ...]:
    value = node.attributes[key]
    return (value,) * (len(node.shape) - 1) if isinstance(value, int) else tuple(value)


def _dense(node: Node) -> Operations:
    return _activated(node, node.size * node.input_shapes[0][-1])


def _recurrent(node: Node, kind: str | None = None) -> Operations:
    """Count, per step, the products of input and state for each gate, and the element-wise operations."""
    kind, units = kind or node.op, node.attributes["units"]
    steps, features = node.input_shapes[0]
    if kind == "FastGRNN":  # One product for gate and candidate: two biases, two activations, six products or sums.
        return Operations(steps * units * (features + units), 10 * steps * units)
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
    after = kind == "GRU" and node.attributes["reset_after"]
    biases = gates * (2 if after else 1) * units if node.attributes["use_bias"] else 0
    inside = {"LSTM": 9, "GRU": 9 if after else 8, "SimpleRNN": 1}[kind] * units
    return Operations(steps * gates * units * (features + units), steps * (biases + inside))


def _bidirectional(node: Node) -> Operations:
    direction = _recurrent(node, node.attributes["layer"])
    merged = {"sum": 1, "mul": 1, "ave": 2}.get(str(node.attributes["merge_mode"]), 0) * node.size
    return Operations(2 * direction.multiply_adds, 2 * direction.elementary + merged)


def _pool(node: Node) -> Operations:
    window = prod(_each(node, "pool_size"))
    return Operations(0, node.size * (window if node.op.startswith("Average") else window - 1))


def _reduced(node: Node) -> Operations:
    """Count a reduction: a mean divides once per result; a sum, maximum or minimum does not."""
    inputs = prod(node.input_shapes[0])
    averages = node.op == "Mean" or "Average" in node.op
    return Operations(0, inputs if averages else inputs - node.size)


def _merged(node: Node) -> Operations:
    """Count layers that merge tensors, and operations of the same names, whose second operand may be a constant."""
    if node.op == "Average" and "axis" in node.attributes:
        return Operations(0, prod(node.input_shapes[0]))
    operands = len(node.inputs) + len(node.attributes.get("constants", ()))
    return Operations(0, node.size * (operands - 1 + (node.op == "Average")))


def _matmul(node: Node) -> Operations:
    if len(node.inputs) != 2:
        raise UserError(f"Cannot count {node.name!r}: a product with a constant has no formula; use a Dense layer.")
    return Operations(node.size * node.input_shapes[0][-1], 0)


def _dot(node: Node) -> Operations:
    if "axes" not in node.attributes:  # the operation, not the layer
        return _matmul(node)
    axes = node.attributes["axes"]
    axis = axes if isinstance(axes, int) else axes[0]
    shape = node.input_shapes[0]
    return Operations(
        node.size * shape[axis if axis < 0 else axis - 1], 2 * node.size if node.attributes["normalize"] else 0
    )


def _attention(node: Node) -> Operations:
    """Count multi-head attention: three projections, scores, softmax, weighted sum, output projection."""
    heads, key = node.attributes["num_heads"], node.attributes["key_dim"]
    value = node.attributes["value_dim"] or key
    (queries, query_width), (keys, key_width) = node.input_shapes[0], node.input_shapes[1]
    value_width = node.input_shapes[-1][1]
    projections = heads * (queries * query_width * key + keys * key_width * key + keys * value_width * value)
    mixing = heads * queries * keys * (key + value)
    output = queries * heads * value * node.shape[-1]
    biases = heads * (queries * key + keys * (key + value)) + node.size if node.attributes["use_bias"] else 0
    return Operations(projections + mixing + output, biases + heads * queries * (key + 3 * keys))


def _features(node: Node) -> Operations:
    cost = feature_cost(FeatureSet.from_dict(node.attributes["features"]))
    return Operations(cost.multiply_adds, cost.elementary)


def _per_element(count: int) -> Callable[[Node], Operations]:
    return lambda node: Operations(0, count * node.size)


def _free(node: Node) -> Operations:
    return Operations()


RULES: dict[str, Callable[[Node], Operations]] = {
    **dict.fromkeys(("Conv1D", "Conv2D"), _convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "Dense": _dense,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "FastGRNN"), _recurrent),
    "Bidirectional": _bidirectional,
    "MultiHeadAttention": _attention,
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), _pool),
    **dict.fromkeys(
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"), _reduced
    ),
    **dict.fromkeys(("Mean", "Sum", "Max", "Min", "Amax", "Amin"), _reduced),
    **dict.fromkeys(("BatchNormalization", "Normalization", "Rescaling"), _per_element(2)),
    "LayerNormalization": _per_element(7),
    "Activation": lambda node: Operations(0, _activation(node.attributes["activation"], node.size)),
    "Softmax": _per_element(3),
    **dict.fromkeys(("Average", "Add", "Subtract", "Multiply", "Maximum", "Minimum"), _merged),
    "WindowFeatures": _features,
    "Matmul": _matmul,
    "Dot": _dot,
}
_ELEMENTWISE = """ReLU LeakyReLU PReLU ELU Relu Relu6 LeakyRelu Elu Gelu Silu HardSigmoid HardSilu Sigmoid Tanh Exp Log
Sqrt Rsqrt Square Absolute Negative Reciprocal Divide TrueDivide Power Clip Softplus"""
_FREE = """InputLayer Identity Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout Reshape Flatten
Permute RepeatVector Concatenate ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D Transpose
Squeeze ConvertToTensor ExpandDims GetItem Stack Split Cast StopGradient BroadcastTo Pad Flip Swapaxes
Moveaxis Repeat Tile"""
RULES |= dict.fromkeys(_ELEMENTWISE.split(), _per_element(1)) | dict.fromkeys(_FREE.split(), _free)
