"""Atomic writes of files and folders, checksums, removal of drafts of killed processes, and the cache folder.

Content is first written to a draft: a hidden file in the same folder that its process holds a lock on. The next writer
in that folder removes drafts without a lock, which belong to killed processes.
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

#: Prefix of drafts.
DRAFT = ".stillmotion-draft-"
#: Marker before the SHA-256 that a file contains of itself, and its placeholder while it is computed.
SEAL, BLANK = "stillmotion.sha256", "0" * 64
_SEALED = re.compile(SEAL.encode() + rb".{2,4}?([0-9a-f]{64})", re.DOTALL)


def cache_root() -> Path:
    """Return the cache folder: ``STILLMOTION_CACHE``, or ``stillmotion`` in the user's cache folder."""
    if named := os.environ.get("STILLMOTION_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stillmotion"


@contextmanager
def name_write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the system (a full disk, no permission) into a ``UserError`` that names ``path``."""
    try:
        yield
    except OSError as problem:
        where = str(problem.filename or "")
        other = f": {where}" if where and not where.startswith(str(path.parent)) else ""
        raise UserError(
            f"{path} cannot be written ({problem.strerror or problem}{other}); make room or use another folder, "
            f"then try again."
        ) from problem


@contextmanager
def atomic_path(path: Path, *, keep: Path | None = None, synced: bool = True) -> Iterator[Path]:
    """Give a draft to write to, which replaces ``path`` if the block succeeds and is removed otherwise.

    Args:
        path: the file to write.
        keep: where to move the previous file; not kept by default.
        synced: wait until the content is on the disk (4 ms); without it a power failure may leave a file cut short,
            which its reader must notice.

    Raises:
        UserError: if it cannot be written; the previous file stays.
    """
    with name_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, lambda draft: draft.touch(exist_ok=False)) as draft:
            yield draft
            if synced:
                _flush(draft)
            if keep is not None and path.exists():
                path.replace(keep)
            draft.replace(path)


def atomic_write(path: Path, content: str | bytes, *, synced: bool = True) -> None:
    """Write a file atomically; see ``atomic_path``."""
    with atomic_path(path, synced=synced) as draft, draft.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder next to ``path``, which is removed at the end of the block.

    Raises:
        UserError: if something cannot be written.
    """
    with name_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, Path.mkdir) as draft:
            yield draft


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``path`` if the block succeeds and is removed otherwise.

    Args:
        path: the folder to write.
        replace: replace an existing folder; on systems that can exchange two names (Linux), readers find the old or
            the new folder at any time.

    Raises:
        UserError: if it cannot be written; the previous folder stays.
    """
    with scratch_folder(path) as draft:
        yield draft
        for file in draft.rglob("*"):
            if file.is_file():
                _flush(file)
        try:
            draft.rename(path)
        except OSError:
            if not (replace and path.is_dir()):
                raise
            if not _exchange(draft, path):
                # The old folder is renamed to a draft, so that it is removed later if this process is killed here.
                old = draft.with_name(f"{DRAFT}{uuid.uuid4().hex[:12]}")
                path.rename(old)
                draft.rename(path)
                shutil.rmtree(old, ignore_errors=True)


def sweep_drafts(*folders: Path) -> None:
    """Remove drafts of killed processes in folders; drafts of running processes stay.

    Without file locks (Windows, some network file systems) the two cannot be distinguished, and all drafts stay.
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
    """Replace the ``BLANK`` after ``SEAL`` in ``content`` by the SHA-256 of ``content``."""
    start, end = list(_SEALED.finditer(content))[-1].span(1)
    digest = hashlib.sha256(content).hexdigest()
    return content[:start] + digest.encode() + content[end:]


def is_sealed(content: bytes) -> bool:
    """Return whether ``content`` contains its SHA-256.

    Raises:
        ValueError: if the checksum differs.
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
    """Make a draft of ``path``, lock it, and remove it at the end if it still exists."""
    sweep_drafts(path.parent)
    # The suffix stays, since some writers choose the format by it.
    ending = path.suffix if len(path.suffix) < 10 else ""
    held = None
    while held is None:
        draft = path.with_name(f"{DRAFT}{uuid.uuid4().hex[:12]}{ending}")
        make(draft)
        held = _hold(draft)
    try:
        yield draft
    finally:
        with suppress(OSError):
            _remove(draft)
        if held >= 0:
            os.close(held)


def _hold(draft: Path) -> int | None:
    """Lock a draft until this process ends; None if another process has removed it, -1 without locks."""
    if sys.platform == "win32":
        return -1
    try:
        held = os.open(draft, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        if os.path.samestat(draft.stat(), os.fstat(held)):
            return held
    os.close(held)
    return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Sync a file to disk: some file systems report a full disk only now."""
    with path.open("r+b" if sys.platform == "win32" else "rb") as file:
        os.fsync(file.fileno())


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names atomically; return whether the system supports it."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)
