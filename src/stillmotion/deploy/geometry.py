"""Where a kernel lies on its input: rows of time, columns of sensors, strides, gaps and padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .blocks import Array

#: Longest axis of a map in C.
LONGEST = 32767


@dataclass(frozen=True)
class Geometry:
    """Describe a kernel on a map (rows, columns, channels); a signal over time has one column.

    Args:
        size: rows and columns of the map.
        kernel: rows and columns of the kernel.
        strides: distances between its positions.
        dilation: distances between its elements.
        margin: rows and columns before the map that it covers at its first position.
        positions: rows and columns of positions.
    """

    size: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    margin: tuple[int, int]
    positions: tuple[int, int]

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        kernel: tuple[int, int],
        *,
        strides: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "valid",
    ) -> Geometry:
        """Place a kernel as Keras does: ``valid``, ``same``, or ``causal`` along the rows."""
        margins, positions = [], []
        for axis, (length, taps, stride, gap) in enumerate(zip(size, kernel, strides, dilation, strict=True)):
            span = gap * (taps - 1)
            if padding == "same":
                count = -(-length // stride)
                margins.append(max(0, (count - 1) * stride + span + 1 - length) // 2)
            else:
                margins.append(span if padding == "causal" and axis == 0 else 0)
                count = (length + margins[-1] - span - 1) // stride + 1
            positions.append(count)
        return cls(size, kernel, strides, dilation, (margins[0], margins[1]), (positions[0], positions[1]))

    @property
    def margin_after(self) -> tuple[int, int]:
        """Rows and columns after the map that the kernel covers at its last position."""
        rows, columns = (
            max(0, (count - 1) * stride + gap * (taps - 1) + 1 - before - length)
            for count, stride, gap, taps, before, length in zip(
                self.positions, self.strides, self.dilation, self.kernel, self.margin, self.size, strict=True
            )
        )
        return rows, columns

    @property
    def inside(self) -> bool:
        """Whether the kernel never leaves the map."""
        return self.margin == self.margin_after == (0, 0)

    @property
    def pointwise(self) -> bool:
        """Whether each position reads its own element alone."""
        return self.kernel == self.strides == (1, 1)

    def taps(self, x: Array, fill: float) -> Iterator[tuple[int, int, Array]]:
        """Yield, for each element of the kernel, its row and column and what it reads at every position.

        Args:
            x: maps (n, rows, columns, channels).
            fill: the value outside the map.
        """
        margins = [(0, 0), *zip(self.margin, self.margin_after, strict=True), (0, 0)]
        padded = np.pad(x, margins, constant_values=fill) if any(map(any, margins)) else x
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                first = row * self.dilation[0], column * self.dilation[1]
                rows, columns = (
                    slice(start, start + (count - 1) * stride + 1, stride)
                    for start, count, stride in zip(first, self.positions, self.strides, strict=True)
                )
                yield row, column, padded[:, rows, columns]

    def initialiser(self, channels: int, filters: int, group_channels: int, groups: int) -> str:
        """Return the initialiser of the C struct ``geometry``."""
        numbers = (
            *(*self.size, channels, *self.positions, filters, *self.kernel, group_channels, groups),
            *(*self.strides, *self.dilation, *self.margin),
        )
        if max(numbers) > LONGEST:
            raise UserError(
                f"A layer's map of {' x '.join(map(str, (*self.size, channels)))} has an axis longer than {LONGEST}, "
                f"which C counts in 16 bits; shorten the window or narrow the layer."
            )
        return f"{{{', '.join(map(str, numbers))}}}"
