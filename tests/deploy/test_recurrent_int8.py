"""Recurrent cells in integers against loops over single values, written from ``docs/guides/integers.md``."""

from __future__ import annotations

from math import exp, floor

import numpy as np
import pytest

from stillmotion.deploy.arithmetic import split_factors
from stillmotion.deploy.blocks import Tensor
from stillmotion.deploy.recurrent import GATES, Recur
from stillmotion.deploy.recurrent_int8 import multiply_q15, sigmoid_q15, sigmoid_table, tanh_q15
from tests.deploy.test_int8_kernels import multiply_by_quantised_multiplier, saturate

SCALE_IN, ZERO_IN = 0.05, -9


def make(cell, *, steps=7, units=3, features=2, size=1.0, sequences=True, backward=False, bias=None):
    random = np.random.default_rng(5)
    width = GATES[cell] * units
    lengths = {"lstm": 4 * units, "gru": 4 * units, "fastgrnn": 2 * units + 2}
    given = size * random.normal(size=lengths[cell]) if bias is None else bias
    if cell == "fastgrnn":
        given[-2:] = 0.7, 0.15
    return Recur(
        name="cell",
        inputs=(Tensor((steps, features), "float32"),),
        output=Tensor((steps, units) if sequences else (units,), "float32"),
        cell=cell,
        kernel=size * random.normal(size=(features, width)),
        recurrent=size * random.normal(size=(units, width)),
        bias=given,
        sequences=sequences,
        backward=backward,
    )


def sigmoid(x):
    """Q12 to Q15: 193 entries, interpolated, mirrored, constant from 12."""
    size = min(abs(x), 12 * 4096)
    entry = [floor(32768 / (1 + exp(-i / 16)) + 0.5) for i in range(193)]
    value = entry[192]
    if size < 12 * 4096:
        at, rest = divmod(size, 256)
        value = entry[at] + ((entry[at + 1] - entry[at]) * rest + 128) // 256
    return 32768 - value if x < 0 else value


def tanh(x):
    return 2 * sigmoid(2 * x) - 32768


def half_up(value, bits):
    return (value + 2 ** (bits - 1)) // 2**bits


def run_by_hand(block, x, exponent=0):
    """Run one window, integer by integer."""
    units, cell = block.units, block.cell
    state_scale = 2.0**exponent / 128
    scales = [np.abs(matrix).max(0) / 127 for matrix in (block.kernel, block.recurrent)]
    kernel, recurrent = (
        np.rint(m / s).astype(int) for m, s in zip((block.kernel, block.recurrent), scales, strict=True)
    )
    bias = [round(each * 4096) for each in block.bias]

    def to_q12(total, factor):
        (multiplier,), (shift,) = split_factors(factor)
        value = multiply_by_quantised_multiplier(int(total), int(multiplier), -int(shift))
        return saturate(value, -(2**20), 2**20)

    narrow, wide, states = [0] * units, [0] * units, []
    for row in x:
        rows = range(kernel.shape[1])
        given = [
            to_q12(
                sum((int(v) - ZERO_IN) * w for v, w in zip(row, kernel[:, k], strict=True)),
                SCALE_IN * scales[0][k] * 4096,
            )
            for k in rows
        ]
        fed = [
            to_q12(sum(h * w for h, w in zip(narrow, recurrent[:, k], strict=True)), state_scale * scales[1][k] * 4096)
            for k in rows
        ]
        fresh = []
        for u in range(units):
            if cell == "lstm":
                i, f, g, o = (given[k] + fed[k] + bias[k] for k in (u, units + u, 2 * units + u, 3 * units + u))
                wide[u] = half_up(wide[u] * sigmoid(f), 15) + half_up(sigmoid(i) * tanh(g), 15)
                fresh.append(saturate(half_up(sigmoid(o) * tanh(half_up(wide[u], 3)), 23)))
            elif cell == "gru":
                z, r = (sigmoid(given[k] + fed[k] + bias[k]) for k in (u, units + u))
                k = 2 * units + u
                reset = saturate(fed[k] + bias[units + k], -65535, 65535)
                candidate = tanh(given[k] + bias[k] + half_up(r * reset, 15))
                wide[u] = half_up(z * wide[u] + (32768 - z) * candidate, 15)
                fresh.append(saturate(half_up(wide[u], 8)))
            else:
                zeta, nu = (round(each * 32768) for each in block.bias[-2:])
                total = given[u] + fed[u]
                z, candidate = sigmoid(total + bias[u]), tanh(total + bias[units + u])
                weight = min(half_up(zeta * (32768 - z), 15) + nu, 65535)
                wide[u] = half_up(weight * candidate, 15) + half_up(wide[u] * z, 15)
                fresh.append(saturate(half_up(wide[u], 8 + exponent)))
        narrow = fresh
        states.append(narrow)
    return states


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("size", [0.3, 2.0])
def test_a_cell_is_that_of_the_specification(cell, size):
    block = make(cell, size=size)
    integers = block.quantise((Tensor((7, 2), "int8", SCALE_IN, ZERO_IN),), -1.4, 1.2)
    exponent = 1 if cell == "fastgrnn" else 0
    assert (integers.output.step, integers.output.zero_point) == (2.0**exponent / 128, 0)
    x = np.random.default_rng(6).integers(-128, 128, (4, 7, 2)).astype(np.int8)
    assert np.array_equal(integers.run(x), [run_by_hand(block, window, exponent) for window in x])


@pytest.mark.parametrize("cell", GATES)
def test_backward_runs_over_reversed_time_and_the_last_state_is_its_first(cell):
    given = (Tensor((7, 2), "int8", SCALE_IN, ZERO_IN),)
    x = np.random.default_rng(7).integers(-128, 128, (4, 7, 2)).astype(np.int8)
    forward = make(cell).quantise(given, -1, 1).run(x[:, ::-1])
    backward = make(cell, backward=True).quantise(given, -1, 1).run(x)
    last = make(cell, backward=True, sequences=False).quantise(given, -1, 1).run(x)
    assert np.array_equal(backward, forward[:, ::-1])
    assert np.array_equal(last, forward[:, -1])


def test_the_cell_state_of_an_lstm_grows_without_saturating():
    units = 1
    bias = np.array([9.0, 9.0, 9.0, 9.0])  # every gate open: the cell grows by nearly 1 a step
    block = make("lstm", steps=600, units=units, size=0.0, bias=bias, sequences=False)
    integers = block.quantise((Tensor((600, 2), "int8", SCALE_IN, ZERO_IN),), -1, 1)
    c = np.zeros((1, 1), np.int64)
    zeros = np.zeros((1, 4), np.int64)
    for _ in range(600):
        c, _ = integers._lstm(zeros, zeros, c, integers.numbers.bias.astype(np.int64))
    exact = 0.0
    for _ in range(600):
        exact = exact / (1 + exp(-9)) + 1 / (1 + exp(-9)) * np.tanh(9)
    assert exact > 500
    assert abs(c[0, 0] / 2**15 - exact) < 0.01 * exact


def test_gates_are_within_two_ten_thousandths_of_the_functions():
    x = np.arange(-16 * 4096, 16 * 4096 + 1, 7)
    assert np.abs(sigmoid_q15(x) / 32768 - 1 / (1 + np.exp(-x / 4096))).max() < 1e-4
    assert np.abs(tanh_q15(x) / 32768 - np.tanh(x / 4096)).max() < 2e-4
    assert sigmoid_table().tolist() == [floor(32768 / (1 + exp(-i / 16)) + 0.5) for i in range(193)]


def test_a_product_in_32_bits_is_the_rounded_product():
    random = np.random.default_rng(8)
    values, factors = random.integers(-(2**30), 2**30, 1000), random.integers(0, 32769, 1000)
    expected = [half_up(int(v) * int(f), 15) for v, f in zip(values, factors, strict=True)]
    assert multiply_q15(values, factors).tolist() == expected
