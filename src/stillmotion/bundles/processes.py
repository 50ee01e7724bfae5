"""Run a task on many items in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ..errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Items that wait for a process; results that nobody has taken yet hold memory.
AHEAD = 2


def run_in_processes(task: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Yield the result of every item as it comes; with one process, from this one.

    Args:
        task: what is done with an item; it and its results must be picklable.
        items: the items.
        jobs: most processes.

    Raises:
        UserError: a process ended by itself, such as for lack of memory.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(task, items)
        return
    # A fork would copy the threads' locks of JAX in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_follow_parent)
    left, running = iter(items), set[Future[Result]]()
    try:
        while True:
            for item in left:
                running.add(pool.submit(task, item))
                if len(running) == AHEAD * jobs:
                    break
            if not running:
                return
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                yield future.result()
    except BrokenProcessPool as problem:
        raise UserError(
            "A process that predicted ended by itself, perhaps for lack of memory; run the command again, which goes "
            "on, with fewer --jobs."
        ) from problem
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, killed or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
