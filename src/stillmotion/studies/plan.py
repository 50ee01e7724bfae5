"""The plan: which runs a phase needs, and which of them train together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..methods import get_method
from ..networks import build_network, get_network, named_network_cost
from ..networks.registry import get_shared_network
from ..signals import SignalSpec
from ..training import Recipe
from ..training.device import on_accelerator
from ..training.fingerprint import model_fingerprint
from ..training.functional import Functional
from ..training.memory import replica_bytes
from ..windows.splits import SPLITS, resolve_protocol
from .baselines import VERSION, Baseline
from .candidates import leave_out_too_large
from .ensembles import teacher_kinds
from .index import Rows, WindowIndex
from .runs import FleetPlan, Run
from .search import Trial
from .sections import Training
from .spec import Study
from .teacher_outputs import FLOPS, STEP, TIMES
from .variants import PLAIN, Variant

#: Maximum number of runs in a fleet, which share one checkpoint.
LARGEST = 512
#: Maximum number of replicas that train at a time on a CPU and on an accelerator, unless the study sets it.
TOGETHER = {"cpu": 16, "accelerator": 512}
#: Memory of a fleet in bytes; fixed, so that the plan does not depend on free memory.
ROOM = {"cpu": 4 << 30, "accelerator": 32 << 30}


@dataclass(frozen=True)
class Planner:
    """Plan the runs of a study.

    Args:
        study: the specification; variants that are too large for its budget are left out of it.
        index: its windows.
        accelerator: whether training has an accelerator, which decides how many runs train at a time; by default
            that of this machine.
    """

    study: Study
    index: WindowIndex
    accelerator: bool | None = None
    _bytes_of: dict[tuple[str, str, bool], int] = field(default_factory=dict, init=False, repr=False)
    _flops_of: dict[tuple[str, str, bool], int] = field(default_factory=dict, init=False, repr=False)
    _own: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _with_int8: set[tuple[str, str]] = field(default_factory=set, init=False, repr=False)
    _runs: dict[tuple[Any, ...], Run] = field(default_factory=dict, init=False, repr=False)
    _refitted: dict[str, Run] = field(default_factory=dict, init=False, repr=False)
    _in_folds: dict[str, tuple[Run, ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "study", leave_out_too_large(self.study, self.index.spec))

    @property
    def data(self) -> str:
        """Fingerprint of windows and split."""
        split = self.study.split
        protocol = resolve_protocol(split.protocol)
        return f"{self.index.fingerprint[:16]}/{protocol}/{split.seed}/{split.validation:g}"

    def teachers(self, variant: Variant, fold: int, attention: str) -> tuple[Run, ...]:
        """Return the teacher runs of a variant in a fold, whose mean is used; none without a teacher or with a file."""
        if variant.teacher == "assistant":
            return (self._assistant(variant, fold),)
        if variant.teacher == "none" or (self.index.scores and variant.teacher != "self"):
            return ()
        if variant.teacher == "self":
            training = self.study.student_training
            network = variant.network or self.study.networks.student
            return (self._teacher_run(network, "", training, fold, 0, -1),)
        training = self.study.teacher_training
        attended = attention if variant.teacher == "attention" else ""
        groups = range(self.study.teaching.groups) if self.study.cross_fit else (-1,)
        runs = []
        for name in self.study.networks.teacher:
            classifier = self.study.known_baselines.get(name)
            # Another seed of a classifier that draws nothing would be the same teacher.
            seeds = 1 if classifier is not None and not classifier.seeded else self.study.teaching.seeds
            for seed, group in product(range(seeds), groups):
                if classifier is not None:
                    start = {key: given.start for key, given in classifier.search.items() if given.start is not None}
                    values = {**start, **classifier.hyperparameters}
                    run = self._classifier_run(classifier.classifier, training, fold, seed, values)
                    runs.append(replace(run, group=group))
                else:
                    run = self._teacher_run(name, attended, training, fold, seed, group)
                    runs.append(replace(run, privileged=self.index.teacher_fingerprint))
        return tuple(runs)

    def assistant_teachers(self, variant: Variant, fold: int) -> tuple[Run, ...]:
        """Return the teacher runs of a variant's teacher assistant, which must be trained before it."""
        return self.teachers(PLAIN, fold, "") if variant.teacher == "assistant" else ()

    def _teachers(self, run: Run) -> tuple[Run, ...]:
        return tuple(map(self.teacher, run.teachers))

    def teacher(self, name: str) -> Run:
        """Return the teacher run with this id."""
        return self._refitted.get(name) or self._teachers_by_id[name]

    def add_teachers(self, runs: Mapping[Run, tuple[Run, ...]]) -> None:
        """Add teachers that were fitted again, to all subjects, each with those of the folds that it stands for."""
        self._refitted.update({run.id: run for run in runs})
        self._in_folds.update({run.id: before for run, before in runs.items()})

    def teachers_in_folds(self, runs: Iterable[Run]) -> list[tuple[Run, ...]]:
        """Return for each fold the teachers that teachers fitted to all subjects stand for."""
        return list(zip(*(self._in_folds[run.id] for run in runs), strict=True))

    @cached_property
    def _teachers_by_id(self) -> dict[str, Run]:
        """Every run that may be a teacher in the study."""
        return {
            run.id: run
            for variant in self.study.all_variants.values()
            for fold in range(len(self.index.folds))
            for attention in (self.study.attentions if variant.attention else ("",))
            for run in (*self.assistant_teachers(variant, fold), *self.teachers(variant, fold, attention))
        }

    def run(self, trial: Trial) -> Run:
        """Return the run of a trial."""
        key = (trial.variant, trial.fold, trial.seed, trial.attention, tuple(sorted(trial.hyperparameters.items())))
        if key not in self._runs:
            self._runs[key] = self._run(trial)
        return self._runs[key]

    def _run(self, trial: Trial) -> Run:
        variant = self.study.systems[trial.variant]
        if isinstance(variant, Baseline):
            seed = trial.seed if variant.seeded else 0
            training = self.study.student_training
            return self._classifier_run(variant.classifier, training, trial.fold, seed, trial.hyperparameters)
        training = self.study.training_of(variant)
        network = variant.network or self.study.networks.student
        scored = self.index.scores and variant.teacher not in ("none", "self", "assistant")
        run = Run(
            data=self.data,
            fold=trial.fold,
            network=network,
            attention=trial.attention,
            method=variant.method,
            seed=trial.seed,
            recipe=self._recipe(training).to_dict(),
            recurrence=self._recurrence(network),
            options=dict(variant.options),
            hyperparameters={**training.hyperparameters, **trial.hyperparameters},
            scores=self.index.scores if scored else "",
            layers=self._layers(network),
            quantise=training.quantise or "",
        )
        if run.quantise:
            self._require_int8(run)
        taught = self.teachers(variant, trial.fold, trial.attention)
        return self._taught(run, trial.variant, variant, training, taught)

    def fleets(self, phase: str, runs: Iterable[Run]) -> list[FleetPlan]:
        """Group runs of equal kind into fleets, in the order given."""
        alike: dict[tuple[Any, ...], list[Run]] = {}
        for run in dict.fromkeys(runs):
            # Teachers that run in the steps of one fleet are of the same networks.
            teachers = [each.architecture for each in self._teachers(run)] if self._in_step(run) else []
            alike.setdefault((run.fleet_key, *teachers), []).append(run)
        fleets = []
        for group in alike.values():
            if group[0].kind == "features":
                fleets += [FleetPlan(phase, (run,), 1) for run in group]
                continue
            most = self._together(group[0])
            for start in range(0, len(group), LARGEST):
                part = tuple(group[start : start + LARGEST])
                fleets.append(FleetPlan(phase, part, min(most, len(part))))
        return fleets

    def rows(self, run: Run) -> tuple[Rows, Rows]:
        """Return the training and validation windows of a run; a refit has no validation windows."""
        train = self._trained_on(run.fold, run.refit)
        if run.group >= 0:
            train = train[self.group_of(run.fold, run.refit)[train] != run.group]
        return train, self.index.folds[run.fold].validation[: 0 if run.refit else None]

    def _trained_on(self, fold: int, refit: str) -> Rows:
        """Return the windows that may be trained on: of a fold, of it with its validation subjects, or of all folds.

        Test subjects of the protocol ``official`` are never trained on; those of other protocols have served when all
        folds are scored.
        """
        if not refit:
            return self.index.folds[fold].train
        official = resolve_protocol(self.study.split.protocol) == "official"
        splits = ("train", "validation") if official or refit == "train+validation" else SPLITS
        folds = [fold] if refit == "train+validation" else range(len(self.index.folds))
        return np.unique(np.concatenate([self.index.rows(each, split) for each in folds for split in splits]))

    def group_of(self, fold: int, refit: str = "") -> NDArray[np.int64]:
        """Return the cross-fitting group of each window (N,), -1 for subjects outside the training set."""
        subjects = np.unique(self.index.subject_codes[self._trained_on(fold, refit)])
        order = np.random.default_rng([self.study.split.seed, 2, fold]).permutation(len(subjects))
        table = np.full(len(self.index.subjects), -1)
        table[subjects[order]] = np.arange(len(subjects)) % self.study.teaching.groups
        return np.asarray(table[self.index.subject_codes])

    def _classifier_run(
        self, name: str, training: Training, fold: int, seed: int, hyperparameters: Mapping[str, float]
    ) -> Run:
        """Return the run of a feature classifier."""
        recipe = self._recipe(training)
        return Run(
            data=self.data,
            fold=fold,
            kind="features",
            method=name,
            seed=seed,
            recipe={"select": recipe.select, "imbalance": recipe.imbalance, "version": VERSION}
            # Only predictions of a classifier are kept: with windows without a class it is another run.
            | ({"unlabelled": True} if len(self.index.unlabelled) else {}),
            hyperparameters=dict(hyperparameters),
        )

    def _teacher_run(self, network: str, attention: str, training: Training, fold: int, seed: int, group: int) -> Run:
        """Return the run of a teacher, trained on labels alone."""
        return Run(
            data=self.data,
            fold=fold,
            network=network,
            attention=attention,
            method="lm",
            seed=seed,
            recipe=self._recipe(training).to_dict(),
            recurrence=self._recurrence(network),
            hyperparameters=training.hyperparameters,
            group=group,
            layers=self._layers(network),
        )

    def _assistant(self, variant: Variant, fold: int) -> Run:
        """Return the run of a teacher assistant: KD with default hyperparameters and the recipe of teachers."""
        run = self._teacher_run(variant.assistant, "", self.study.teacher_training, fold, 0, -1)
        taught = self.assistant_teachers(variant, fold)
        run = replace(run, method="kd", scores="" if taught else self.index.scores)
        return self._taught(run, variant.assistant, PLAIN, self.study.teacher_training, taught)

    def _taught(self, run: Run, name: str, variant: Variant, training: Training, teachers: Sequence[Run]) -> Run:
        """Return a run with its teachers, and how it learns from them.

        Args:
            run: the run.
            name: of its variant.
            variant: its method and source of teachers.
            training: its recipe.
            teachers: its teacher runs, trained before.
        """
        run = replace(run, teachers=tuple(teacher.id for teacher in teachers))
        if self.study.teaching.weights == "fitted" and len(teacher_kinds(teachers)) > 1:
            run = replace(run, weighting="fitted")
        if not run.recipe["augment"] or not (run.teachers or run.scores) or get_method(run.method).trains_teacher:
            return run
        allowed = self.study.outputs_of(name, variant, training)
        if len(allowed) > 1:
            limit = max(FLOPS, TIMES * STEP * self._flops(run))
            allowed = ("live",) if sum(map(self._flops, teachers)) <= limit else ("stored",)
        return replace(run, stored=allowed == ("stored",))

    def _flops(self, run: Run) -> int:
        """Count the FLOPs of a network for a window but for its features; attention adds little and is left out."""
        key = (run.network, run.recurrence, bool(run.privileged))
        if key not in self._flops_of:
            plain = replace(run, attention="")
            layers = named_network_cost(run.network, self.index.spec_of(run), **plain.options_of_network).layers
            self._flops_of[key] = sum(layer.flops for layer in layers if layer.kind != "WindowFeatures")
        return self._flops_of[key]

    def _in_step(self, run: Run) -> bool:
        return run.live or (bool(run.teachers) and get_method(run.method).trains_teacher)

    def _recipe(self, training: Training) -> Recipe:
        return training.recipe(published=self.study.published)

    def _layers(self, name: str) -> str:
        """Return the fingerprint of a network of the user's own, empty for a built-in one."""
        if name not in self._own:
            self._own[name] = fingerprint_own(name, self.index.spec)
        return self._own[name]

    def _require_int8(self, run: Run) -> None:
        """Raise ``UserError`` for a network without an int8 form before anything trains."""
        if (run.network, run.recurrence) not in self._with_int8:
            from ..deploy import plan_quantisation

            plain = replace(run, attention="")
            model = get_shared_network(run.network, self.index.spec_of(run), **plain.options_of_network)
            try:
                plan_quantisation(model)
            except UserError as problem:
                raise UserError(
                    f"{run.network} cannot be trained with quantise = {run.quantise!r}: {problem}"
                ) from None
            self._with_int8.add((run.network, run.recurrence))

    def _recurrence(self, network: str) -> str:
        return self.study.networks.recurrence if network.startswith("deepconvlstm") else ""

    def _together(self, run: Run) -> int:
        """Return how many runs of a fleet train at a time."""
        teaching = run.method == "lm" and run.network in self.study.networks.teacher
        training = self.study.teacher_training if teaching else self.study.student_training
        accelerator = on_accelerator() if self.accelerator is None else self.accelerator
        device, batch = "accelerator" if accelerator else "cpu", int(run.recipe["batch"])
        bytes_each = self._bytes(run.network, batch, self.index.spec_of(run))
        if self._in_step(run):
            for each in self._teachers(run):
                bytes_each += self._bytes(each.network, batch, self.index.spec_of(each))
        return training.replicas or max(1, min(TOGETHER[device], ROOM[device] // bytes_each))

    def _bytes(self, network: str, batch: int, spec: SignalSpec) -> int:
        """Estimate the memory of a replica; attention adds little, so one network is built for all configurations."""
        recurrence = self._recurrence(network)
        key = (network, recurrence, spec is self.index.spec)
        if key not in self._bytes_of:
            options = {"recurrence": recurrence} if recurrence else {}
            model = get_shared_network(network, spec, **options)
            self._bytes_of[key] = replica_bytes([Functional(model, ["logits"])], batch)
        return self._bytes_of[key]


def fingerprint_own(name: str, spec: SignalSpec) -> str:
    """Fingerprint the layers of a network of the user's own; empty for a built-in one."""
    network = get_network(name)
    if not network.own or network.fingerprint:
        return network.fingerprint
    return model_fingerprint(build_network(network, spec))[:16]
