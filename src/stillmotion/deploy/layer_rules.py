"""How each type of layer, and each operation of ``keras.ops``, becomes blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..features.feature_set import FeatureSet
from ..features.scale import FeatureScale
from ..networks.graph import Node
from .arithmetic import LARGEST, float_tensor
from .convolution import Convolve
from .float_features import FloatFeatures, float_features
from .geometry import Geometry
from .merging import Concatenate, Merge
from .moving import Move
from .normalising import Normalise
from .pooling import Pool
from .products import MatrixProduct
from .program import SIGNAL
from .reader import RULES, Reader, Rule

Array = NDArray[np.float64]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of these types."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def weights_of(node: Node) -> dict[str, Array]:
    """Return the weights of a node by name."""
    return {weight.name: weight.values().astype(np.float64) for weight in node.weights}


def _pair(value: Any, rank: int) -> tuple[int, int]:
    """Return a setting of each axis of a map; a signal over time has one column."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    return (int(values[0]), int(values[1]) if rank == 2 else 1)


def _placed(reader: Reader, node: Node, kernel: tuple[int, int]) -> Geometry:
    """Place the kernel of a convolution or pooling on its input."""
    attributes, shape = node.attributes, node.input_shapes[0]
    if attributes.get("data_format", "channels_last") != "channels_last":
        reader.refuse(node, "it reads channels first; use data_format='channels_last'")
    rank = len(shape) - 1
    return Geometry.of(
        _pair(shape[:-1], rank),
        kernel,
        strides=_pair(attributes["strides"], rank),
        dilation=_pair(attributes.get("dilation_rate", 1), rank),
        padding=attributes["padding"],
    )


@rule("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")
def _convolution(reader: Reader, node: Node) -> str:
    weights = weights_of(node)
    kernel, rank = weights["kernel"], len(node.input_shapes[0]) - 1
    kernel = kernel[:, None] if rank == 1 else kernel
    groups = node.attributes.get("groups", 1)
    if node.op.startswith("Depthwise"):
        groups = kernel.shape[2]
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return _convolve(reader, node, reader.at[node.inputs[0]], kernel, weights.get("bias"), groups, node.name)


def _convolve(
    reader: Reader, node: Node, tensor: str, kernel: Array, bias: Array | None, groups: int, name: str
) -> str:
    block = Convolve(
        name=reader.name(name),
        inputs=(float_tensor(node.input_shapes[0]),),
        output=float_tensor(node.shape),
        geometry=_placed(reader, node, kernel.shape[:2]),
        kernel=kernel,
        bias=np.zeros(kernel.shape[3]) if bias is None else bias,
        groups=groups,
    )
    return reader.activate(reader.add(block, tensor), node.attributes["activation"], node)


@rule("SeparableConv1D", "SeparableConv2D")
def _separable(reader: Reader, node: Node) -> str:
    weights = weights_of(node)
    kernel, rank = weights["depthwise_kernel"], len(node.input_shapes[0]) - 1
    kernel = kernel[:, None] if rank == 1 else kernel
    channels, widened = kernel.shape[2], kernel.shape[2] * kernel.shape[3]
    depthwise = Convolve(
        name=reader.name(f"{node.name}_depthwise"),
        inputs=(float_tensor(node.input_shapes[0]),),
        output=float_tensor((*node.shape[:-1], widened)),
        geometry=_placed(reader, node, kernel.shape[:2]),
        kernel=kernel.reshape(*kernel.shape[:2], 1, widened),
        bias=np.zeros(widened),
        groups=channels,
    )
    tensor = reader.add(depthwise, reader.at[node.inputs[0]])
    pointwise = weights["pointwise_kernel"].reshape(widened, -1)
    tensor = _dense_on(reader, node, tensor, pointwise, weights.get("bias"))
    return reader.activate(tensor, node.attributes["activation"], node)


def _dense_on(reader: Reader, node: Node, tensor: str, kernel: Array, bias: Array | None) -> str:
    """Multiply the last axis by a matrix, at every position."""
    positions = prod(node.shape[:-1])
    block = Convolve(
        name=reader.name(node.name),
        inputs=(float_tensor((*node.shape[:-1], kernel.shape[0])),),
        output=float_tensor(node.shape),
        geometry=Geometry.of((positions, 1), (1, 1)),
        kernel=kernel[None, None],
        bias=np.zeros(kernel.shape[1]) if bias is None else bias,
    )
    return reader.add(block, tensor)


@rule("Dense")
def _dense(reader: Reader, node: Node) -> str:
    weights = weights_of(node)
    tensor = _dense_on(reader, node, reader.at[node.inputs[0]], weights["kernel"], weights.get("bias"))
    return reader.activate(tensor, node.attributes["activation"], node)


def _channelwise(reader: Reader, node: Node, factor: Array, shift: Array) -> str:
    """Multiply and shift every channel: in the convolution before, or as one of a single element."""
    step = reader.alone(node)
    if step is not None and isinstance(step.block, Convolve) and step.block.folds(len(factor)):
        reader.steps[step.output] = replace(step, block=step.block.scaled(factor, shift))
        return step.output
    positions = prod(node.shape[:-1])
    block = Convolve(
        name=reader.name(node.name),
        inputs=(float_tensor(node.shape),),
        output=float_tensor(node.shape),
        geometry=Geometry.of((positions, 1), (1, 1)),
        kernel=factor[None, None, None],
        bias=shift,
        groups=len(factor),
    )
    return reader.add(block, reader.at[node.inputs[0]])


@rule("BatchNormalization")
def _batch_normalisation(reader: Reader, node: Node) -> str:
    if _axes(node.attributes["axis"], len(node.shape)) != [len(node.shape)]:
        reader.refuse(node, "it normalises another axis than the last; use axis=-1")
    weights = weights_of(node)
    factor = weights.get("gamma", 1.0) / np.sqrt(weights["moving_variance"] + node.attributes["epsilon"])
    shift = weights.get("beta", 0.0) - weights["moving_mean"] * factor
    return _channelwise(reader, node, factor, shift)


@rule("Normalization")
def _normalisation(reader: Reader, node: Node) -> str:
    given = node.attributes
    if _axes(given["axis"], len(node.shape)) != [len(node.shape)] or given["invert"] or given["mean"] is not None:
        reader.refuse(node, "use Normalization(axis=-1) with adapted statistics")
    weights = weights_of(node)
    mean, std = weights["mean"], np.maximum(np.sqrt(weights["variance"]), 1e-7)
    tensor = reader.at[node.inputs[0]]
    block = reader.steps[tensor].block if tensor in reader.steps else None
    if isinstance(block, FloatFeatures) and block.raw and reader.alone(node):
        scale = FeatureScale(mean.astype(np.float32).ravel(), std.astype(np.float32).ravel())
        return reader.change(tensor, replace(block, scale=scale))
    if tensor != SIGNAL:
        return _channelwise(reader, node, 1 / std, -mean / std)
    block = Normalise(
        name=reader.name(node.name),
        inputs=(float_tensor(node.shape),),
        output=float_tensor(node.shape),
        mean=mean,
        std=std,
    )
    return reader.add(block, tensor)


@rule("Activation", "Sigmoid", "Tanh", "HardSigmoid", "Silu", "HardSilu", "Relu", "Relu6", "HardTanh")
def _activation(reader: Reader, node: Node) -> str:
    names = {"HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardTanh": "hard_tanh"}
    name = node.attributes["activation"] if node.op == "Activation" else names.get(node.op, node.op.lower())
    return _apply(reader, node, *reader.activation(name, node))


def _apply(reader: Reader, node: Node, kind: str, settings: tuple[float, ...]) -> str:
    alone = reader.alone(node) is not None
    return reader.apply(reader.at[node.inputs[0]], kind, settings, node, alone=alone)


@rule("ReLU")
def _relu(reader: Reader, node: Node) -> str:
    given = node.attributes
    if given["threshold"] or (given["negative_slope"] and given["max_value"] is not None):
        reader.refuse(node, "use ReLU without a threshold, or LeakyReLU")
    if given["negative_slope"]:
        return _apply(reader, node, "leaky_relu", (float(given["negative_slope"]),))
    highest = LARGEST if given["max_value"] is None else float(given["max_value"])
    return _apply(reader, node, "clamp", (0.0, highest))


@rule("LeakyReLU", "LeakyRelu")
def _leaky_relu(reader: Reader, node: Node) -> str:
    return _apply(reader, node, "leaky_relu", (float(node.attributes["negative_slope"]),))


@rule("ELU", "Elu")
def _elu(reader: Reader, node: Node) -> str:
    return _apply(reader, node, "elu", (float(node.attributes.get("alpha", 1.0)),))


@rule("Clip")
def _clip(reader: Reader, node: Node) -> str:
    tensor = reader.at[node.inputs[0]]
    limits = (float(node.attributes["x_min"]), float(node.attributes["x_max"]))
    block = reader.steps[tensor].block if tensor in reader.steps else None
    if isinstance(block, FloatFeatures) and not block.raw and limits[0] == -limits[1] and reader.alone(node):
        return reader.change(tensor, replace(block, clip=limits[1]))
    return _apply(reader, node, "clamp", limits)


@rule("WindowFeatures")
def _window_features(reader: Reader, node: Node) -> str:
    if reader.at[node.inputs[0]] != SIGNAL:
        reader.refuse(node, "window features describe the raw signal; put the layer right after the input")
    given = node.attributes["features"]
    features = given if isinstance(given, FeatureSet) else FeatureSet.from_dict(given)
    return reader.add(float_features(features, name=reader.name(node.name)), SIGNAL)


@rule("Softmax")
def _softmax(reader: Reader, node: Node) -> str:
    axes = _axes(node.attributes["axis"], len(node.shape))
    if len(axes) != 1:
        reader.refuse(node, "use a softmax along one axis")
    return reader.softmax(reader.at[node.inputs[0]], node, axes[0] - 1)


def _axes(axis: Any, rank: int) -> list[int]:
    """Return axes as numbers from 1, the axis of windows being 0."""
    each = [axis] if isinstance(axis, int) else list(range(1, rank + 1)) if axis is None else list(axis)
    return sorted(value % (rank + 1) for value in each)


@rule("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D")
def _pooling(reader: Reader, node: Node) -> str:
    rank = len(node.input_shapes[0]) - 1
    block = Pool(
        name=reader.name(node.name),
        inputs=(float_tensor(node.input_shapes[0]),),
        output=float_tensor(node.shape),
        geometry=_placed(reader, node, _pair(node.attributes["pool_size"], rank)),
        channels=node.shape[-1],
        mode="max" if node.op.startswith("Max") else "mean",
    )
    return reader.add(block, reader.at[node.inputs[0]])


_MODES = {"Mean": "mean", "Max": "max", "Amax": "max", "Sum": "sum"}


@rule("Mean", "Max", "Amax", "Sum", "GlobalAveragePooling1D", "GlobalAveragePooling2D")
@rule("GlobalMaxPooling1D", "GlobalMaxPooling2D")
def _reduction(reader: Reader, node: Node) -> str:
    """Reduce axes that lie side by side together, the last ones first."""
    shape = list(node.input_shapes[0])
    if node.op.startswith("Global"):
        if node.attributes["data_format"] != "channels_last":
            reader.refuse(node, "it reads channels first; use data_format='channels_last'")
        mode, axes = ("max" if "Max" in node.op else "mean"), list(range(1, len(shape)))
    else:
        mode, axes = _MODES[node.op], _axes(node.attributes["axis"], len(shape))
    if 0 in axes:
        reader.refuse(node, "it reduces the axis of windows")
    tensor = reader.at[node.inputs[0]]
    while axes:
        last = first = axes.pop()
        while axes and axes[-1] == first - 1:
            first = axes.pop()
        before, reduced, after = prod(shape[: first - 1]), prod(shape[first - 1 : last]), prod(shape[last:])
        shape[first - 1 : last] = [1] * (last - first + 1)
        block = Pool(
            name=reader.name(node.name),
            inputs=(float_tensor((before, reduced, after)),),
            output=float_tensor(tuple(shape) if axes else node.shape),
            geometry=Geometry.of((before, reduced), (1, reduced)),
            channels=after,
            mode=mode,  # type: ignore[arg-type]
        )
        tensor = reader.add(block, tensor)
    return tensor


@rule("Add", "Multiply")
def _merge(reader: Reader, node: Node) -> str:
    if node.attributes.get("constants") or len(node.inputs) < 2:
        reader.refuse(node, "sums and products are of two or more tensors; use BatchNormalization to scale one")
    if len({len(shape) for shape in node.input_shapes}) > 1:
        reader.refuse(node, "its inputs have different numbers of axes; use Reshape first")
    operator = "add" if node.op == "Add" else "multiply"
    tensor, shape = reader.at[node.inputs[0]], node.input_shapes[0]
    for name, other in zip(node.inputs[1:], node.input_shapes[1:], strict=True):
        whole = tuple(map(max, shape, other))
        block = Merge(
            name=reader.name(node.name),
            inputs=(float_tensor(shape), float_tensor(other)),
            output=float_tensor(whole),
            operator=operator,  # type: ignore[arg-type]
        )
        tensor, shape = reader.add(block, tensor, reader.at[name]), whole
    return tensor


@rule("Matmul")
def _product(reader: Reader, node: Node) -> str:
    shapes = node.input_shapes
    if len(shapes) != 2 or len({(len(shape), shape[:-2]) for shape in shapes}) > 1 or len(node.shape) < 2:
        reader.refuse(node, "use products of two tensors that differ in their last two axes alone")
    block = MatrixProduct(
        name=reader.name(node.name), inputs=tuple(map(float_tensor, shapes)), output=float_tensor(node.shape)
    )
    return reader.add(block, *(reader.at[name] for name in node.inputs))


@rule("Concatenate")
def _concatenate(reader: Reader, node: Node) -> str:
    axis = _axes(node.attributes["axis"], len(node.shape))[0]
    block = Concatenate(
        name=reader.name(node.name),
        inputs=tuple(map(float_tensor, node.input_shapes)),
        output=float_tensor(node.shape),
        axis=axis - 1,
    )
    return reader.add(block, *(reader.at[name] for name in node.inputs))


def move(reader: Reader, node: Node, lengths: tuple[int, ...], steps: tuple[int, ...], offset: int = 0) -> str:
    """Add a step that reads its input in another order."""
    block = Move(
        name=reader.name(node.name),
        inputs=(float_tensor(node.input_shapes[0]),),
        output=float_tensor(node.shape),
        lengths=lengths,
        steps=steps,
        offset=offset,
    )
    return reader.add(block, reader.at[node.inputs[0]])


@rule("Permute", "Transpose")
def _permute(reader: Reader, node: Node) -> str:
    shape = node.input_shapes[0]
    if node.op == "Permute":
        order = [axis - 1 for axis in node.attributes["dims"]]
    else:
        axes = node.attributes["axes"]
        if axes is None or axes[0] != 0:
            reader.refuse(node, "it moves the axis of windows")
        order = [axis - 1 for axis in axes[1:]]
    steps = [prod(shape[axis + 1 :]) for axis in order]
    return move(reader, node, tuple(shape[axis] for axis in order), tuple(steps))
