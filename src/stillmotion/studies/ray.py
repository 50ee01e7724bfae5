"""Train fleets on a Ray cluster; results are stored by the calling process."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..methods import IncompatibleNetworks
from ..training import RunResult
from ..training.progress import Progress
from ..training.teacher import UselessTeacher
from .jobs import FleetJob, prepare_job, train_job
from .runs import FleetPlan

if TYPE_CHECKING:
    from .runner import Runner


def train_all(runner: Runner, fleets: Sequence[FleetPlan]) -> None:
    """Train fleets on the cluster of the runner, and store each when it is finished.

    Fleets keep their runs, order and size, so on machines of one kind the results are those of a local run.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--ray needs Ray: pip install 'stillmotion[ray]', here and on every node.") from None
    if not ray.is_initialized():
        try:
            ray.init(address=runner.ray, logging_level=logging.WARNING, log_to_driver=False)
        except ConnectionError as problem:
            raise UserError(f"There is no Ray cluster at {runner.ray} ({problem}).") from None
    remote = ray.remote(max_retries=3)(_train)
    waiting: dict[Any, tuple[FleetPlan, float]] = {}
    values = labels = None
    for fleet in fleets:
        job = prepare_job(fleet, runner.planner, runner.teacher_cache)
        if values is None:
            # Windows are sent to the object store once, and to each node once.
            values, labels = ray.put(job.values), ray.put(job.labels)
        waiting[remote.remote(_without_windows(job), values, labels)] = (fleet, time.monotonic())
    while waiting:
        (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
        fleet, _ = waiting.pop(ready)
        outcomes, seconds, reason = ray.get(ready)
        if reason:
            runner.store.fail(fleet, reason, runner.versions)
        else:
            runner.store.finish(fleet, outcomes, seconds, runner.versions)
        runner._print(f"{fleet.phase}: {len(waiting)} fleets left")


def _train(job: FleetJob, values: Any, labels: Any) -> tuple[list[RunResult], float, str]:
    """Train on a node; return results and seconds, or the reason why the fleet cannot train."""
    from dataclasses import replace

    started = time.monotonic()
    try:
        outcomes = train_job(replace(job, values=values, labels=labels), progress=Progress(enabled=False))
    except (UselessTeacher, IncompatibleNetworks) as reason:
        return [], 0.0, str(reason)
    return outcomes, time.monotonic() - started, ""


def _without_windows(job: FleetJob) -> FleetJob:
    """Remove the windows from a job; they are sent separately."""
    from dataclasses import replace

    import numpy as np

    return replace(job, values=np.zeros((0, 0, 0), np.float32), labels=np.zeros(0, np.int64))
