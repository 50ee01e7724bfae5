"""Let Ctrl-C stop a long command within seconds, and save finished training.

Python raises ``KeyboardInterrupt`` only between bytecode instructions: not while a compiled program runs or is
compiled. In callbacks of the garbage collector, which JAX registers, the exception is lost. So a lost interrupt is
raised again, and a watcher thread ends the process if the command does not stop.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

#: Seconds after Ctrl-C in which a command can end by itself.
GRACE = 5.0
#: Exit code of a command that Ctrl-C ended.
STOPPED = 130
#: Lock for saving: two threads must not write the same file.
SAVING = threading.RLock()

_savers: list[Callable[[], None]] = []
_echoes: list[None] = []


@contextmanager
def stoppable(sentence: str) -> Iterator[None]:
    """Let Ctrl-C end this command, even if it was started with Ctrl-C ignored.

    The first Ctrl-C raises ``KeyboardInterrupt``. If the block has not ended after ``GRACE`` seconds, the functions of
    ``saved_when_stopped`` are called and the process ends with code 130; a second Ctrl-C ends it at once. Outside the
    main thread, where Python handles no signals, this does nothing.

    Args:
        sentence: printed before the process is ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received, sent = socket.socketpair()
    sent.setblocking(False)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    wakeup = signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(received, sentence), daemon=True)
    watcher.start()
    try:
        with raised_again():
            yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        sent.close()
        watcher.join()
        received.close()


@contextmanager
def raised_again() -> Iterator[None]:
    """Raise a ``KeyboardInterrupt`` again if it was lost in a callback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    report = sys.unraisablehook

    def hook(lost: Any) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt) or lost.exc_type is KeyboardInterrupt:
            # Not from here: the callback is still running and would lose it again.
            threading.Timer(0.05, _interrupt).start()
        else:
            report(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = report


@contextmanager
def saved_when_stopped(save: Callable[[], None]) -> Iterator[None]:
    """Call ``save`` if Ctrl-C ends the block or the process.

    Args:
        save: may be called from another thread while the block is running.
    """
    _savers.append(save)
    try:
        yield
    except KeyboardInterrupt:
        with SAVING:
            save()
        raise
    finally:
        _savers.remove(save)


def end_stopped(sentence: str) -> NoReturn:
    """Print a sentence and end the process with code 130 at once.

    A normal exit would wait for compiled programs that are still running.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    _end(sentence)


def _interrupt() -> None:
    _echoes.append(None)
    _thread.interrupt_main()


def _watch(received: socket.socket, sentence: str) -> None:
    """Wait for Ctrl-C: every signal writes its number to the socket, even while the main thread is busy."""
    deadline: float | None = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if select.select([received], [], [], left)[0]:
            number = received.recv(1)
            if not number:
                return
            if number[0] != signal.SIGINT:
                continue
            if _echoes:
                _echoes.pop()
            elif deadline is not None:
                _end(sentence)
            else:
                deadline = time.monotonic() + GRACE
        else:
            if SAVING.acquire(timeout=GRACE):
                for save in reversed(_savers):
                    with suppress(Exception):
                        save()
            _end(sentence)


def _end(sentence: str) -> NoReturn:
    with suppress(OSError):
        # Bypasses the buffers of Python, which the main thread may have locked.
        os.write(2, f"\n{sentence}\n".encode())
    os._exit(STOPPED)
