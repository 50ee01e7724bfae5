"""Products of two tensors, as attention has them: in float32 alone, for the teachers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..errors import UserError
from .blocks import Array, Block, Tensor
from .float_block import FloatBlock


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixProduct(FloatBlock):
    """Multiply the matrices in the last two axes of two tensors, for each place of the axes before."""

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        """Matrices, and rows, columns and terms of a product."""
        *lead, rows, terms = self.inputs[0].shape
        return prod(lead), rows, self.inputs[1].shape[-1], terms

    def function(self, prefix: str) -> str:
        """Loop over matrices, rows and columns; a sum starts at 0 and takes its terms in order."""
        matrices, rows, columns, terms = self._sizes
        return (
            f"{self.head(prefix)}\n{{\n    int m, i, j, k;\n"
            f"    for (m = 0; m < {matrices}; m++, x2 += {terms * columns})\n"
            f"        for (i = 0; i < {rows}; i++, x += {terms})\n"
            f"            for (j = 0; j < {columns}; j++) {{\n"
            "                float sum = 0;\n"
            f"                for (k = 0; k < {terms}; k++)\n"
            f"                    sum += x[k] * x2[k * {columns} + j];\n"
            "                *y++ = sum;\n            }\n}\n"
        )

    def run(self, *x: Array) -> Array:
        """Add the terms one after another, of all products at once."""
        a, b = (each.reshape(len(each), *tensor.shape) for each, tensor in zip(x, self.inputs, strict=True))
        total = np.zeros((len(a), *self.output.shape), np.float32)
        for term in range(a.shape[-1]):
            total += a[..., term, None] * b[..., term, None, :]
        return total

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Refuse."""
        raise UserError(
            f"{self.name} (Matmul) has no int8 form: export in float32, or use CBAM attention or a recurrent layer."
        )
