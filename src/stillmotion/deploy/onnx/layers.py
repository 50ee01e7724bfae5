"""How blocks of a network become ONNX nodes."""

from __future__ import annotations

from functools import singledispatch
from math import prod
from typing import Any

import numpy as np

from ...errors import UserError
from ..blocks import Block
from ..convolution import Convolve
from ..elementwise import Map
from ..geometry import Geometry
from ..merging import Concatenate, Merge
from ..moving import Move
from ..normalising import Normalise
from ..pooling import Pool
from ..softmax import Softmax
from .graph import GraphBuilder

#: ONNX's operators of activations, with their settings.
OPERATORS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "leaky_relu": ("LeakyRelu", ("alpha",), {}),
    "elu": ("Elu", ("alpha",), {}),
    "sigmoid": ("Sigmoid", (), {}),
    "tanh": ("Tanh", (), {}),
    "hard_sigmoid": ("HardSigmoid", (), {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", (), {}),
}


@singledispatch
def write_block(block: Block, graph: GraphBuilder, *inputs: str) -> str:
    """Add the nodes of a block and return the name of its result; register a function for each type of block."""
    raise UserError(f"{block.name} ({type(block).__name__}) has no ONNX form.")


@write_block.register
def _normalise(block: Normalise, graph: GraphBuilder, x: str) -> str:
    centred = graph.add("Sub", graph.shaped(x, block.output.shape), graph.constant(block.mean))
    return graph.add("Div", centred, graph.constant(block.std))


@write_block.register
def _convolve(block: Convolve, graph: GraphBuilder, x: str) -> str:
    _, _, group_channels, filters = block.kernel.shape
    channels, positions = group_channels * block.groups, prod(block.geometry.size)
    if block.geometry.pointwise and block.groups == 1:
        y = graph.shaped(x, (channels,) if positions == 1 else (positions, channels))
        y = graph.add("MatMul", y, graph.constant(block.kernel[0, 0]))
        y = graph.add("Add", y, graph.constant(block.bias))
    elif block.geometry.pointwise and block.groups == filters == channels:
        y = graph.shaped(x, (positions, channels))
        y = graph.add("Mul", y, graph.constant(block.kernel[0, 0, 0]))
        y = graph.add("Add", y, graph.constant(block.bias))
    else:
        maps = _channels_first(graph, x, (*block.geometry.size, channels))
        kernel, bias = graph.constant(block.kernel.transpose(3, 2, 0, 1)), graph.constant(block.bias)
        y = graph.add("Conv", maps, kernel, bias, group=block.groups, **_placement(block.geometry))
        return _channels_last(graph, graph.clip(y, block.low, block.high), block, filters)
    return graph.shaped(graph.clip(y, block.low, block.high), block.output.shape)


def _channels_first(graph: GraphBuilder, x: str, shape: tuple[int, ...]) -> str:
    """Return a map (n, rows, columns, channels) as ONNX wants it: (n, channels, rows, columns)."""
    name, known = graph.planes.get(x, ("", ()))
    return name if known == shape else graph.add("Transpose", graph.shaped(x, shape), perm=[0, 3, 1, 2])


def _channels_last(graph: GraphBuilder, maps: str, block: Convolve | Pool, channels: int) -> str:
    shape = (*block.geometry.positions, channels)
    y = graph.add("Transpose", maps, perm=[0, 2, 3, 1])
    graph.shapes[y] = shape
    y = graph.shaped(y, block.output.shape)
    graph.planes[y] = maps, shape
    return y


def _placement(geometry: Geometry) -> dict[str, Any]:
    """Return where a kernel lies, as attributes of a node."""
    return {
        "kernel_shape": list(geometry.kernel),
        "strides": list(geometry.strides),
        "dilations": list(geometry.dilation),
        "pads": [*geometry.margin, *geometry.margin_after],
    }


@write_block.register
def _pool(block: Pool, graph: GraphBuilder, x: str) -> str:
    geometry, shape = block.geometry, (*block.geometry.size, block.channels)
    whole = [axis for axis in (0, 1) if geometry.kernel[axis] == geometry.size[axis] > 1]
    if geometry.inside and all(
        axis in whole or geometry.kernel[axis] == geometry.strides[axis] == 1 for axis in (0, 1)
    ):
        axes = graph.whole(*(axis + 1 for axis in whole or (0,)))
        y = graph.shaped(x, shape if whole else (1, *shape))
        y = graph.add({"max": "ReduceMax", "mean": "ReduceMean", "sum": "ReduceSum"}[block.mode], y, axes)
        return graph.shaped(y, block.output.shape)
    maps, placement = _channels_first(graph, x, shape), _placement(geometry)
    if block.mode == "max":
        y = graph.add("MaxPool", maps, **placement)
    else:
        del placement["dilations"]  # Pooling has none, and AveragePool takes none in this version.
        y = graph.add("AveragePool", maps, count_include_pad=int(block.mode == "sum"), **placement)
    if block.mode == "sum":
        y = graph.add("Mul", y, graph.constant(float(prod(geometry.kernel))))
    return _channels_last(graph, y, block, block.channels)


@write_block.register
def _map(block: Map, graph: GraphBuilder, x: str) -> str:
    x = graph.shaped(x, block.output.shape)
    if block.activation == "clamp":
        return graph.clip(x, *block.settings)
    if block.activation == "silu":
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    op, names, fixed = OPERATORS[block.activation]
    attributes: dict[str, Any] = {**dict(zip(names, block.settings, strict=True)), **fixed}
    return graph.add(op, x, **attributes)


@write_block.register
def _merge(block: Merge, graph: GraphBuilder, *inputs: str) -> str:
    a, b = (graph.shaped(name, each.shape) for name, each in zip(inputs, block.inputs, strict=True))
    y = graph.add("Add" if block.operator == "add" else "Mul", a, b)
    return graph.clip(y, block.low, block.high)


@write_block.register
def _concatenate(block: Concatenate, graph: GraphBuilder, *inputs: str) -> str:
    parts = (graph.shaped(name, each.shape) for name, each in zip(inputs, block.inputs, strict=True))
    return graph.add("Concat", *parts, axis=block.axis + 1)


@write_block.register
def _move(block: Move, graph: GraphBuilder, x: str) -> str:
    size = block.input.size
    order = sorted(range(len(block.steps)), key=lambda axis: -block.steps[axis])
    shape = tuple(block.lengths[axis] for axis in order)
    strides = [prod(shape[place + 1 :]) for place in range(len(shape))]
    if block.offset == 0 and prod(shape) == size and strides == [block.steps[axis] for axis in order]:
        perm = [0, *(order.index(axis) + 1 for axis in range(len(order)))]
        return graph.shaped(graph.add("Transpose", graph.shaped(x, shape), perm=perm), block.output.shape)
    places = block.run(np.arange(size)[None])[0]
    y = graph.add("Gather", graph.shaped(x, (size,)), graph.constant(places.ravel(), np.int64), axis=1)
    return graph.shaped(y, block.output.shape)


@write_block.register
def _softmax(block: Softmax, graph: GraphBuilder, x: str) -> str:
    y = graph.add("Softmax", graph.shaped(x, block.axes), axis=2)
    return graph.shaped(y, block.output.shape)
