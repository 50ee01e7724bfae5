"""Sums and products of two tensors, one of which may be stretched along axes of length 1; and concatenation.

int8 sums and products follow TensorFlow Lite's reference kernels. A concatenation requantises each part to the scale of
the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np

from .arithmetic import LARGEST, activation_limits, clamp, fit_int8, requantise, split_factors
from .blocks import Array, Block, Tensor, format_number
from .float_block import FloatBlock

Operator = Literal["add", "multiply"]
#: TensorFlow Lite shifts both terms of a sum to the left by this, for precision.
LEFT = 20
#: The same for parts of a concatenation: a part is requantised as its sum with zero, which halves it first.
PART_LEFT = LEFT - 1


def _loops(inputs: tuple[Tensor, ...], output: Tensor) -> tuple[list[int], list[list[int]]]:
    """Return the lengths of the output's axes, and for each input how far it moves along each of them."""
    if all(each.shape == output.shape for each in inputs):
        return [output.size], [[1] for _ in inputs]
    rank = len(output.shape)
    steps = []
    for each in inputs:
        shape = (1,) * (rank - len(each.shape)) + each.shape
        steps.append([0 if length == 1 else prod(shape[axis + 1 :]) for axis, length in enumerate(shape)])
    return list(output.shape), steps


def _over_pairs(inputs: tuple[Tensor, ...], output: Tensor, expression: str) -> str:
    """Return C loops that give ``expression`` of ``a`` and ``b`` to every value."""
    lengths, steps = _loops(inputs, output)
    variables = "ijklm"[: len(lengths)]
    lines = [f"    int {', '.join(variables)};"]
    for depth, (variable, length) in enumerate(zip(variables, lengths, strict=True), start=1):
        lines.append(f"{'    ' * depth}for ({variable} = 0; {variable} < {length}; {variable}++)")
    lines[-1] += " {"
    inner = "    " * (len(lengths) + 1)
    for name, source, each, kind in zip("ab", ("x", "x2"), steps, inputs, strict=True):
        terms = [f"{variable} * {step}" for variable, step in zip(variables, each, strict=True) if step]
        lines.append(f"{inner}{kind.c_type} {name} = {source}[{' + '.join(terms) or '0'}];")
    lines += [f"{inner}*y++ = {expression};", f"{'    ' * len(lengths)}}}"]
    return "\n".join(lines)


@dataclass(frozen=True, eq=False, kw_only=True)
class Merge(FloatBlock):
    """Add or multiply two tensors in float32.

    Args:
        operator: what is done.
        low, high: limits of the activation.
    """

    operator: Operator
    low: float = -LARGEST
    high: float = LARGEST

    @property
    def support(self) -> tuple[str, ...]:
        """The clamp."""
        return ("clamp_f32",)

    @property
    def overwrites(self) -> bool:
        """Each value depends on those at its place, unless the first input is stretched."""
        return self.input.shape == self.output.shape

    def function(self, prefix: str) -> str:
        """Loop over the values."""
        sign = "+" if self.operator == "add" else "*"
        expression = f"clamp_f32(a {sign} b, {format_number(self.low)}, {format_number(self.high)})"
        return f"{self.head(prefix)}\n{{\n{_over_pairs(self.inputs, self.output, expression)}\n}}\n"

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        a, b = (_stretched(each, tensor, self.output) for each, tensor in zip(x, self.inputs, strict=True))
        return clamp(a + b if self.operator == "add" else a * b, self.low, self.high)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the same in int8."""
        given = tuple(replace(each, shape=own.shape) for each, own in zip(inputs, self.inputs, strict=True))
        least = 1.0001 * given[0].step * given[1].step if self.operator == "multiply" else 0.0
        output = fit_int8(self.output.shape, low, high, least=least)
        return MergeInt8(
            name=self.name,
            inputs=given,
            output=output,
            operator=self.operator,
            limits=activation_limits(output, self.low, self.high),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class MergeInt8(Block):
    """Add or multiply two tensors in int8; see ``Merge``.

    Args:
        operator: what is done.
        limits: lowest and highest integer of the output.
    """

    operator: Operator
    limits: tuple[int, int]

    @property
    def support(self) -> tuple[str, ...]:
        """Rounding and saturation."""
        return ("requantise", "saturate_s8")

    @property
    def overwrites(self) -> bool:
        """Each value depends on those at its place, unless the first input is stretched."""
        return self.input.shape == self.output.shape

    @property
    def _factors(self) -> list[tuple[int, int]]:
        """Factors of both terms of a sum and of the sum, or of a product."""
        first, second = (each.step for each in self.inputs)
        if self.operator == "multiply":
            factors = [first * second / self.output.step]
        else:
            twice = 2 * max(first, second)
            factors = [first / twice, second / twice, twice / (2**LEFT * self.output.step)]
        multipliers, shifts = split_factors(factors)
        return [(int(multiplier), int(shift)) for multiplier, shift in zip(multipliers, shifts, strict=True)]

    def function(self, prefix: str) -> str:
        """Loop over the values."""
        factors = [f"{multiplier}, {shift}" for multiplier, shift in self._factors]
        a, b = (f"({name} - ({each.zero_point}))" for name, each in zip("ab", self.inputs, strict=True))
        if self.operator == "multiply":
            total = f"requantise({a} * {b}, {factors[0]})"
        else:
            shifted = [f"requantise({each} * ((int32_t)1 << {LEFT}), {factors[k]})" for k, each in enumerate((a, b))]
            total = f"requantise({' + '.join(shifted)}, {factors[2]})"
        expression = f"saturate_s8({total} + ({self.output.zero_point}), {self.limits[0]}, {self.limits[1]})"
        return f"{self.head(prefix)}\n{{\n{_over_pairs(self.inputs, self.output, expression)}\n}}\n"

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        a, b = (
            _stretched(each, tensor, self.output).astype(np.int64) - tensor.zero_point
            for each, tensor in zip(x, self.inputs, strict=True)
        )
        factors = self._factors
        if self.operator == "multiply":
            total = requantise(a * b, *factors[0])
        else:
            total = requantise(requantise(a << LEFT, *factors[0]) + requantise(b << LEFT, *factors[1]), *factors[2])
        return np.clip(total + self.output.zero_point, *self.limits).astype(np.int8)


def _stretched(values: Array, tensor: Tensor, output: Tensor) -> Array:
    shape = (1,) * (len(output.shape) - len(tensor.shape)) + tensor.shape
    return np.broadcast_to(values.reshape(len(values), *shape), (len(values), *output.shape))


@dataclass(frozen=True, eq=False, kw_only=True)
class Concatenate(FloatBlock):
    """Put tensors one behind another along an axis.

    Args:
        axis: of the output, without an axis of windows.
    """

    axis: int

    def function(self, prefix: str) -> str:
        """Copy the parts of each row of the axes before."""
        lines = ["    int i, j;"]
        for source, width, start in _parts(self.inputs, self.axis):
            lines += _copy(self, width, start, f"{source}[i * {width} + j]")
        return f"{self.head(prefix)}\n{{\n" + "\n".join(lines) + "\n}\n"

    def run(self, *x: Array) -> Array:
        """Concatenate."""
        shaped = [each.reshape(len(each), *tensor.shape) for each, tensor in zip(x, self.inputs, strict=True)]
        return np.concatenate(shaped, axis=self.axis + 1)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the concatenation in int8."""
        given = tuple(replace(each, shape=own.shape) for each, own in zip(inputs, self.inputs, strict=True))
        scales = {(each.step, each.zero_point) for each in given}
        if len(scales) == 1:
            output = replace(given[0], shape=self.output.shape)
        else:
            output = fit_int8(self.output.shape, low, high, least=max(each.step for each in given))
        return ConcatenateInt8(name=self.name, inputs=given, output=output, axis=self.axis)


@dataclass(frozen=True, eq=False, kw_only=True)
class ConcatenateInt8(Block):
    """Put int8 tensors one behind another, each requantised to the output's scale; see ``Concatenate``."""

    axis: int

    @property
    def support(self) -> tuple[str, ...]:
        """Rounding and saturation, where a part has another scale."""
        return () if all(map(self._same, self.inputs)) else ("requantise", "saturate_s8")

    def _same(self, part: Tensor) -> bool:
        return (part.step, part.zero_point) == (self.output.step, self.output.zero_point)

    def _factor(self, part: Tensor) -> tuple[int, int]:
        multiplier, shift = split_factors(part.step / self.output.step / 2**PART_LEFT)
        return int(multiplier[0]), int(shift[0])

    def function(self, prefix: str) -> str:
        """Copy and requantise the parts of each row of the axes before."""
        lines = ["    int i, j;"]
        for part, (source, width, start) in zip(self.inputs, _parts(self.inputs, self.axis), strict=True):
            value = f"{source}[i * {width} + j]"
            if not self._same(part):
                multiplier, shift = self._factor(part)
                term = f"({value} - ({part.zero_point})) * ((int32_t)1 << {PART_LEFT})"
                value = f"requantise({term}, {multiplier}, {shift})"
                value = f"saturate_s8({value} + ({self.output.zero_point}), -128, 127)"
            lines += _copy(self, width, start, value)
        return f"{self.head(prefix)}\n{{\n" + "\n".join(lines) + "\n}\n"

    def run(self, *x: Array) -> Array:
        """Requantise and concatenate."""
        parts = []
        for values, part in zip(x, self.inputs, strict=True):
            shaped = values.reshape(len(values), *part.shape)
            if not self._same(part):
                left = (shaped.astype(np.int64) - part.zero_point) << PART_LEFT
                total = requantise(left, *self._factor(part)) + self.output.zero_point
                shaped = np.clip(total, -128, 127).astype(np.int8)
            parts.append(shaped)
        return np.concatenate(parts, axis=self.axis + 1)


def _parts(inputs: tuple[Tensor, ...], axis: int) -> list[tuple[str, int, int]]:
    """Return, for each input, its C name, the values of one row and where they start in the output's row."""
    widths = [prod(each.shape[axis:]) for each in inputs]
    names = ["x", *(f"x{number}" for number in range(2, len(inputs) + 1))]
    return [(name, width, sum(widths[:place])) for place, (name, width) in enumerate(zip(names, widths, strict=True))]


def _copy(block: Concatenate | ConcatenateInt8, width: int, start: int, value: str) -> list[str]:
    """Return C loops that give ``value`` to one part of every row of the output."""
    rows = prod(block.output.shape[: block.axis])
    return [
        f"    for (i = 0; i < {rows}; i++)",
        f"        for (j = 0; j < {width}; j++)",
        f"            y[i * {block.output.size // rows} + {start} + j] = {value};",
    ]
