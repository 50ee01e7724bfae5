"""Baselines: feature classifiers that every study compares its networks with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnknownName
from ..features import own_classifiers
from ..limits import Limits
from ..names import require_text
from . import toml_io
from .sections import Range

#: Raised when the fit changes, which invalidates earlier runs.
VERSION = 3
#: Classifiers whose seed changes the fit.
SEEDED = ("random-forest", "extra-trees", "gradient-boosting", "random-convolutions")
#: Classifiers that plain arrays hold, for bundles and devices.
WITH_ARRAYS = ("random-forest", "extra-trees", "logistic-regression", "majority")
_LEAF = Limits(0, 100_000, above=True)
_FOREST = {
    "n_estimators": Limits(1, 10_000),
    "max_depth": Limits(1, 1000),
    "min_samples_leaf": _LEAF,
    "max_features": Limits(0, 1, above=True),
    "max_leaf_nodes": Limits(2, 1_000_000),
}
#: Hyperparameters of the built-in classifiers under their scikit-learn names; what is left out has its default there.
HYPERPARAMETERS: dict[str, dict[str, Limits]] = {
    "random-forest": _FOREST,
    "extra-trees": _FOREST,
    "gradient-boosting": {
        "learning_rate": Limits(0, 10, above=True),
        "max_iter": Limits(1, 10_000),
        "max_leaf_nodes": Limits(2, 100_000),
        "max_depth": Limits(1, 1000),
        "min_samples_leaf": Limits(1, 100_000),
        "l2_regularization": Limits(0, 1e6),
    },
    "random-convolutions": {"alpha": Limits(0, 1e12, above=True)},
    "logistic-regression": {"C": Limits(0, 1e12, above=True)},
    "majority": {},
}


@dataclass(frozen=True)
class Baseline:
    """A classifier of window features; ``[baseline.NAME]`` in a specification is one of its own.

    Args:
        classifier: a built-in classifier, or one of the user's own.
        title: description for tables.
        hyperparameters: fixed hyperparameters, which are not searched: numbers by their scikit-learn names. A smallest
            leaf below 1 is a share of the training windows.
        search: search ranges of its hyperparameters; it gets as many trials as every variant.
    """

    classifier: str
    title: str = ""
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, Range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        toml_io.check(self, "a baseline")
        require_text(self.title, "title")
        own = own_classifiers()
        if self.classifier not in (*HYPERPARAMETERS, *own):
            raise UnknownName("classifier of a baseline", self.classifier, [*HYPERPARAMETERS, *own])
        valid = HYPERPARAMETERS.get(self.classifier)
        if valid is None:
            valid = dict.fromkeys(own[self.classifier].get_params(), Limits(float("-inf")))
        for name in (*self.hyperparameters, *self.search):
            if name not in valid:
                raise UnknownName(f"hyperparameter of {self.classifier}", name, sorted(valid))
        for name, value in self.hyperparameters.items():
            valid[name].check(value, f"{name} of {self.classifier}")
        for name, given in self.search.items():
            valid[name].check(given.low, f"low of {name} of {self.classifier}")
            valid[name].check(given.high, f"high of {name} of {self.classifier}")

    @property
    def seeded(self) -> bool:
        """Whether the seed changes the fit; if not, one run is used for every seed."""
        own = own_classifiers().get(self.classifier)
        return self.classifier in SEEDED if own is None else "random_state" in own.get_params()

    @property
    def has_arrays(self) -> bool:
        """Whether plain arrays hold it, so that a bundle and a device can."""
        return self.classifier in WITH_ARRAYS


#: Share of the features considered in a split, and minimum share of the training windows in a leaf.
_TREES: dict[str, Any] = {
    "max_features": Range(0.03, 0.3, log=True, start=0.1),
    "min_samples_leaf": Range(1e-4, 1e-2, log=True, start=1e-4),
}
BASELINES: dict[str, Baseline] = {
    "random-forest": Baseline("random-forest", "100 trees on features", search=_TREES),
    "extra-trees": Baseline("extra-trees", "100 extremely randomised trees on features", search=_TREES),
    "gradient-boosting": Baseline(
        "gradient-boosting",
        "boosted trees on features, not for a device",
        search={
            "learning_rate": Range(0.03, 0.3, log=True, start=0.1),
            "max_leaf_nodes": Range(7, 63, log=True, start=31),
        },
    ),
    "random-convolutions": Baseline(
        "random-convolutions",
        "ridge on random convolutions of the signal, not for a device",
        search={"alpha": Range(1.0, 1e4, log=True, start=100.0)},
    ),
    "logistic-regression": Baseline(
        "logistic-regression",
        "logistic regression on features",
        search={"C": Range(1e-3, 1e2, log=True, start=1.0)},
    ),
    "majority": Baseline("majority", "predicts the majority class"),
}
#: Those of a study that names none.
DEFAULT = ("random-forest", "logistic-regression", "majority")


def known_baselines() -> dict[str, Baseline]:
    """Return all feature classifiers by name: ``BASELINES``, and the user's own (``features.register_classifier``)."""
    own = {name: Baseline(name, f"{type(each).__name__} on features") for name, each in own_classifiers().items()}
    return {**BASELINES, **own}
