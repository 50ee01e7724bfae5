"""The most stack that a program can need, read from its instructions: those of the compiler's library too."""

from __future__ import annotations

import re

from ...errors import UserError

_FUNCTION = re.compile(r"[0-9a-f]+ <([^>]+)>:")
_INSTRUCTION = re.compile(r"\s+[0-9a-f]+:\t(\S+)\t?([^;@]*)(.*)")
_TARGET = re.compile(r"<([^>+]+)(\+0x[0-9a-f]+)?>")
_LIST = re.compile(r"\{([^}]*)\}")
#: Bytes of a register, by the first letter of its name.
_WIDTH = {"s": 4, "d": 8}


def find_most_stack(disassembly: str, root: str) -> int:
    """Find the bytes of the deepest path of calls from a function, without its own frame.

    Whatever a function puts on the stack is counted, whether one run can do all of it or not: no run needs more.

    Args:
        disassembly: of a Cortex-M program, as ``objdump -d --no-show-raw-insn`` prints it.
        root: the function.

    Raises:
        UserError: a function calls itself, calls through a pointer or takes as much stack as its data say.
    """
    frames, calls = _read_functions(disassembly)
    depths: dict[str, int] = {}

    def deepest(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            raise UserError(f"{name} calls itself: there is no bound of its stack.")
        if name not in depths:
            if frames.get(name, -1) < 0:
                raise UserError(f"{name} calls what, or takes as much stack as, its data say: there is no bound of it.")
            depths[name] = frames[name] + max((deepest(each, (*path, name)) for each in sorted(calls[name])), default=0)
        return depths[name]

    return max((deepest(each, (root,)) for each in sorted(calls.get(root, set()))), default=0)


def _read_functions(disassembly: str) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Return the bytes that each function puts on the stack, -1 where its data decide; and what it calls."""
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    name = ""
    for line in disassembly.splitlines():
        if head := _FUNCTION.match(line):
            name = head[1]
            frames[name], calls[name] = 0, set()
        elif name and (parts := _INSTRUCTION.match(line)):
            mnemonic, operands = parts[1].partition(".")[0], parts[2].strip()
            taken = _pushed(mnemonic, operands)
            unknown = taken < 0 or (mnemonic == "blx" and not _TARGET.search(operands))
            frames[name] = -1 if unknown or frames[name] < 0 else frames[name] + taken
            # Branches into another function are its last call.
            if mnemonic.startswith("b") and (target := _TARGET.search(operands)) and (
                target[1] != name or mnemonic in ("bl", "blx")
            ):  # fmt: skip
                calls[name].add(target[1])
    return frames, calls


def _pushed(mnemonic: str, operands: str) -> int:
    """Return the bytes that an instruction puts on the stack, -1 where its data decide."""
    if mnemonic in ("push", "vpush") or (mnemonic in ("stmdb", "vstmdb") and operands.startswith("sp!")):
        listed = _LIST.search(operands)
        return sum(map(_bytes_of, listed[1].split(","))) if listed else -1
    if mnemonic in ("str", "strd") and "[sp, #-" in operands and operands.endswith("]!"):
        return int(operands.rpartition("#-")[2].rstrip("]!"))
    if mnemonic in ("sub", "subw") and operands.startswith("sp"):
        number = operands.rpartition("#")[2]
        return int(number) if number.isdigit() else -1
    if mnemonic in ("add", "addw") and operands.startswith("sp"):
        return 0 if "#" in operands else -1
    return 0


def _bytes_of(registers: str) -> int:
    """Return the bytes of a register, or of several such as ``s16-s19``."""
    first, _, last = registers.strip().partition("-")
    count = int(last[1:]) - int(first[1:]) + 1 if last else 1
    return count * _WIDTH.get(first[0], 4) if first not in ("sp", "sl") else 4
