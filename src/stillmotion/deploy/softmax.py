"""Softmax inside a network, along any axis.

int8: powers come from a table of 256 integers of 16 bits, for the distance to the largest input; the output's scale is
1 / K with a whole K from 256, as fine as the largest share on calibration windows allows (TensorFlow Lite has K = 256,
too coarse for shares of many samples).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arithmetic import exp_f32
from .blocks import Array, Block, Constant, Tensor
from .float_block import FloatBlock


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(FloatBlock):
    """Softmax in float32 along the middle of three axes.

    Args:
        axes: lengths of what lies before the axis, of the axis, and of what lies behind it.
    """

    axes: tuple[int, int, int]

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return ("softmax_f32",)

    @property
    def overwrites(self) -> bool:
        """The largest input is read before anything is written."""
        return True

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        return f"{self.head(prefix)}\n{{\n    softmax_f32(x, y, {', '.join(map(str, self.axes))});\n}}\n"

    def run(self, *x: Array) -> Array:
        """Add the powers one after another."""
        values = x[0].reshape(len(x[0]), *self.axes)
        largest = values[:, :, :1]
        for place in range(1, self.axes[1]):
            part = values[:, :, place : place + 1]
            largest = np.where(part > largest, part, largest)
        powers = exp_f32(values - largest)
        total = np.zeros_like(largest)
        for place in range(self.axes[1]):
            total = total + powers[:, :, place : place + 1]
        return (powers / total).reshape(len(x[0]), *self.output.shape)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the softmax in int8."""
        given = replace(inputs[0], shape=self.input.shape)
        parts = int(np.clip(255 / max(high, 1e-3), 256, 65535))
        return SoftmaxInt8(
            name=self.name,
            inputs=(given,),
            output=Tensor(self.output.shape, "int8", 1 / parts, -128),
            axes=self.axes,
            parts=parts,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class SoftmaxInt8(Block):
    """Softmax in int8; see ``Softmax``.

    Args:
        axes: as there.
        parts: the integers that make up 1.
    """

    axes: tuple[int, int, int]
    parts: int

    @property
    def _table(self) -> NDArray[np.uint16]:
        return np.asarray(np.rint(65535 * np.exp(-np.arange(256) * self.input.step)), np.uint16)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The powers."""
        return (Constant("table", self._table),)

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return ("softmax_s8",)

    @property
    def overwrites(self) -> bool:
        """The largest input is read before anything is written, each value before its own is."""
        return True

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        numbers = ", ".join(map(str, (*self.axes, self.parts)))
        return f"{self.head(prefix)}\n{{\n    softmax_s8(x, y, {numbers}, {prefix}_{self.name}_table);\n}}\n"

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        values = x[0].reshape(len(x[0]), *self.axes).astype(np.int64)
        powers = self._table[values.max(2, keepdims=True) - values].astype(np.int64)
        total = powers.sum(2, keepdims=True)
        shares = (powers * self.parts + total // 2) // total - 128
        return np.asarray(np.minimum(shares, 127), np.int8).reshape(len(x[0]), *self.output.shape)
