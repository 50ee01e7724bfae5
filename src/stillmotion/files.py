"""Files that are there whole or not at all, that say when they changed, and whose leftovers are swept.

What is written goes into a draft beside its place first: a hidden name that its process holds a lock on, so that the
next writer in that folder can tell a killed process' draft, which it removes, from a living one's, which it leaves.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError

if sys.platform != "win32":
    import fcntl

#: How the name of a draft begins.
DRAFT = ".stillmotion-draft-"
#: What stands before the SHA-256 that a file carries of itself, and what stands there while it is taken.
SEAL, BLANK = "stillmotion.sha256", "0" * 64
_SEALED = re.compile(SEAL.encode() + rb".{2,4}?([0-9a-f]{64})", re.DOTALL)


@contextmanager
def name_write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the system (a full disk, no permission) into a ``UserError`` that names ``path``."""
    try:
        yield
    except OSError as problem:
        where = str(problem.filename or "")
        other = f": {where}" if where and not where.startswith(str(path.parent)) else ""
        raise UserError(
            f"{path} cannot be written ({problem.strerror or problem}{other}); make room or name another folder, then "
            f"do it again."
        ) from problem


@contextmanager
def atomic_path(path: Path, *, keep: Path | None = None) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` when the block ends well and goes otherwise.

    Args:
        path: the file to be.
        keep: where what is there before goes; nowhere by default.

    Raises:
        UserError: when it cannot be written; what was there before stays.
    """
    with name_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, lambda own: own.touch(exist_ok=False)) as own:
            yield own
            _flush(own)
            if keep is not None and path.exists():
                path.replace(keep)
            own.replace(path)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; see ``atomic_path``."""
    with atomic_path(path) as own, own.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside ``path`` to work in, which goes when the block ends.

    Raises:
        UserError: when something cannot be written.
    """
    with name_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, Path.mkdir) as own:
            yield own


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``path`` when the block ends well and goes otherwise.

    Args:
        path: the folder to be.
        replace: take the place of a folder that is there; where the system can exchange two names (Linux), whoever
            looks finds the old folder or the new one at every instant.

    Raises:
        UserError: when it cannot be written; what was there before stays.
    """
    with scratch_folder(path) as own:
        yield own
        for file in own.rglob("*"):
            if file.is_file():
                _flush(file)
        try:
            own.rename(path)
        except OSError:
            if not (replace and path.is_dir()):
                raise
            if not _exchange(own, path):
                # What stood there is swept like any draft, should this process be killed before it removes it.
                old = own.with_name(f"{DRAFT}{uuid.uuid4().hex[:12]}")
                path.rename(old)
                own.rename(path)
                shutil.rmtree(old, ignore_errors=True)


def sweep_drafts(*folders: Path) -> None:
    """Remove what killed processes left half-written in these folders; drafts of living processes stay.

    Without file locks (Windows, some network file systems) a living draft cannot be told, and all of them stay.
    """
    if sys.platform == "win32":
        return
    for folder in folders:
        for draft in folder.glob(f"{DRAFT}*"):
            with suppress(OSError):
                held = os.open(draft, os.O_RDONLY)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(draft)
                finally:
                    os.close(held)


def seal(content: bytes) -> bytes:
    """Put the SHA-256 of ``content`` into it, in the place of the ``BLANK`` that stands after ``SEAL`` in it."""
    start, end = list(_SEALED.finditer(content))[-1].span(1)
    digest = hashlib.sha256(content).hexdigest()
    return content[:start] + digest.encode() + content[end:]


def is_sealed(content: bytes) -> bool:
    """Whether ``content`` carries its SHA-256.

    Raises:
        ValueError: when it is not that of the content.
    """
    if SEAL.encode() not in content:
        return False
    places = list(_SEALED.finditer(content))
    if places:
        start, end = places[-1].span(1)
        blank = content[:start] + BLANK.encode() + content[end:]
        if hashlib.sha256(blank).hexdigest().encode() == content[start:end]:
            return True
    raise ValueError("its checksum differs")


@contextmanager
def _draft(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Make a draft beside ``path``, hold it, and remove it when it is still there at the end."""
    sweep_drafts(path.parent)
    # The ending stays, for what chooses a format by it.
    ending = path.suffix if len(path.suffix) < 10 else ""
    held = None
    while held is None:
        own = path.with_name(f"{DRAFT}{uuid.uuid4().hex[:12]}{ending}")
        make(own)
        held = _hold(own)
    try:
        yield own
    finally:
        with suppress(OSError):
            _remove(own)
        if held >= 0:
            os.close(held)


def _hold(own: Path) -> int | None:
    """Lock a draft while this process lives; None when a sweeper took it in between, -1 without locks."""
    if sys.platform == "win32":
        return -1
    try:
        held = os.open(own, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        if os.path.samestat(own.stat(), os.fstat(held)):
            return held
    os.close(held)
    return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Bring a file to the disk: some file systems say only now that there is no room."""
    with path.open("r+b" if sys.platform == "win32" else "rb") as file:
        os.fsync(file.fileno())


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; whether the system could."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)
