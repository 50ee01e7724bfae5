"""A program: blocks in the order in which they run, and the tensors between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from .blocks import Array, Block, Tensor
from .float_block import FloatBlock

#: Name of the tensor that a program reads.
SIGNAL = "signal"
#: Windows that a program computes at a time.
BATCH = 64


@dataclass(frozen=True, eq=False)
class Step:
    """One block and the names of the tensors that it reads; its output has the block's name."""

    block: Block
    inputs: tuple[str, ...]

    @property
    def output(self) -> str:
        """Name of the tensor that it computes."""
        return self.block.name


@dataclass(frozen=True, eq=False)
class Program:
    """Blocks in order, from a window to logits.

    Args:
        steps: the blocks, each after those that it reads.
        signal: the window.
        output: name of the tensor of logits.
    """

    steps: tuple[Step, ...]
    signal: Tensor
    output: str
    tensors: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        tensors = {SIGNAL: self.signal} | {step.output: step.block.output for step in self.steps}
        object.__setattr__(self, "tensors", tensors)

    @property
    def logits(self) -> Tensor:
        """The tensor of logits."""
        return self.tensors[self.output]

    def run(self, windows: ArrayLike) -> Array:
        """Compute logits in NumPy, bit for bit as the C does.

        Args:
            windows: (n, time, channels), in the type of the program's signal.
        """
        given = np.asarray(windows, self.signal.dtype)
        parts = [self.run_all(given[start : start + BATCH])[self.output] for start in range(0, len(given), BATCH)]
        whole = np.concatenate(parts) if parts else np.zeros(0, self.logits.dtype)
        return whole.reshape(len(given), self.logits.size)

    def run_all(self, windows: Array) -> dict[str, Array]:
        """Compute every tensor."""
        values = {SIGNAL: windows}
        with np.errstate(over="ignore", invalid="ignore"):  # extreme windows give infinities, in C too
            for step in self.steps:
                values[step.output] = step.block.run(*(values[name] for name in step.inputs))
        return values


def quantise_program(program: Program, windows: Array, scales: tuple[float, ...]) -> Program:
    """Return a float32 program in integers.

    Args:
        program: of float32 blocks.
        windows: calibration windows (n, time, channels), of training subjects.
        scales: of each channel, the real value of one raw count.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for start in range(0, len(windows), BATCH):
        values = program.run_all(windows[start : start + BATCH].astype(np.float32))
        for step in program.steps:
            assert isinstance(step.block, FloatBlock)
            low, high = step.block.range_of(tuple(values[name] for name in step.inputs), values[step.output])
            known = ranges.get(step.output, (low, high))
            ranges[step.output] = min(low, known[0]), max(high, known[1])
    signal = Tensor(program.signal.shape, "int16", scales)
    tensors, steps = {SIGNAL: signal}, []
    for step in program.steps:
        assert isinstance(step.block, FloatBlock)
        given = tuple(tensors[name] for name in step.inputs)
        block = step.block.quantise(given, *ranges[step.output])
        tensors[step.output] = block.output
        steps.append(replace(step, block=block))
    return Program(tuple(steps), signal, program.output)
