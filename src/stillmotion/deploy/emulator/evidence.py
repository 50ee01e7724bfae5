"""What an emulated microcontroller shows of generated C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: What every number leaves out.
SCOPE = (
    "Flash is what the model adds to a program that does nothing: its constants, its code and what it needs of the "
    "compiler's library. RAM is its memory between calls and the deepest stack that one call took; what the caller "
    "hands over, a sample or a window, is not in it. Instructions are counted by QEMU, which knows no cycles: they "
    "give no time and no energy."
)


@dataclass(frozen=True)
class Evidence:
    """The size of generated C on one microcontroller, its instructions, and whether it gives what the host gives.

    Args:
        machine: the processor.
        board: that QEMU emulates.
        compiler: its version.
        flags: of the compiler.
        flash: bytes that the model adds to an empty program.
        constants: of these, bytes of weights and tables.
        ram: bytes of memory between calls.
        stack: bytes of stack of one call, the most that was seen.
        stack_bound: bytes of stack that no call can exceed, by its instructions; None where its data decide.
        window: bytes of a window that the caller holds; 0 where it pushes samples.
        windows: how many ran.
        equal: how many gave, byte for byte, what was expected.
        instructions: of one window, the mean.
        blocks: instructions of one window by block, the mean; the rest is ``other``.
    """

    machine: str
    board: str
    compiler: str
    flags: str
    flash: int
    constants: int
    ram: int
    stack: int
    stack_bound: int | None
    window: int
    windows: int
    equal: int
    instructions: int
    blocks: Mapping[str, int]

    @property
    def code(self) -> int:
        """Bytes of flash that are not constants."""
        return self.flash - self.constants

    @property
    def is_equal(self) -> bool:
        """Whether every window gave what was expected."""
        return self.equal == self.windows

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**asdict(self), "blocks": dict(self.blocks), "code": self.code, "scope": SCOPE}

    def __str__(self) -> str:
        """Return a few lines for a reader."""
        blocks = "".join(f"\n    {name}: {count:,}" for name, count in self.blocks.items())
        same = "all equal to the host" if self.is_equal else f"only {self.equal} equal to the host"
        bound = "" if self.stack_bound is None else f" (never more than {self.stack_bound:,} B)"
        return (
            f"{self.machine} ({self.board} emulated by QEMU; {self.compiler}, {self.flags})\n"
            f"  flash {self.flash:,} B: constants {self.constants:,} B, code {self.code:,} B\n"
            f"  RAM {self.ram + self.stack:,} B: memory {self.ram:,} B, stack {self.stack:,} B{bound}"
            f"{f'; window of the caller {self.window:,} B' if self.window else ''}\n"
            f"  {self.instructions:,} instructions a window{blocks}\n"
            f"  {self.windows} windows, {same}"
        )
