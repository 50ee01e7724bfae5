"""How each block of a program becomes operators of LiteRT, in float32 and in int8.

int8 keeps scales, zero points and weights, so that an interpreter with TensorFlow Lite's reference arithmetic computes
the integers of our C. What is beyond that specification is composed of operators that have one result: the normaliser
of raw counts is a depthwise convolution of 16 bits, a table of an activation a ``GATHER``, a sum over an axis a
depthwise convolution with weights of 1, a part of a concatenation of another scale its sum with zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..arithmetic import LARGEST, activation_limits
from ..blocks import Block, Tensor
from ..convolution import Convolve, ConvolveInt8
from ..elementwise import Map, MapInt8
from ..geometry import Geometry
from ..merging import Concatenate, ConcatenateInt8, Merge, MergeInt8
from ..moving import Move
from ..normalising import Normalise, NormaliseCounts
from ..pooling import Pool, PoolInt8
from ..softmax import Softmax
from .graph import Graph, Place, strides_of
from .schema import ACTIVATIONS, PADDINGS, TYPES, Value, integers

Writer = Callable[[Graph, Any, list[Place]], Place]
#: How each type of block is written.
WRITERS: dict[type[Block], Writer] = {}
Written = TypeVar("Written", bound=Writer)
#: Limits that an operator can have of its own.
LIMITS = {"relu": (0.0, LARGEST), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
#: Why blocks cannot be written, by a part of their type's name.
REASONS = {
    "Recur": "LiteRT has no GRU and no FastGRNN, and its LSTM keeps its state from one window to the next",
    "SoftmaxInt8": "its int8 softmax has steps of 1/256, too coarse inside a network",
    "Features": "LiteRT has no operators for window features",
    "Forest": "LiteRT has no operators for trees",
}


def write_block(graph: Graph, block: Block, inputs: list[Place]) -> Place:
    """Write a block's operators and return its output.

    Raises:
        UserError: LiteRT cannot hold it; the message names the layer.
    """
    writer = WRITERS.get(type(block))
    if writer is None:
        kind = type(block).__name__
        reason = next((text for part, text in REASONS.items() if part in kind), f"it has no operators for {kind}")
        raise UserError(f"{block.name} cannot be written as LiteRT: {reason}; export the model with --to c.")
    return writer(graph, block, inputs)


def writes(*kinds: type[Block]) -> Callable[[Written], Written]:
    """Register a function as the writer of blocks."""

    def register(function: Written) -> Written:
        WRITERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def _constant(graph: Graph, block: Block, part: str, values: NDArray[Any], **quantised: Any) -> int:
    return graph.constant(f"{block.name}_{part}", values, **quantised)


def _limit(block: Any, output: Tensor) -> tuple[str, tuple[float, float] | None]:
    """Return the activation that limits an output, and its limits where no operator has them as its own."""
    if output.dtype == "float32":
        limits, open_ends = (block.low, block.high), (-LARGEST, LARGEST)
        known: dict[str, tuple[float, float]] = LIMITS
    else:
        limits, open_ends = block.limits, (-128, 127)
        known = {name: activation_limits(output, *ends) for name, ends in LIMITS.items()}
    if limits == open_ends:
        return "none", None
    for name, ends in known.items():
        if limits == ends:
            return name, None
    return "none", limits


def _limited(graph: Graph, block: Block, given: Place, limits: tuple[float, float] | None) -> Place:
    """Limit values to a range by operators of their own."""
    if limits is None:
        return given
    tensor = given.tensor
    kept = {} if tensor.dtype == "float32" else {"scales": tensor.step, "zero_point": tensor.zero_point}
    for operator, end in zip(("MAXIMUM", "MINIMUM"), limits, strict=True):
        if abs(end) < LARGEST:
            bound = _constant(graph, block, operator.lower(), np.array([end], tensor.dtype), **kept)
            given = graph.add(
                operator, [given.number, bound], graph.place(f"{block.name}_{operator.lower()}ed", tensor)
            )
    return given


def _padding(geometry: Geometry) -> str:
    """Return the padding that places a kernel as a geometry does, empty if neither kind does."""
    for padding in PADDINGS:
        placed = Geometry.of(
            geometry.size, geometry.kernel, strides=geometry.strides, dilation=geometry.dilation, padding=padding
        )
        if placed == geometry:
            return padding
    return ""


def _padded(graph: Graph, block: Block, geometry: Geometry, given: Place) -> tuple[Place, str]:
    """Return the map that a kernel lies on and its padding; where LiteRT has none such, the map is padded first."""
    padding = _padding(geometry)
    if padding:
        return given, padding
    margins = [(0, 0), *zip(geometry.margin, geometry.margin_after, strict=True), (0, 0)]
    sizes = (length + sum(margin) for length, margin in zip((1, *given.shape), margins, strict=True))
    wider = replace(given.tensor, shape=tuple(sizes)[1:])
    pads = _constant(graph, block, "margins", np.array(margins, np.int32))
    return graph.add("PAD", [given.number, pads], graph.place(f"{block.name}_padded", wider)), "valid"


def _convolve(
    graph: Graph,
    block: Block,
    given: Place,
    geometry: Geometry,
    output: Tensor,
    kernel: NDArray[Any],
    bias: NDArray[Any],
    activation: str = "none",
    scales: NDArray[np.float64] | None = None,
) -> Place:
    """Add a convolution, depthwise if each group has one channel.

    Args:
        graph: to which it is added.
        block: whose it is.
        given: the map.
        geometry: where the kernel lies.
        output: its tensor, of shape (rows, columns, filters).
        kernel: (rows, columns, channels of a group, filters).
        bias: (filters,).
        activation: of ``ACTIVATIONS``.
        scales: of integer weights, for each filter.
    """
    group, filters = kernel.shape[2:]
    channels = given.shape[-1]
    given, padding = _padded(graph, block, geometry, given)
    depthwise = group == 1 and channels > 1 and filters % channels == 0
    stored = kernel[None, :, :, 0] if depthwise else np.moveaxis(kernel, -1, 0)
    kept: dict[str, Any] = {}
    kept_bias: dict[str, Any] = {}
    if scales is not None:
        kept = {"scales": scales, "axis": 3 if depthwise else 0}
        kept_bias = {"scales": scales * given.tensor.step}
    inputs = [
        given.number,
        _constant(graph, block, "kernel", stored, **kept),
        _constant(graph, block, "bias", bias, **kept_bias),
    ]
    numbers: list[Value] = [np.int8(PADDINGS[padding]), *map(np.int32, reversed(geometry.strides))]
    numbers += [np.int32(filters // channels)] if depthwise else []
    numbers += [np.int8(ACTIVATIONS[activation]), *map(np.int32, reversed(geometry.dilation))]
    operator = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    return graph.add(operator, inputs, graph.place(block.name, output), dict(enumerate(numbers)))


@writes(Convolve, ConvolveInt8)
def _convolution(graph: Graph, block: Convolve | ConvolveInt8, inputs: list[Place]) -> Place:
    geometry, filters = block.geometry, block.kernel.shape[3]
    given = graph.seen(inputs[0], (*geometry.size, block.kernel.shape[2] * block.groups))
    output = replace(block.output, shape=(*geometry.positions, filters))
    activation, limits = _limit(block, output)
    if isinstance(block, Convolve):
        kernel: NDArray[Any] = block.kernel.astype(np.float32)
        bias: NDArray[Any] = block.bias.astype(np.float32)
        scales = None
    else:
        kernel, bias, scales = block.kernel, block.bias, block.scales
    made = _convolve(graph, block, given, geometry, output, kernel, bias, activation, scales)
    return _limited(graph, block, made, limits)


@writes(Normalise)
def _normalise(graph: Graph, block: Normalise, inputs: list[Place]) -> Place:
    given = graph.seen(inputs[0], block.input.shape)
    for operator, part in (("SUB", "mean"), ("MUL", "factor")):
        values = next(each.array for each in block.constants if each.name == part)
        made = graph.place(block.name if part == "factor" else f"{block.name}_centred", block.output)
        given = graph.add(operator, [given.number, _constant(graph, block, part, values)], made, {0: np.int8(0)})
    return given


@writes(NormaliseCounts)
def _normalise_counts(graph: Graph, block: NormaliseCounts, inputs: list[Place]) -> Place:
    """Subtract centres and multiply by factors with a shift, as a 16-bit convolution does, then narrow to int8."""
    *rows, channels = block.output.shape
    geometry = Geometry.of((prod(rows), 1), (1, 1))
    given = graph.seen(inputs[0], (prod(rows), 1, channels))
    step = block.output.step
    wide = Tensor(given.shape, "int16", step)
    scales = block.factor * 2.0 ** -block.shift.astype(np.float64) * step
    ones = np.ones((1, 1, 1, channels), np.int8)
    centred = _convolve(graph, block, given, geometry, wide, ones, -block.centre.astype(np.int64), "none", scales)
    narrow = graph.place(f"{block.name}_int8", replace(block.output, shape=given.shape))
    return graph.add("QUANTIZE", [centred.number], narrow)


@writes(Pool, PoolInt8)
def _pool(graph: Graph, block: Pool | PoolInt8, inputs: list[Place]) -> Place:
    geometry, channels = block.geometry, block.channels
    given = graph.seen(inputs[0], (*geometry.size, channels))
    output = replace(block.output, shape=(*geometry.positions, channels))
    if block.mode == "sum":
        integers_ = output.dtype == "int8"
        ones = np.ones((*geometry.kernel, 1, channels), np.int8 if integers_ else np.float32)
        zeros = np.zeros(channels, np.int32 if integers_ else np.float32)
        scales = np.ones(channels) if integers_ else None
        return _convolve(graph, block, given, geometry, output, ones, zeros, "none", scales)
    padding = _padding(geometry)
    if not padding:
        raise UserError(f"{block.name} cannot be written as LiteRT: its pooling leaves the map in a way of its own.")
    operator = "MAX_POOL_2D" if block.mode == "max" else "AVERAGE_POOL_2D"
    numbers: list[Value] = [np.int8(PADDINGS[padding])]
    numbers += [np.int32(each) for pair in (geometry.strides, geometry.kernel) for each in reversed(pair)]
    options = dict(enumerate([*numbers, np.int8(0)]))
    return graph.add(operator, [given.number], graph.place(block.name, output), options)


@writes(Merge, MergeInt8)
def _merge(graph: Graph, block: Merge | MergeInt8, inputs: list[Place]) -> Place:
    first, second = inputs
    output = block.output
    if first.shape == second.shape and first.tensor.size == output.size:
        output = replace(output, shape=first.shape)
    else:
        first, second = (graph.seen(each, own.shape) for each, own in zip(inputs, block.inputs, strict=True))
    activation, limits = _limit(block, output)
    operator = "ADD" if block.operator == "add" else "MUL"
    options = {0: np.int8(ACTIVATIONS[activation])}
    made = graph.add(operator, [first.number, second.number], graph.place(block.name, output), options)
    return _limited(graph, block, made, limits)


@writes(Concatenate, ConcatenateInt8)
def _concatenate(graph: Graph, block: Concatenate | ConcatenateInt8, inputs: list[Place]) -> Place:
    parts = []
    for number, (each, own) in enumerate(zip(inputs, block.inputs, strict=True)):
        part, scale = graph.seen(each, own.shape), (block.output.scale, block.output.zero_point)
        if (own.scale, own.zero_point) != scale:
            zero = np.full(1, own.zero_point, np.int8)
            nothing = _constant(graph, block, f"zero{number}", zero, scales=own.step, zero_point=own.zero_point)
            made = graph.place(f"{block.name}_part{number}", replace(block.output, shape=own.shape))
            part = graph.add("ADD", [part.number, nothing], made, {0: np.int8(0)})
        parts.append(part.number)
    options = {0: np.int32(block.axis + 1), 1: np.int8(0)}
    return graph.add("CONCATENATION", parts, graph.place(block.name, block.output), options)


@writes(Move)
def _move(graph: Graph, block: Move, inputs: list[Place]) -> Place:
    """Transpose, or where values are left out gather them one by one."""
    shape, output = block.input.shape, block.output
    strides = strides_of(shape)
    order = [int(axis) for step in block.steps for axis in np.flatnonzero(strides == step)[:1]]
    moved = tuple(shape[axis] for axis in order)
    if not block.offset and sorted(order) == list(range(len(shape))) and moved == block.lengths:
        given = graph.seen(inputs[0], shape)
        axes = _constant(graph, block, "axes", integers([0, *(axis + 1 for axis in order)]))
        made = graph.place(block.name, replace(output, shape=moved))
        return graph.add("TRANSPOSE", [given.number, axes], made)
    given = graph.seen(inputs[0], (block.input.size,))
    places = block.run(np.arange(block.input.size)[None])[0]
    chosen = _constant(graph, block, "places", places.astype(np.int32))
    options = {0: np.int32(1), 1: np.int32(0)}
    return graph.add("GATHER", [given.number, chosen], graph.place(block.name, output), options)


@writes(Softmax)
def _softmax(graph: Graph, block: Softmax, inputs: list[Place]) -> Place:
    """Softmax is along the last axis: another one is moved there and back."""
    before, length, after = block.axes
    given = graph.seen(inputs[0], (before, length, after) if after > 1 else (before, length))
    turn = integers([0, 1, 3, 2])
    if after > 1:
        given = _turn(graph, block, given, turn, "turned")
    made = graph.add("SOFTMAX", [given.number], graph.place(block.name, given.tensor), {0: np.float32(1)})
    return _turn(graph, block, made, turn, "back") if after > 1 else made


def _turn(graph: Graph, block: Block, given: Place, axes: NDArray[np.int32], name: str) -> Place:
    shape = tuple(given.shape[axis - 1] for axis in axes[1:])
    made = graph.place(f"{block.name}_{name}", replace(given.tensor, shape=shape))
    return graph.add("TRANSPOSE", [given.number, _constant(graph, block, f"{name}_axes", axes)], made)


@writes(MapInt8)
def _map_int8(graph: Graph, block: MapInt8, inputs: list[Place]) -> Place:
    """Look the table up at the integer plus 128."""
    given = inputs[0]
    places = Tensor(given.shape, "int32")
    kinds = {0: np.int8(TYPES["int8"]), 1: np.int8(TYPES["int32"])}
    wide = graph.add("CAST", [given.number], graph.place(f"{block.name}_wide", places), kinds)
    offset = _constant(graph, block, "offset", np.array([128], np.int32))
    place = graph.add("ADD", [wide.number, offset], graph.place(f"{block.name}_place", places), {0: np.int8(0)})
    output = replace(block.output, shape=given.shape)
    kept = {"scales": output.step, "zero_point": output.zero_point}
    table = _constant(graph, block, "table", block.table, **kept)
    options = {0: np.int32(0), 1: np.int32(0)}
    return graph.add("GATHER", [table, place.number], graph.place(block.name, output), options)


@writes(Map)
def _map(graph: Graph, block: Map, inputs: list[Place]) -> Place:
    given = inputs[0]
    kind, tensor = block.activation, replace(block.output, shape=given.shape)

    def add(operator: str, numbers: list[int], part: str, options: dict[int, Value] | None = None) -> Place:
        name = f"{block.name}_{part}" if part else block.name
        return graph.add(operator, numbers, graph.place(name, tensor), options)

    def number(part: str, value: float) -> int:
        return _constant(graph, block, part, np.array([value], np.float32))

    if kind == "clamp":
        return _limited(graph, block, given, (block.settings[0], block.settings[1]))
    if kind in SINGLE:
        return add(SINGLE[kind], [given.number], "")
    if kind == "leaky_relu":
        return add("LEAKY_RELU", [given.number], "", {0: np.float32(block.settings[0])})
    if kind == "silu":
        gate = add("LOGISTIC", [given.number], "gate")
        return add("MUL", [given.number, gate.number], "", {0: np.int8(0)})
    if kind == "hard_sigmoid":
        sixth = add("MUL", [given.number, number("slope", 1 / 6)], "sixth", {0: np.int8(0)})
        half = add("ADD", [sixth.number, number("half", 0.5)], "shifted", {0: np.int8(0)})
        return _limited(graph, block, half, (0.0, 1.0))
    assert kind == "elu"
    # LiteRT's has a factor of 1: the larger of x and 0, plus the factor times its negative part.
    above = add("MAXIMUM", [given.number, number("zero", 0.0)], "above")
    below = add("ELU", [add("MINIMUM", [given.number, number("zero2", 0.0)], "under").number], "below")
    scaled = add("MUL", [below.number, number("alpha", block.settings[0])], "scaled", {0: np.int8(0)})
    return add("ADD", [above.number, scaled.number], "", {0: np.int8(0)})


#: Activations that are one operator without options.
SINGLE = {"sigmoid": "LOGISTIC", "tanh": "TANH", "hard_silu": "HARD_SWISH"}
