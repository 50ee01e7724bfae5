"""Pooling and reductions: maximum, mean or sum of what a kernel covers.

int8 after TensorFlow Lite: maximum and mean keep scale and zero point of their input, a mean is rounded half away from
zero. A sum is requantised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .arithmetic import LARGEST, fit_int8, requantise, split_factors, to_int8
from .blocks import Array, Block, Tensor
from .float_block import FloatBlock
from .geometry import Geometry

Mode = Literal["max", "mean", "sum"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(FloatBlock):
    """Pool a map in float32; what lies outside the map does not count.

    Args:
        geometry: where the kernel lies.
        channels: channels of the map.
        mode: what is taken of the covered elements.
    """

    geometry: Geometry
    channels: int
    mode: Mode

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return ("pool_max_f32",) if self.mode == "max" else ("pool_sum_f32",)

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        numbers = self.geometry.initialiser(self.channels, self.channels, 1, self.channels)
        call = "pool_max_f32(x, y, &g)" if self.mode == "max" else f"pool_sum_f32(x, y, &g, {int(self.mode == 'mean')})"
        return f"{self.head(prefix)}\n{{\n    static const struct geometry g = {numbers};\n    {call};\n}}\n"

    def run(self, *x: Array) -> Array:
        """Take the elements one after another."""
        maps = x[0].reshape(len(x[0]), *self.geometry.size, self.channels)
        shape = (len(maps), *self.geometry.positions, self.channels)
        if self.mode == "max":
            best = np.full(shape, -LARGEST, np.float32)
            for _, _, part in self.geometry.taps(maps, -LARGEST):
                best = np.where(part > best, part, best)
            return best.reshape(len(maps), *self.output.shape)
        total = np.zeros(shape, np.float32)
        for _, _, part in self.geometry.taps(maps, 0):
            total += part
        if self.mode == "mean":
            total /= _counts(self.geometry).astype(np.float32)
        return total.reshape(len(maps), *self.output.shape)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the pooling in int8."""
        given = replace(inputs[0], shape=self.input.shape)
        output = replace(given, shape=self.output.shape)
        if self.mode == "sum":
            output = fit_int8(self.output.shape, low, high, least=1.0001 * given.step)
        return PoolInt8(
            name=self.name,
            inputs=(given,),
            output=output,
            geometry=self.geometry,
            channels=self.channels,
            mode=self.mode,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolInt8(Block):
    """Pool a map in int8; see ``Pool``."""

    geometry: Geometry
    channels: int
    mode: Mode

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return (f"pool_{self.mode}_s8",)

    @property
    def _factor(self) -> tuple[int, int]:
        multiplier, shift = split_factors(self.input.step / self.output.step)
        return int(multiplier[0]), int(shift[0])

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        numbers = self.geometry.initialiser(self.channels, self.channels, 1, self.channels)
        more = ""
        if self.mode == "sum":
            more = ", " + ", ".join(map(str, (*self._factor, self.input.zero_point, self.output.zero_point)))
        return (
            f"{self.head(prefix)}\n{{\n    static const struct geometry g = {numbers};\n"
            f"    pool_{self.mode}_s8(x, y, &g{more});\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Take all elements at once: integers have no order."""
        maps = x[0].reshape(len(x[0]), *self.geometry.size, self.channels).astype(np.int64)
        if self.mode == "max":
            values = np.max([part for _, _, part in self.geometry.taps(maps, -128)], axis=0)
        else:
            zero = self.input.zero_point if self.mode == "sum" else 0
            total = np.sum([part for _, _, part in self.geometry.taps(maps - zero, 0)], axis=0)
            if self.mode == "mean":
                count = _counts(self.geometry)
                half = count // 2
                values = np.where(total > 0, (total + half) // count, -((half - total) // count))
            else:
                values = requantise(total, *self._factor) + self.output.zero_point
        return to_int8(np.asarray(values)).reshape(len(maps), *self.output.shape)


def _counts(geometry: Geometry) -> Array:
    """Return the number of elements inside the map at each position: (1, rows, columns, 1)."""
    ones = np.ones((1, *geometry.size, 1), np.int64)
    return np.asarray(sum(part for _, _, part in geometry.taps(ones, 0)))
