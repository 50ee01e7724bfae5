"""Baselines: feature classifiers that every study compares its networks with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..features import own_classifiers
from .sections import Range

#: Raised when the fit changes, which invalidates earlier runs.
VERSION = 3


@dataclass(frozen=True)
class Baseline:
    """A classifier of window features.

    Args:
        title: description for tables.
        search: search ranges of its hyperparameters; it gets as many trials as every variant.
        seeded: whether the seed changes the fit; if not, one run is used for every seed.
    """

    title: str
    search: Mapping[str, Range] = field(default_factory=dict)
    seeded: bool = False


BASELINES: dict[str, Baseline] = {
    "random-forest": Baseline(
        "100 trees on features",
        # Share of the features considered in a split, and minimum share of the training windows in a leaf.
        {
            "max_features": Range(0.03, 0.3, log=True, start=0.1),
            "min_samples_leaf": Range(1e-4, 1e-2, log=True, start=1e-4),
        },
        seeded=True,
    ),
    "logistic-regression": Baseline("logistic regression on features", {"C": Range(1e-3, 1e2, log=True, start=1.0)}),
    "majority": Baseline("predicts the majority class"),
}


def known_baselines() -> dict[str, Baseline]:
    """Return all feature classifiers by name: ``BASELINES``, and the user's own (``features.register_classifier``)."""
    own = {
        name: Baseline(f"{type(each).__name__} on features", seeded="random_state" in each.get_params())
        for name, each in own_classifiers().items()
    }
    return {**BASELINES, **own}
