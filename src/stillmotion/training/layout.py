"""Where the trained numbers of a network lie: in one vector, and while steps run in several arrays.

A state of training is one vector, which is simple to keep, to compare and to average. Inside the loop over steps, a
large kernel is an array of its own and what lies between two of them is one vector: to cut a large kernel from the
vector in every step, and to join its gradient with the others, copies it four times, and the joining is not vectorised.
For small weights the opposite holds: a kernel call for each of sixty arrays takes longer than copying them.

Measured: a step of ``mlp`` (891 k weights, windows 128 × 6, batch 64), two cores with AVX2, one vector over several
arrays, Adam's moments computed once: 1.6 times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any
Shape = tuple[int, ...]

#: Elements from which a weight is an array of its own.
LARGE = 1 << 14


@dataclass(frozen=True)
class Layout:
    """Shapes of consecutive weights, by the array that holds them in a loop."""

    parts: tuple[tuple[Shape, ...], ...]

    @classmethod
    def of(cls, shapes: Iterable[Sequence[int]]) -> Layout:
        """Give a weight of ``LARGE`` elements or more an array of its own, and a run of smaller ones one together."""
        alone = ((number if prod(shape) >= LARGE else -1, tuple(shape)) for number, shape in enumerate(shapes))
        return cls(tuple(tuple(shape for _, shape in run) for _, run in groupby(alone, key=lambda each: each[0])))

    def __add__(self, other: Layout) -> Layout:
        return Layout(self.parts + other.parts)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of all weights."""
        return tuple(shape for part in self.parts for shape in part)

    @cached_property
    def bounds(self) -> list[int]:
        """Where each weight begins in the vector, and the end of the last."""
        bounds: list[int] = np.cumsum([0, *map(prod, self.shapes)]).tolist()
        return bounds

    @property
    def size(self) -> int:
        """Number of trained numbers."""
        return self.bounds[-1]

    @property
    def decays(self) -> list[NDArray[np.float32]]:
        """Mask of weight decay of each array: 1 for kernels, 0 for biases and scales of normalisation.

        The mask of a weight that is alone is a single number.
        """
        masks = [[np.full(prod(shape), len(shape) >= 2, np.float32) for shape in part] for part in self.parts]
        return [np.concatenate(each) if len(each) > 1 else each[0][:1] for each in masks]

    def divide(self, vector: Array) -> tuple[Array, ...]:
        """Cut the vector into the arrays of a loop."""
        return _split(vector, [sum(map(prod, part)) for part in self.parts])

    def tensors(self, arrays: Sequence[Array]) -> list[Array]:
        """Return each weight in its shape from the arrays of a loop, or from the vector where it is the only one."""
        if len(arrays) != len(self.parts):
            (vector,) = arrays
            arrays = self.divide(vector)
        # A split, whose gradient is one concatenation; that of a slice is a vector of all weights.
        return [
            piece.reshape(shape)
            for array, part in zip(arrays, self.parts, strict=True)
            for piece, shape in zip(_split(array, list(map(prod, part))), part, strict=True)
        ]


def unite(arrays: Sequence[Array]) -> Array:
    """Join the arrays of a loop to the vector."""
    import jax.numpy as jnp

    return jnp.concatenate(arrays) if len(arrays) > 1 else (*arrays, jnp.zeros(0))[0]


def _split(vector: Array, sizes: list[int]) -> tuple[Array, ...]:
    import jax

    return tuple(jax.lax.split(vector, sizes)) if len(sizes) > 1 else (vector,) * len(sizes)
