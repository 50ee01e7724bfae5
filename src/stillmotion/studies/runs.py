"""A run: one training, identified by a fingerprint of everything that determines it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from typing import Any

from ..methods import METHODS, method_code

#: Raised when a change to a part changes what the same run comes to: earlier results then no longer count. Methods
#: count by their code. These do not: most changes to them leave every run as it is.
PARTS = {"windows": 1, "networks": 1, "training": 1}

#: Marks, in a run's ``data``, that it sees what only teachers see; the fingerprint of that follows.
PRIVILEGED = "/privileged:"


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one network.

    Args:
        data: fingerprint of windows and split.
        fold: of the protocol.
        network: name; nothing for a baseline, whose method is its name.
        attention: its blocks of attention, or nothing.
        method: name.
        seed: of weights, order and augmentation.
        recipe: of training.
        recurrence: of the network, where it has a choice.
        options: of the method.
        hyperparameters: of method, optimiser and augmentation that are not default.
        teachers: runs that teach it, or ``file:`` and a checksum.
        group: subjects left out of the training (cross-fitting), -1 for nobody.
    """

    data: str
    fold: int
    network: str
    attention: str
    method: str
    seed: int
    recipe: Mapping[str, Any]
    recurrence: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    teachers: tuple[str, ...] = ()
    group: int = -1

    @cached_property
    def id(self) -> str:
        """The fingerprint, short."""
        text = json.dumps({**asdict(self), "parts": PARTS, "code": code_of(self.method)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def kind(self) -> str:
        """What must agree for runs to train as one fleet."""
        alike: tuple[Any, ...] = (self.network, self.attention, self.recurrence, self.method)
        alike += (dict(self.options), dict(self.recipe), *([PRIVILEGED] if self.privileged else []))
        return json.dumps(alike, sort_keys=True)

    @property
    def privileged(self) -> bool:
        """Whether it sees what only teachers see."""
        return PRIVILEGED in self.data

    @property
    def classical(self) -> bool:
        """Whether it is a baseline: no network, fitted by itself."""
        return not self.network

    @property
    def options_of_network(self) -> dict[str, str]:
        """What ``networks.build_network`` takes beside the shape."""
        said = {"attention": self.attention, "recurrence": self.recurrence}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, eq=False)
class FleetPlan:
    """Runs that train as one fleet, in this order, so many at a time; fixed before they train.

    ``phase`` is ``teachers``, ``trials`` or ``seeds``.
    """

    phase: str
    runs: tuple[Run, ...]
    size: int

    @cached_property
    def id(self) -> str:
        """The fingerprint of its runs, their order and the fleet's size."""
        text = json.dumps([self.size, *(run.id for run in self.runs)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_of(name: str) -> str:
    """Fingerprint of a method's code; nothing for a baseline, which has a version."""
    return method_code(METHODS[name]) if name in METHODS else ""
