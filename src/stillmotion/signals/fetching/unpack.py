"""Archives, and archives in them, into a folder: nothing outside it, and no more than such an archive can hold."""

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
#: An archive may hold this many bytes, or so many times its own size, or so many times what the set's files are known
#: to have, whichever is most: text of sensors packs to a fifth, seldom to a twentieth.
LEAST, TIMES, TIMES_KNOWN = 100_000_000, 50, 2
MOST_FILES = 100_000
#: Ways of compression that ``zipfile`` opens: stored, deflate, bzip2, LZMA.
KNOWN_WAYS = (0, 8, 12, 14)
BLOCK = 1 << 20
#: Seconds between two looks at how much an outside program has unpacked.
PAUSE = 0.05
BY_HAND = "unpack it by hand and name the folder with --from"


class DamagedArchive(UserError):
    """An archive that is cut short or damaged: to be had again."""


def is_archive(path: Path) -> bool:
    """Whether a file is (by its content or its name) something to unpack."""
    return path.suffix.lower() in (".zip", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz") or zipfile.is_zipfile(path)


def unpack(archive: Path, to: Path, opened: dict[str, Sum], *, known: int = 0) -> None:
    """Unpack an archive into a folder, and every archive that is in it beside itself.

    Args:
        archive: zip, tar or rar.
        to: the folder.
        opened: takes the sums of the archives that were opened, by name.
        known: bytes that the data set's files are known to have, 0 where they are not known.

    Raises:
        DamagedArchive: when an archive is cut short or damaged.
        UserError: when it is encrypted, packed in an unknown way, names a place outside the folder, holds a link, or
            holds more than such an archive can, or than there is room for.
    """
    to.mkdir(parents=True, exist_ok=True)
    most = max(LEAST, TIMES * archive.stat().st_size, TIMES_KNOWN * known)
    room = _Room(archive, most, shutil.disk_usage(to).free)
    _open(archive, to, opened, room)
    for _ in range(DEPTH):
        inner = sorted(
            path for path in to.rglob("*") if path.suffix.lower() in (".zip", ".rar", ".tgz") and path.is_file()
        )
        for path in inner:
            _open(path, path.parent, opened, room)
            path.unlink()


@dataclass
class _Room:
    """What may still be unpacked out of one archive and those in it."""

    archive: Path
    most: int
    free: int
    size: int = 0
    files: int = 0

    def take(self, size: int, files: int = 0) -> None:
        """Count bytes and files; ``UserError`` when they are too many."""
        self.size += size
        self.files += files
        if self.size > self.most or self.files > MOST_FILES:
            raise UserError(
                f"{self.archive} of {self.archive.stat().st_size:,} bytes unpacks to more than {self.most:,} bytes or "
                f"{MOST_FILES:,} files, which no data set does; if it is right all the same, {BY_HAND}."
            )
        if self.size > self.free:
            raise UserError(
                f"{self.archive} unpacks to {self.size:,} bytes or more, and {self.free:,} are free; make room for it."
            )


def _open(archive: Path, to: Path, opened: dict[str, Sum], room: _Room) -> None:
    opened[archive.name] = sum_of(archive)
    damaged = f"{archive} cannot be unpacked: it is cut short or damaged; fetch it again"
    try:
        if archive.suffix.lower() == ".rar":
            _rar(archive, to, room)
        elif zipfile.is_zipfile(archive):
            _zip(archive, to, room)
        elif opener := _tar_opener(archive):
            _tar(archive, opener, to, room)
        else:
            raise DamagedArchive(f"{damaged} (or it is no zip, tar or rar archive).")
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
        if reason.errno is not None:  # Of the system, which has no room or no permission, not of a decompressor.
            raise
        raise DamagedArchive(f"{damaged} ({reason}).") from reason


def _zip(archive: Path, to: Path, room: _Room) -> None:
    with zipfile.ZipFile(archive) as whole:
        members = whole.infolist()
        for each in members:
            if each.flag_bits & 0x41:
                raise UserError(f"{archive} is encrypted; {BY_HAND}.")
            if each.compress_type not in KNOWN_WAYS or each.flag_bits & 0x20:
                raise UserError(f"{archive} is packed in a way ({each.compress_type}) not known here; {BY_HAND}.")
            if (each.external_attr >> 16) & 0o170000 == 0o120000:
                raise _is_link(archive, each.filename)
        # ``orig_filename``: Python cuts a name at its first NUL.
        places = _places(archive, (each.orig_filename for each in members))
        room.take(sum(each.file_size for each in members), len(members))
        for each, place in zip(members, places, strict=True):
            if each.is_dir():
                (to / place).mkdir(parents=True, exist_ok=True)
            else:
                with whole.open(each) as source:
                    _copy(source, to / place)


def _tar(archive: Path, opener: Callable[[Path], IO[bytes]], to: Path, room: _Room) -> None:
    seen: set[PurePosixPath] = set()
    with opener(archive) as raw:
        # As a stream: what its headers say cannot make it read more than there is room for.
        counted: Any = _Counted(raw, room)
        tar = tarfile.open(fileobj=counted, mode="r|")  # noqa: SIM115 (it holds nothing but the stream)
        for each in tar:
            (place,) = _places(archive, [each.name], seen)
            if each.isdir():
                (to / place).mkdir(parents=True, exist_ok=True)
            elif each.isreg():
                room.take(0, 1)
                source = tar.extractfile(each)
                assert source is not None
                _copy(source, to / place)
            else:
                raise _is_link(archive, each.name)


class _Counted:
    """A stream that counts what is read of it."""

    def __init__(self, raw: IO[bytes], room: _Room) -> None:
        self.raw, self.room = raw, room

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        block = self.raw.read(size)
        self.room.take(len(block))
        return block


def _tar_opener(archive: Path) -> Callable[[Path], Any] | None:
    """What opens a tar archive as a stream, by its first bytes; None for another file."""
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


def _places(archive: Path, names: Iterable[str], seen: set[PurePosixPath] | None = None) -> list[PurePosixPath]:
    """Where members go below the folder; a name that leaves it, cannot be shown or stands twice is an error."""
    seen = set() if seen is None else seen
    places = []
    for name in names:
        place, windows = PurePosixPath(name), PureWindowsPath(name)
        outside = place.is_absolute() or windows.drive or windows.root or ".." in (*place.parts, *windows.parts)
        if outside or not name.isprintable():
            raise UserError(f"{archive} holds {name!r}, a name that is not below its folder or not text; {BY_HAND}.")
        if place in seen and not name.endswith("/"):
            raise UserError(f"{archive} holds {name!r} twice; {BY_HAND}.")
        seen.add(place)
        places.append(place)
    return places


def _is_link(archive: Path, name: str) -> UserError:
    return UserError(f"{archive} holds {name!r}, which is a link or a device, not a file; {BY_HAND}.")


def _rar(archive: Path, to: Path, room: _Room) -> None:
    for program, (before, into) in RAR.items():
        if found := shutil.which(program):
            target = [f"{into[0]}{to}"] if program.startswith("7z") else [*into, f"{to}/"]
            _run([found, *before, str(archive), *target], to, room)
            return
    raise UserError(
        f"{archive} is a RAR archive, and none of {', '.join(RAR)} is installed to open it; install one, or {BY_HAND}."
    )


def _run(command: list[str], to: Path, room: _Room) -> None:
    """Run a program that unpacks, and stop it when it unpacks too much."""
    before = _measured(to)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            while True:
                try:
                    said, _ = run.communicate(timeout=PAUSE)
                    break
                except subprocess.TimeoutExpired:
                    size, files = _measured(to)
                    replace(room).take(size - before[0], files - before[1])
        except BaseException:
            run.kill()
            raise
    size, files = _measured(to)
    room.take(size - before[0], files - before[1])
    if run.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"{Path(command[0]).name}: {''.join(last) or 'it failed'}")


def _measured(folder: Path) -> tuple[int, int]:
    """Bytes and files below a folder; a link is an error."""
    size = files = 0
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _is_link(folder, path.name)
        if path.is_file():
            size, files = size + path.stat().st_size, files + 1
    return size, files
