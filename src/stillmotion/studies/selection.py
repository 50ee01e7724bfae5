"""Selection: each variant's setting, fold by fold, from validation subjects alone."""

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
    """A variant's setting in a fold.

    ``tried`` won; ``scores`` are the validation scores of all trials (None for one that failed).
    """

    variant: str
    fold: int
    trial: Trial
    scores: tuple[float | None, ...]


def plan_trials(planner: Planner, ended: Mapping[str, RunStatus]) -> tuple[dict[Key, list[Trial]], bool]:
    """All trials that are planned by now for each variant and fold, and whether the budget is spent.

    Round follows round: the next is drawn when the last has come to an end.
    """
    planned: dict[Key, list[Trial]] = {}
    complete = True
    for name in planner.study.systems:
        for fold in range(len(planner.study_data.folds)):
            made: list[Trial] = []
            while len(made) < count_trials(planner.study):
                told = [(trial, score_of(planner, name, fold, trial, ended)) for trial in made]
                if any(run_of(planner, name, fold, trial).id not in ended for trial in made):
                    complete = False
                    break
                made += next_trials(planner.study, name, fold, told)
            planned[name, fold] = made
            complete = complete and all(run_of(planner, name, fold, trial).id in ended for trial in made)
    return planned, complete


def select_trials(
    planner: Planner, trial: Mapping[Key, list[Trial]], ended: Mapping[str, RunStatus]
) -> dict[Key, Selection | None]:
    """The best try of each variant and fold, the first of equals; None where all failed."""
    found: dict[Key, Selection | None] = {}
    for (name, fold), trials in trial.items():
        scores = tuple(score_of(planner, name, fold, each, ended) for each in trials)
        able = [(score, -number) for number, score in enumerate(scores) if score is not None]
        found[name, fold] = Selection(name, fold, trials[-max(able)[1]], scores) if able else None
    return found


def final_seeds(planner: Planner, choice: Selection) -> list[int]:
    """Seeds of a choice's final runs: the one that it was tried with, and others."""
    return [choice.trial.seed, *range(1, planner.study.seeds)]


def final_runs(planner: Planner, choices: Mapping[Key, Selection | None]) -> dict[Key, list[Run]]:
    """The runs that are reported, by variant and fold, one a seed."""
    return {
        key: [planner.student(choice.variant, choice.fold, choice.trial, seed) for seed in final_seeds(planner, choice)]
        for key, choice in choices.items()
        if choice is not None
    }


def run_of(planner: Planner, name: str, fold: int, trial: Trial) -> Run:
    """The run of a trial."""
    return planner.student(name, fold, trial, trial.seed)


def score_of(planner: Planner, name: str, fold: int, trial: Trial, ended: Mapping[str, RunStatus]) -> float | None:
    """Validation score of a trial, None for one that failed or has not been trained."""
    found = ended.get(run_of(planner, name, fold, trial).id)
    return None if found is None or found.status != "done" else found.validation
