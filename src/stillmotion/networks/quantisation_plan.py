"""Where the int8 form of a network rounds: read by ``deploy``, followed in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Grid:
    """The integers that a tensor is rounded to: value = scale · (integer − zero point), from −128 to 127.

    Args:
        kind: ``range``: 256 steps from the lowest to the highest value; ``shares``: of a softmax, as fine as its
            largest value allows; ``state``: of a FastGRNN, 128 steps to a power of two; ``fixed``: known ahead.
        node: node of the network's graph whose results have this range; empty if it is fixed.
        scale, zero_point: where they are fixed.
    """

    kind: Literal["range", "shares", "state", "fixed"]
    node: str = ""
    scale: float = 1.0
    zero_point: int = 0


#: What an LSTM or a GRU gives.
STATE = Grid("fixed", scale=1 / 128)


@dataclass(frozen=True)
class QuantisationPlan:
    """Where the int8 form of a network rounds; ``deploy.plan_quantisation`` reads it from the network.

    Args:
        grids: the nodes of the network's graph whose results are rounded, and their integers.
    """

    grids: tuple[tuple[str, Grid], ...]

    @property
    def measured(self) -> tuple[str, ...]:
        """The nodes whose ranges are measured."""
        return tuple(dict.fromkeys(grid.node for _, grid in self.grids if grid.node))
