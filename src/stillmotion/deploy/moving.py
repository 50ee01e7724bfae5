"""Move values: permute axes, take a slice. The same in every type."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .blocks import Array, Block, Tensor
from .float_block import FloatBlock


@dataclass(frozen=True, eq=False, kw_only=True)
class Move(FloatBlock):
    """Read values in another order: along each axis of the output, the input moves by a step.

    Args:
        lengths: of the output's axes, as they are walked along.
        steps: how far the input moves along each of them.
        offset: where the input begins.
    """

    lengths: tuple[int, ...]
    steps: tuple[int, ...]
    offset: int = 0

    def function(self, prefix: str) -> str:
        """Loop over the output."""
        walked = [each for each in zip("ijklmn", self.lengths, self.steps, strict=False) if each[1] > 1]
        lines = [f"    int {', '.join(each[0] for each in walked)};"] if walked else []
        for depth, (variable, length, _) in enumerate(walked, start=1):
            lines.append(f"{'    ' * depth}for ({variable} = 0; {variable} < {length}; {variable}++)")
        terms = [*([str(self.offset)] if self.offset else []), *(f"{name} * ({step})" for name, _, step in walked)]
        lines.append(f"{'    ' * (len(walked) + 1)}*y++ = x[{' + '.join(terms) or '0'}];")
        return f"{self.head(prefix)}\n{{\n" + "\n".join(lines) + "\n}\n"

    def run(self, *x: Array) -> Array:
        """Take all values at once."""
        places = np.full((1,) * len(self.lengths), self.offset)
        for axis, (length, step) in enumerate(zip(self.lengths, self.steps, strict=True)):
            along = np.arange(length) * step
            places = places + along.reshape(-1, *(1,) * (len(self.lengths) - axis - 1))
        return x[0].reshape(len(x[0]), -1)[:, places.ravel()].reshape(len(x[0]), *self.output.shape)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the same for integers, which keep their scale."""
        given = replace(inputs[0], shape=self.input.shape)
        return replace(self, inputs=(given,), output=replace(given, shape=self.output.shape))
