"""Unpack archives, nested ones too, without writing outside the folder or beyond a size limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from ...errors import UserError
from .checksums import Checksum, hash_file

#: Programs that open RAR archives, with their arguments before the archive and before the folder.
RAR = {
    "bsdtar": (["-xf"], ["-C"]),
    "unar": (["-quiet", "-force-overwrite", "-no-directory"], ["-output-directory"]),
    "unrar": (["x", "-o+", "-idq"], []),
    "7z": (["x", "-y", "-bd"], ["-o"]),
    "7zz": (["x", "-y", "-bd"], ["-o"]),
}
DEPTH = 3  #: archives within archives
#: An archive may unpack to the largest of: LEAST bytes, TIMES its own size, TIMES_KNOWN the known size of the data
#: set's files. Sensor text packs to a fifth, seldom to a twentieth.
LEAST, TIMES, TIMES_KNOWN = 100_000_000, 50, 2
MOST_FILES = 100_000
#: Compression types that ``zipfile`` opens: stored, deflate, bzip2, LZMA.
COMPRESSIONS = (0, 8, 12, 14)
BLOCK = 1 << 20
#: Seconds between two checks of how much an external program has unpacked.
PAUSE = 0.05
BY_HAND = "unpack it by hand and name the folder with --from"


class DamagedArchive(UserError):
    """Raised for an archive that is cut short or damaged; fetch it again."""


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its name or its content."""
    return path.suffix.lower() in (".zip", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz") or zipfile.is_zipfile(path)


def unpack(archive: Path, to: Path, opened: dict[str, Checksum], *, known: int = 0) -> None:
    """Unpack an archive into a folder, and every nested archive into the folder that holds it.

    Args:
        archive: zip, tar or rar.
        to: the folder.
        opened: receives the checksums of the opened archives, by name.
        known: known size in bytes of the data set's files, 0 if unknown.

    Raises:
        DamagedArchive: an archive is cut short or damaged.
        UserError: an archive is encrypted, uses an unknown compression, names a path outside the folder, holds a link,
            or unpacks to more than the limit or the free space.
    """
    to.mkdir(parents=True, exist_ok=True)
    most = max(LEAST, TIMES * archive.stat().st_size, TIMES_KNOWN * known)
    budget = _Budget(archive, most, shutil.disk_usage(to).free)
    _open(archive, to, opened, budget)
    for _ in range(DEPTH):
        inner = sorted(
            path for path in to.rglob("*") if path.suffix.lower() in (".zip", ".rar", ".tgz") and path.is_file()
        )
        for path in inner:
            _open(path, path.parent, opened, budget)
            path.unlink()


@dataclass
class _Budget:
    """Count what is unpacked from an archive and its nested archives, against the limits."""

    archive: Path
    most: int
    free: int
    size: int = 0
    files: int = 0

    def take(self, size: int, files: int = 0) -> None:
        """Count bytes and files; ``UserError`` if there are too many."""
        self.size += size
        self.files += files
        if self.size > self.most or self.files > MOST_FILES:
            raise UserError(
                f"{self.archive} of {self.archive.stat().st_size:,} bytes unpacks to more than {self.most:,} bytes or "
                f"{MOST_FILES:,} files, more than expected of a data set; if that is correct, {BY_HAND}."
            )
        if self.size > self.free:
            raise UserError(
                f"{self.archive} unpacks to {self.size:,} bytes or more, and {self.free:,} are free; make room."
            )


def _open(archive: Path, to: Path, opened: dict[str, Checksum], budget: _Budget) -> None:
    opened[archive.name] = hash_file(archive)
    damaged = f"{archive} cannot be unpacked: it is cut short or damaged; fetch it again"
    try:
        if archive.suffix.lower() == ".rar":
            _unpack_rar(archive, to, budget)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, to, budget)
        elif opener := _tar_opener(archive):
            _unpack_tar(archive, opener, to, budget)
        else:
            raise DamagedArchive(f"{damaged} (or it is not a zip, tar or rar archive).")
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        ValueError,
        OverflowError,
        LookupError,
        RuntimeError,
    ) as reason:
        raise DamagedArchive(f"{damaged} ({reason}).") from reason
    except OSError as reason:
        if reason.errno is not None:  # Raised by the system (no space, no permission), not by a decompressor.
            raise
        raise DamagedArchive(f"{damaged} ({reason}).") from reason


def _unpack_zip(archive: Path, to: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(archive) as zip_file:
        members = zip_file.infolist()
        for member in members:
            if member.flag_bits & 0x41:
                raise UserError(f"{archive} is encrypted; {BY_HAND}.")
            if member.compress_type not in COMPRESSIONS or member.flag_bits & 0x20:
                raise UserError(f"{archive} uses an unknown compression ({member.compress_type}); {BY_HAND}.")
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise _link_error(archive, member.filename)
        # ``orig_filename``: Python cuts a name at its first NUL.
        places = _safe_paths(archive, (member.orig_filename for member in members))
        budget.take(sum(member.file_size for member in members), len(members))
        for member, place in zip(members, places, strict=True):
            if member.is_dir():
                (to / place).mkdir(parents=True, exist_ok=True)
            else:
                with zip_file.open(member) as source:
                    _copy(source, to / place)


def _unpack_tar(archive: Path, opener: Callable[[Path], IO[bytes]], to: Path, budget: _Budget) -> None:
    seen: set[PurePosixPath] = set()
    with opener(archive) as raw:
        # As a stream, so that sizes in its headers cannot make it read more than the budget.
        counted: Any = _Counted(raw, budget)
        tar = tarfile.open(fileobj=counted, mode="r|")  # noqa: SIM115 (it holds nothing but the stream)
        for member in tar:
            (place,) = _safe_paths(archive, [member.name], seen)
            if member.isdir():
                (to / place).mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                budget.take(0, 1)
                source = tar.extractfile(member)
                assert source is not None
                _copy(source, to / place)
            else:
                raise _link_error(archive, member.name)


class _Counted:
    """Stream that counts the bytes read from it."""

    def __init__(self, raw: IO[bytes], budget: _Budget) -> None:
        self.raw, self.budget = raw, budget

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes."""
        block = self.raw.read(size)
        self.budget.take(len(block))
        return block


def _tar_opener(archive: Path) -> Callable[[Path], Any] | None:
    """Return the function that opens a tar archive as a stream, by its first bytes; None for other files."""
    with archive.open("rb") as file:
        start = file.read(512)
    for mark, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open)):
        if start.startswith(mark):
            return opener
    return (lambda path: path.open("rb")) if tarfile.is_tarfile(archive) else None


def _copy(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK)


def _safe_paths(archive: Path, names: Iterable[str], seen: set[PurePosixPath] | None = None) -> list[PurePosixPath]:
    """Return the members' paths below the folder; a path outside it, unprintable or repeated is an error."""
    seen = set() if seen is None else seen
    places = []
    for name in names:
        place, windows = PurePosixPath(name), PureWindowsPath(name)
        outside = place.is_absolute() or windows.drive or windows.root or ".." in (*place.parts, *windows.parts)
        if outside or not name.isprintable():
            raise UserError(f"{archive} holds {name!r}, a path outside its folder or not printable; {BY_HAND}.")
        if place in seen and not name.endswith("/"):
            raise UserError(f"{archive} holds {name!r} twice; {BY_HAND}.")
        seen.add(place)
        places.append(place)
    return places


def _link_error(archive: Path, name: str) -> UserError:
    return UserError(f"{archive} holds {name!r}, which is a link or a device, not a file; {BY_HAND}.")


def _unpack_rar(archive: Path, to: Path, budget: _Budget) -> None:
    for program, (before, into) in RAR.items():
        if executable := shutil.which(program):
            target = [f"{into[0]}{to}"] if program.startswith("7z") else [*into, f"{to}/"]
            _run_program([executable, *before, str(archive), *target], to, budget)
            return
    raise UserError(
        f"{archive} is a RAR archive, and none of {', '.join(RAR)} is installed to open it; install one, or {BY_HAND}."
    )


def _run_program(command: list[str], to: Path, budget: _Budget) -> None:
    """Run an unpacking program; stop it if it unpacks too much."""
    before = _measure_folder(to)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            while True:
                try:
                    output, _ = run.communicate(timeout=PAUSE)
                    break
                except subprocess.TimeoutExpired:
                    size, files = _measure_folder(to)
                    replace(budget).take(size - before[0], files - before[1])
        except BaseException:
            run.kill()
            raise
    size, files = _measure_folder(to)
    budget.take(size - before[0], files - before[1])
    if run.returncode:
        last = output.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"{Path(command[0]).name}: {''.join(last) or 'it failed'}")


def _measure_folder(folder: Path) -> tuple[int, int]:
    """Return the bytes and the number of files below a folder; a link is an error."""
    size = files = 0
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _link_error(folder, path.name)
        if path.is_file():
            size, files = size + path.stat().st_size, files + 1
    return size, files
