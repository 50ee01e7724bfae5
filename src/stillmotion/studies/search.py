"""Trials: the settings that a variant is trained with, the same number for every variant."""

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

#: Seeds of trials that differ in nothing but their seed, far from those of the final runs.
LATER_SEEDS = 1000


@dataclass(frozen=True)
class Trial:
    """One setting: its numbers, the attention, the seed it is tried with."""

    number: int
    hyperparameters: Mapping[str, float]
    attention: str
    seed: int = 0


def count_trials(study: Study) -> int:
    """Trials a variant and fold."""
    if study.search.kind == "none":
        return 1
    if study.search.kind == "grid" and not study.search.trials:
        return max(len(_grid(study, variant)) for variant in study.all_variants.values())
    return study.search.trials


def search_space(study: Study, variant: Variant | Baseline) -> dict[str, Range]:
    """What is searched for a variant: the study's ranges, the method's own, those of the variant; not what is fixed.

    A baseline has ranges of its own.
    """
    if isinstance(variant, Baseline):
        return dict(variant.search)
    own = {
        name: Range(number.low, number.high, number.log, number.default)
        for name, number in get_method(variant.method).hyperparameters.items()
        if number.low < number.high
    }
    # What the study says of a number that this method lacks is for others; of the optimiser's, for all.
    mine = {*own, *get_method(variant.method).hyperparameters, *_shared(study, variant)}
    shared = {name: given for name, given in study.search.hyperparameters.items() if name in mine}
    found = {**own, **shared, **variant.search}
    return {name: found[name] for name in sorted(found) if name not in variant.hyperparameters}


def next_trials(study: Study, name: str, fold: int, told: Sequence[tuple[Trial, float | None]] = ()) -> list[Trial]:
    """The trials of the next round; none when the budget is spent.

    Args:
        study: the specification.
        name: of the variant.
        fold: number of the fold, for which a learning sampler learns by itself.
        told: earlier trials with their validation scores (None for one that failed).
    """
    variant, total = study.systems[name], count_trials(study)
    if len(told) >= total:
        return []
    if study.search.kind == "none":
        return _cycled([_first(study, variant)], total)
    # A grid is of the methods' numbers: a baseline draws as many settings from its ranges instead.
    if study.search.kind == "grid" and isinstance(variant, Variant):
        points = _grid(study, variant)
        return _cycled(_chosen(points, total, study.search.seed), total)
    size = -(-total // study.search.rounds)
    return _drawn(study, name, variant, fold, list(told), min(size, total - len(told)))


def _first(study: Study, variant: Variant | Baseline) -> tuple[dict[str, float], str]:
    """The setting that every variant starts from: defaults, and where a range says so its start."""
    started = {name: given.start for name, given in search_space(study, variant).items() if given.start is not None}
    return {**started, **variant.hyperparameters}, study.attentions[0] if variant.attention else ""


def _grid(study: Study, variant: Variant) -> list[tuple[dict[str, float], str]]:
    there = [
        name for name in study.search.grid if name in search_space(study, variant) or name in _shared(study, variant)
    ]
    start, _ = _first(study, variant)
    return [
        ({**start, **dict(zip(there, values, strict=True))}, attention)
        for attention in (study.attentions if variant.attention else ("",))
        for values in product(*(study.search.grid[name] for name in there))
    ]


def _shared(study: Study, variant: Variant) -> set[str]:
    from ..training.recipe import OPTIMISER_HYPERPARAMETERS

    return ({*OPTIMISER_HYPERPARAMETERS, *(study.training.augment or {})}) - set(variant.hyperparameters)


def _chosen(points: list[Any], total: int, seed: int) -> list[Any]:
    """At most ``total`` of the points; the first, and of the rest a random choice in order."""
    if len(points) <= total:
        return points
    drawn = np.random.default_rng(seed).choice(len(points) - 1, total - 1, replace=False) + 1
    return [points[0], *(points[at] for at in sorted(drawn))]


def _cycled(points: list[tuple[dict[str, float], str]], total: int) -> list[Trial]:
    """Trials up to the budget: when the settings are through, they are tried again with other seeds."""
    made = []
    for number in range(total):
        hyperparameters, attention = points[number % len(points)]
        again = number // len(points)
        made.append(Trial(number, hyperparameters, attention, LATER_SEEDS + again if again else 0))
    return made


def _drawn(
    study: Study, name: str, variant: Variant | Baseline, fold: int, told: list[tuple[Trial, float | None]], count: int
) -> list[Trial]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched = search_space(study, variant)
    space: dict[str, Any] = {
        number: optuna.distributions.FloatDistribution(given.low, given.high, log=given.log)
        for number, given in searched.items()
        if given.low < given.high
    }
    if variant.attention and len(study.attentions) > 1:
        space["attention"] = optuna.distributions.CategoricalDistribution(list(study.attentions))
    if not space:
        return _cycled([_first(study, variant)], count_trials(study))[len(told) : len(told) + count]
    learning = study.search.sampler == "tpe"
    place = [study.search.seed, name, len(told), *([fold] if learning else [])]
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
    for earlier, score in told:
        values = {key: earlier.attention if key == "attention" else earlier.hyperparameters[key] for key in space}
        if score is not None:
            sampled.add_trial(optuna.trial.create_trial(params=values, distributions=space, value=score))
    made = []
    for number in range(len(told), len(told) + count):
        start, attention = _first(study, variant)
        if number:
            drawn = sampled.ask(fixed_distributions=space).params
            attention = drawn.pop("attention", attention)
            start = {**start, **drawn}
        made.append(Trial(number, start, attention))
    return made
