"""The parts that C code is written from: blocks that compute one tensor from others, in C and in NumPy alike.

A block writes one static C function and computes the same in NumPy, bit for bit. Functions that several blocks call
lie as C files in the folder ``c`` of this room; a block names those that it calls, and each is written once. Integer
tensors stand for real values: value = scale · (integer − zero point).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DType = Literal["float32", "int8", "int16", "int32"]
Array = NDArray[Any]

#: The C type of each NumPy type.
C_TYPES = {
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
}
#: Marks, in the first line of a C file, the files that must stand before it.
NEEDS = re.compile(r"/\* needs: ([\w ]+) \*/\n")


@dataclass(frozen=True)
class Tensor:
    """Describe one input or output of a block, for one window.

    Args:
        shape: without an axis of windows.
        dtype: of each value.
        scale: real size of one step of an integer, for all values or for each of the last axis.
        zero_point: the integer that stands for 0.
    """

    shape: tuple[int, ...]
    dtype: DType
    scale: float | tuple[float, ...] = 1.0
    zero_point: int = 0

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def c_type(self) -> str:
        """The C type of one value."""
        return C_TYPES[self.dtype]

    @property
    def step(self) -> float:
        """The scale of a tensor that has one for all values."""
        if isinstance(self.scale, tuple):
            raise TypeError("This tensor has a scale for each value of its last axis.")
        return self.scale

    def dequantise(self, values: Array) -> NDArray[np.float64]:
        """Return the real values that integers stand for."""
        return (np.asarray(values, np.float64) - self.zero_point) * np.asarray(self.scale, np.float64)


@dataclass(frozen=True, eq=False)
class Constant:
    """An array of constants, written as ``static const`` under the names of the file and of its block.

    Args:
        name: a C name, unique in its block.
        array: its values; their type must be one of ``C_TYPES``.
    """

    name: str
    array: Array

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return int(self.array.nbytes)

    def declare(self, prefix: str) -> str:
        """Return the C declaration, under the name ``PREFIX_NAME``."""
        values = [format_number(value) for value in self.array.ravel()]
        lines, line = [], "   "
        for value in values:
            if len(line) + len(value) + 2 > 116:
                lines.append(line)
                line = "   "
            line += f" {value},"
        text = "\n".join([*lines, line])
        return f"static const {C_TYPES[self.array.dtype.name]} {prefix}_{self.name}[{len(values)}] = {{\n{text}\n}};\n"


def format_number(value: Any) -> str:
    """Return a C literal that gives exactly this number; the smallest 32-bit integer has no literal of its own."""
    if isinstance(value, np.floating | float):
        text = np.format_float_scientific(np.float32(value), unique=True, trim="0", exp_digits=1)
        return f"{text}f"
    return "(-2147483647 - 1)" if int(value) == -(2**31) else str(int(value))


@dataclass(frozen=True, eq=False, kw_only=True)
class Block(ABC):
    """Compute one tensor from others.

    Args:
        name: a C name, unique in its file.
        inputs: what it reads.
        output: what it computes.
    """

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor

    @property
    def input(self) -> Tensor:
        """The only or first input."""
        return self.inputs[0]

    @property
    def scratch_bytes(self) -> int:
        """Bytes of memory, aligned to 4, that it needs while it runs."""
        return 0

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Arrays that are written before its function."""
        return ()

    @property
    def support(self) -> tuple[str, ...]:
        """Names of the C files of this room whose functions it calls."""
        return ()

    @property
    def overwrites(self) -> bool:
        """Whether its output may lie where its first input lies: each value depends on that at the same place."""
        return False

    @abstractmethod
    def function(self, prefix: str) -> str:
        """Return the source of ``static void PREFIX_NAME(const IN *x, OUT *y, void *scratch)``.

        With several inputs their parameters are ``x``, ``x2``, ``x3`` …; without ``scratch_bytes`` there is no
        parameter ``scratch``. Constants are called ``PREFIX_NAME_CONSTANT``.
        """

    @abstractmethod
    def run(self, *x: Array) -> Array:
        """Compute in NumPy what the C computes, bit for bit: (windows, *shape) to (windows, *shape)."""

    def head(self, prefix: str) -> str:
        """Return the first line of its function."""
        names = ["x", *(f"x{number}" for number in range(2, len(self.inputs) + 1))]
        inputs = (f"const {each.c_type} *{name}" for each, name in zip(self.inputs, names, strict=True))
        scratch = ["void *scratch"] if self.scratch_bytes else []
        return f"static void {prefix}_{self.name}({', '.join([*inputs, f'{self.output.c_type} *y', *scratch])})"

    def call(self, prefix: str, inputs: Sequence[str], output: str, scratch: str = "") -> str:
        """Return the C statement that calls its function.

        Args:
            prefix: of all names in the file.
            inputs: C expressions of pointers, of the right type.
            output: C expression of a pointer.
            scratch: C expression of a pointer, for a block with ``scratch_bytes``.
        """
        arguments = [*inputs, output, *([scratch] if self.scratch_bytes else [])]
        return f"{prefix}_{self.name}({', '.join(arguments)});"


def read_support(names: Iterable[str]) -> list[str]:
    """Return the C sources of these files and of those that they need, each once, in an order that compiles."""
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in done:
            needs, source = _read(name)
            for other in needs:
                add(other)
            done[name] = source

    for name in names:
        add(name)
    return list(done.values())


@cache
def _read(name: str) -> tuple[tuple[str, ...], str]:
    source = (files(__package__) / "c" / f"{name}.c").read_text(encoding="utf-8")
    needs = NEEDS.match(source)
    return (tuple(needs[1].split()), source[needs.end() :]) if needs else ((), source)
