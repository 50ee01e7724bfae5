"""How recurrent layers and slices of their states become blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..networks.graph import Node
from .arithmetic import float_tensor
from .layer_rules import Array, move, rule, weights_of
from .merging import Concatenate, Merge
from .reader import Reader
from .recurrent import Cell, Recur

#: A state grows by at most 2 a step (FastGRNN).
MOST_STEPS = 16383
#: Names of the cells.
CELLS: dict[str, Cell] = {"LSTM": "lstm", "GRU": "gru", "FastGRNN": "fastgrnn"}


@rule("LSTM", "GRU", "FastGRNN")
def _recurrent(reader: Reader, node: Node) -> str:
    backward = bool(node.attributes.get("go_backwards"))
    if backward and node.attributes["return_sequences"]:
        reader.refuse(node, "it returns its states in reverse; use Bidirectional")
    _require_plain(reader, node, node.op)
    tensor = reader.at[node.inputs[0]]
    return reader.add(_recur(reader, node, node.op, weights_of(node), node.shape, backward=backward), tensor)


@rule("Bidirectional")
def _bidirectional(reader: Reader, node: Node) -> str:
    kind, mode = str(node.attributes["layer"]), node.attributes["merge_mode"]
    if kind not in CELLS or mode not in ("concat", "sum", "mul") or node.attributes.get("go_backwards"):
        reader.refuse(node, "use LSTM or GRU in it, with merge_mode concat, sum or mul")
    _require_plain(reader, node, kind)
    width = node.shape[-1] // (2 if mode == "concat" else 1)
    shape = (*node.shape[:-1], width)
    parts = []
    for direction in ("forward", "backward"):
        named = {name.removeprefix(f"{direction}/"): value for name, value in weights_of(node).items()}
        block = _recur(
            reader, node, kind, named, shape, backward=direction == "backward", name=f"{node.name}_{direction}"
        )
        parts.append(reader.add(block, reader.at[node.inputs[0]]))
    common: dict[str, Any] = {
        "name": reader.name(node.name),
        "inputs": (float_tensor(shape),) * 2,
        "output": float_tensor(node.shape),
    }
    if mode == "concat":
        return reader.add(Concatenate(**common, axis=len(shape) - 1), *parts)
    return reader.add(Merge(**common, operator="add" if mode == "sum" else "multiply"), *parts)


def _require_plain(reader: Reader, node: Node, kind: str) -> None:
    given, steps = node.attributes, node.input_shapes[0][0]
    if steps > MOST_STEPS:
        reader.refuse(node, f"its {steps} steps are more than {MOST_STEPS}, with which its state fits 32 bits")
    if kind == "FastGRNN":
        return
    if (given["activation"], given["recurrent_activation"]) != ("tanh", "sigmoid"):
        reader.refuse(node, "use tanh and sigmoid as its activations")
    if given["return_state"] or given["stateful"] or len(node.inputs) > 1:
        reader.refuse(node, "use a recurrent layer without initial, returned or kept state")
    if kind == "GRU" and not given["reset_after"]:
        reader.refuse(node, "use GRU(reset_after=True), Keras' default")


def _recur(
    reader: Reader,
    node: Node,
    kind: str,
    weights: Mapping[str, Array],
    shape: tuple[int, ...],
    *,
    backward: bool,
    name: str = "",
) -> Recur:
    units = weights["recurrent_kernel"].shape[0]
    return Recur(
        name=reader.name(name or node.name),
        inputs=(float_tensor(node.input_shapes[0]),),
        output=float_tensor(shape),
        cell=CELLS[kind],
        kernel=weights["kernel"],
        recurrent=weights["recurrent_kernel"],
        bias=_bias(kind, weights, units),
        sequences=bool(node.attributes["return_sequences"]),
        backward=backward,
    )


def _bias(kind: str, weights: Mapping[str, Array], units: int) -> Array:
    bias = weights.get("bias")
    if kind == "FastGRNN":
        assert bias is not None
        scalars = [1 / (1 + np.exp(-weights[name])) for name in ("zeta", "nu")]
        return np.concatenate([bias.ravel(), scalars])
    if kind == "LSTM":
        return np.zeros(4 * units) if bias is None else bias
    both = np.zeros((2, 3 * units)) if bias is None else bias
    return np.concatenate([both[0, : 2 * units] + both[1, : 2 * units], both[0, 2 * units :], both[1, 2 * units :]])


@rule("GetItem")
def _get_item(reader: Reader, node: Node) -> str:
    """Take a slice; of the last state of a recurrence, all of whose states nothing else reads, keep only that."""
    key, shape = node.attributes["key"], node.input_shapes[0]
    key = key if isinstance(key, tuple) else (key,)
    plain = all(isinstance(each, int | slice) for each in key)
    if not plain or key[0] != slice(None) or len(key) > len(shape) + 1:
        reader.refuse(node, "use slices with whole numbers, all windows kept")
    key = (*key[1:], *(slice(None),) * (len(shape) + 1 - len(key)))
    step = reader.alone(node)
    if step is not None and isinstance(step.block, Recur) and step.block.sequences and len(shape) == 2:
        last = 0 if step.block.backward else shape[0] - 1
        if isinstance(key[0], int) and key[0] % shape[0] == last and key[1] == slice(None):
            block = replace(step.block, sequences=False, output=float_tensor(node.shape))
            reader.steps[step.output] = replace(step, block=block)
            return step.output
    lengths, steps, offset = [], [], 0
    for axis, each in enumerate(key):
        stride = prod(shape[axis + 1 :])
        taken = range(shape[axis])[each]
        if isinstance(taken, int):
            offset += taken * stride
        else:
            offset += (taken.start if len(taken) else 0) * stride
            lengths.append(len(taken))
            steps.append(taken.step * stride)
    return move(reader, node, tuple(lengths), tuple(steps), offset)
