"""A study's folder, opened to be read: nothing is trained and nothing is written."""

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
    """What a study's folder holds, as far as it has come.

    Args:
        folder: of the study.
        planner: its runs, by name; holds the specification and the windows.
        store: what became of them.
        ended: every run that came to an end.
        trials: the settings planned for each variant and fold.
        choices: the setting taken for each variant and fold, None where all trials failed or none has ended.
        complete: whether nothing is missing.
        results: the table.
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
        """The runs that are reported and have succeeded, by variant and fold."""
        found = {}
        for key, runs in final_runs(self.planner, self.choices).items():
            found[key] = [run for run in runs if run.id in self.ended and self.ended[run.id].status == "done"]
        return found

    def failures(self, name: str) -> int:
        """How many runs of a variant failed, trials and final ones."""
        trial = [
            run_of(self.planner, name, fold, each)
            for (own, fold), made in self.trials.items()
            for each in made
            if own == name
        ]
        final = [
            run for (own, _), runs in final_runs(self.planner, self.choices).items() if own == name for run in runs
        ]
        ids = {run.id for run in (*trial, *final)}
        return sum(run in self.ended and self.ended[run].status == "failed" for run in ids)

    @cached_property
    def teachers(self) -> dict[str, dict[int, tuple[Run, ...]]]:
        """The teachers whose students are reported, by name and fold, where they have been trained."""
        found = {}
        for name, members in teachers_by_fold(self.planner, self.choices).items():
            runs = [run for each in members.values() for run in each]
            if runs and all(run.id in self.ended and self.ended[run.id].status == "done" for run in runs):
                found[name] = members
        return found

    @cached_property
    def evaluator(self) -> Evaluator:
        """Gives a run's network with its weights."""
        return Evaluator(self.planner, self.store)

    def confusion(self, side: str) -> ConfusionMatrices | None:
        """Confusion counts of the reported runs on ``validation`` or ``test`` subjects."""
        return student_confusion(self.planner, self.store.counts(side), final_runs(self.planner, self.choices), side)

    def confusion_of_teacher(self, name: str) -> ConfusionMatrices | None:
        """Test counts of a teacher that is one run a fold; None of others, and before test subjects are scored."""
        members = self.teachers[name]
        lone = all(len(runs) == 1 for runs in members.values())
        return teacher_confusion(self.planner, self.store.counts("test"), members) if lone else None


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
            f"Runs of {folder} that were trained with other code no longer count "
            f"({', '.join(f'{count} of {name}' for name, count in outdated.items())}): run the study again, or read it "
            f"with the version that made it.",
            DataWarning,
            stacklevel=3,
        )
    known = store.about().get("data", study_data.fingerprint)
    if known != study_data.fingerprint:
        raise UserError(
            f"The recordings of {study.data.name} are not those that {folder} was made with (fingerprint "
            f"{study_data.fingerprint[:16]}, not {known[:16]}); name their folder with --data."
        )
    for damage in store.damaged():
        # The table needs no weights; what does raises the same error.
        warnings.warn(str(damage), DataWarning, stacklevel=3)
    return derive_state(folder, Planner.of(study, study_data), store)


def derive_state(folder: Path, planner: Planner, store: Store) -> StudyState:
    """What a study has come to, whether or not all of it is there."""
    ended = store.ended()
    trial, complete = plan_trials(planner, ended)
    choices = select_trials(planner, trial, ended)
    finals = [run for runs in final_runs(planner, choices).values() for run in runs]
    able = [run for run in finals if run.id in ended and ended[run.id].status == "done"]
    tested = store.counts("test")
    complete = complete and all(run.id in ended for run in finals)
    test = bool(able) and all(run.id in tested for run in able)
    table = compute_results(planner, store, trial, choices, test=test, complete=complete)
    return StudyState(folder, planner, store, ended, trial, choices, complete, table)
