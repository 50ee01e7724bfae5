"""Blocks in float32, which know their int8 form."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from .blocks import Array, Block, Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatBlock(Block):
    """Compute one float32 tensor from others."""

    @abstractmethod
    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the same in integers.

        Args:
            inputs: what it reads, as integers; their shapes may be views of this block's.
            low, high: range of its results on calibration windows.
        """

    def range_of(self, x: tuple[Array, ...], y: Array) -> tuple[float, float]:
        """Return the range of its results on windows, for ``quantise``.

        Args:
            x: its inputs.
            y: its output.
        """
        return float(y.min()), float(y.max())
