"""Plan memory: every tensor between blocks lies in one arena, and tensors that never live together share bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .program import SIGNAL, Program

#: Every tensor begins at a multiple of this.
ALIGNMENT = 4


@dataclass(frozen=True)
class MemoryPlan:
    """Where each tensor lies.

    Args:
        offsets: of each tensor in the arena, in bytes.
        scratch: of the memory of each block that needs some while it runs.
        size: of the arena.
    """

    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    size: int


@dataclass
class _Buffer:
    """Bytes that one or several tensors in a row hold from a step to another."""

    size: int
    first: int
    last: int
    offset: int = 0


def plan_memory(program: Program) -> MemoryPlan:
    """Plan the arena of a program.

    Args:
        program: float32 or integers.

    Returns:
        The plan.

    Example:
        >>> from stillmotion.deploy import plan_memory, read_program
        >>> from stillmotion.networks import build_network
        >>> plan_memory(read_program(build_network("mlp-small", (50, 3, 4)))).size
        728
    """
    last = {name: place for place, step in enumerate(program.steps) for name in step.inputs}
    last[program.output] = len(program.steps)
    buffers: dict[str, _Buffer] = {}
    scratch: dict[str, _Buffer] = {}
    for place, step in enumerate(program.steps):
        size, end = step.block.output.bytes, last.get(step.output, place)
        given = step.inputs[0]
        free = given != SIGNAL and last[given] == place and given not in step.inputs[1:]
        if step.block.overwrites and free and step.block.input.bytes == size:
            buffers[step.output] = buffers[given]
            buffers[given].last = end
        else:
            buffers[step.output] = _Buffer(size, place, end)
        if step.block.scratch_bytes:
            scratch[step.output] = _Buffer(step.block.scratch_bytes, place, place)
    unique = list({id(each): each for each in (*buffers.values(), *scratch.values())}.values())
    best = min(ORDERS, key=lambda order: _place(unique, order))
    size = _place(unique, best)
    return MemoryPlan(
        {name: each.offset for name, each in buffers.items()},
        {name: each.offset for name, each in scratch.items()},
        size,
    )


#: Orders in which buffers are placed; none is best for every network.
ORDERS: tuple[Callable[[_Buffer], tuple[int, ...]], ...] = (
    lambda each: (-each.size, each.first),
    lambda each: (each.first - each.last, -each.size),
    lambda each: (each.first, -each.size),
)


def _place(buffers: list[_Buffer], order: Callable[[_Buffer], tuple[int, ...]]) -> int:
    """Place buffers in an order, each at the lowest place that is free while it lives; return the arena's size."""
    placed: list[_Buffer] = []
    for buffer in sorted(buffers, key=order):
        buffer.offset = _lowest(buffer, placed)
        placed.append(buffer)
    return max((_end(each) for each in placed), default=0)


def _lowest(buffer: _Buffer, placed: list[_Buffer]) -> int:
    """Return the lowest offset at which no buffer lies that lives at the same time."""
    offset = 0
    rivals = (each for each in placed if each.first <= buffer.last and buffer.first <= each.last)
    for other in sorted(rivals, key=lambda each: each.offset):
        if other.offset >= offset + buffer.size:
            break
        offset = max(offset, _end(other))
    return offset


def _end(buffer: _Buffer) -> int:
    """Return where the next buffer can begin."""
    return -(-(buffer.offset + buffer.size) // ALIGNMENT) * ALIGNMENT
