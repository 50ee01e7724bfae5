"""Refits: the same training again on more subjects, with what validation subjects have chosen.

Within a fold a refit trains on its training and validation subjects, and is scored on its test subjects. The model that
ships is fitted to all subjects that may be trained on: every hyperparameter is the median of those selected in the
folds, the attention configuration the most frequent one, and a network trains for the median of the folds' selected
epochs. Of an even number the lower of the two in the middle is taken, so that every value has been selected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median_low

from .plan import Planner
from .runs import Run, RunStatus
from .search import Trial
from .variants import Variant

#: A variant and a fold.
Key = tuple[str, int]


def refit_in_folds(finals: Mapping[Key, Sequence[Run]], ended: Mapping[str, RunStatus]) -> dict[Key, list[Run]]:
    """Return the refits on training and validation subjects of reported runs; none of a run that is not trained.

    A network trains for as many epochs as its reported run has selected. Its teachers stay those of the fold: they have
    not been trained on its validation subjects, and predict them as they predict anybody new.
    """
    refits = {}
    for key, runs in finals.items():
        known = [ended[run.id] for run in runs if run.id in ended and ended[run.id].status == "done"]
        if len(known) == len(runs):
            pairs = zip(runs, known, strict=True)
            refits[key] = [_refit(run, "train+validation", status.best_epoch) for run, status in pairs]
    return refits


def select_over_folds(trials: Sequence[Trial]) -> Trial:
    """Return the trial of what ships from those that the folds have selected: medians, and the most frequent attention.

    Args:
        trials: the selected trial of each fold.

    Returns:
        A trial of the first seed and the first fold.

    Example:
        >>> from stillmotion.studies.refit import select_over_folds
        >>> from stillmotion.studies.search import Trial
        >>> selected = [Trial("lm", fold, 3, {"learning_rate": rate}, "") for fold, rate in enumerate([0.1, 0.3, 0.2])]
        >>> select_over_folds(selected).hyperparameters
        {'learning_rate': 0.2}
    """
    first = trials[0]
    values = {name: median_low([trial.hyperparameters[name] for trial in trials]) for name in first.hyperparameters}
    attention = Counter(trial.attention for trial in trials).most_common(1)[0][0]
    return Trial(first.variant, 0, 0, values, attention)


def refit_on_all(
    planner: Planner, trials: Sequence[Trial], runs: Sequence[Run], ended: Mapping[str, RunStatus]
) -> tuple[list[Run], list[Run], Run]:
    """Return the runs that fit a variant to all subjects: teachers of its assistant, its teachers, and the model.

    Teachers are fitted again like the student, cross-fitted where they are so in the folds, each for the median of its
    selected epochs.

    Args:
        planner: of the study.
        trials: the selected trial of each fold.
        runs: the reported runs of all folds, which have selected their epochs.
        ended: status of every finished run.
    """
    trial = select_over_folds(trials)
    variant = planner.study.systems[trial.variant]
    model = planner.run(trial)
    first: dict[Run, tuple[Run, ...]] = {}
    teachers: dict[Run, tuple[Run, ...]] = {}
    if isinstance(variant, Variant):
        folds = range(len(planner.index.folds))
        first = _refit_together([planner.assistant_teachers(variant, fold) for fold in folds], ended)
        taught_by = tuple(run.id for run in first)
        members = [planner.teachers(variant, fold, trial.attention) for fold in folds]
        teachers = _refit_together(members, ended, taught_by)
        model = replace(model, teachers=tuple(run.id for run in teachers))
    planner.add_teachers({**first, **teachers})
    return list(first), list(teachers), _refit(model, "all", _median_epoch(runs, ended))


def _refit_together(
    by_fold: Sequence[Sequence[Run]], ended: Mapping[str, RunStatus], teachers: tuple[str, ...] = ()
) -> dict[Run, tuple[Run, ...]]:
    """Return one teacher on all subjects for each place among the teachers of the folds, with those that are trained.

    A teacher that had teachers learns from ``teachers``.
    """
    whole = [runs for runs in by_fold if all(run.id in ended for run in runs)] or by_fold
    return {
        replace(_refit(runs[0], "all", _median_epoch(runs, ended)), teachers=teachers if runs[0].teachers else ()): runs
        for runs in zip(*whole, strict=True)
    }


def _refit(run: Run, refit: str, stop: int) -> Run:
    return replace(run, refit=refit, stop=stop if run.kind == "network" else 0)


def _median_epoch(runs: Sequence[Run], ended: Mapping[str, RunStatus]) -> int:
    """Return the median of the selected epochs; all of the recipe's if none of these runs is trained."""
    epochs = [ended[run.id].best_epoch for run in runs if run.id in ended and ended[run.id].status == "done"]
    return median_low(epochs) if epochs else int(runs[0].recipe.get("epochs", 0))
