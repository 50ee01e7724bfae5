"""Compile generated C to WebAssembly with clang and lld; nothing else is linked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template

from ...errors import UserError
from ..export import CExport

#: As on a device: no fused multiplication and addition. Own loops must not become calls of themselves.
FLAGS = (
    *("--target=wasm32", "-std=c99", "-O2", "-ffp-contract=off", "-fno-builtin", "-nostdlib", "-nostdlibinc"),
    *("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first"),
)


def compile_wasm(export: CExport) -> bytes:
    """Compile exported C to WebAssembly.

    Args:
        export: what ``export_c`` wrote.

    Returns:
        The module: ``init``, ``push`` (of the sample at ``sample``) and ``answer`` (logits and probabilities of the
        last window), with their arrays in its memory.

    Raises:
        UserError: clang or wasm-ld is missing, or refuses the code.

    Example:
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_c
        >>> from stillmotion.deploy.web import compile_wasm
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.signals.simulated import generate
        >>> spec = generate(subjects=1, minutes=1).spec.with_window(50)
        >>> export = export_c(Bundle.save("watch", build_network("gru-4", spec), spec), "watch-c")
        >>> compile_wasm(export)[:4]
        b'\\x00asm'
    """
    for tool in ("clang", "wasm-ld"):
        if shutil.which(tool) is None:
            raise UserError(
                f"A page needs clang and wasm-ld, but {tool} is not there; install them, such as: apt-get install "
                f"clang lld"
            )
    assets = files(__package__) / "assets"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "string.h").write_text((assets / "string.h").read_text(encoding="utf-8"), encoding="utf-8")
        source = Template((assets / "module.c").read_text(encoding="utf-8"))
        text = source.substitute(NAME=export.name, MACRO=export.name.upper())
        (folder / "module.c").write_text(text, encoding="utf-8")
        inputs = [str(export.folder / f"{export.name}.c"), str(folder / "module.c")]
        line = ["clang", *FLAGS, f"-I{folder}", f"-I{export.folder}", *inputs, "-o", str(folder / "module.wasm")]
        built = subprocess.run(line, capture_output=True, text=True, check=False)
        if built.returncode:
            raise UserError(f"clang refuses {inputs[0]}: {built.stderr.strip()[:500]}")
        return (folder / "module.wasm").read_bytes()
