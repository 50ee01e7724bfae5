"""Archives, and archives in them, into a folder."""

from __future__ import annotations

import lzma
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

from ...errors import UserError
from .checksums import Sum, sum_of

#: Programs that open RAR archives, with what goes before the archive and before the folder.
RAR = {
    "bsdtar": (["-xf"], ["-C"]),
    "unar": (["-quiet", "-force-overwrite", "-no-directory"], ["-output-directory"]),
    "unrar": (["x", "-o+", "-idq"], []),
    "7z": (["x", "-y", "-bd"], ["-o"]),
    "7zz": (["x", "-y", "-bd"], ["-o"]),
}
DEPTH = 3  #: archives within archives


def is_archive(path: Path) -> bool:
    """Whether a file is (by its content or its name) something to unpack."""
    return path.suffix.lower() in (".zip", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz") or zipfile.is_zipfile(path)


def unpack(archive: Path, to: Path, opened: dict[str, Sum]) -> None:
    """Unpack an archive into a folder, and every archive that is in it beside itself.

    ``opened`` takes their sums by name.

    An archive that is cut short or damaged is an error that names it.
    """
    to.mkdir(parents=True, exist_ok=True)
    _open(archive, to, opened)
    for _ in range(DEPTH):
        inner = sorted(path for path in to.rglob("*") if path.suffix.lower() in (".zip", ".rar", ".tgz"))
        for path in inner:
            _open(path, path.parent, opened)
            path.unlink()


def _open(archive: Path, to: Path, opened: dict[str, Sum]) -> None:
    opened[archive.name] = sum_of(archive)
    damaged = f"{archive} cannot be unpacked: it is cut short or damaged; fetch it again"
    try:
        if archive.suffix.lower() == ".rar":
            _rar(archive, to)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as whole:
                whole.extractall(to)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(to, filter="data")
        else:
            raise UserError(f"{damaged} (or it is no zip, tar or rar archive).")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as reason:
        raise UserError(f"{damaged} ({reason}).") from reason


def _rar(archive: Path, to: Path) -> None:
    for program, (before, into) in RAR.items():
        if found := shutil.which(program):
            target = [f"{into[0]}{to}"] if program.startswith("7z") else [*into, f"{to}/"]
            done = subprocess.run([found, *before, str(archive), *target], capture_output=True, text=True, check=False)
            if done.returncode:
                last = (done.stderr or done.stdout).strip().splitlines()[-1:]
                raise OSError(f"{program}: {''.join(last) or 'it failed'}")
            return
    raise UserError(
        f"{archive} is a RAR archive, and none of {', '.join(RAR)} is installed to open it; install one, or unpack it "
        f"by hand and name the folder with --from."
    )
