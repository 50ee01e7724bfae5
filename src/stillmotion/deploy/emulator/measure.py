"""Compile generated C for a microcontroller, run windows on the emulated one, and count."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UnknownName, UserError
from .evidence import Evidence
from .machines import MACHINES, Machine
from .stack import find_most_stack

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
INSTALL = "install it with: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
#: Iterations, of two instructions each, of the loop in ``count.c`` that gives the instructions of a tick.
LOOPS = 1_000_000
#: Seconds that a run may take.
PATIENCE = 600


@dataclass(frozen=True)
class Entry:
    """How a program calls generated C.

    Args:
        sources: the C files.
        header: the header to include.
        call: C statement that computes ``output`` from ``window``, both ``void *``.
        output: bytes that a call writes.
        mark: macro that the C calls with the number of a block before it runs, if it does.
        blocks: names of the blocks.
        libraries: that the C needs of the compiler, such as ``m``; ours needs none.
    """

    sources: tuple[Path, ...]
    header: str
    call: str
    output: int
    mark: str = ""
    blocks: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


def measure(
    entry: Entry,
    windows: ArrayLike,
    expected: ArrayLike,
    machine: str = "cortex-m0",
    *,
    optimise: str = "-Os",
) -> Evidence:
    """Measure generated C on an emulated microcontroller.

    Args:
        entry: the C and how it is called.
        windows: (n, …) inputs, one a call, in the C's type.
        expected: (n, …) what each call must write, in the C's type.
        machine: ``cortex-m0`` or ``cortex-m4``.
        optimise: the compiler's level of optimisation.

    Returns:
        Flash, RAM, instructions, and how many windows gave what was expected.

    Raises:
        UserError: a tool is missing, the C does not compile or does not fit, or the run fails.
    """
    if machine not in MACHINES:
        raise UnknownName("machine", machine, sorted(MACHINES))
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            raise UserError(f"{tool} is not on this machine, so nothing was measured; {INSTALL}.")
    given, wanted = np.ascontiguousarray(windows), np.ascontiguousarray(expected)
    if not len(given) or len(given) != len(wanted):
        raise UserError(f"{len(given)} windows have {len(wanted)} expected outputs; expected one each, at least 1.")
    if wanted[0].nbytes != entry.output:
        raise UserError(f"A call writes {entry.output} bytes, but {wanted[0].nbytes} are expected.")
    with tempfile.TemporaryDirectory(prefix="stillmotion-emulator-") as folder:
        build = _Build(Path(folder), entry, MACHINES[machine], optimise, given[0].nbytes)
        size = build.added()
        bound = build.stack_bound()
        run = build.run(given)
        blocks = {}
        if entry.mark:
            marked = build.run(given, marked=True)
            blocks = dict(zip((*entry.blocks, "other"), marked.instructions[1:], strict=True))
    return Evidence(
        machine=machine,
        board=build.machine.qemu,
        compiler=_version(),
        flags=" ".join(build.flags),
        flash=size[".text"] + size[".rodata"] + size[".data"],
        constants=size[".rodata"],
        ram=size[".data"] + size[".bss"],
        stack=run.stack,
        stack_bound=bound,
        window=given[0].nbytes,
        windows=len(given),
        equal=sum(each.tobytes() == output for each, output in zip(wanted, run.outputs, strict=True)),
        instructions=run.instructions[0],
        blocks=blocks,
    )


@dataclass(frozen=True)
class _Run:
    """Instructions of a window in all, by block and outside blocks; stack in bytes; what each call wrote."""

    instructions: list[int]
    stack: int
    outputs: list[bytes]


@dataclass(frozen=True)
class _Build:
    """Programs around generated C, in a folder of their own."""

    folder: Path
    entry: Entry
    machine: Machine
    optimise: str
    window: int

    def __post_init__(self) -> None:
        for source in files(__package__).iterdir():
            if source.name.endswith((".c", ".ld")):
                (self.folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        text = f'#include "{self.entry.header}"\n\n'
        text += f"static void call(const void *window, void *output)\n{{\n    {self.entry.call}\n}}\n"
        (self.folder / "entry.h").write_text(text, encoding="utf-8")
        (self.folder / "mark.h").write_text("void mark(int block);\n", encoding="utf-8")

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of every compilation."""
        return (*self.machine.flags, self.optimise, "-std=c99", "-ffp-contract=off")

    def compile(self, name: str, *, model: bool, marked: bool = False) -> Path:
        """Compile ``NAME.c`` into a program, with the model or without."""
        program = self.folder / f"{name}-{model}-{marked}.elf"
        blocks = len(self.entry.blocks) if marked else 0
        defined = [f"-DWINDOW_BYTES={self.window}", f"-DOUTPUT_BYTES={self.entry.output}", f"-DMARKS={blocks}"]
        defined += ["-DMODEL"] if model else []
        defined += [f"-D{self.entry.mark}(block)=mark(block)", "-include", "mark.h"] if marked else []
        folders = sorted({str(source.parent.resolve()) for source in self.entry.sources})
        sources = [str(source.resolve()) for source in self.entry.sources] if model else []
        memory = f"MEMORY {{ FLASH (rx) : ORIGIN = 0, LENGTH = {self.machine.flash} "
        memory += f"RAM (rwx) : ORIGIN = 0x20000000, LENGTH = {self.machine.ram} }}\nINCLUDE memory.ld\n"
        (self.folder / "machine.ld").write_text(memory, encoding="utf-8")
        # The standard library gives mem* alone; what starts a program, and what it may need, is here.
        linked = ["-nostartfiles", "-T", "machine.ld", "--specs=nosys.specs", "-Wl,--gc-sections"]
        command = [COMPILER, *self.flags, "-ffunction-sections", "-fdata-sections", *defined, "-I.", "-w"]
        command += [f"-I{each}" for each in folders]
        sources += [f"-l{each}" for each in self.entry.libraries]
        _call([*command, *linked, "start.c", f"{name}.c", *sources, "-o", program.name], self.folder, "compile")
        return program

    def added(self) -> dict[str, int]:
        """Return the bytes of each section that the model adds to an empty program."""
        with_model, without = (_sections(self.compile("empty", model=model)) for model in (True, False))
        return {name: with_model[name] - without[name] for name in with_model}

    def stack_bound(self) -> int | None:
        """Return the most stack that the call can take, None where its data decide."""
        program = self.compile("empty", model=True)
        listing = _call(["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", program.name], self.folder, "disassemble")
        try:
            return find_most_stack(listing, "main")
        except UserError:
            return None

    def run(self, windows: NDArray[Any], *, marked: bool = False) -> _Run:
        """Run windows on the emulated board."""
        program = self.compile("count", model=True, marked=marked)
        (self.folder / "windows.bin").write_bytes(windows.tobytes())
        command = [EMULATOR, "-M", self.machine.qemu, "-nographic", "-monitor", "none", "-serial", "none"]
        command += ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native", "-kernel", program.name]
        _call(command, self.folder, "run")
        outputs, bytes_each = (self.folder / "outputs.bin").read_bytes(), self.entry.output
        counted = (self.folder / "counts.bin").read_bytes()
        loop, stack, count = np.frombuffer(counted[:12], "<u4").tolist()
        ticks = np.frombuffer(counted[-8 * (2 + (len(self.entry.blocks) if marked else 0)) :], "<u8")
        if count != len(windows):
            raise UserError(f"{count} of {len(windows)} windows ran on {self.machine.name}.")
        instructions = [round(each) for each in ticks * (2 * LOOPS / loop / count)]
        starts = range(0, len(outputs), bytes_each)
        return _Run(instructions, stack, [outputs[start : start + bytes_each] for start in starts])


def _sections(program: Path) -> dict[str, int]:
    lines = _call(["arm-none-eabi-size", "-A", program.name], program.parent, "size").splitlines()
    sizes = {words[0]: int(words[1]) for line in lines if len(words := line.split()) == 3 and words[1].isdigit()}
    return {name: sizes.get(name, 0) for name in (".text", ".rodata", ".data", ".bss")}


def _version() -> str:
    lines = _call([COMPILER, "--version"], Path.cwd(), "version").splitlines()
    return lines[0] if lines else COMPILER


def _call(command: Sequence[str], folder: Path, what: str) -> str:
    """Run a tool in a folder and return what it prints."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} took more than {PATIENCE} s; run fewer windows.") from None
    if done.returncode:
        if over := re.search(r"region `(\w+)' overflowed by (\d+) bytes", done.stderr):
            memory = "flash memory" if over[1] == "FLASH" else "RAM"
            raise UserError(f"The program is {int(over[2]):,} bytes larger than the emulated board's {memory}.")
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise UserError(f"{command[0]} could not {what} the program: {lines[0] if lines else done.returncode}")
    return done.stdout
