"""Jobs: a fleet with all that its training needs, to train here or on another machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..evaluation import accuracy, confusion_matrix, macro_f1
from ..features import ClassifierArrays, FeatureSet, FittedClassifier, fit_classifier, pack_arrays
from ..methods import IncompatibleNetworks, get_method
from ..networks.quantisation_plan import QuantisationPlan
from ..networks.registry import get_shared_network
from ..signals import SignalSpec
from ..training import Fleet, Recipe, Replica, Teacher, join_teachers
from ..training.distillation import teacher_network
from ..training.progress import Progress
from ..training.replicas import class_weights
from ..training.teacher import UselessTeacher
from ..windows import Windows, fit_statistics
from ..windows.augment import Places
from .data import StudyData
from .index import Rows
from .plan import Planner
from .runs import ClassifierResult, FleetPlan, Run, TrainedFleet
from .teachers import CachedTeacher, LiveTeacher, TeacherCache

#: Training windows of the fit that is timed for a plan.
MEASURED = 1000


@dataclass(frozen=True, eq=False)
class FleetJob:
    """A fleet of networks as plain values and arrays, which can be sent to another process.

    Args:
        plan: its runs; shared settings are read from the first.
        replicas: seeds, windows and hyperparameters of each run.
        teachers: outputs by tap for all windows, or networks, single or several, that run in every step.
        spec: signal contract of its windows.
        places: sensors by position on the body.
        windows: all windows.
        labels: (N,).
    """

    plan: FleetPlan
    replicas: tuple[Replica, ...]
    teachers: tuple[CachedTeacher | LiveTeacher, ...]
    spec: SignalSpec
    places: Places
    windows: Windows = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)

    def train(
        self, *, folder: Path | None = None, progress: Progress | None = None, every: float = 60.0
    ) -> TrainedFleet:
        """Train the fleet, or say why it cannot train."""
        started, run = time.monotonic(), self.plan.runs[0]
        try:
            student = get_shared_network(run.network, self.spec, **run.options_of_network)
            fleet = Fleet(
                student,
                get_method(run.method, **run.options),
                self.replicas,
                self.windows,
                self.labels,
                classes=len(self.spec.classes),
                recipe=recipe_of(run),
                teachers=[self._teacher(each) for each in self.teachers],
                live=run.live,
                places=self.places,
                size=self.plan.size,
                folder=folder,
                every=every,
                quantise=quantisation_of(run, student),
            )
            results = fleet.train(progress)
        except (UselessTeacher, IncompatibleNetworks) as reason:
            return TrainedFleet(self.plan, reason=str(reason))
        return TrainedFleet(self.plan, results, time.monotonic() - started, forms=tuple(sorted(fleet.program.forms)))

    def _teacher(self, given: CachedTeacher | LiveTeacher) -> Teacher:
        if isinstance(given, CachedTeacher):
            return Teacher(outputs=given.outputs, classifier=given.classifier, name=given.name)
        run = self.plan.runs[0]
        members = []
        for each in given.members:
            model = get_shared_network(each.network, self.spec, **each.options)
            network = teacher_network(model, get_method(run.method, **run.options))
            members.append(Teacher(network, each.weights, each.state, name=each.network))
        return join_teachers(members, given.shares, name=given.name) if len(members) > 1 else members[0]


@dataclass(frozen=True, eq=False)
class ClassifierJob:
    """The fit of a feature classifier on training windows of its fold."""

    plan: FleetPlan
    data: StudyData
    train_rows: Rows

    def train(
        self, *, folder: Path | None = None, progress: Progress | None = None, every: float = 60.0
    ) -> TrainedFleet:
        """Fit the classifier; only validation windows are scored here."""
        started, index = time.monotonic(), self.data.index
        (run,) = self.plan.runs
        fold = index.folds[run.fold]
        validation = fold.validation[: 0 if run.refit else None]
        try:
            fitted = _fit(run, self.data, self.train_rows)
        except IncompatibleNetworks as reason:
            return TrainedFleet(self.plan, reason=str(reason))
        # A teacher's targets are for windows that it was not trained on.
        rows = np.zeros(0, np.int64) if run.refit == "all" else np.union1d(validation, fold.test)
        for split in {"": ("validation", "test"), "all": ()}.get(run.refit, ("test",)):
            rows = np.union1d(rows, index.unlabelled_rows(run.fold, split))
        if run.group >= 0:
            rows = np.setdiff1d(np.arange(len(index)), self.train_rows)
        logits = fitted.predict(_features(run, self.data, rows))
        predicted = logits[np.searchsorted(rows, validation)].argmax(1)
        matrix = confusion_matrix(index.labels[validation], predicted, index.classes)
        score = float(macro_f1(matrix) if run.recipe["select"] == "macro-f1" else accuracy(matrix))
        kept = fitted.arrays if run.refit == "all" and run.group < 0 else None
        packed = b"" if kept is None else pack_arrays(kept)
        result = ClassifierResult(score, fitted.size, rows, logits, packed)
        return TrainedFleet(self.plan, [result], time.monotonic() - started)


def prepare_job(plan: FleetPlan, planner: Planner, data: StudyData, teachers: TeacherCache) -> FleetJob | ClassifierJob:
    """Prepare the job of a fleet; its teachers must have been trained."""
    run = plan.runs[0]
    if run.kind == "features":
        return ClassifierJob(plan, data, planner.rows(run)[0])
    seen = data.of(run)
    live = run.live or get_method(run.method).trains_teacher
    numbers: dict[tuple[str, ...], int] = {}
    prepared: list[CachedTeacher | LiveTeacher] = []
    for each in plan.runs:
        if each.teachers not in numbers and (each.teachers or each.scores):
            numbers[each.teachers] = len(numbers)
            members = [planner.teacher(name) for name in each.teachers]
            prepared.append(teachers.teacher(run.method, members, live=live, weighting=each.weighting))
    return FleetJob(
        plan=plan,
        replicas=tuple(
            replace(_replica(each, planner, seen, numbers.get(each.teachers, 0)), start=_start(each, planner, teachers))
            for each in plan.runs
        ),
        teachers=tuple(prepared),
        spec=seen.windows.spec,
        places=seen.places,
        windows=replace(seen.windows, raw=None),
        labels=np.maximum(data.index.labels, 0),  # windows without a class are in no split
    )


def _start(run: Run, planner: Planner, teachers: TeacherCache) -> tuple[NDArray[np.float32], list[NDArray[Any]]] | None:
    """Return the weights that a run for int8 trains on from: those of its only teacher, if that is the same network."""
    if not run.quantise or len(run.teachers) != 1:
        return None
    teacher = planner.teacher(run.teachers[0])
    return teachers.store.weights(teacher.id) if teacher.architecture == run.architecture else None


def recipe_of(run: Run) -> Recipe:
    """Return the training recipe of a run."""
    return Recipe(**{**run.recipe, "augment": tuple(run.recipe["augment"])})


def quantisation_of(run: Run, student: keras.Model) -> QuantisationPlan | None:
    """Return where a run rounds, if it is trained for its int8 form."""
    if not run.quantise:
        return None
    from ..deploy import plan_quantisation

    return plan_quantisation(student)


def time_classifier(run: Run, data: StudyData) -> float:
    """Estimate the seconds of a fit on all training windows from a fit on some of them."""
    rows = data.index.folds[run.fold].train
    sample = np.random.default_rng(0).permutation(rows)[:MEASURED]
    _ = _features(run, data, sample)  # Computed once per study, so not part of a fit.
    started = time.monotonic()
    _fit(run, data, sample)
    return (time.monotonic() - started) * len(rows) / len(sample)


def _replica(run: Run, planner: Planner, data: StudyData, teacher: int) -> Replica:
    train, validation = planner.rows(run)
    whole = run.group < 0 and not run.refit
    statistics = data.statistics[run.fold] if whole else fit_statistics(data.windows, train)
    return Replica(
        seed=run.seed,
        train=train,
        validation=validation,
        hyperparameters=dict(run.hyperparameters),
        mean=statistics.mean.astype(np.float32),
        std=statistics.std.astype(np.float32),
        teacher=teacher,
        name=f"{run.id} (fold {run.fold}, seed {run.seed})",
        stop=run.stop,
    )


def _fit(run: Run, data: StudyData, train: Rows) -> FittedClassifier:
    index, imbalance = data.index, str(run.recipe["imbalance"])
    labels = index.labels[train]
    counts = np.bincount(labels, minlength=index.classes).astype(np.float64)
    try:
        return fit_classifier(
            run.method,
            _features(run, data, train),
            labels,
            index.classes,
            features=FeatureSet.of(index.spec),
            weights=class_weights(counts, imbalance) if imbalance in ("weights", "sqrt-weights") else None,
            subtract_prior=imbalance == "logit-adjustment",
            seed=run.seed,
            hyperparameters=run.hyperparameters,
        )
    except UserError as reason:
        raise IncompatibleNetworks(f"fold {run.fold}: {reason}") from None


def fit_arrays(run: Run, data: StudyData, train: Rows) -> ClassifierArrays | None:
    """Fit the feature classifier of a run, as it was fitted before, and return its arrays; None if it has none."""
    return _fit(run, data, train).arrays


def _features(run: Run, data: StudyData, rows: Rows) -> NDArray[np.float32]:
    """Return what a classifier is fitted to: features; windows themselves; nothing for the majority class."""
    if run.method == "majority":
        return np.zeros((len(rows), 0), np.float32)
    return data.windows[rows] if run.method == "random-convolutions" else data.features[rows]
