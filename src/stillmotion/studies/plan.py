"""The plan: which runs a phase needs, and which of them train together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..methods import get_method
from ..networks import build_network
from ..training import Recipe
from ..training.functional import Functional
from ..training.memory import on_accelerator, replica_bytes
from .baselines import VERSION, Baseline
from .data import StudyData
from .runs import PRIVILEGED, FleetPlan, Run
from .search import Trial
from .sections import Training
from .spec import Study
from .variants import Variant

#: Maximum number of runs in a fleet, which share one checkpoint.
LARGEST = 512
#: Maximum number of replicas that train at a time on a CPU and on an accelerator, unless the study sets it.
TOGETHER = {"cpu": 16, "accelerator": 512}
#: Memory of a fleet in bytes; fixed, so that the plan does not depend on free memory.
ROOM = {"cpu": 4 << 30, "accelerator": 32 << 30}
Rows = NDArray[np.int64]
#: Variant that learns from the plain teachers of the study.
PLAIN = Variant("kd", teacher="plain")


@dataclass(frozen=True)
class Planner:
    """Plan the runs of a study.

    Args:
        study: the specification.
        study_data: its windows.
        scores: checksum of the file of scores that replaces a teacher network, or empty.
        accelerator: whether training has an accelerator, which decides how many runs train at a time.
    """

    study: Study
    study_data: StudyData
    scores: str = ""
    accelerator: bool = False
    sizes: dict[tuple[str, str, bool], int] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, study: Study, study_data: StudyData) -> Planner:
        """Make a planner for this machine; reads the checksum of a file of scores."""
        from .teachers import read_scores

        checksum = "" if study.scores is None else read_scores(study.scores, study_data)[1]
        return cls(study, study_data, checksum, on_accelerator())

    @property
    def data(self) -> str:
        """Fingerprint of windows and split."""
        split = self.study.split
        return f"{self.study_data.fingerprint[:16]}/{split.protocol}/{split.seed}/{split.validation:g}"

    @property
    def data_of_teachers(self) -> str:
        """Fingerprint of the windows that teachers see, and split."""
        teachers = self.study_data.teachers
        return self.data if teachers is None else f"{self.data}{PRIVILEGED}{teachers.fingerprint[:16]}"

    def teachers(self, variant: Variant, fold: int, attention: str) -> tuple[Run, ...]:
        """Return the teacher runs of a variant in a fold, whose mean is used; none without a teacher or with a file."""
        if variant.teacher == "assistant":
            return (self._assistant(variant, fold),)
        if variant.teacher == "none" or (self.scores and variant.teacher != "self"):
            return ()
        if variant.teacher == "self":
            training = self.study.student_training
            network = variant.network or self.study.networks.student
            return (self._teacher_run(network, "", training, fold, 0, -1),)
        training = self.study.teacher_training
        attended = attention if variant.teacher == "attention" else ""
        groups = range(self.study.teaching.groups) if self.study.teaching.targets == "cross-fit" else (-1,)
        return tuple(
            replace(self._teacher_run(network, attended, training, fold, seed, group), data=self.data_of_teachers)
            for network in self.study.networks.teacher
            for seed in range(self.study.teaching.seeds)
            for group in groups
        )

    def assistant_teachers(self, variant: Variant, fold: int) -> tuple[Run, ...]:
        """Return the teacher runs of a variant's teacher assistant, which must be trained before it."""
        return self.teachers(PLAIN, fold, "") if variant.teacher == "assistant" else ()

    def all_teachers(self) -> list[Run]:
        """List every run that may be a teacher in the study."""
        return [
            run
            for variant in self.study.all_variants.values()
            for fold in range(len(self.study_data.folds))
            for attention in (self.study.attentions if variant.attention else ("",))
            for run in (*self.assistant_teachers(variant, fold), *self.teachers(variant, fold, attention))
        ]

    def student(self, name: str, fold: int, trial: Trial, seed: int) -> Run:
        """Return the run of a variant or a baseline for a trial and a seed."""
        variant = self.study.systems[name]
        training = self.study.student_training
        if isinstance(variant, Baseline):
            recipe = self._recipe(training)
            settings = {"select": recipe.select, "imbalance": recipe.imbalance, "classical": VERSION}
            return Run(
                data=self.data,
                fold=fold,
                network="",
                attention="",
                method=name,
                seed=seed if variant.seeded else 0,
                recipe=settings,
                hyperparameters=dict(trial.hyperparameters),
            )
        teachers = tuple(run.id for run in self.teachers(variant, fold, trial.attention))
        if variant.teacher not in ("none", "self", "assistant") and self.scores:
            teachers = (f"file:{self.scores}",)
        network = variant.network or self.study.networks.student
        return Run(
            data=self.data,
            fold=fold,
            network=network,
            attention=trial.attention,
            method=variant.method,
            seed=seed,
            recipe=self._recipe(training).to_dict(),
            recurrence=self._recurrence(network),
            options=dict(variant.options),
            hyperparameters={**training.hyperparameters, **trial.hyperparameters},
            teachers=teachers,
        )

    def fleets(self, phase: str, runs: Iterable[Run]) -> list[FleetPlan]:
        """Group runs of equal kind into fleets, in the order given."""
        alike: dict[str, list[Run]] = {}
        for run in dict.fromkeys(runs):
            alike.setdefault(run.kind, []).append(run)
        fleets = []
        for group in alike.values():
            if group[0].classical:
                fleets += [FleetPlan(phase, (run,), 1) for run in group]
                continue
            most = self._together(group[0])
            for start in range(0, len(group), LARGEST):
                part = tuple(group[start : start + LARGEST])
                fleets.append(FleetPlan(phase, part, min(most, len(part))))
        return fleets

    def rows(self, run: Run) -> tuple[Rows, Rows]:
        """Return the training and validation windows of a run."""
        fold = self.study_data.folds[run.fold]
        if run.group < 0:
            return fold.train, fold.validation
        return fold.train[self.group_of(run.fold)[fold.train] != run.group], fold.validation

    def group_of(self, fold: int) -> NDArray[np.int64]:
        """Return the cross-fitting group of each window (N,), -1 for subjects outside the training set."""
        subjects = np.unique(self.study_data.windows.subject_codes[self.study_data.folds[fold].train])
        order = np.random.default_rng([self.study.split.seed, 2, fold]).permutation(len(subjects))
        table = np.full(len(self.study_data.windows.subjects), -1)
        table[subjects[order]] = np.arange(len(subjects)) % self.study.teaching.groups
        return table[self.study_data.windows.subject_codes]

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
        )

    def _assistant(self, variant: Variant, fold: int) -> Run:
        """Return the run of a teacher assistant: KD with default hyperparameters and the recipe of teachers."""
        run = self._teacher_run(variant.assistant, "", self.study.teacher_training, fold, 0, -1)
        teachers = tuple(run.id for run in self.assistant_teachers(variant, fold)) or (f"file:{self.scores}",)
        return replace(run, method="kd", teachers=teachers)

    def _recipe(self, training: Training) -> Recipe:
        return training.recipe(published=self.study.published)

    def _recurrence(self, network: str) -> str:
        return self.study.networks.recurrence if network.startswith("deepconvlstm") else ""

    def _together(self, run: Run) -> int:
        teaching = run.method == "lm" and run.network in self.study.networks.teacher
        training = self.study.teacher_training if teaching else self.study.student_training
        device = "accelerator" if self.accelerator else "cpu"
        bytes_each = self._bytes(run.network, int(run.recipe["batch"]), self.study_data.of(run))
        if get_method(run.method).trains_teacher:
            batch, teachers = int(run.recipe["batch"]), self.study.networks.teacher
            bytes_each += max(self._bytes(each, batch, self.study_data) for each in teachers)
        return training.replicas or max(1, min(TOGETHER[device], ROOM[device] // bytes_each))

    def _bytes(self, network: str, batch: int, study_data: StudyData) -> int:
        """Estimate the memory of a replica; attention adds little, so one network is built for all configurations."""
        recurrence = self._recurrence(network)
        key = (network, recurrence, study_data is self.study_data)
        if key not in self.sizes:
            options = {"recurrence": recurrence} if recurrence else {}
            model = build_network(network, study_data.windows.spec, seed=0, **options)
            self.sizes[key] = replica_bytes([Functional(model, ["logits"])], batch)
        return self.sizes[key]
