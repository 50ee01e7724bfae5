"""Check the hyperparameters of a specification: names and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from ..errors import UnknownName, UserError
from ..limits import Limits
from ..methods import METHODS, Method, get_method
from ..training.recipe import OPTIMISER_HYPERPARAMETERS, RECIPE_LIMITS
from .sections import STRENGTH, Range, Search, Training
from .variants import Variant

#: Maximum number of trials per variant and fold.
MOST_TRIALS = 100_000


def check_hyperparameters(
    training: Training, search: Search, variants: Mapping[str, Variant], *, attentions: int
) -> None:
    """Raise for an unknown hyperparameter of a variant or of ``[search]``, or one outside its limits.

    Args:
        training, search: sections of a study.
        variants: the variants that it compares and those that it only defines.
        attentions: number of attention configurations.
    """
    shared = shared_limits(training)
    for name, variant in variants.items():
        method = get_method(variant.method)
        valid = {**shared, **_limits_of_method(method)}
        fixed = [("hyperparameters", key, "", value) for key, value in variant.hyperparameters.items()]
        for section, key, end, value in (*fixed, *_ends("search", variant.search)):
            if key not in valid:
                raise UnknownName(
                    f"hyperparameter in {section} of [variant.{name}] ({method.name})", key, sorted(valid)
                )
            valid[key].check(value, f"{end}{key} in {section} of [variant.{name}]")
    compared = [get_method(variant.method) for variant in variants.values()]
    grid = [("[search.grid]", key, "", value) for key, values in search.grid.items() for value in values]
    for section, key, end, value in (*_ends("[search.hyperparameters]", search.hyperparameters), *grid):
        known = [_limits_of_method(each)[key] for each in (*compared, *METHODS.values()) if key in each.hyperparameters]
        if key not in shared and not known:
            names = {*shared, *(number for each in METHODS.values() for number in each.hyperparameters)}
            raise UnknownName(f"hyperparameter in {section}", key, sorted(names))
        (shared.get(key) or known[0]).check(value, f"{end}{key} in {section}")
    trials = prod(len(values) for values in search.grid.values()) * attentions
    if search.kind == "grid" and not search.trials and trials > MOST_TRIALS:
        raise UserError(
            f"[search.grid] has {trials:,} combinations, but at most {MOST_TRIALS:,} are allowed: use fewer values or "
            f"set trials in [search]."
        )


def shared_limits(training: Training) -> dict[str, Limits]:
    """Return limits of the hyperparameters that every variant has: optimiser and augmentation."""
    optimiser = {name: RECIPE_LIMITS[name] for name in OPTIMISER_HYPERPARAMETERS}
    return {**optimiser, **dict.fromkeys(training.augment or {}, STRENGTH)}


def _limits_of_method(method: Method) -> dict[str, Limits]:
    return {name: number.limits for name, number in method.hyperparameters.items()}


def _ends(section: str, ranges: Mapping[str, Range]) -> Iterator[tuple[str, str, str, float]]:
    """Yield section, name, prefix and value for both ends of each range."""
    for name, given in ranges.items():
        yield section, name, "low of ", given.low
        yield section, name, "high of ", given.high
