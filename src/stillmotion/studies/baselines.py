"""Baselines: what a study's networks must be worth their training against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .sections import Range

#: Raised when what is fitted changes: earlier baselines then no longer count.
VERSION = 1


@dataclass(frozen=True)
class Baseline:
    """A classifier of window features that no network is part of, and that no device code is made for.

    Args:
        title: what it is, for tables.
        search: where its numbers are searched; it gets as many trials as every variant.
        seeded: whether a seed changes it; where it does not, one run stands under every seed.
    """

    title: str
    search: Mapping[str, Range] = field(default_factory=dict)
    seeded: bool = False

    #: What a variant says too, so that both are searched alike: nothing fixed, no attention, nobody who teaches.
    hyperparameters: ClassVar[Mapping[str, float]] = {}
    attention: ClassVar[bool] = False
    teacher: ClassVar[str] = "none"


BASELINES: dict[str, Baseline] = {
    "random-forest": Baseline(
        "100 trees on features",
        # Shares of the features looked at in a split, and of the training windows that a leaf holds at least.
        {
            "max_features": Range(0.03, 0.3, log=True, start=0.1),
            "min_samples_leaf": Range(1e-4, 1e-2, log=True, start=1e-4),
        },
        seeded=True,
    ),
    "logistic-regression": Baseline("regression on features", {"C": Range(1e-3, 1e2, log=True, start=1.0)}),
    "majority": Baseline("always the majority class"),
}
