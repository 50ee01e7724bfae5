"""LSTM, GRU and FastGRNN in integers; specified in ``docs/guides/integers.md``.

Weights are int8 with a scale for each row of each matrix. The sums of input and state are requantised to fixed point
with 12 fractional bits (Q12), gates to 15 (Q15) by a table with interpolation. Cell and state are Q15 in 32 bits, so
that neither saturates; the state enters the products, and leaves the layer, as int8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from .arithmetic import requantise, split_factors
from .blocks import Array, Block, Constant, Tensor

Integers = NDArray[np.int64]
#: 1 in Q15 and in Q12; sums beyond ±256 (Q12) saturate, gates beyond ±12 are constant.
ONE, UNIT = 1 << 15, 1 << 12
SUM_LIMIT = 1 << 20
GATE_LIMIT = 12 * UNIT
#: Integers of 32 bits that a cell keeps per unit, besides the state as int8.
STATE = {"lstm": 5, "gru": 5, "fastgrnn": 2}


@dataclass(frozen=True, eq=False)
class CellNumbers:
    """The integers of a recurrent cell.

    Args:
        kernel, recurrent: rows of int8 weights.
        bias: as in ``Recur``, in Q12; the last two of FastGRNN in Q15.
        multiplier, shift: of each row's sum of inputs.
        state_multiplier, state_shift: of each row's sum of states.
        exponent: the state's int8 has the scale 2^exponent / 128.
    """

    kernel: NDArray[np.int8]
    recurrent: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    state_multiplier: NDArray[np.int32]
    state_shift: NDArray[np.int8]
    exponent: int


def quantise_cell(
    cell: str, kernel: Array, recurrent: Array, bias: Array, given: Tensor, largest: float
) -> CellNumbers:
    """Quantise the weights of a cell.

    Args:
        cell: its kind.
        kernel, recurrent, bias: as in ``Recur``.
        given: its input.
        largest: size of the largest state on calibration windows; only that of FastGRNN can exceed 1.
    """
    exponent = max(0, ceil(log2(max(largest, 1e-9)))) if cell == "fastgrnn" else 0
    rows: list[NDArray[np.int8]] = []
    factors: list[tuple[NDArray[np.int32], NDArray[np.int8]]] = []
    for matrix, scale in ((kernel, given.step), (recurrent, 2.0**exponent / 128)):
        scales = np.maximum(np.abs(matrix).max(0) / 127, 1e-12)
        rows.append(np.clip(np.rint(matrix / scales), -127, 127).astype(np.int8).T)
        factors.append(split_factors(scale * scales * UNIT))
    units = len(recurrent)
    whole = np.rint(np.clip(bias, -256, 256) * UNIT)
    if cell == "fastgrnn":
        whole[2 * units :] = np.rint(bias[2 * units :] * ONE)
    return CellNumbers(rows[0], rows[1], whole.astype(np.int32), *factors[0], *factors[1], exponent)


@cache
def sigmoid_table() -> Integers:
    """Return the table of the C code: 1 / (1 + exp(-i / 16)) in Q15 for i from 0 to 192."""
    source = (files(__package__) / "c" / "sigmoid_q15.c").read_text(encoding="utf-8")
    table = re.search(r"\[193\] = \{([^}]*)\}", source)
    assert table is not None
    return np.array([int(each) for each in table[1].split(",") if each.strip()], np.int64)


def sigmoid_q15(x: Integers) -> Integers:
    """Return the sigmoid (Q15) of Q12, interpolated between 193 entries; it mirrors for negative numbers."""
    table = sigmoid_table()
    size = np.minimum(np.abs(x), GATE_LIMIT)
    at = np.minimum(size >> 8, 191)
    values = table[at] + (((table[at + 1] - table[at]) * (size - (at << 8)) + 128) >> 8)
    return np.asarray(np.where(x < 0, ONE - values, values))


def tanh_q15(x: Integers) -> Integers:
    """Return the hyperbolic tangent (Q15) of Q12: 2 · sigmoid(2x) - 1."""
    return np.asarray(2 * sigmoid_q15(2 * x) - ONE)


def multiply_q15(value: Integers, factor: Integers) -> Integers:
    """Return value · factor / 2^15, rounded half up, as C does it without 64 bits."""
    low = (factor * (value & (ONE - 1)) + (ONE >> 1)) >> 15
    return np.asarray(factor * (value >> 15) + low)


def _shifted_sum(sums: Integers, multiplier: Array, shift: Array) -> Integers:
    """Return sums as Q12, saturated at ±256; a negative shift is one to the left, before the product."""
    left = np.maximum(-shift.astype(np.int64), 0)
    most = (2**31 - 1) >> left
    shifted = np.clip(sums, -most, most) << left
    return np.clip(requantise(shifted, multiplier, np.maximum(shift, 0)), -SUM_LIMIT, SUM_LIMIT)


@dataclass(frozen=True, eq=False, kw_only=True)
class RecurInt8(Block):
    """Run a recurrent cell in integers; see ``Recur``.

    Args:
        cell: its kind.
        numbers: its integers.
        dimensions: the initialiser of the C struct.
        sequences, backward: as in ``Recur``.
    """

    cell: str
    numbers: CellNumbers
    dimensions: str
    sequences: bool
    backward: bool

    @property
    def _units(self) -> int:
        return int(self.numbers.recurrent.shape[1])

    @property
    def scratch_bytes(self) -> int:
        """State, cell and sums in 32 bits, the state in 8."""
        return 4 * STATE[self.cell] * self._units + 4 * -(-self._units // 4)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Weights, biases and factors."""
        names = ("kernel", "recurrent", "bias", "multiplier", "shift", "state_multiplier", "state_shift")
        return tuple(Constant(name, getattr(self.numbers, name)) for name in names)

    @property
    def support(self) -> tuple[str, ...]:
        """The cell's function."""
        return (f"{self.cell}_s8",)

    def function(self, prefix: str) -> str:
        """Call the cell's function."""
        own = f"{prefix}_{self.name}"
        arrays = ", ".join(f"{own}_{each.name}" for each in self.constants)
        return (
            f"{self.head(prefix)}\n{{\n    static const struct recurrence r = {self.dimensions};\n"
            f"    static const struct cell q = {{{arrays}, {self.input.zero_point}, {self.numbers.exponent}}};\n"
            f"    {self.cell}_s8(x, y, scratch, &r, &q);\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Compute all windows at once, step by step."""
        numbers, units = self.numbers, self._units
        signal = x[0].reshape(len(x[0]), *self.input.shape).astype(np.float64) - self.input.zero_point
        sums = (signal @ numbers.kernel.T.astype(np.float64)).astype(np.int64)
        inputs = _shifted_sum(sums, numbers.multiplier, numbers.shift)
        recurrent, bias = numbers.recurrent.T.astype(np.float64), numbers.bias.astype(np.int64)
        narrow = np.zeros((len(signal), units), np.int64)
        wide = np.zeros((len(signal), units), np.int64)
        states = np.empty((*signal.shape[:2], units), np.int8)
        steps = range(signal.shape[1])
        for time in reversed(steps) if self.backward else steps:
            products = (narrow.astype(np.float64) @ recurrent).astype(np.int64)
            products = _shifted_sum(products, numbers.state_multiplier, numbers.state_shift)
            wide, narrow = getattr(self, f"_{self.cell}")(inputs[:, time], products, wide, bias)
            states[:, time] = narrow
        return states if self.sequences else states[:, 0 if self.backward else -1]

    def _lstm(self, given: Integers, state: Integers, c: Integers, bias: Integers) -> tuple[Integers, Integers]:
        units = self._units
        gates = given + state + bias
        i, f, g, o = (gates[:, place * units : (place + 1) * units] for place in range(4))
        c = multiply_q15(c, sigmoid_q15(f)) + ((sigmoid_q15(i) * tanh_q15(g) + (ONE >> 1)) >> 15)
        h = sigmoid_q15(o) * tanh_q15((c + 4) >> 3)
        return c, np.clip((h + (1 << 22)) >> 23, -128, 127)

    def _gru(self, given: Integers, state: Integers, h: Integers, bias: Integers) -> tuple[Integers, Integers]:
        units = self._units
        both = sigmoid_q15(given[:, : 2 * units] + state[:, : 2 * units] + bias[: 2 * units])
        z, r = both[:, :units], both[:, units:]
        reset = np.clip(state[:, 2 * units :] + bias[3 * units :], -65535, 65535)
        candidate = tanh_q15(
            given[:, 2 * units :] + bias[2 * units : 3 * units] + ((r * reset + (ONE >> 1)) >> 15),
        )
        h = (z * h + (ONE - z) * candidate + (ONE >> 1)) >> 15
        return h, self._narrow(h)

    def _fastgrnn(self, given: Integers, state: Integers, h: Integers, bias: Integers) -> tuple[Integers, Integers]:
        units = self._units
        total = given + state
        z, candidate = sigmoid_q15(total + bias[:units]), tanh_q15(total + bias[units : 2 * units])
        zeta, nu = bias[2 * units :]
        weight = np.minimum(((zeta * (ONE - z) + (ONE >> 1)) >> 15) + nu, 65535)
        h = ((weight * candidate + (ONE >> 1)) >> 15) + multiply_q15(h, z)
        return h, self._narrow(h)

    def _narrow(self, h: Integers) -> Integers:
        """Return the state as int8."""
        exponent = self.numbers.exponent
        return np.asarray(np.clip((h + (1 << (7 + exponent))) >> (8 + exponent), -128, 127))
