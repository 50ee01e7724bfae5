"""Trace a Keras model as a flat list of calls of layers and ``keras.ops``; nested models are expanded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from ..errors import UserError

Tensor = Any


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    Args:
        operation: a layer or an operation of ``keras.ops``.
        inputs: its input tensors, in order.
        outputs: its results.
        arguments: all arguments of the call, positional and by name.
    """

    operation: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    arguments: tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Trace:
    """A model's calls in an executable order.

    Args:
        inputs: the model's inputs.
        outputs: the model's outputs.
        calls: front to back, the input layers included.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    calls: tuple[Call, ...]


def trace_model(model: keras.Model) -> Trace:
    """Trace the calls of a model.

    A functional model without nested models is read directly. Any other model is called once more on symbolic inputs,
    layer by layer.

    Args:
        model: functional, sequential, or a class with a ``call`` made of layers and ``keras.ops``; built.
    """
    if _functional(model):
        inputs, outputs = list(model.inputs), list(model.outputs)
    else:
        inputs = _symbolic_inputs(model)
        outputs = tree.flatten(_called_open(model, inputs[0] if len(inputs) == 1 else inputs))
    calls = tuple(_calls(outputs))
    if any(_is_model(call.operation) for call in calls):
        inputs, outputs = _opened(inputs, outputs, calls)
        calls = tuple(_calls(outputs))
    return Trace(inputs, outputs, calls)


def name_calls(trace: Trace) -> list[str]:
    """Return a name for each call: its operation's; of an operation called again with ``#2``, ``#3`` …"""
    seen: Counter[str] = Counter()
    names = []
    for call in trace.calls:
        seen[call.operation.name] += 1
        count = seen[call.operation.name]
        names.append(call.operation.name if count == 1 else f"{call.operation.name}#{count}")
    return names


def layer_outputs(trace: Trace) -> dict[str, Tensor]:
    """Return the output of each layer by name, front to back; the last one of a layer that is called twice."""
    return {
        call.operation.name: call.outputs[0] for call in trace.calls if isinstance(call.operation, keras.layers.Layer)
    }


def _calls(outputs: list[Tensor]) -> Iterator[Call]:
    """Yield the calls that ``outputs`` depend on, in topological order."""
    done: set[tuple[int, int]] = set()
    pending = [(tensor, False) for tensor in reversed(outputs)]
    while pending:
        tensor, ready = pending.pop()
        operation, index, _ = tensor._keras_history
        if (id(operation), index) in done:
            continue
        node = operation._inbound_nodes[index]
        if ready:
            done.add((id(operation), index))
            arguments = (node.arguments.args, node.arguments.kwargs)
            yield Call(operation, tuple(node.input_tensors), tuple(node.outputs), arguments)
        else:
            pending.append((tensor, True))
            pending.extend((source, False) for source in reversed(node.input_tensors))


def _opened(inputs: list[Tensor], outputs: list[Tensor], calls: tuple[Call, ...]) -> tuple[list[Tensor], list[Tensor]]:
    """Call all operations again, nested models layer by layer."""
    fresh = [keras.KerasTensor(tensor.shape, dtype=tensor.dtype) for tensor in inputs]
    fresh = [keras.Input(tensor=None, batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in fresh]
    return fresh, _replay(inputs, outputs, calls, fresh)


def _replay(inputs: list[Tensor], outputs: list[Tensor], calls: tuple[Call, ...], fresh: list[Tensor]) -> list[Tensor]:
    known = {id(old): new for old, new in zip(inputs, fresh, strict=True)}
    for call in calls:
        if id(call.outputs[0]) in known:
            continue
        args, kwargs = tree.map_structure(lambda value: known.get(id(value), value), call.arguments)
        if _is_model(call.operation):
            results = tree.flatten(_called_open(call.operation, args[0]))
        else:
            results = tree.flatten(call.operation(*args, **kwargs))
        known.update(zip(map(id, call.outputs), results, strict=True))
    return [known[id(tensor)] for tensor in outputs]


def _called_open(model: keras.Model, inputs: Any) -> Any:
    """Call a model on symbolic inputs so that the graph holds its layers instead of the model."""
    if _functional(model):
        flat = tree.flatten(inputs)
        return _replay(list(model.inputs), list(model.outputs), tuple(_calls(list(model.outputs))), flat)
    try:
        results = model.call(inputs)
    except Exception as problem:
        raise UserError(
            f"Cannot look into {model.name!r}: its call() must use layers and keras.ops only ({problem})."
        ) from problem
    calls = tuple(_calls(tree.flatten(results)))
    if any(_is_model(call.operation) for call in calls):
        return _replay(tree.flatten(inputs), tree.flatten(results), calls, tree.flatten(inputs))
    return results


def _symbolic_inputs(model: keras.Model) -> list[Tensor]:
    shapes = getattr(model, "input_shape", None) or model.get_build_config() or {}
    shape = shapes.get("input_shape") if isinstance(shapes, dict) else shapes
    if shape is None:
        raise UserError(f"Call {model.name!r} once on a window before it is used, so that its input's shape is known.")
    shapes = shape if isinstance(shape[0], (list, tuple)) else [shape]
    # A subclassed model was built with the batch size of its first call; others may differ.
    return [keras.Input(batch_shape=(None, *size[1:])) for size in shapes]


def _is_model(operation: Any) -> bool:
    return isinstance(operation, keras.Model)


def _functional(model: Any) -> bool:
    return isinstance(model, keras.Model) and bool(getattr(model, "inputs", None)) and hasattr(model, "operations")
