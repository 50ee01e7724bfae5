"""Runs: one training each, identified by a fingerprint of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..features import classifier_code
from ..methods import METHODS, Method, method_code
from ..training import RunResult

#: Raised by hand when a change to a part changes results, which invalidates earlier runs. Methods are fingerprinted by
#: their code; these parts are not, since most changes to them leave results as they are.
PARTS = {"windows": 1, "features": 1, "networks": 1, "training": 1}
#: Settings that a run may have since they exist; left out of the fingerprint of a run without them, which stays valid.
LATER = ("stored", "weighting", "refit", "stop", "quantise")


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one model.

    Args:
        data: fingerprint of windows and split.
        fold: of the protocol.
        method: name; of a feature classifier, its own.
        seed: of weights, order and augmentation.
        recipe: of training.
        kind: what is trained: a ``network``, or a classifier on ``features``.
        network: name; empty for a feature classifier.
        attention: attention blocks, or empty.
        recurrence: of the network, if it has this option.
        options: of the method.
        hyperparameters: of method, optimiser and augmentation that differ from the defaults.
        teachers: ids of its teacher runs.
        scores: checksum of the file of scores that replaces its teacher, or empty.
        group: group of subjects left out of training (cross-fitting), -1 for none.
        privileged: fingerprint of the privileged windows that it sees, or empty.
        layers: fingerprint of a network of the user's own, empty for a built-in one.
        stored: whether it learns from its teachers' outputs for unchanged windows although it augments its own.
        weighting: ``fitted`` if the weights of its teachers are, else empty.
        refit: what it is trained on: the training subjects of its fold (empty), ``train+validation``, or ``all``
            subjects of all folds that may be trained on.
        stop: epochs of a network's refit, for which there are no subjects left to choose.
        quantise: ``int8`` if it is trained for its int8 form, else empty.
    """

    data: str
    fold: int
    method: str
    seed: int
    recipe: Mapping[str, Any]
    kind: Literal["network", "features"] = "network"
    network: str = ""
    attention: str = ""
    recurrence: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    teachers: tuple[str, ...] = ()
    scores: str = ""
    group: int = -1
    privileged: str = ""
    layers: str = ""
    stored: bool = False
    weighting: str = ""
    refit: str = ""
    stop: int = 0
    quantise: str = ""

    @cached_property
    def id(self) -> str:
        """Short fingerprint."""
        settings = {name: value for name, value in asdict(self).items() if value or name not in LATER}
        text = json.dumps({**settings, "parts": PARTS, "code": code_of(self.method)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def architecture(self) -> tuple[str, str, str, bool]:
        """Key that is equal for runs of the same network on windows of the same shape."""
        return (self.network, self.attention, self.recurrence, bool(self.privileged))

    @cached_property
    def fleet_key(self) -> str:
        """Key that is equal for runs that can train as one fleet."""
        settings = [self.architecture, self.method, dict(self.options), dict(self.recipe), self.quantise]
        return json.dumps(settings, sort_keys=True)

    @property
    def live(self) -> bool:
        """Whether its fixed teachers run in every step, on the windows that it sees."""
        return bool(self.recipe.get("augment") and self.teachers and not self.stored)

    @property
    def model(self) -> str:
        """Name of the network or the feature classifier."""
        return self.network or self.method

    @property
    def options_of_network(self) -> dict[str, str]:
        """Options for ``networks.build_network``."""
        options = {"attention": self.attention, "recurrence": self.recurrence}
        return {name: value for name, value in options.items() if value}

    def __str__(self) -> str:
        if self.kind == "features":
            return f"{self.method} on features, fold {self.fold}"
        with_attention = f" with {self.attention}" if self.attention else ""
        return f"{self.method} of {self.network}{with_attention}" + (f", for {self.quantise}" if self.quantise else "")


@dataclass(frozen=True, eq=False)
class FleetPlan:
    """Runs that train as one fleet, in this order, ``size`` at a time; fixed before training.

    ``phase`` is ``teachers``, ``trials``, ``seeds``, ``refits`` or ``ship``.
    """

    phase: str
    runs: tuple[Run, ...]
    size: int

    @cached_property
    def id(self) -> str:
        """Fingerprint of its runs, their order and the size."""
        text = json.dumps([self.size, *(run.id for run in self.runs)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class ClassifierResult:
    """The result of a fitted feature classifier.

    Its predictions are kept, and the model only of one fitted to all subjects, which has nobody left to predict: the
    trees of a hard data set take tens of megabytes per run.

    Args:
        validation: score on the validation windows.
        size: what a device would have to store, by part.
        rows: windows that it predicts, ascending: validation and test windows of its fold, for a cross-fitted teacher
            all that it was not trained on.
        logits: (n, C) of these windows.
        packed: the arrays of the model, see ``features.pack_arrays``; empty where they are not kept.
    """

    validation: float
    size: Mapping[str, float]
    rows: NDArray[np.int64]
    logits: NDArray[np.float32]
    packed: bytes = b""


@dataclass(frozen=True)
class RunStatus:
    """A finished run: status ``done`` or ``failed`` (with a reason), validation score, epochs, seconds."""

    run: str
    status: str
    validation: float
    best_epoch: int
    epochs: int
    seconds: float
    reason: str
    fleet: str
    place: int


@dataclass(frozen=True, eq=False)
class TrainedFleet:
    """A fleet after its training: the results of its runs in order, or the reason why it cannot train.

    ``forms`` are those of the networks' convolutions.
    """

    plan: FleetPlan
    results: Sequence[RunResult | ClassifierResult] = ()
    seconds: float = 0.0
    reason: str = ""
    forms: tuple[str, ...] = ()


def code_of(name: str) -> str:
    """Fingerprint the code of a method, or a feature classifier of the user's own; built-in ones have a version."""
    method = METHODS.get(name)
    return classifier_code(name) if method is None else _method_code(method)


#: Fingerprints of methods by identity, each with the method so that it stays alive.
CODES: dict[int, tuple[Method, str]] = {}


def _method_code(method: Method) -> str:
    if id(method) not in CODES:
        CODES[id(method)] = (method, method_code(method))
    return CODES[id(method)][1]
