"""Train fleets on a Ray cluster; each task is a whole fleet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import UserError
from ..training.progress import Progress
from .executors import LocalExecutor, Prepare
from .jobs import FleetJob
from .runs import FleetPlan, TrainedFleet


@dataclass
class RayExecutor:
    """Train fleets of networks on a cluster, and feature classifiers here.

    Fleets keep their runs, order and size, so on machines of one kind the results are those of a local run.

    Args:
        address: of the cluster.
        local: trains feature classifiers, and prints.
    """

    address: str
    local: LocalExecutor

    def train(
        self, plans: Sequence[FleetPlan], prepare: Prepare, is_done: Callable[[str], bool]
    ) -> Iterator[TrainedFleet]:
        """Train fleets; see ``Executor.train``."""
        remote = self._connect().remote(max_retries=3)(_train)
        waiting: dict[Any, FleetPlan] = {}
        windows: dict[str, Any] = {}
        for plan in plans:
            if plan.runs[0].kind == "features":
                continue
            job = prepare(plan)
            assert isinstance(job, FleetJob)
            if job.windows.fingerprint not in windows:
                # Windows are sent to the object store once, and to each node once.
                windows[job.windows.fingerprint] = self._ray.put((job.windows, job.labels))
            waiting[remote.remote(_without_windows(job), windows[job.windows.fingerprint])] = plan
        yield from self.local.train([plan for plan in plans if plan.runs[0].kind == "features"], prepare, is_done)
        while waiting:
            (ready, *_), _ = self._ray.wait(list(waiting), num_returns=1)
            plan = waiting.pop(ready)
            trained = self._ray.get(ready)
            self.local.print(trained.reason or f"{plan.phase}: {len(waiting)} fleets left")
            yield trained

    def _connect(self) -> Any:
        try:
            import ray
        except ImportError:
            raise UserError("--ray needs Ray: pip install 'stillmotion[ray]', here and on every node.") from None
        if not ray.is_initialized():
            try:
                ray.init(address=self.address, logging_level=logging.WARNING, log_to_driver=False)
            except ConnectionError as problem:
                raise UserError(f"There is no Ray cluster at {self.address} ({problem}).") from None
        self._ray = ray
        return ray


def _train(job: FleetJob, windows: tuple[Any, Any]) -> TrainedFleet:
    """Train on a node."""
    all_windows, labels = windows
    return replace(job, windows=all_windows, labels=labels).train(progress=Progress(enabled=False))


def _without_windows(job: FleetJob) -> FleetJob:
    """Remove the windows from a job; they are sent separately."""
    none = job.windows.take(np.zeros(0, np.int64))
    return replace(job, windows=replace(none, signal=none.signal[:0]), labels=job.labels[:0])
