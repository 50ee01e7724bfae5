"""Trials: sampled hyperparameters, the same number for every variant."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..methods import get_method
from .baselines import Baseline
from .sections import Range
from .spec import Study
from .variants import Variant

#: First seed of repeated trials, far from the seeds of final runs.
LATER_SEEDS = 1000
#: Hyperparameters and attention configuration.
Point = tuple[dict[str, float], str]


@dataclass(frozen=True)
class Trial:
    """A trial: hyperparameters, attention configuration and seed of a variant in a fold."""

    variant: str
    fold: int
    number: int
    hyperparameters: Mapping[str, float]
    attention: str
    seed: int = 0

    def __str__(self) -> str:
        parts = [f"{name} {value:.3g}" for name, value in self.hyperparameters.items()]
        return ", ".join([*parts, *([self.attention] if self.attention else [])]) or "defaults"


def count_trials(study: Study) -> int:
    """Return the number of trials per variant and fold.

    Args:
        study: the specification.

    Returns:
        The number; a grid counts the largest grid of a variant.

    Example:
        >>> from stillmotion.studies import Search, Study, count_trials
        >>> count_trials(Study(name="mine", search=Search(kind="grid", grid={"temperature": (1.0, 2.0, 4.0)})))
        3
    """
    if study.search.kind == "none":
        return 1
    if study.search.kind == "grid" and not study.search.trials:
        return max(len(_grid(study, variant)) for variant in study.all_variants.values())
    return study.search.trials


def search_space(study: Study, variant: Variant | Baseline) -> dict[str, Range]:
    """Return the search space of a variant: ranges of the method, the study and the variant, without fixed values.

    A baseline has its own ranges.
    """
    if isinstance(variant, Baseline):
        return {name: given for name, given in variant.search.items() if name not in variant.hyperparameters}
    method_ranges = {
        name: Range(number.low, number.high, number.log, number.default)
        for name, number in get_method(variant.method).hyperparameters.items()
        if number.low < number.high
    }
    # Ranges of the study apply to methods that have the hyperparameter; those of the optimiser to all.
    known = {*method_ranges, *get_method(variant.method).hyperparameters, *_shared(study, variant)}
    shared = {name: given for name, given in study.search.hyperparameters.items() if name in known}
    space = {**method_ranges, **shared, **variant.search}
    return {name: space[name] for name in sorted(space) if name not in variant.hyperparameters}


def next_trials(study: Study, name: str, fold: int, finished: Sequence[tuple[Trial, float | None]] = ()) -> list[Trial]:
    """Return the trials of the next round; none if the budget is used up.

    Args:
        study: the specification.
        name: of the variant.
        fold: number of the fold; ``tpe`` learns in each fold separately.
        finished: earlier trials with their validation scores (None for one that failed).
    """
    variant, total, begin = study.systems[name], count_trials(study), len(finished)
    size = total - begin
    if size <= 0:
        return []
    if study.search.kind == "none":
        points = _repeat([_first(study, variant)], begin, size)
    # Grids are for hyperparameters of methods: a baseline samples as many trials from its ranges instead.
    elif study.search.kind == "grid" and isinstance(variant, Variant):
        points = _repeat(_subset(_grid(study, variant), total, study.search.seed), begin, size)
    else:
        points = _sampled(study, name, variant, fold, finished, min(size, -(-total // study.search.rounds)))
    return [Trial(name, fold, begin + number, *point) for number, point in enumerate(points)]


def _first(study: Study, variant: Variant | Baseline) -> Point:
    """Return the first trial: defaults and starts of ranges."""
    started = {name: given.start for name, given in search_space(study, variant).items() if given.start is not None}
    if isinstance(variant, Baseline):
        return {**started, **variant.hyperparameters}, ""
    return {**started, **variant.hyperparameters}, study.attentions[0] if variant.attention else ""


def _grid(study: Study, variant: Variant) -> list[Point]:
    searched = [
        name for name in study.search.grid if name in search_space(study, variant) or name in _shared(study, variant)
    ]
    start, _ = _first(study, variant)
    return [
        ({**start, **dict(zip(searched, values, strict=True))}, attention)
        for attention in (study.attentions if variant.attention else ("",))
        for values in product(*(study.search.grid[name] for name in searched))
    ]


def _shared(study: Study, variant: Variant) -> set[str]:
    from ..training.recipe import OPTIMISER_HYPERPARAMETERS

    return ({*OPTIMISER_HYPERPARAMETERS, *(study.training.augment or {})}) - set(variant.hyperparameters)


def _subset(points: list[Any], total: int, seed: int) -> list[Any]:
    """Keep at most ``total`` points: the first, and a random subset of the rest in order."""
    if len(points) <= total:
        return points
    drawn = np.random.default_rng(seed).choice(len(points) - 1, total - 1, replace=False) + 1
    return [points[0], *(points[at] for at in sorted(drawn))]


def _repeat(points: Sequence[Point], begin: int, count: int) -> list[tuple[dict[str, float], str, int]]:
    """Return points ``begin`` to ``begin + count``; if there are too few, they are repeated with other seeds."""
    repeated = []
    for number in range(begin, begin + count):
        repeat = number // len(points)
        repeated.append((*points[number % len(points)], LATER_SEEDS + repeat if repeat else 0))
    return repeated


def _sampled(
    study: Study,
    name: str,
    variant: Variant | Baseline,
    fold: int,
    finished: Sequence[tuple[Trial, float | None]],
    count: int,
) -> list[tuple[dict[str, float], str, int]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched, first = search_space(study, variant), _first(study, variant)
    space: dict[str, Any] = {
        number: optuna.distributions.FloatDistribution(given.low, given.high, log=given.log)
        for number, given in searched.items()
        if given.low < given.high
    }
    if isinstance(variant, Variant) and variant.attention and len(study.attentions) > 1:
        space["attention"] = optuna.distributions.CategoricalDistribution(list(study.attentions))
    if not space:
        return _repeat([first], len(finished), count)
    learning = study.search.sampler == "tpe"
    place = [study.search.seed, name, len(finished), *([fold] if learning else [])]
    seed = int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:4], "big")
    samplers = {
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "qmc": lambda: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(3, count_trials(study) // 4)),
    }
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: Any = samplers[study.search.sampler]
        sampled = optuna.create_study(direction="maximize", sampler=sampler())
    for earlier, score in finished:
        values = {key: earlier.attention if key == "attention" else earlier.hyperparameters[key] for key in space}
        if score is not None:
            sampled.add_trial(optuna.trial.create_trial(params=values, distributions=space, value=score))
    points = []
    for number in range(len(finished), len(finished) + count):
        start, attention = first
        if number:
            drawn = sampled.ask(fixed_distributions=space).params
            attention = drawn.pop("attention", attention)
            start = {**start, **drawn}
        points.append((start, attention, 0))
    return points
