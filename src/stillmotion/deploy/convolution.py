"""Convolutions of every kind, in float32 and int8: plain, grouped, depthwise, and dense as one of a single element.

int8 follows the specification of TensorFlow Lite: weights of each filter are symmetric with a scale of their own, the
sum has 32 bits and is requantised by its filter's factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .arithmetic import LARGEST, activation_limits, clamp, fit_int8, requantise, split_factors
from .blocks import Array, Block, Constant, Tensor, format_number
from .float_block import FloatBlock
from .geometry import Geometry


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolve(FloatBlock):
    """Convolve a map in float32: the sum starts at the bias and takes the kernel's elements, then channels, in order.

    Args:
        geometry: where the kernel lies.
        kernel: (rows, columns, channels of a group, filters).
        bias: (filters,).
        groups: filters and channels are divided into so many groups.
        low, high: limits of the activation.
    """

    geometry: Geometry
    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]
    groups: int = 1
    low: float = -LARGEST
    high: float = LARGEST

    def folds(self, channels: int) -> bool:
        """Tell whether a scale of each of so many channels can become part of it: it has no activation."""
        return (self.low, self.high, self.kernel.shape[3]) == (-LARGEST, LARGEST, channels)

    def scaled(self, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> Convolve:
        """Return the convolution whose filters' results are multiplied and shifted."""
        return replace(self, kernel=self.kernel * factor, bias=self.bias * factor + shift)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Kernel (filter by filter) and biases; a bias of -0 would make padding visible in a sign."""
        kernel = np.moveaxis(self.kernel, -1, 0).astype(np.float32)
        return Constant("kernel", kernel), Constant("bias", self.bias.astype(np.float32) + np.float32(0))

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return ("dense_f32",) if self._dense else ("convolve_f32",)

    @property
    def _dense(self) -> bool:
        return self.geometry.pointwise and self.groups == 1

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        own = f"{prefix}_{self.name}"
        end = f"{own}_kernel, {own}_bias, {format_number(self.low)}, {format_number(self.high)});\n}}\n"
        if self._dense:
            size = f"{self.geometry.positions[0] * self.geometry.positions[1]}, {self.kernel.shape[2]}"
            return f"{self.head(prefix)}\n{{\n    dense_f32(x, y, {size}, {self.kernel.shape[3]}, {end}"
        numbers = self.geometry.initialiser(
            self.kernel.shape[2] * self.groups, self.kernel.shape[3], self.kernel.shape[2], self.groups
        )
        return (
            f"{self.head(prefix)}\n{{\n    static const struct geometry g = {numbers};\n"
            f"    convolve_f32(x, y, &g, {end}"
        )

    def run(self, *x: Array) -> Array:
        """Add the products one after another, of all windows, positions and filters at once."""
        kernel = self.kernel.astype(np.float32)
        rows, columns, group_channels, filters = kernel.shape
        kernel = kernel.reshape(rows, columns, group_channels, self.groups, filters // self.groups)
        bias = self.constants[1].array.reshape(self.groups, -1)
        maps = x[0].reshape(len(x[0]), *self.geometry.size, -1)
        total = np.empty((len(maps), *self.geometry.positions, *bias.shape), np.float32)
        total[:] = bias
        for row, column, part in self.geometry.taps(maps, 0):
            grouped = part.reshape(*part.shape[:3], self.groups, group_channels)
            for channel in range(group_channels):
                total += grouped[..., channel, None] * kernel[row, column, channel]
        return clamp(total, self.low, self.high).reshape(len(maps), *self.output.shape)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the convolution in int8."""
        scale = inputs[0].step
        largest = np.abs(self.kernel).max((0, 1, 2))
        # A filter of small weights and a large bias must not leave 32 bits.
        scales = np.maximum(np.maximum(largest / 127, np.abs(self.bias) / (scale * 2**29)), 1e-12)
        scales = scales.astype(np.float32).astype(np.float64)  # as LiteRT files keep them
        output = fit_int8(self.output.shape, low, high, least=1.0001 * scale * float(scales.max()))
        return ConvolveInt8(
            name=self.name,
            inputs=(replace(inputs[0], shape=self.input.shape),),
            output=output,
            geometry=self.geometry,
            kernel=np.clip(np.rint(self.kernel / scales), -127, 127).astype(np.int8),
            bias=np.rint(self.bias / (scale * scales)).astype(np.int32),
            groups=self.groups,
            scales=scales,
            limits=activation_limits(output, self.low, self.high),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvolveInt8(Block):
    """Convolve a map in int8; see ``Convolve``.

    Args:
        geometry, kernel, bias, groups: as there, as integers.
        scales: (filters,) real size of one step of each filter's weights.
        limits: lowest and highest integer of the output.
    """

    geometry: Geometry
    kernel: NDArray[np.int8]
    bias: NDArray[np.int32]
    groups: int
    scales: NDArray[np.float64]
    limits: tuple[int, int]

    @cached_property
    def _factors(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Multipliers and shifts of the factor from the sum to the output."""
        multiplier, shift = split_factors(self.input.step * self.scales / self.output.step)
        return multiplier, shift.astype(np.uint8)

    @property
    def _offset(self) -> int:
        """What C subtracts from each input; 0 where the bias holds that already."""
        return 0 if self.geometry.inside else self.input.zero_point

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Kernel (filter by filter), biases and factors."""
        zero = self.input.zero_point - self._offset
        bias = self.bias - zero * self.kernel.sum((0, 1, 2), dtype=np.int32)
        return (
            Constant("kernel", np.moveaxis(self.kernel, -1, 0)),
            Constant("bias", bias.astype(np.int32)),
            Constant("multiplier", self._factors[0]),
            Constant("shift", self._factors[1]),
        )

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return (self._kernel_function,)

    @property
    def _kernel_function(self) -> str:
        if self.geometry.pointwise and self.groups == 1:
            return "dense_s8"
        if self.kernel.shape[2] == 1 and self.kernel.shape[3] == self.groups:
            return "depthwise_s8"
        return "convolve_s8"

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        own = f"{prefix}_{self.name}"
        _, _, group_channels, filters = self.kernel.shape
        low, high = self.limits
        zeros = f"{self._offset}, {self.output.zero_point}, {low}, {high}"
        quantised = (
            f"    static const struct quantised q = {{{own}_kernel, {own}_bias, {own}_multiplier, {own}_shift, "
            f"{zeros}}};\n"
        )
        if self._kernel_function == "dense_s8":
            positions = self.geometry.positions[0] * self.geometry.positions[1]
            body = f"{quantised}    dense_s8(x, y, {positions}, {group_channels}, {filters}, &q);\n"
        else:
            numbers = self.geometry.initialiser(group_channels * self.groups, filters, group_channels, self.groups)
            body = (
                f"    static const struct geometry g = {numbers};\n{quantised}"
                f"    {self._kernel_function}(x, y, &g, &q);\n"
            )
        return f"{self.head(prefix)}\n{{\n{body}}}\n"

    def run(self, *x: Array) -> Array:
        """Sum products exactly, in float64, and requantise."""
        rows, columns, group_channels, filters = self.kernel.shape
        kernel = self.kernel.reshape(rows, columns, group_channels, self.groups, -1).transpose(0, 1, 3, 2, 4)
        maps = x[0].reshape(len(x[0]), *self.geometry.size, -1).astype(np.float64) - self.input.zero_point
        total = np.zeros((len(maps), *self.geometry.positions, filters))
        for row, column, part in self.geometry.taps(maps, 0):
            grouped = part.reshape(*part.shape[:3], self.groups, 1, group_channels)
            total += (grouped @ kernel[row, column].astype(np.float64)).reshape(total.shape)
        sums = total.astype(np.int64) + self.bias
        values = requantise(sums, *self._factors) + self.output.zero_point
        return np.clip(values, *self.limits).astype(np.int8).reshape(len(maps), *self.output.shape)
