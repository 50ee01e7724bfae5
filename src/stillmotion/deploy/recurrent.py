"""LSTM, GRU and FastGRNN over time in float32; ``recurrent_int8`` holds their integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Floats, sigmoid_f32, tanh_f32
from .blocks import Array, Block, Constant, Tensor
from .float_block import FloatBlock
from .recurrent_int8 import RecurInt8, quantise_cell

Cell = Literal["lstm", "gru", "fastgrnn"]
#: Matrices of each cell; floats of state and sums that it keeps per unit.
GATES = {"lstm": 4, "gru": 3, "fastgrnn": 1}
STATE = {"lstm": 6, "gru": 5, "fastgrnn": 2}


@dataclass(frozen=True, eq=False, kw_only=True)
class Recur(FloatBlock):
    """Run a recurrent cell over the steps of its input, from a state of zeros, in float32.

    A sum starts at its bias and takes the inputs, then the state, in order.

    Args:
        cell: its kind; a GRU resets after the product, as Keras does by default.
        kernel: (features, gates · units), in Keras' order of gates.
        recurrent: (units, gates · units).
        bias: LSTM (4 · units,); GRU (4 · units,): both biases of update and reset added, those of the candidate apart;
            FastGRNN (2 · units + 2,): gate, candidate, σ(ζ), σ(ν).
        sequences: whether it gives all states, or the last.
        backward: whether it runs from the last step to the first.
    """

    cell: Cell
    kernel: NDArray[np.float64]
    recurrent: NDArray[np.float64]
    bias: NDArray[np.float64]
    sequences: bool
    backward: bool = False

    @property
    def units(self) -> int:
        """Width of the state."""
        return int(self.recurrent.shape[0])

    @property
    def scratch_bytes(self) -> int:
        """State and sums."""
        return 4 * STATE[self.cell] * self.units

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Matrices row by row, and biases."""
        return (
            Constant("kernel", self.kernel.T.astype(np.float32)),
            Constant("recurrent", self.recurrent.T.astype(np.float32)),
            Constant("bias", self.bias.astype(np.float32)),
        )

    @property
    def support(self) -> tuple[str, ...]:
        """The cell's function."""
        return (f"{self.cell}_f32",)

    def function(self, prefix: str) -> str:
        """Call the cell's function."""
        own = f"{prefix}_{self.name}"
        return (
            f"{self.head(prefix)}\n{{\n    static const struct recurrence r = {self.dimensions()};\n"
            f"    {self.cell}_f32(x, y, scratch, &r, {own}_kernel, {own}_recurrent, {own}_bias);\n}}\n"
        )

    def dimensions(self) -> str:
        """Return the initialiser of the C struct ``recurrence``."""
        steps, features = self.input.shape
        return f"{{{steps}, {features}, {self.units}, {int(self.sequences)}, {int(self.backward)}}}"

    def run(self, *x: Array) -> Array:
        """Compute all windows at once: the input's products for all steps, then step by step."""
        kernel, recurrent, bias = (each.array for each in self.constants)
        signal = x[0].reshape(len(x[0]), *self.input.shape)
        width = GATES[self.cell] * self.units
        starts = np.zeros(width, np.float32) if self.cell == "fastgrnn" else bias[:width]
        products = np.empty((*signal.shape[:2], width), np.float32)
        products[:] = starts
        for feature in range(signal.shape[2]):
            products += signal[..., feature, None] * kernel[:, feature]
        step = _CELLS[self.cell]
        state = tuple(np.zeros((len(signal), self.units), np.float32) for _ in range(2))
        states = np.empty((*signal.shape[:2], self.units), np.float32)
        steps = range(signal.shape[1])
        for time in reversed(steps) if self.backward else steps:
            state = step(products[:, time], state, recurrent, bias, self.units)
            states[:, time] = state[0]
        return states if self.sequences else np.asarray(state[0])

    def range_of(self, x: tuple[Array, ...], y: Array) -> tuple[float, float]:
        """Return the range of the states; of FastGRNN, which alone may exceed 1, of all of them."""
        states = y if self.sequences or self.cell != "fastgrnn" else replace(self, sequences=True).run(*x)
        return float(states.min()), float(states.max())

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the recurrence in integers."""
        given = replace(inputs[0], shape=self.input.shape)
        numbers = quantise_cell(self.cell, self.kernel, self.recurrent, self.bias, given, max(-low, high))
        return RecurInt8(
            name=self.name,
            inputs=(given,),
            output=Tensor(self.output.shape, "int8", 2.0**numbers.exponent / 128, 0),
            cell=self.cell,
            numbers=numbers,
            dimensions=self.dimensions(),
            sequences=self.sequences,
            backward=self.backward,
        )


State = tuple[Array, ...]


def _add_state(total: Floats, state: Floats, rows: Floats) -> Floats:
    """Add the products of the state one after another."""
    total = total.copy()
    for unit in range(state.shape[1]):
        total += state[:, unit, None] * rows[:, unit]
    return total


def _lstm(product: Floats, state: State, recurrent: Floats, bias: Floats, units: int) -> State:
    h, c = state
    gates = _add_state(product, h, recurrent)
    i, f, g, o = (gates[:, place * units : (place + 1) * units] for place in range(4))
    c = sigmoid_f32(f) * c + sigmoid_f32(i) * tanh_f32(g)
    return sigmoid_f32(o) * tanh_f32(c), c


def _gru(product: Floats, state: State, recurrent: Floats, bias: Floats, units: int) -> State:
    h, _ = state
    both = _add_state(product[:, : 2 * units], h, recurrent[: 2 * units])
    z, r = sigmoid_f32(both[:, :units]), sigmoid_f32(both[:, units:])
    start = np.broadcast_to(bias[3 * units :], h.shape)
    candidate = tanh_f32(product[:, 2 * units :] + r * _add_state(start, h, recurrent[2 * units :]))
    return z * h + (np.float32(1) - z) * candidate, h


def _fastgrnn(product: Floats, state: State, recurrent: Floats, bias: Floats, units: int) -> State:
    h, _ = state
    total = _add_state(product, h, recurrent)
    z, candidate = sigmoid_f32(total + bias[:units]), tanh_f32(total + bias[units : 2 * units])
    zeta, nu = bias[2 * units :]
    return (zeta * (np.float32(1) - z) + nu) * candidate + z * h, h


_CELLS: dict[str, Callable[[Floats, State, Floats, Floats, int], State]] = {
    "lstm": _lstm,
    "gru": _gru,
    "fastgrnn": _fastgrnn,
}
