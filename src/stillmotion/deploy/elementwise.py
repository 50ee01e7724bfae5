"""Activations that are not part of a convolution: in int8 by a table of 256 integers, computed at export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Floats, clamp, exp_f32, fit_int8, quantise, sigmoid_f32, tanh_f32
from .blocks import Array, Block, Constant, Tensor, format_number
from .float_block import FloatBlock


@dataclass(frozen=True)
class Activation:
    """One function of a value.

    Args:
        expression: in C, of ``v``, with ``{0}`` and ``{1}`` for settings.
        compute: the same in NumPy, float32, with the settings.
        support: C files that the expression needs.
        output: scale and zero point of its int8 output, where its range is known.
    """

    expression: str
    compute: Callable[..., Floats]
    support: tuple[str, ...] = ()
    output: tuple[float, int] | None = None


def _hard_sigmoid(v: Floats) -> Floats:
    return clamp(v * np.float32(1 / 6) + np.float32(0.5), 0, 1)


_SIXTH = format_number(1 / 6)
_HARD = f"clamp_f32(v * {_SIXTH} + 0.5f, 0.0f, 1.0f)"
#: Activations by their names in Keras; ``clamp`` has two settings, ``leaky_relu`` and ``elu`` have one.
ACTIVATIONS = {
    "clamp": Activation("clamp_f32(v, {0}, {1})", clamp, ("clamp_f32",)),
    "leaky_relu": Activation("v < 0.0f ? v * {0} : v", lambda v, slope: np.where(v < 0, v * np.float32(slope), v)),
    "elu": Activation(
        "v < 0.0f ? (exp_f32(v) - 1.0f) * {0} : v",
        lambda v, alpha: np.where(v < 0, (exp_f32(v) - np.float32(1)) * np.float32(alpha), v),
        ("exp_f32",),
    ),
    "sigmoid": Activation("sigmoid_f32(v)", sigmoid_f32, ("sigmoid_f32",), (1 / 256, -128)),
    "tanh": Activation("tanh_f32(v)", tanh_f32, ("tanh_f32",), (1 / 128, 0)),
    "silu": Activation("v * sigmoid_f32(v)", lambda v: v * sigmoid_f32(v), ("sigmoid_f32",)),
    "hard_sigmoid": Activation(_HARD, _hard_sigmoid, ("clamp_f32",), (1 / 256, -128)),
    "hard_silu": Activation(f"v * {_HARD}", lambda v: v * _hard_sigmoid(v), ("clamp_f32",)),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(FloatBlock):
    """Apply an activation to every value in float32.

    Args:
        activation: see ``ACTIVATIONS``.
        settings: its numbers.
    """

    activation: str
    settings: tuple[float, ...] = ()

    @property
    def support(self) -> tuple[str, ...]:
        """What the expression needs."""
        return ACTIVATIONS[self.activation].support

    @property
    def overwrites(self) -> bool:
        """Each value depends on its own alone."""
        return True

    def function(self, prefix: str) -> str:
        """Loop over the values."""
        expression = ACTIVATIONS[self.activation].expression.format(*map(format_number, self.settings))
        return (
            f"{self.head(prefix)}\n{{\n    int i;\n    for (i = 0; i < {self.output.size}; i++) {{\n"
            f"        float v = x[i];\n        y[i] = {expression};\n    }}\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        return self._apply(x[0]).reshape(len(x[0]), *self.output.shape)

    def _apply(self, values: Floats) -> Floats:
        return ACTIVATIONS[self.activation].compute(values, *self.settings)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the table of the activation's integers."""
        known = ACTIVATIONS[self.activation].output
        fitted = fit_int8(self.output.shape, low, high)
        output = fitted if known is None else Tensor(self.output.shape, "int8", *known)
        given = replace(inputs[0], shape=self.input.shape)
        real = given.dequantise(np.arange(-128, 128)).astype(np.float32)
        return MapInt8(name=self.name, inputs=(given,), output=output, table=quantise(self._apply(real), output))


@dataclass(frozen=True, eq=False, kw_only=True)
class MapInt8(Block):
    """Look every integer up in a table.

    Args:
        table: (256,) from -128 to 127.
    """

    table: NDArray[np.int8]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The table."""
        return (Constant("table", self.table),)

    @property
    def overwrites(self) -> bool:
        """Each value depends on its own alone."""
        return True

    def function(self, prefix: str) -> str:
        """Loop over the values."""
        return (
            f"{self.head(prefix)}\n{{\n    int i;\n    for (i = 0; i < {self.output.size}; i++)\n"
            f"        y[i] = {prefix}_{self.name}_table[x[i] + 128];\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Look all integers up at once."""
        return self.table[x[0].astype(np.int64) + 128].reshape(len(x[0]), *self.output.shape)
