"""The decoder of windows in a row as a second small ONNX model: the causal filter of ``IntegerDecoder``."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from ...decoding import IntegerDecoder, log_sum_table
from ...decoding.integer import LARGEST, LOWEST
from .graph import GraphBuilder, finish_model


def write_decoder(decoder: IntegerDecoder) -> ModelProto:
    """Return the model: logits (n, C) of windows in a row, state (C,) and whether they begin a stream, to classes (n,)
    and the next state.
    """
    classes = len(decoder.start)
    graph, step = GraphBuilder(), GraphBuilder("step/")
    scaled = graph.add("Mul", "logits", graph.constant(decoder.logit_scale))
    scores = graph.add("Round", graph.add("Clip", scaled, graph.constant(-LARGEST), graph.constant(LARGEST)))
    integers = graph.add("Cast", scores, to=TensorProto.INT32)
    given = [
        helper.make_tensor_value_info("state_in", TensorProto.INT32, [classes]),
        helper.make_tensor_value_info("begins_in", TensorProto.BOOL, []),
        helper.make_tensor_value_info("score", TensorProto.INT32, [classes]),
    ]
    state, label = _step(step, decoder)
    goes_on = step.add("Identity", step.constant(False, np.bool_))
    results = [
        helper.make_tensor_value_info(state, TensorProto.INT32, [classes]),
        helper.make_tensor_value_info(goes_on, TensorProto.BOOL, []),
        helper.make_tensor_value_info(label, TensorProto.INT64, []),
    ]
    body = step.build("step", given, results)
    last, _, labels = graph.add_many("Scan", ["state", "begins", integers], 3, body=body, num_scan_inputs=1)
    graph.nodes += [
        helper.make_node("Identity", [labels], ["classes"]),
        helper.make_node("Identity", [last], ["next_state"]),
    ]
    inputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["windows", classes]),
        helper.make_tensor_value_info("state", TensorProto.INT32, [classes]),
        helper.make_tensor_value_info("begins", TensorProto.BOOL, []),
    ]
    outputs = [
        helper.make_tensor_value_info("classes", TensorProto.INT64, ["windows"]),
        helper.make_tensor_value_info("next_state", TensorProto.INT32, [classes]),
    ]
    return finish_model(graph.build("decoder", inputs, outputs))


def _step(step: GraphBuilder, decoder: IntegerDecoder) -> tuple[str, str]:
    """Add one step of the filter and return its state and its class."""

    def number(values: object) -> str:
        return step.constant(values, np.int32)

    def normalise(values: str) -> str:
        centred = step.add("Sub", values, step.add("ReduceMax", values))
        return step.add("Max", centred, number(LOWEST))

    table = np.append(log_sum_table(), 0)
    column = step.add("Unsqueeze", "state_in", step.whole(1))
    terms = step.add("Add", column, number(decoder.transition))
    total = step.add("Gather", terms, step.constant(0, np.int64), axis=0)
    for place in range(1, len(decoder.start)):
        term = step.add("Gather", terms, step.constant(place, np.int64), axis=0)
        apart = step.add("Min", step.add("Abs", step.add("Sub", total, term)), number(len(table) - 1))
        total = step.add("Add", step.add("Max", total, term), step.add("Gather", number(table), apart))
    before = step.add("Where", "begins_in", number(decoder.start), normalise(total))
    evidence = step.add("Sub", "score", step.add("ReduceMax", "score"))
    evidence = step.add("Sub", step.add("Max", evidence, number(-decoder.span)), number(decoder.prior))
    state = normalise(step.add("Add", before, evidence))
    return state, step.add("ArgMax", state, axis=0, keepdims=0)
