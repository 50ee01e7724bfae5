"""Estimate the time of a plan from a few steps measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..methods import IncompatibleNetworks, get_method
from ..networks import named_network_cost
from ..training import Fleet, Replica, Teacher, join_teachers
from ..training.distillation import teacher_network
from ..training.threads import count_threads
from .baselines import Baseline
from .data import StudyData
from .feasible import require_feasible
from .jobs import quantisation_of, recipe_of, time_classifier
from .plan import Planner
from .refit import refit_on_all
from .runs import FleetPlan, Run
from .search import Trial, count_trials, next_trials
from .teachers import shared_model_of

#: Steps per measured epoch, and number of epochs after the first, which compiles.
STEPS, EPOCHS = 6, 3


@dataclass(frozen=True)
class Pace:
    """Seconds of a network under a method per step, per evaluated window and for compilation; and its FLOPs."""

    step: float
    window: float
    start: float
    flops: int


@dataclass(frozen=True)
class Line:
    """A fleet of the plan.

    Args:
        phase: ``teachers``, ``trials``, ``seeds``, ``refits`` or ``ship``.
        what: method and network.
        variants: whose runs they are; of a teacher, those that learn from it.
        runs: number of runs; ``size`` of them train at a time.
        steps: of all runs together, if none stops early.
        seconds: time of these steps.
    """

    phase: str
    what: str
    variants: tuple[str, ...]
    runs: int
    size: int
    steps: int
    seconds: float


@dataclass
class Clock:
    """Measure each kind of fleet once; times of attention configurations are scaled by FLOPs."""

    planner: Planner
    data: StudyData
    variants: dict[Run, dict[str, None]] = field(default_factory=dict)
    _paces: dict[tuple[Any, ...], Pace] = field(default_factory=dict, init=False)
    _fits: dict[str, float] = field(default_factory=dict, init=False)

    def line(self, fleet: FleetPlan) -> Line:
        """Return a fleet of the plan with its time."""
        run = fleet.runs[0]
        pace = self.pace(run, fleet.size)
        weight = self.flops(run) / pace.flops
        steps = evaluated = 0
        for each in fleet.runs:
            train, validation = self.planner.rows(each)
            epochs = each.stop or int(each.recipe["epochs"])
            steps += -(-len(train) // int(each.recipe["batch"])) * epochs
            evaluated += len(validation) * epochs
        seconds = pace.start + weight * (steps * pace.step + evaluated * pace.window) + self._teacher_seconds(fleet)
        return Line(fleet.phase, str(run), self.names(fleet.runs), len(fleet.runs), fleet.size, steps, seconds)

    def names(self, runs: Iterable[Run]) -> tuple[str, ...]:
        """Return the variants of runs, in their order."""
        return tuple(dict.fromkeys(name for run in runs for name in self.variants.get(run, ())))

    def pace(self, run: Run, size: int = 1) -> Pace:
        """Measure the pace once per network, method, presence of attention and teachers in the step.

        ``size`` is the number of replicas that train at a time: side by side, a step of each takes less.
        """
        live = [self.planner.teacher(name).architecture for name in run.teachers] if run.live else []
        key = (run.network, run.method, bool(run.attention), bool(run.privileged), run.quantise, *live)
        if key not in self._paces:
            self._paces[key] = self._measure(run, min(size, count_threads()))
        return self._paces[key]

    def fit(self, run: Run) -> float:
        """Measure the seconds of a fit once per baseline."""
        if run.method not in self._fits:
            self._fits[run.method] = time_classifier(run, self.data)
        return self._fits[run.method]

    def flops(self, run: Run) -> int:
        """Count the FLOPs of a network with its attention."""
        return named_network_cost(run.network, self.planner.index.spec_of(run), **run.options_of_network).flops

    def _teacher_seconds(self, fleet: FleetPlan) -> float:
        """Estimate the time in which every teacher whose outputs are stored predicts all windows once."""
        teachers = {each for run in fleet.runs if not run.live for each in run.teachers}
        if not teachers:
            return 0.0
        networks = [run for run in map(self.planner.teacher, teachers) if run.kind == "network"]
        return sum(self.pace(run).window * len(self.planner.index) for run in networks)

    def _measure(self, run: Run, replicas: int) -> Pace:
        spec, began = self.planner.index.spec_of(run), time.monotonic()
        batch, method = int(run.recipe["batch"]), get_method(run.method, **run.options)
        random, count = np.random.default_rng(0), STEPS * int(run.recipe["batch"])
        shape = (spec.window, len(spec.channels))
        values = random.normal(size=(2 * count, *shape)).astype(np.float32)
        student = shared_model_of(run, self.planner.index)
        fleet = Fleet(
            student,
            method,
            [Replica(seed, np.arange(count), np.arange(count, 2 * count)) for seed in range(replicas)],
            values,
            random.integers(0, len(spec.classes), 2 * count),
            classes=len(spec.classes),
            recipe=replace(recipe_of(run), epochs=10**6, patience=10**6),
            teachers=self._random_teachers(run, 2 * count),
            live=run.live,
            places=self.data.places,
            size=replicas,
            quantise=quantisation_of(run, student),
        )
        taken = fleet.measured(EPOCHS)
        seconds, evaluated = min(epoch for epoch, _ in taken[1:]), min(each for _, each in taken[1:])
        start = time.monotonic() - began - sum(sum(each) for each in taken[1:])
        return Pace(seconds * batch / (count * replicas), evaluated / (count * replicas), start, self.flops(run))

    def _random_teachers(self, run: Run, count: int) -> list[Teacher]:
        """Make teachers with random outputs of the right shapes."""
        random, classes = np.random.default_rng(1), self.planner.index.classes
        if run.scores:
            return [Teacher(outputs={"logits": random.normal(size=(count, classes)).astype(np.float32)})]
        if not run.teachers:
            return []
        teachers, method = [self.planner.teacher(name) for name in run.teachers], get_method(run.method)
        networks = [
            teacher_network(shared_model_of(each, self.planner.index), method)
            for each in teachers
            if each.kind == "network"
        ]
        if run.live or method.trains_teacher:
            members = [Teacher(network, *network.own()) for network in networks]
            return [join_teachers(members) if len(members) > 1 else members[0]]
        if len(networks) < len(teachers):
            return [Teacher(outputs={"logits": random.normal(size=(count, classes)).astype(np.float32)})]
        network = networks[0]
        outputs = {
            name: random.uniform(size=(count, *shape)).astype(np.float32) for name, shape in network.tap_shapes.items()
        }
        return [Teacher(outputs=outputs, classifier=network.classifier_of(network.own()[0]))]


def plan_lines(planner: Planner, data: StudyData) -> list[Line]:
    """List the fleets of a study with their times.

    Final seeds are counted as if each variant selected its first trial, later rounds of trials like the first. All fits
    of a feature classifier in a phase are one line. Refits and what ships take all epochs at most.
    """
    require_feasible(planner)
    clock = Clock(planner, data)
    lines = _lines(plan_fleets(planner, clock.variants), clock)
    if planner.study.ship:
        # What will be recommended is not known: that which takes longest.
        lines += max((_lines(fleets, clock) for fleets in plan_shipments(planner, clock.variants)), key=total)
    return lines


def _lines(fleets: Iterable[FleetPlan], clock: Clock) -> list[Line]:
    lines: list[Line] = []
    fits: dict[tuple[str, str], list[Run]] = {}
    for fleet in fleets:
        run = fleet.runs[0]
        if run.kind == "features":
            fits.setdefault((fleet.phase, run.method), []).extend(fleet.runs)
            continue
        try:
            lines.append(clock.line(fleet))
        except IncompatibleNetworks:
            what = f"{run.method} of {run.network}, which are incompatible"
            lines.append(Line(fleet.phase, what, clock.names(fleet.runs), len(fleet.runs), fleet.size, 0, 0.0))
    for (phase, name), runs in fits.items():
        try:
            what, seconds = f"{name} on features", sum(map(clock.fit, runs))
        except IncompatibleNetworks as reason:
            what, seconds = str(reason), 0.0
        lines.append(Line(phase, what, clock.names(runs), len(runs), 1, 0, seconds))
    return lines


def plan_fleets(planner: Planner, variants: dict[Run, dict[str, None]] | None = None) -> list[FleetPlan]:
    """List the fleets of a study as far as they are known before training.

    Args:
        planner: of the study.
        variants: is filled with the variants of each run, of a teacher those that learn from it.
    """
    named = {} if variants is None else variants

    def note(runs: Iterable[Run], variant: str) -> list[Run]:
        listed = list(runs)
        for run in listed:
            named.setdefault(run, {})[variant] = None
        return listed

    def run_of(trial: Trial, *, refit: str = "") -> Run:
        run = planner.run(trial)
        return note([replace(run, refit=refit) if refit else run], trial.variant)[0]

    study, folds = planner.study, range(len(planner.index.folds))
    trials = [each for name in study.systems for fold in folds for each in next_trials(study, name, fold)]
    first = [each for each in trials if each.number == 0]
    rounds = -(-count_trials(study) * len(first) // len(trials))
    taught = [(study.all_variants[each.variant], each) for each in trials if each.variant in study.all_variants]
    teachers = [
        run for variant, each in taught for run in note(planner.assistant_teachers(variant, each.fold), each.variant)
    ]
    teachers += [
        run
        for variant, each in taught
        for run in note(planner.teachers(variant, each.fold, each.attention), each.variant)
    ]
    fleets = planner.fleets("teachers", teachers)
    if count_trials(study) == 1:
        seeds = range(study.seeds)
        fleets += planner.fleets("trials", [run_of(t) for each in trials for t in _seeds(each, seeds)])
    else:
        fleets += planner.fleets("trials", map(run_of, trials)) * rounds
        seeds = range(1, study.seeds)
        fleets += planner.fleets("seeds", [run_of(t) for each in first for t in _seeds(each, seeds)])
    if study.training.refit:
        finals = (t for each in first for t in _seeds(each, range(study.seeds)))
        fleets += planner.fleets("refits", [run_of(t, refit=study.training.refit) for t in finals])
    return fleets


def plan_shipments(planner: Planner, variants: dict[Run, dict[str, None]] | None = None) -> list[list[FleetPlan]]:
    """List the fleets that fit each variant that may ship to all subjects, as if its first trials were selected.

    Args:
        planner: of the study.
        variants: is filled with the variants of each run, see ``plan_fleets``.
    """
    named = {} if variants is None else variants
    plans = []
    for name, system in planner.study.systems.items():
        if isinstance(system, Baseline) and not system.has_arrays:
            continue
        trials = [next_trials(planner.study, name, fold)[0] for fold in range(len(planner.index.folds))]
        first, teachers, model = refit_on_all(planner, trials, [planner.run(trial) for trial in trials], {})
        for run in (*first, *teachers, model):
            named.setdefault(run, {})[name] = None
        plans.append([fleet for runs in (first, teachers, [model]) for fleet in planner.fleets("ship", runs)])
    return plans


def _seeds(trial: Trial, seeds: Iterable[int]) -> list[Trial]:
    return [replace(trial, seed=seed) for seed in seeds]


def total(lines: Iterable[Line]) -> float:
    """Sum the seconds of a plan."""
    return sum(line.seconds for line in lines)
