"""Read the folder of a study without training or writing."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import DataWarning, UserError
from ..evaluation import ConfusionMatrices
from .data import StudyData, load_study_data
from .folder import recorded_study, warn_of_edits
from .plan import Planner
from .runs import Run
from .scoring import Evaluator
from .search import Trial
from .selection import Key, Selection, final_runs, plan_trials, run_of, select_trials
from .spec import Study
from .store import RunStatus, Store
from .table import Results, compute_results, student_confusion, teacher_confusion
from .teacher_gap import teachers_by_fold


@dataclass(frozen=True, eq=False)
class StudyState:
    """The state of a study in its folder.

    Args:
        folder: of the study.
        planner: planner with specification and windows.
        store: run store.
        ended: status of every finished run.
        trials: planned trials of each variant and fold.
        choices: selected trial of each variant and fold, None if all failed or none has finished.
        complete: whether nothing is missing.
        results: table of results.
    """

    folder: Path
    planner: Planner
    store: Store
    ended: Mapping[str, RunStatus]
    trials: Mapping[Key, Sequence[Trial]]
    choices: Mapping[Key, Selection | None]
    complete: bool
    results: Results

    @property
    def study(self) -> Study:
        """The specification."""
        return self.planner.study

    @property
    def study_data(self) -> StudyData:
        """The windows and folds."""
        return self.planner.study_data

    @cached_property
    def finals(self) -> dict[Key, list[Run]]:
        """The reported runs that succeeded, by variant and fold."""
        succeeded = {}
        for key, runs in final_runs(self.planner, self.choices).items():
            succeeded[key] = [run for run in runs if run.id in self.ended and self.ended[run.id].status == "done"]
        return succeeded

    def failures(self, name: str) -> int:
        """Count the failed runs of a variant, trials and final runs."""
        trials = [
            run_of(self.planner, name, fold, each)
            for (variant, fold), group in self.trials.items()
            for each in group
            if variant == name
        ]
        final = [
            run
            for (variant, _), runs in final_runs(self.planner, self.choices).items()
            if variant == name
            for run in runs
        ]
        ids = {run.id for run in (*trials, *final)}
        return sum(run in self.ended and self.ended[run].status == "failed" for run in ids)

    @cached_property
    def teachers(self) -> dict[str, dict[int, tuple[Run, ...]]]:
        """The trained teachers of reported students, by name and fold."""
        trained = {}
        for name, members in teachers_by_fold(self.planner, self.choices).items():
            runs = [run for each in members.values() for run in each]
            if runs and all(run.id in self.ended and self.ended[run.id].status == "done" for run in runs):
                trained[name] = members
        return trained

    @cached_property
    def evaluator(self) -> Evaluator:
        """Evaluator of trained runs."""
        return Evaluator(self.planner, self.store)

    def confusion(self, split: str) -> ConfusionMatrices | None:
        """Return the confusion matrices of the reported runs on ``validation`` or ``test`` subjects."""
        return student_confusion(self.planner, self.store.counts(split), final_runs(self.planner, self.choices), split)

    def confusion_of_teacher(self, name: str) -> ConfusionMatrices | None:
        """Return the test confusion matrices of a teacher with one run per fold, else None."""
        members = self.teachers[name]
        single = all(len(runs) == 1 for runs in members.values())
        return teacher_confusion(self.planner, self.store.counts("test"), members) if single else None


def read_study_state(folder: str | Path, *, data: str | Path | None = None) -> StudyState:
    """Open a study's folder.

    Args:
        folder: of the study.
        data: the folder that holds recordings.
    """
    folder = Path(folder)
    if not (folder / "runs.sqlite").is_file():
        raise UserError(f"{folder} holds no study: it lacks runs.sqlite.")
    store = Store(folder)
    try:
        return _read(store, None if data is None else Path(data))
    except (sqlite3.DatabaseError, json.JSONDecodeError) as problem:
        store.close()
        raise UserError(f"{store.path} is damaged ({problem}); restore it from a copy.") from problem
    except BaseException:
        store.close()
        raise


def _read(store: Store, data: Path | None) -> StudyState:
    folder, study = store.folder, recorded_study(store)
    warn_of_edits(folder, study)
    study_data = load_study_data(study, data=data)
    outdated = store.outdated()
    if outdated:
        warnings.warn(
            f"Runs of {folder} that were trained with other code are ignored "
            f"({', '.join(f'{count} of {name}' for name, count in outdated.items())}): run the study again, or use the "
            f"version that trained them.",
            DataWarning,
            stacklevel=3,
        )
    known = store.about().get("data", study_data.fingerprint)
    if known != study_data.fingerprint:
        raise UserError(
            f"The recordings of {study.data.name} differ from those that {folder} was trained with (fingerprint "
            f"{study_data.fingerprint[:16]}, not {known[:16]}); give the folder of the original ones with --data."
        )
    for damage in store.damaged():
        # The table needs no weights; functions that do raise this error.
        warnings.warn(str(damage), DataWarning, stacklevel=3)
    return derive_state(folder, Planner.of(study, study_data), store)


def derive_state(folder: Path, planner: Planner, store: Store) -> StudyState:
    """Derive the state of a study from its store, complete or not."""
    ended = store.ended()
    trials, complete = plan_trials(planner, ended)
    choices = select_trials(planner, trials, ended)
    finals = [run for runs in final_runs(planner, choices).values() for run in runs]
    succeeded = [run for run in finals if run.id in ended and ended[run.id].status == "done"]
    tested = store.counts("test")
    complete = complete and all(run.id in ended for run in finals)
    test = bool(succeeded) and all(run.id in tested for run in succeeded)
    table = compute_results(planner, store, trials, choices, test=test, complete=complete)
    return StudyState(folder, planner, store, ended, trials, choices, complete, table)
