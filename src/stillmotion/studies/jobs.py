"""Jobs: a fleet with all data it needs, to train here or on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..methods import get_method
from ..networks import build_network
from ..signals import SignalSpec
from ..training import Fleet, Recipe, Replica, RunResult, Teacher
from ..training.distillation import teacher_network
from ..training.progress import Progress
from ..windows import fit_statistics
from ..windows.augment import Places
from .plan import Planner
from .runs import FleetPlan, Run
from .teachers import TeacherCache


@dataclass(frozen=True, eq=False)
class LiveTeacher:
    """A teacher that runs in every training step, without its compiled parts."""

    network: str
    options: dict[str, str]
    weights: NDArray[np.float32]
    state: list[NDArray[Any]]
    name: str


@dataclass(frozen=True, eq=False)
class FleetJob:
    """A fleet to train as plain values and arrays that can be sent to another process.

    Args:
        run: any of its runs; shared settings are read from it.
        size: number of runs that train at a time.
        replicas: seeds, windows and hyperparameters of each run.
        teachers: outputs by tap for all windows, or networks that run in every step.
        classifiers: classifiers of teachers, for methods that reuse them.
    """

    run: Run
    size: int
    replicas: tuple[Replica, ...]
    teachers: tuple[dict[str, NDArray[np.float32]] | LiveTeacher, ...]
    teacher_names: tuple[str, ...]
    classifiers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]] | None, ...]
    spec: SignalSpec
    places: Places
    values: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)


def prepare_job(fleet: FleetPlan, planner: Planner, teacher_cache: TeacherCache) -> FleetJob:
    """Prepare the job of a fleet; its teachers must have been trained."""
    study_data = planner.study_data.of(fleet.runs[0])
    taught: dict[tuple[str, ...], int] = {}
    replicas, teachers = [], []
    names, classifiers = [], []
    known = {run.id: run for run in planner.all_teachers()}
    live = bool(fleet.runs[0].recipe["augment"]) or get_method(fleet.runs[0].method).trains_teacher
    for run in fleet.runs:
        if run.teachers not in taught:
            taught[run.teachers] = len(taught)
            if run.teachers:
                runs = [known[each] for each in run.teachers if not each.startswith("file:")]
                teacher = teacher_cache.teacher(run.method, runs, live=live)
                names.append(teacher.name)
                classifiers.append(teacher.classifier)
                if teacher.network is None:
                    teachers.append(teacher.outputs or {})
                else:
                    assert teacher.weights is not None
                    about = (runs[0].network, runs[0].options_of_network)
                    teachers.append(LiveTeacher(*about, teacher.weights, teacher.state or [], teacher.name))  # type: ignore[arg-type]
        train, validation = planner.rows(run)
        statistics = study_data.statistics[run.fold]
        if run.group >= 0:
            statistics = fit_statistics(study_data.windows, train)
        replicas.append(
            Replica(
                seed=run.seed,
                train=train,
                validation=validation,
                hyperparameters=dict(run.hyperparameters),
                mean=statistics.mean.astype(np.float32),
                std=statistics.std.astype(np.float32),
                teacher=taught[run.teachers] if run.teachers else 0,
                name=f"{run.id} (fold {run.fold}, seed {run.seed})",
            )
        )
    return FleetJob(
        run=fleet.runs[0],
        size=fleet.size,
        replicas=tuple(replicas),
        teachers=tuple(teachers),
        teacher_names=tuple(names),
        classifiers=tuple(classifiers),
        spec=study_data.windows.spec,
        places=study_data.places,
        values=study_data.values,
        labels=study_data.labels,
    )


def train_job(
    job: FleetJob, *, folder: Path | None = None, progress: Progress | None = None, every: float = 60.0
) -> list[RunResult]:
    """Train the fleet of a job; results are in the order of its runs."""
    run = job.run
    student = build_network(run.network, job.spec, seed=0, **run.options_of_network)
    fleet = Fleet(
        student,
        get_method(run.method, **run.options),
        job.replicas,
        job.values,
        job.labels,
        classes=len(job.spec.classes),
        recipe=Recipe(**{**run.recipe, "augment": tuple(run.recipe["augment"])}),
        teachers=_teachers(job),
        places=job.places,
        size=job.size,
        folder=folder,
        every=every,
    )
    return fleet.train(progress)


def _teachers(job: FleetJob) -> Sequence[Teacher]:
    teachers = []
    for given, classifier, name in zip(job.teachers, job.classifiers, job.teacher_names, strict=True):
        if isinstance(given, LiveTeacher):
            model = build_network(given.network, job.spec, seed=0, **given.options)
            network = teacher_network(model, get_method(job.run.method, **job.run.options))
            teachers.append(Teacher(network, given.weights, given.state, name=name))
        else:
            teachers.append(Teacher(outputs=given, classifier=classifier, name=name))
    return teachers
