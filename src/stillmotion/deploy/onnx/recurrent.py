"""How recurrences become ONNX nodes: its own LSTM and GRU, and a scan for FastGRNN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ..recurrent import Recur
from .graph import GraphBuilder
from .layers import write_block

#: Keras has the gates of an LSTM as input, forget, candidate, output; ONNX as input, output, forget, candidate.
LSTM_ORDER = (0, 3, 1, 2)


@write_block.register
def _recur(block: Recur, graph: GraphBuilder, x: str) -> str:
    """ONNX has time first; the states of a reversed recurrence stand at their own times, as in the C."""
    steps = graph.add("Transpose", graph.shaped(x, block.input.shape), perm=[1, 0, 2])
    states, last = _fastgrnn(block, graph, steps) if block.cell == "fastgrnn" else _own(block, graph, steps)
    return graph.add("Transpose", states, perm=[1, 0, 2]) if block.sequences else last


def _own(block: Recur, graph: GraphBuilder, steps: str) -> tuple[str, str]:
    """Add an LSTM or GRU and return all states (time, n, units) and the last."""
    units, bias = block.units, block.bias
    resets: dict[str, Any] = {}
    if block.cell == "lstm":
        kernel, recurrent = (_reordered(each.T, units) for each in (block.kernel, block.recurrent))
        both = np.concatenate([_reordered(bias, units), np.zeros(4 * units)])
    else:
        # The biases of update and reset were added; the candidate's stay apart, as it resets after the product.
        kernel, recurrent = block.kernel.T, block.recurrent.T
        both = np.concatenate([bias[: 3 * units], np.zeros(2 * units), bias[3 * units :]])
        resets = {"linear_before_reset": 1}
    states, last = graph.add_many(
        block.cell.upper(),
        [steps, graph.constant(kernel[None]), graph.constant(recurrent[None]), graph.constant(both[None])],
        2,
        hidden_size=units,
        direction="reverse" if block.backward else "forward",
        **resets,
    )
    return graph.add("Squeeze", states, graph.whole(1)), graph.add("Squeeze", last, graph.whole(0))


def _reordered(rows: NDArray[np.float64], units: int) -> NDArray[np.float64]:
    """Return the gates of an LSTM, in rows, in ONNX's order."""
    return np.concatenate([rows[gate * units : (gate + 1) * units] for gate in LSTM_ORDER])


def _fastgrnn(block: Recur, graph: GraphBuilder, steps: str) -> tuple[str, str]:
    """Add a scan over the products of the input and return all states (time, n, units) and the last."""
    units = block.units
    gate, candidate, (zeta, nu) = block.bias[:units], block.bias[units : 2 * units], block.bias[2 * units :]
    names = {
        "recurrent": graph.constant(block.recurrent),
        "gate_bias": graph.constant(gate),
        "candidate_bias": graph.constant(candidate),
        "zeta": graph.constant(zeta),
        "both": graph.constant(zeta + nu),
    }
    # (zeta * (1 - z) + nu) * candidate + z * h
    lines = [
        ("MatMul", "h recurrent", "turned"),
        ("Add", "product turned", "total"),
        ("Add", "total gate_bias", "gate_sum"),
        ("Sigmoid", "gate_sum", "z"),
        ("Add", "total candidate_bias", "candidate_sum"),
        ("Tanh", "candidate_sum", "candidate"),
        ("Mul", "zeta z", "less"),
        ("Sub", "both less", "share"),
        ("Mul", "share candidate", "new"),
        ("Mul", "z h", "old"),
        ("Add", "new old", "next"),
        ("Identity", "next", "state"),
    ]
    inner = f"{graph.scope}step/"
    nodes = [
        helper.make_node(op, [names.get(each, inner + each) for each in inputs.split()], [inner + output])
        for op, inputs, output in lines
    ]
    kind = TensorProto.FLOAT
    given = [helper.make_tensor_value_info(inner + each, kind, [None, units]) for each in ("h", "product")]
    results = [helper.make_tensor_value_info(inner + each, kind, [None, units]) for each in ("next", "state")]
    body = helper.make_graph(nodes, f"{inner}body", given, results)
    products = graph.add("MatMul", steps, graph.constant(block.kernel))
    windows = graph.add("Slice", graph.add("Shape", products), graph.whole(1), graph.whole(3))
    zeros = helper.make_tensor("value", kind, [1], [0.0])
    start = graph.add("ConstantOfShape", windows, value=zeros)
    backward = [int(block.backward)]
    last, states = graph.add_many(
        "Scan",
        [start, products],
        2,
        body=body,
        num_scan_inputs=1,
        scan_input_directions=backward,
        scan_output_directions=backward,
    )
    return states, last
