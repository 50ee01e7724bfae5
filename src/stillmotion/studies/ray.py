"""Train fleets on a Ray cluster; each task is a whole fleet."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from ..errors import UserError
from ..training.progress import Progress
from .executors import LocalExecutor, Prepare
from .jobs import FleetJob
from .runs import FleetPlan, TrainedFleet

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        ray = connect_ray(self.address)
        remote = ray.remote(max_retries=3)(_train)
        waiting: dict[Any, FleetPlan] = {}
        windows: dict[str, Any] = {}
        for plan in plans:
            if plan.runs[0].kind == "features":
                continue
            job = prepare(plan)
            assert isinstance(job, FleetJob)
            if job.windows.fingerprint not in windows:
                # Windows are sent to the object store once, and to each node once.
                windows[job.windows.fingerprint] = ray.put((job.windows, job.labels))
            waiting[remote.remote(_without_windows(job), windows[job.windows.fingerprint])] = plan
        yield from self.local.train([plan for plan in plans if plan.runs[0].kind == "features"], prepare, is_done)
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            plan = waiting.pop(ready)
            trained = ray.get(ready)
            self.local.print(trained.reason or f"{plan.phase}: {len(waiting)} fleets left")
            yield trained


def connect_ray(address: str) -> Any:
    """Return Ray, connected to the cluster at an address; raise ``UserError`` where there is none."""
    try:
        import ray
    except ImportError:
        raise UserError("--ray needs Ray: pip install 'stillmotion[ray]', here and on every node.") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
        except ConnectionError as problem:
            raise UserError(f"There is no Ray cluster at {address} ({problem}).") from None
    return ray


def run_on_ray(address: str, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the result of every item as it comes, computed on a cluster.

    Args:
        address: of the cluster.
        task: what is done with an item; it and its results must be picklable.
        items: the items.
    """
    ray = connect_ray(address)
    remote, sent = ray.remote(max_retries=3)(_call), ray.put(task)
    left = iter(items)
    running: list[Any] = []
    most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    while True:
        running += [remote.remote(sent, item) for item in islice(left, most - len(running))]
        if not running:
            return
        ready, running = ray.wait(running, num_returns=1)
        yield from ray.get(ready)


def _call(task: Callable[[Item], Result], item: Item) -> Result:
    return task(item)


def _train(job: FleetJob, windows: tuple[Any, Any]) -> TrainedFleet:
    """Train on a node, which Ray gives one fleet for each processor."""
    os.environ.setdefault("STILLMOTION_THREADS", "1")
    all_windows, labels = windows
    return replace(job, windows=all_windows, labels=labels).train(progress=Progress(enabled=False))


def _without_windows(job: FleetJob) -> FleetJob:
    """Remove the windows from a job; they are sent separately."""
    none = job.windows.take(np.zeros(0, np.int64))
    return replace(job, windows=replace(none, signal=none.signal[:0]), labels=job.labels[:0])
