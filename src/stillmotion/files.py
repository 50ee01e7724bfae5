"""Files that are there whole or not at all, whoever else writes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A path of one's own beside ``path``, which takes its place when the block ends well and goes otherwise."""
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        yield own
        own.replace(path)
    finally:
        own.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text."""
    with aside(path) as own:
        own.write_text(text, encoding="utf-8")
