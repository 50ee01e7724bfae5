"""Train fleets in this process. Several processes may share a folder: each fleet is trained by one of them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from ..files import name_write_errors
from ..names import make_visible
from ..training.progress import Progress
from .jobs import ClassifierJob, FleetJob
from .runs import FleetPlan, TrainedFleet

#: Seconds between two checks of fleets that another process trains.
PAUSE = 1.0
Prepare = Callable[[FleetPlan], FleetJob | ClassifierJob]


class Executor(Protocol):
    """Trains fleets somewhere."""

    def train(
        self, plans: Sequence[FleetPlan], prepare: Prepare, is_done: Callable[[str], bool]
    ) -> Iterator[TrainedFleet]:
        """Train fleets, and yield each when it is finished; a caller stores it before it asks for the next.

        Args:
            plans: the fleets.
            prepare: makes the job of a fleet.
            is_done: returns whether a fleet has been finished in the meantime, by another process.
        """


@dataclass
class LocalExecutor:
    """Train fleets one after the other in this process.

    Args:
        folder: for checkpoints and locks.
        quiet: print nothing.
        every: seconds between two checkpoints of a fleet.
    """

    folder: Path
    quiet: bool = False
    every: float = 60.0
    _printed: set[str] = field(default_factory=set, init=False)

    def train(
        self, plans: Sequence[FleetPlan], prepare: Prepare, is_done: Callable[[str], bool]
    ) -> Iterator[TrainedFleet]:
        """Train fleets, and wait for those that another process trains; see ``Executor.train``."""
        waiting = list(enumerate(plans, 1))
        while waiting:
            held = []
            for number, plan in waiting:
                with self._claimed(plan) as claimed:
                    if not claimed:
                        held.append((number, plan))
                    elif not is_done(plan.id):
                        self.print(f"{plan.phase} {number}/{len(plans)}: {len(plan.runs)} × {plan.runs[0]}")
                        checkpoints = self.folder / plan.id
                        trained = prepare(plan).train(
                            folder=checkpoints, progress=Progress(enabled=not self.quiet), every=self.every
                        )
                        if trained.reason:
                            self.print(f"{plan.phase}: {trained.reason}")
                        yield trained
                        shutil.rmtree(checkpoints, ignore_errors=True)
            waiting = held
            if waiting:
                self.print(f"waiting for another process that trains {len(waiting)} of the fleets", once=True)
                time.sleep(PAUSE)

    @contextmanager
    def _claimed(self, plan: FleetPlan) -> Iterator[bool]:
        """Try to lock a fleet for this process; the system releases the lock when a process dies."""
        place, held = self.folder / f"{plan.id}.lock", True
        lock = FileLock(place)
        with name_write_errors(place):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                held = False
        try:
            yield held
        finally:
            lock.release()

    def print(self, text: str, *, once: bool = False) -> None:
        """Print a line to standard error."""
        if not self.quiet and not (once and text in self._printed):
            print(make_visible(text), file=sys.stderr, flush=True)
        self._printed.add(text)
