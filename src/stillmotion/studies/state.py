"""The state of a study: its trials, derived from specification, window index and store."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..decoding import Decoded
from ..errors import DataWarning, UserError
from ..evaluation import ConfusionMatrices
from .baselines import Baseline
from .counts import Counts, any_known, count_subjects, pool_folds
from .ensembles import share_by_fit, share_equally, teacher_kinds
from .folder import recorded_study, warn_of_edits
from .index import WindowIndex
from .plan import Planner
from .refit import refit_in_folds
from .runs import FleetPlan, Run, RunStatus
from .search import Trial, count_trials, next_trials
from .spec import Study
from .store import Logits, Store

#: A variant and a fold.
Key = tuple[str, int]
#: Runs by fold whose mean is one teacher.
Members = Mapping[int, tuple[Run, ...]]


@dataclass(frozen=True, eq=False)
class StudyState:
    """A study at one moment. Everything is derived from its parts, and nothing here trains or writes.

    Args:
        planner: plans runs from specification and window index.
        store: run store.
        ended: status of every finished run.
    """

    planner: Planner
    store: Store
    ended: Mapping[str, RunStatus]
    _counts: dict[tuple[str, str, str], Counts] = field(default_factory=dict, init=False, repr=False)
    _shares: dict[str, NDArray[np.float64] | None] = field(default_factory=dict, init=False, repr=False)
    decoded: dict[tuple[str, str], dict[str, Decoded]] = field(default_factory=dict, init=False, repr=False)

    @staticmethod
    def of(planner: Planner, store: Store) -> StudyState:
        """Return the current state."""
        return StudyState(planner, store, store.ended())

    @property
    def study(self) -> Study:
        """The specification."""
        return self.planner.study

    @property
    def index(self) -> WindowIndex:
        """The windows and folds."""
        return self.planner.index

    @property
    def folder(self) -> Path:
        """The folder of the study."""
        return self.store.folder

    @cached_property
    def trials(self) -> dict[Key, list[Trial]]:
        """The trials planned so far; those of a round are drawn when the round before has finished."""
        planned: dict[Key, list[Trial]] = {}
        for name in self.study.systems:
            for fold in range(len(self.index.folds)):
                trials: list[Trial] = []
                while len(trials) < count_trials(self.study) and all(map(self._has_ended, trials)):
                    scored = [(trial, self.score(trial)) for trial in trials]
                    trials += next_trials(self.study, name, fold, scored)
                planned[name, fold] = trials
        return planned

    @cached_property
    def searched(self) -> bool:
        """Whether all trials have finished."""
        return all(
            len(trials) >= count_trials(self.study) and all(map(self._has_ended, trials))
            for trials in self.trials.values()
        )

    @cached_property
    def selected(self) -> dict[Key, Trial | None]:
        """The best finished trial of each variant and fold on validation subjects, the first of equals."""
        selected: dict[Key, Trial | None] = {}
        for key, trials in self.trials.items():
            scored = [(score, -trial.number) for trial in trials if (score := self.score(trial)) is not None]
            selected[key] = trials[-max(scored)[1]] if scored else None
        return selected

    @cached_property
    def finals(self) -> dict[Key, list[Run]]:
        """The reported runs of each variant and fold, one for each seed, trained or not."""
        return {
            key: [self.planner.run(replace(trial, seed=seed)) for seed in (trial.seed, *range(1, self.study.seeds))]
            for key, trial in self.selected.items()
            if trial is not None
        }

    @cached_property
    def refits(self) -> dict[Key, list[Run]]:
        """The refits of the reported runs of each variant and fold whose runs are all trained, if the study has any."""
        return refit_in_folds(self.finals, self.ended) if self.study.training.refit else {}

    @cached_property
    def reported(self) -> dict[Key, list[Run]]:
        """The reported runs that are trained."""
        return {key: [run for run in runs if self.is_done(run)] for key, runs in self.finals.items()}

    @cached_property
    def trained_refits(self) -> list[Run]:
        """The refits that are trained."""
        return [run for runs in self.refits.values() for run in runs if self.is_done(run)]

    @cached_property
    def teachers(self) -> dict[str, dict[int, tuple[Run, ...]]]:
        """The teachers of reported students by name and fold, without self-distillation, trained or not."""
        teachers: dict[str, dict[int, tuple[Run, ...]]] = {}
        for (name, fold), trial in self.selected.items():
            variant = self.study.systems[name]
            if isinstance(variant, Baseline) or variant.teacher in ("none", "self"):
                continue
            # If all students failed, the teacher of the first attention configuration is shown.
            first = self.study.attentions[0] if variant.attention else ""
            runs = self.planner.teachers(variant, fold, first if trial is None else trial.attention)
            if runs:
                networks = " + ".join(dict.fromkeys(run.model for run in runs))
                networks += " as assistant" if variant.teacher == "assistant" else ""
                teachers.setdefault(networks + (" with attention" if runs[0].attention else ""), {})[fold] = runs
        return teachers

    @cached_property
    def trained_teachers(self) -> dict[str, dict[int, tuple[Run, ...]]]:
        """The teachers of which every run is trained."""
        return {
            name: members
            for name, members in self.teachers.items()
            if all(self.is_done(run) for runs in members.values() for run in runs)
        }

    def runs_of(self, name: str) -> list[Run]:
        """Return the runs of the trials and the reported runs of a variant, each once."""
        trials = [
            self.planner.run(trial)
            for (variant, _), trials in sorted(self.trials.items())
            for trial in trials
            if variant == name
        ]
        finals = [run for (variant, _), runs in sorted(self.finals.items()) for run in runs if variant == name]
        return list(dict.fromkeys([*trials, *finals]))

    def _has_ended(self, trial: Trial) -> bool:
        return self.planner.run(trial).id in self.ended

    def is_done(self, run: Run) -> bool:
        """Return whether a run is trained."""
        return run.id in self.ended and self.ended[run.id].status == "done"

    def score(self, trial: Trial) -> float | None:
        """Return the validation score of a trial, None if it failed or is not trained."""
        run = self.planner.run(trial)
        return self.ended[run.id].validation if self.is_done(run) else None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self._next[1]

    def missing(self) -> list[FleetPlan]:
        """Plan the fleets to train next; none if nothing is missing."""
        phase, runs = self._next
        return self.planner.fleets(phase, runs) if runs else []

    @cached_property
    def _next(self) -> tuple[str, list[Run]]:
        """The next phase and the runs that are missing in it."""
        for phase, runs in self._phases():
            missing = [run for run in dict.fromkeys(runs) if run.id not in self.ended]
            if missing:
                return phase, missing
        return "", []

    def _phases(self) -> Iterator[tuple[str, list[Run]]]:
        """Yield the phases of training with all their runs; each needs those before it."""
        trials = [trial for trials in self.trials.values() for trial in trials]
        variants = self.study.all_variants
        taught = [trial for trial in trials if trial.variant in variants]
        yield (
            "teachers",
            [run for t in taught for run in self.planner.assistant_teachers(variants[t.variant], t.fold)],
        )
        yield (
            "teachers",
            [run for t in taught for run in self.planner.teachers(variants[t.variant], t.fold, t.attention)],
        )
        if count_trials(self.study) == 1:
            # Nothing is selected, so the final seeds train in the same fleets.
            seeds = range(1, self.study.seeds)
            trials = [each for trial in trials for each in (trial, *(replace(trial, seed=seed) for seed in seeds))]
        yield "trials", [self.planner.run(trial) for trial in trials]
        if self.searched:
            yield "seeds", [run for runs in self.finals.values() for run in runs]
            yield "refits", [run for runs in self.refits.values() for run in runs]

    def logits(self, runs: Sequence[Run], split: str, *, role: str = "student") -> Logits | None:
        """Return stored predictions of a run, or of a teacher of several runs; None if one has none.

        Of several, the weighted mean of probabilities is taken; its logarithm is returned.
        """
        from scipy.special import softmax

        every = [self.store.predictions(run.id, split, role=role) for run in runs]
        if len(every) == 1:
            return every[0]
        known = [softmax(each, axis=1) for each in every if each is not None]
        if not every or len(known) < len(every):
            return None
        shares = self.shares(runs)
        if shares is None:
            return None
        return np.asarray(np.log(np.maximum(np.tensordot(shares, known, 1), 1e-12)), np.float32)

    def shares(self, runs: Sequence[Run]) -> NDArray[np.float64] | None:
        """Return the weight of each of several teacher runs; None if weights cannot be fitted yet."""
        if self.study.teaching.weights == "equal" or len(teacher_kinds(runs)) == 1:
            return share_equally(runs)
        if runs[0].refit:
            fitted = [self.shares(each) for each in self.planner.teachers_in_folds(runs)]
            return np.asarray(np.mean([each for each in fitted if each is not None], axis=0))
        key = "+".join(run.id for run in runs)
        if key not in self._shares:
            labels = self.index.labels[self.index.rows(runs[0].fold, "validation")]
            self._shares[key] = share_by_fit(runs, lambda run: self.store.predictions(run.id, "validation"), labels)
        return self._shares[key]

    def counts(self, runs: Sequence[Run], split: str, *, role: str = "student") -> Counts | None:
        """Return the confusion matrices (P, C, C) of all subjects from predictions of a run, or of a mean of several.

        A subject without a window in the split of the run's fold has a matrix of zeros.
        """
        key = ("+".join(run.id for run in runs), split, role)
        if key not in self._counts:
            logits = self.logits(runs, split, role=role)
            if logits is None:
                return None
            self._counts[key] = count_subjects(self.index, self.index.rows(runs[0].fold, split), logits)
        return self._counts[key]

    def confusion(self, split: str, *, refits: bool = False) -> ConfusionMatrices | None:
        """Return the confusion matrices of the reported runs on ``validation`` or ``test`` subjects, if there are any.

        A subject who is in the split in several folds has one matrix over all of them; ``refits`` returns theirs.
        """
        columns: dict[str, list[list[Counts | None]]] = {}
        for (name, _), runs in sorted((self.refits if refits else self.finals).items(), key=lambda item: item[0][1]):
            columns.setdefault(name, []).append([self.counts([run], split) for run in runs])
        names = [name for name in self.study.systems if any(map(any_known, columns.get(name, ())))]
        if not names:
            return None
        return pool_folds(self.index, {name: columns[name] for name in names}, split, self.study.seeds)

    def confusion_of_teacher(self, name: str, split: str) -> ConfusionMatrices | None:
        """Return the confusion matrices of a teacher, if it is evaluated in every fold."""
        counts = [self.counts(runs, split) for _, runs in sorted(self.teachers[name].items())]
        if not counts or any(each is None for each in counts):
            return None
        return pool_folds(self.index, {name: [[each] for each in counts]}, split, 1, folds=sorted(self.teachers[name]))

    @cached_property
    def tested(self) -> bool:
        """Whether all reported runs are evaluated on test subjects."""
        reported = [run for runs in self.reported.values() for run in runs]
        reported += self.trained_refits
        predicted = self.store.predicted("test")
        return bool(reported) and all(run.id in predicted for run in reported)


@contextmanager
def read_study_state(folder: str | Path) -> Iterator[StudyState]:
    """Open the folder of a study to read it; recordings are not needed, and nothing in the folder changes.

    Args:
        folder: of the study.

    Returns:
        A context manager that gives the state.

    Raises:
        UserError: the folder holds no study, or is damaged.

    Example:
        After the example of ``run_study``:

        >>> from stillmotion.studies import read_study_state
        >>> with read_study_state("tiny") as state:
        ...     run = state.finals["lm", 0][0]
        ...     print(state.complete, state.logits([run], "validation").shape)
        True (10, 2)
    """
    folder = Path(folder)
    if not (folder / "runs.sqlite").is_file():
        raise UserError(f"{folder} holds no study: it lacks runs.sqlite.")
    store = Store(folder, write=False)
    try:
        yield _read(store)
    except (sqlite3.DatabaseError, json.JSONDecodeError) as problem:
        raise UserError(f"{store.path} is damaged ({problem}); restore it from a copy.") from problem
    finally:
        store.close()


def _read(store: Store) -> StudyState:
    study = recorded_study(store)
    warn_of_edits(store.folder, study)
    try:
        index = store.windows()
    except ValueError as problem:
        raise sqlite3.DatabaseError(str(problem)) from None
    outdated = store.outdated()
    if outdated:
        warnings.warn(
            f"Runs of {store.folder} that were trained with other code are ignored "
            f"({', '.join(f'{count} of {name}' for name, count in outdated.items())}): run the study again, or use the "
            f"version that trained them.",
            DataWarning,
            stacklevel=4,
        )
    for damage in store.damaged():
        # Tables need no weights; what does raises this error.
        warnings.warn(str(damage), DataWarning, stacklevel=4)
    return StudyState.of(Planner(study, index), store)
