"""Damage to files, the same at every run: single flipped bits, and a disk that is full."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def flips(path: Path, count: int, seed: int = 0) -> Iterator[int]:
    """Flip one bit of a file, again and again another; the file is whole when each turn begins and at the end.

    Args:
        path: the file.
        count: how many bits, drawn without repetition; all of them where the file has no more.
        seed: of the draw.
    """
    content = path.read_bytes()
    bits = 8 * len(content)
    for bit in random.Random(seed).sample(range(bits), min(count, bits)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        yield bit
        path.write_bytes(content)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process grows beyond ``room`` bytes: writing more fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def listing(folder: Path) -> set[str]:
    """Every file and folder below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
