"""Estimate the time of a plan from a few steps measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..methods import IncompatibleNetworks, get_method
from ..networks import build_network, network_cost
from ..training import Fleet, Recipe, Replica, Teacher
from ..training.distillation import teacher_network
from .classical import seconds
from .feasible import require_feasible
from .plan import Planner
from .runs import FleetPlan, Run
from .search import count_trials
from .selection import plan_trials, run_of

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
        phase: ``teachers``, ``trials`` or ``seeds``.
        what: method and network.
        runs: number of runs; ``size`` of them train at a time.
        steps: of all runs together, if none stops early.
        seconds: time of these steps.
    """

    phase: str
    what: str
    runs: int
    size: int
    steps: int
    seconds: float


@dataclass
class Clock:
    """Measure each kind of fleet once; times of attention configurations are scaled by FLOPs."""

    planner: Planner
    _paces: dict[tuple[str, str, str, bool], Pace] = field(default_factory=dict, init=False)
    _flops: dict[tuple[str, str, str, bool], int] = field(default_factory=dict, init=False)
    _fits: dict[str, float] = field(default_factory=dict, init=False)

    def line(self, fleet: FleetPlan) -> Line:
        """Return a fleet of the plan with its time."""
        run = fleet.runs[0]
        pace = self.pace(run)
        weight = self.flops(run) / pace.flops
        steps = evaluated = 0
        for each in fleet.runs:
            train, validation = self.planner.rows(each)
            epochs = int(each.recipe["epochs"])
            steps += -(-len(train) // int(each.recipe["batch"])) * epochs
            evaluated += len(validation) * epochs
        seconds = pace.start + weight * (steps * pace.step + evaluated * pace.window) + self._teacher_seconds(fleet)
        attention = f" with {run.attention}" if run.attention else ""
        return Line(
            fleet.phase, f"{run.method} of {run.network}{attention}", len(fleet.runs), fleet.size, steps, seconds
        )

    def pace(self, run: Run) -> Pace:
        """Measure the pace once per network, method and presence of attention."""
        key = (run.network, run.method, "with attention" if run.attention else "", run.privileged)
        if key not in self._paces:
            self._paces[key] = self._measure(run)
        return self._paces[key]

    def fit(self, run: Run) -> float:
        """Measure the seconds of a fit once per baseline."""
        if run.method not in self._fits:
            self._fits[run.method] = seconds(run, self.planner.study_data)
        return self._fits[run.method]

    def flops(self, run: Run) -> int:
        """Count the FLOPs of a network with its attention."""
        key = (run.network, run.attention, run.recurrence, run.privileged)
        if key not in self._flops:
            spec = self.planner.study_data.of(run).windows.spec
            self._flops[key] = network_cost(build_network(run.network, spec, seed=0, **run.options_of_network)).flops
        return self._flops[key]

    @cached_property
    def _teachers(self) -> dict[str, Run]:
        return {run.id: run for run in self.planner.all_teachers()}

    def _teacher_seconds(self, fleet: FleetPlan) -> float:
        """Estimate the time in which every teacher predicts all windows once."""
        teachers = {each for run in fleet.runs for each in run.teachers}
        if not teachers:
            return 0.0
        known = self._teachers
        windows = len(self.planner.study_data.windows)
        return sum(self.pace(known[each]).window * windows for each in teachers if each in known)

    def _measure(self, run: Run) -> Pace:
        spec, began = self.planner.study_data.of(run).windows.spec, time.monotonic()
        batch, method = int(run.recipe["batch"]), get_method(run.method, **run.options)
        random, count = np.random.default_rng(0), STEPS * int(run.recipe["batch"])
        shape = (spec.window, len(spec.channels))
        values = random.normal(size=(2 * count, *shape)).astype(np.float32)
        model = build_network(run.network, spec, seed=0, **run.options_of_network)
        recipe = Recipe(**{**run.recipe, "augment": tuple(run.recipe["augment"]), "epochs": 10**6, "patience": 10**6})
        fleet = Fleet(
            model,
            method,
            [Replica(0, np.arange(count), np.arange(count, 2 * count))],
            values,
            random.integers(0, len(spec.classes), 2 * count),
            classes=len(spec.classes),
            recipe=recipe,
            teachers=self._random_teachers(run, 2 * count),
            places=self.planner.study_data.places,
        )
        taken = fleet.measured(EPOCHS)
        seconds, evaluated = min(epoch for epoch, _ in taken[1:]), min(each for _, each in taken[1:])
        start = time.monotonic() - began - sum(sum(each) for each in taken[1:])
        return Pace(seconds / (count / batch), evaluated / count, start, self.flops(run))

    def _random_teachers(self, run: Run, count: int) -> list[Teacher]:
        """Make teachers with random outputs of the right shapes."""
        if not run.teachers:
            return []
        random = np.random.default_rng(1)
        if run.teachers[0].startswith("file:"):
            classes = len(self.planner.study_data.windows.spec.classes)
            return [Teacher(outputs={"logits": random.normal(size=(count, classes)).astype(np.float32)})]
        teacher = self._teachers[run.teachers[0]]
        network = teacher_network(
            build_network(
                teacher.network,
                self.planner.study_data.of(teacher).windows.spec,
                seed=0,
                **teacher.options_of_network,
            ),
            get_method(run.method),
        )
        if run.recipe["augment"] or get_method(run.method).trains_teacher:
            weights, state = network.own()
            return [Teacher(network, weights, state)]
        outputs = {
            name: random.uniform(size=(count, *shape)).astype(np.float32) for name, shape in network.tap_shapes.items()
        }
        return [Teacher(outputs=outputs, classifier=network.classifier_of(network.own()[0]))]


def plan_lines(planner: Planner) -> list[Line]:
    """List the fleets of a study with their times.

    Final seeds are counted as if each variant selected its first trial, later rounds of trials like the first. All fits
    of a baseline in a phase are one line.
    """
    require_feasible(planner)
    clock = Clock(planner)
    lines: list[Line] = []
    fits: dict[tuple[str, str], list[Run]] = {}
    for fleet in plan_fleets(planner):
        if fleet.runs[0].classical:
            fits.setdefault((fleet.phase, fleet.runs[0].method), []).extend(fleet.runs)
            continue
        try:
            lines.append(clock.line(fleet))
        except IncompatibleNetworks:
            run = fleet.runs[0]
            what = f"{run.method} of {run.network}, which are incompatible"
            lines.append(Line(fleet.phase, what, len(fleet.runs), fleet.size, 0, 0.0))
    for (phase, name), runs in fits.items():
        try:
            lines.append(Line(phase, f"{name} on features", len(runs), 1, 0, sum(map(clock.fit, runs))))
        except IncompatibleNetworks as reason:
            lines.append(Line(phase, str(reason), len(runs), 1, 0, 0.0))
    return lines


def plan_fleets(planner: Planner) -> list[FleetPlan]:
    """List the fleets of a study as far as they are known before training."""
    trials, _ = plan_trials(planner, {})
    rounds = -(-count_trials(planner.study) // max(1, len(next(iter(trials.values())))))
    planned = [(name, fold, each) for (name, fold), group in trials.items() for each in group]
    variants = planner.study.all_variants
    taught = [(variants[name], fold, each) for name, fold, each in planned if name in variants]
    assistant_teachers = [run for variant, fold, _ in taught for run in planner.assistant_teachers(variant, fold)]
    teachers = [run for variant, fold, each in taught for run in planner.teachers(variant, fold, each.attention)]
    fleets = planner.fleets("teachers", [*assistant_teachers, *teachers])
    if count_trials(planner.study) == 1:
        every = [planner.student(*each, seed) for each in planned for seed in range(planner.study.seeds)]
        return [*fleets, *planner.fleets("trials", every)]
    fleets += planner.fleets("trials", [run_of(planner, *each) for each in planned]) * rounds
    first = {key: group[0] for key, group in trials.items()}
    seeds = [
        planner.student(name, fold, each, seed)
        for (name, fold), each in first.items()
        for seed in range(1, planner.study.seeds)
    ]
    return [*fleets, *planner.fleets("seeds", seeds)]


def total(lines: Sequence[Line]) -> float:
    """Sum the seconds of a plan."""
    return sum(line.seconds for line in lines)
