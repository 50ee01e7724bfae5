"""A LiteRT graph while it is written: tensors, constants, operators, and the shapes in which tensors are seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..blocks import Array, Tensor
from .schema import OPERATORS, TYPES, VERSION, Table, Value, integers, pack_model

Scales = ArrayLike


@dataclass(frozen=True)
class Place:
    """A tensor of the graph.

    Args:
        number: in the graph.
        tensor: its shape (without the axis of windows), type, scale and zero point.
    """

    number: int
    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the axis of windows."""
        return self.tensor.shape


@dataclass
class Graph:
    """Collect what a file holds.

    Args:
        description: a text in the file.
    """

    description: str
    tensors: list[Table] = field(default_factory=list)
    buffers: list[Table] = field(default_factory=lambda: [{}])
    operators: list[Table] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    _seen: dict[tuple[int, tuple[int, ...]], Place] = field(default_factory=dict)

    def place(self, name: str, tensor: Tensor) -> Place:
        """Add a tensor for one window."""
        quantised = tensor.dtype in ("int8", "int16")
        scale = [tensor.step] if quantised else []
        return Place(self._tensor(name, (1, *tensor.shape), tensor.dtype, scale, [tensor.zero_point]), tensor)

    def constant(self, name: str, values: Array, *, scales: Scales = (), zero_point: int = 0, axis: int = 0) -> int:
        """Add an array of constants.

        Args:
            name: of the tensor.
            values: the array; its shape is the tensor's.
            scales: the scale of integers, or one for each place along an axis.
            zero_point: of integers.
            axis: that axis.
        """
        array = np.ascontiguousarray(values)
        self.buffers.append({0: array.astype(array.dtype.newbyteorder("<")).tobytes()})
        scale = np.atleast_1d(np.asarray(scales, np.float64))
        zeros = np.full(len(scale), zero_point)
        return self._tensor(name, array.shape, array.dtype.name, scale, zeros, axis, len(self.buffers) - 1)

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        scale: ArrayLike,
        zero_point: ArrayLike,
        axis: int = 0,
        buffer: int = 0,
    ) -> int:
        table: Table = {0: integers(shape), 1: np.int8(TYPES[dtype]), 2: np.uint32(buffer), 3: name}
        if np.size(scale):
            kept = {2: np.asarray(scale, np.float32), 3: np.asarray(zero_point, np.int64), 6: np.int32(axis)}
            table[4] = kept
        self.tensors.append(table)
        return len(self.tensors) - 1

    def add(self, operator: str, inputs: list[int], output: Place, options: dict[int, Value] | None = None) -> Place:
        """Add an operator that computes one tensor, and return it."""
        code = self.codes.setdefault(operator, len(self.codes))
        table: Table = {0: np.uint32(code), 1: integers(inputs), 2: integers([output.number])}
        if OPERATORS[operator][1]:
            table |= {3: np.uint8(OPERATORS[operator][1]), 4: options or {}}
        self.operators.append(table)
        return output

    def seen(self, given: Place, shape: tuple[int, ...]) -> Place:
        """Return a tensor in another shape, reshaped once."""
        if given.shape == shape:
            return given
        key = given.number, shape
        if key not in self._seen:
            view = self.place(f"{self._name(given)}_view{len(self.tensors)}", replace(given.tensor, shape=shape))
            self._seen[key] = self.add("RESHAPE", [given.number], view, {0: integers((1, *shape))})
        return self._seen[key]

    def _name(self, given: Place) -> str:
        return str(self.tensors[given.number][3])

    def pack(self, signal: Place, answer: Place) -> bytes:
        """Return the bytes of the file that maps ``signal`` to ``answer``."""
        codes = [
            {0: np.int8(min(OPERATORS[name][0], 127)), 2: np.int32(1), 3: np.int32(OPERATORS[name][0])}
            for name in self.codes
        ]
        subgraph: Table = {
            0: self.tensors,
            1: integers([signal.number]),
            2: integers([answer.number]),
            3: self.operators,
            4: "main",
        }
        return pack_model({0: np.uint32(VERSION), 1: codes, 2: [subgraph], 3: self.description, 4: self.buffers})


def strides_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how far each axis of an array moves, in values."""
    return np.array([prod(shape[axis + 1 :]) for axis in range(len(shape))], np.int64)
