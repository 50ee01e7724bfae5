"""The normaliser of the raw signal: in float32, and from raw counts to int8 in integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from .arithmetic import fit_int8, to_int8
from .blocks import Array, Block, Constant, Tensor
from .float_block import FloatBlock

#: Factors of counts have this many bits, so that a difference of 17 bits times a factor fits 32.
FACTOR_BITS = 14


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalise(FloatBlock):
    """Subtract the mean of each channel and multiply by the reciprocal of its standard deviation, in float32.

    Args:
        mean, std: (channels,) of the training subjects.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Means and reciprocals."""
        return (
            Constant("mean", self.mean.astype(np.float32)),
            Constant("factor", (1 / self.std).astype(np.float32)),
        )

    @property
    def overwrites(self) -> bool:
        """Each value depends on its own alone."""
        return True

    def function(self, prefix: str) -> str:
        """Loop over samples and channels."""
        own, channels = f"{prefix}_{self.name}", len(self.mean)
        return (
            f"{self.head(prefix)}\n{{\n    int i, c;\n    for (i = 0; i < {self.output.size // channels}; i++)\n"
            f"        for (c = 0; c < {channels}; c++, x++)\n"
            f"            *y++ = (*x - {own}_mean[c]) * {own}_factor[c];\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        mean, factor = (each.array for each in self.constants)
        return np.asarray((x[0].reshape(len(x[0]), *self.output.shape) - mean) * factor)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the normaliser of raw counts."""
        given = inputs[0]
        output = fit_int8(self.output.shape, low, high)
        scales = np.broadcast_to(np.asarray(given.scale, np.float64), self.mean.shape)
        factors, shifts = [], []
        for real in scales / (self.std * output.step):
            shift = int(np.clip(FACTOR_BITS - 1 - floor(log2(real)), 0, 30))
            factors.append(min(round(real * 2**shift), 2**FACTOR_BITS - 1))
            shifts.append(shift)
        return NormaliseCounts(
            name=self.name,
            inputs=(replace(given, shape=self.input.shape),),
            output=output,
            centre=np.clip(np.rint(self.mean / scales), -32768, 32767).astype(np.int16),
            factor=np.array(factors, np.int16),
            shift=np.array(shifts, np.uint8),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class NormaliseCounts(Block):
    """Normalise raw counts (int16) to int8: ((x - centre) · factor + half) >> shift, rounded half up.

    Args:
        centre: (channels,) the mean in counts.
        factor, shift: (channels,) the steps of the output that one count is.
    """

    centre: NDArray[np.int16]
    factor: NDArray[np.int16]
    shift: NDArray[np.uint8]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Centres, factors and shifts."""
        return Constant("centre", self.centre), Constant("factor", self.factor), Constant("shift", self.shift)

    @property
    def support(self) -> tuple[str, ...]:
        """The kernel's function."""
        return ("normalise_s8",)

    def function(self, prefix: str) -> str:
        """Call the kernel's function."""
        own, channels = f"{prefix}_{self.name}", len(self.centre)
        return (
            f"{self.head(prefix)}\n{{\n    normalise_s8(x, y, {self.output.size // channels}, {channels}, "
            f"{own}_centre, {own}_factor,\n                 {own}_shift, {self.output.zero_point});\n}}\n"
        )

    def run(self, *x: Array) -> Array:
        """Compute all values at once."""
        counts = x[0].reshape(len(x[0]), *self.output.shape).astype(np.int64)
        shift = self.shift.astype(np.int64)
        half = (np.int64(1) << shift) >> 1
        values = (((counts - self.centre) * self.factor + half) >> shift) + self.output.zero_point
        return to_int8(np.asarray(values))
