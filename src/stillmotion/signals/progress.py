"""Progress of reading, reported to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Receives a step in words, what is done of it, and the whole (0: unknown), in bytes.
Reporter = Callable[[str, int, int], None]

_REPORTER: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Report the progress of everything that is read inside.

    Args:
        reporter: called with the step, and the bytes that are done and in total.
    """
    token = _REPORTER.set(reporter)
    try:
        yield
    finally:
        _REPORTER.reset(token)


def report(step: str, done: int, total: int) -> None:
    """Report progress, if anyone asked for it.

    Args:
        step: what is done, in words.
        done, total: bytes; a total of 0 is unknown.
    """
    reporter = _REPORTER.get()
    if reporter is not None:
        reporter(step, done, total)
