"""Selection of a trial for each variant and fold, on validation subjects only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .plan import Planner
from .runs import Run
from .search import Trial, count_trials, next_trials
from .store import RunStatus

Key = tuple[str, int]


@dataclass(frozen=True)
class Selection:
    """The selected trial of a variant in a fold.

    ``scores`` are the validation scores of all trials (None for one that failed).
    """

    variant: str
    fold: int
    trial: Trial
    scores: tuple[float | None, ...]


def plan_trials(planner: Planner, ended: Mapping[str, RunStatus]) -> tuple[dict[Key, list[Trial]], bool]:
    """Return the trials planned so far for each variant and fold, and whether all are finished.

    The trials of a round are drawn when the round before has finished.
    """
    planned: dict[Key, list[Trial]] = {}
    complete = True
    for name in planner.study.systems:
        for fold in range(len(planner.study_data.folds)):
            trials: list[Trial] = []
            while len(trials) < count_trials(planner.study):
                scored = [(trial, score_of(planner, name, fold, trial, ended)) for trial in trials]
                if any(run_of(planner, name, fold, trial).id not in ended for trial in trials):
                    complete = False
                    break
                trials += next_trials(planner.study, name, fold, scored)
            planned[name, fold] = trials
            complete = complete and all(run_of(planner, name, fold, trial).id in ended for trial in trials)
    return planned, complete


def select_trials(
    planner: Planner, trials: Mapping[Key, list[Trial]], ended: Mapping[str, RunStatus]
) -> dict[Key, Selection | None]:
    """Select the best trial of each variant and fold, the first of equals; None if all failed."""
    selections: dict[Key, Selection | None] = {}
    for (name, fold), group in trials.items():
        scores = tuple(score_of(planner, name, fold, each, ended) for each in group)
        succeeded = [(score, -number) for number, score in enumerate(scores) if score is not None]
        best = group[-max(succeeded)[1]] if succeeded else None
        selections[name, fold] = None if best is None else Selection(name, fold, best, scores)
    return selections


def final_seeds(planner: Planner, choice: Selection) -> list[int]:
    """Return the seeds of the final runs: that of the trial, and others."""
    return [choice.trial.seed, *range(1, planner.study.seeds)]


def final_runs(planner: Planner, choices: Mapping[Key, Selection | None]) -> dict[Key, list[Run]]:
    """Return the reported runs by variant and fold, one per seed."""
    return {
        key: [planner.student(choice.variant, choice.fold, choice.trial, seed) for seed in final_seeds(planner, choice)]
        for key, choice in choices.items()
        if choice is not None
    }


def run_of(planner: Planner, name: str, fold: int, trial: Trial) -> Run:
    """Return the run of a trial."""
    return planner.student(name, fold, trial, trial.seed)


def score_of(planner: Planner, name: str, fold: int, trial: Trial, ended: Mapping[str, RunStatus]) -> float | None:
    """Return the validation score of a trial, None if it failed or is not trained."""
    status = ended.get(run_of(planner, name, fold, trial).id)
    return None if status is None or status.status != "done" else status.validation
