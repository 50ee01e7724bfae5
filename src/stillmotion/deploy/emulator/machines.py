"""The emulated microcontrollers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """A board that QEMU emulates.

    Args:
        name: its processor, as users name it.
        qemu: QEMU's name of the board.
        flags: of the compiler.
        flash: bytes of flash memory.
        ram: bytes of memory.
    """

    name: str
    qemu: str
    flags: tuple[str, ...]
    flash: int
    ram: int


#: The Cortex-M0's instruction set is that of the M0+: 16-bit instructions, no division, no floating-point unit.
MACHINES = {
    machine.name: machine
    for machine in (
        Machine("cortex-m0", "microbit", ("-mcpu=cortex-m0", "-mthumb"), 256 * 1024, 16 * 1024),
        Machine(
            "cortex-m4",
            "mps2-an386",
            ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
            4096 * 1024,
            256 * 1024,
        ),
    )
}
