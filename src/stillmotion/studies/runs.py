"""Runs: one training each, identified by a fingerprint of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from typing import Any

from ..methods import METHODS, method_code

#: Raised by hand when a change to a part changes results, which invalidates earlier runs. Methods are fingerprinted by
#: their code; these parts are not, since most changes to them leave results as they are.
PARTS = {"windows": 1, "networks": 1, "training": 1}

#: Separator in ``Run.data`` before the fingerprint of privileged windows.
PRIVILEGED = "/privileged:"


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one network.

    Args:
        data: fingerprint of windows and split.
        fold: of the protocol.
        network: name; empty for a baseline.
        attention: attention blocks, or empty.
        method: name.
        seed: of weights, order and augmentation.
        recipe: of training.
        recurrence: of the network, if it has this option.
        options: of the method.
        hyperparameters: of method, optimiser and augmentation that differ from the defaults.
        teachers: ids of its teacher runs, or ``file:`` and a checksum.
        group: group of subjects left out of training (cross-fitting), -1 for none.
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
        """Short fingerprint."""
        text = json.dumps({**asdict(self), "parts": PARTS, "code": code_of(self.method)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def kind(self) -> str:
        """Key that is equal for runs that can train as one fleet."""
        parts: tuple[Any, ...] = (self.network, self.attention, self.recurrence, self.method)
        parts += (dict(self.options), dict(self.recipe), *([PRIVILEGED] if self.privileged else []))
        return json.dumps(parts, sort_keys=True)

    @property
    def privileged(self) -> bool:
        """Whether it sees privileged windows."""
        return PRIVILEGED in self.data

    @property
    def classical(self) -> bool:
        """Whether it is a baseline, without a network."""
        return not self.network

    @property
    def options_of_network(self) -> dict[str, str]:
        """Options for ``networks.build_network``."""
        options = {"attention": self.attention, "recurrence": self.recurrence}
        return {name: value for name, value in options.items() if value}


@dataclass(frozen=True, eq=False)
class FleetPlan:
    """Runs that train as one fleet, in this order, ``size`` at a time; fixed before training.

    ``phase`` is ``teachers``, ``trials`` or ``seeds``.
    """

    phase: str
    runs: tuple[Run, ...]
    size: int

    @cached_property
    def id(self) -> str:
        """Fingerprint of its runs, their order and the size."""
        text = json.dumps([self.size, *(run.id for run in self.runs)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_of(name: str) -> str:
    """Fingerprint of the code of a method; empty for a baseline, which has a version instead."""
    return method_code(METHODS[name]) if name in METHODS else ""
