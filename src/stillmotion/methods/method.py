"""What a way of teaching is: the taps it needs, the numbers it has, and an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from ..limits import FACTOR, Limits

Array = Any
Taps = Mapping[str, Array]
Terms = dict[str, Array]
#: Shape of each tap without its batch axis.
Shapes = Mapping[str, tuple[int, ...]]
AuxParamArrays = dict[str, NDArray[np.float32]]
#: A dense layer from an embedding to logits: its kernel (F, C) and bias (C,).
Classifier = tuple[Array, Array]
#: What a method looks at, made of a network's taps.
View = Callable[[Taps], dict[str, Array]]


class IncompatibleNetworks(UserError):
    """Two networks that a method cannot bring together."""


@dataclass(frozen=True)
class Range:
    """A number of a method: its default, and the range in which a search may look for it.

    Args:
        default: used when nothing else is said.
        low, high: ends of the range, both included; equal ends mean that it is not searched.
        log: whether the search steps by factors instead of by differences.
        limits: what it may be at all.
    """

    default: float
    low: float
    high: float
    log: bool = False
    limits: Limits = FACTOR

    def check(self, name: str, value: float) -> float:
        """The value, or a ``UserError`` when it lies outside the limits."""
        self.limits.check(value, name)
        return float(value)


class Batch(NamedTuple):
    """What an objective knows of the windows at hand.

    ``targets`` is (B, C), a distribution over the classes for each window (one-hot, unless windows were mixed);
    ``weights`` is (B,), one factor a window; ``offset`` is (C,), added to the student's logits in the cross-entropy
    (logit adjustment), 0 otherwise. ``done`` is the share that lies behind of the steps that the recipe allows,
    for terms that begin weakly.
    """

    targets: Array
    weights: Array
    offset: Array
    done: Array = 1.0


Objective = Callable[[Batch, Taps, Taps, Taps, Taps], Terms]
#: (shapes of the student's taps, of the teacher's, the method's options, random numbers) → arrays by name.
InitAuxParams = Callable[[Shapes, Shapes, Mapping[str, str], np.random.Generator], AuxParamArrays]


@dataclass(frozen=True)
class Method:
    """One way of teaching.

    Args:
        name: lower-case, with hyphens.
        title: what it is, in a few words.
        source: paper and equation.
        objective: (batch, student taps, teacher taps, numbers, extras) → named loss terms, each a mean over the batch;
            their sum is what training makes small. A pure function of ``jax.numpy`` arrays.
        when: when to use it, in a sentence.
        student_taps: outputs that it needs of the student; a name with ``*`` stands for all that match, one at least.
        teacher_taps: outputs that it needs of the teacher; none: it needs no teacher.
        terms: what kind each of its loss terms is, in a few words for a diagram, by name; what a term teaches from what
            is read off the objective (``trace_terms``).
        attention: networks that must have attention.
        hyperparameters: its numbers, by name.
        options: what can be chosen besides, by name: all choices, the one taken first. Of methods that train the
            teacher too, ``start`` ``scratch`` draws its weights anew for each replica.
        aux_params: draws what is trained beside the student, such as projectors; nothing without. It may raise
            ``IncompatibleNetworks`` for taps that do not go together.
        classifier: (extras, the teacher's classifier) → the student's, written over its own after every step. Of both
            networks the embedding must go to the logits through one dense layer.
        view: applied to the taps of both networks before anything else, and before a teacher's answers are kept: stages
            brought to a few moments and features, those left out that are not looked at. Names stay.
        trains_teacher: whether the teacher learns too, in the same step.
        learnt: (extras, numbers, student's shapes, teacher's) → what of the extras a reader wants to see, by name.
    """

    name: str
    title: str
    source: str
    objective: Objective
    when: str = ""
    student_taps: tuple[str, ...] = ("logits",)
    teacher_taps: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    attention: tuple[Literal["student", "teacher"], ...] = ()
    hyperparameters: Mapping[str, Range] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aux_params: InitAuxParams | None = None
    classifier: Callable[[Taps, Classifier], Classifier] | None = None
    view: View | None = None
    trains_teacher: bool = False
    learnt: Callable[[Taps, Taps, Shapes, Shapes], dict[str, float]] | None = None

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """All hyperparameters of the method: those given, and the defaults of the rest."""
        for name in given:
            if name not in self.hyperparameters:
                raise UnknownName(f"number of {self.name}", name, list(self.hyperparameters) or ["(it has none)"])
        return {
            name: number.check(f"{self.name}'s {name}", given.get(name, number.default))
            for name, number in self.hyperparameters.items()
        }

    def choose(self, options: Mapping[str, str]) -> Method:
        """The method with these options."""
        taken = dict(self.options)
        for name, choice in options.items():
            if name not in taken:
                raise UnknownName(f"option of {self.name}", name, list(taken) or ["(it has none)"])
            if choice not in taken[name]:
                raise UnknownName(f"{name} of {self.name}", choice, list(taken[name]))
            taken[name] = (choice, *(other for other in taken[name] if other != choice))
        return replace(self, options=taken) if options else self

    @property
    def chosen(self) -> dict[str, str]:
        """What is chosen of each option."""
        return {name: choices[0] for name, choices in self.options.items()}

    @property
    def fresh_teacher(self) -> bool:
        """Whether the teacher begins from scratch."""
        return self.trains_teacher and self.chosen.get("start") == "scratch"

    def init_aux_params(self, student: Shapes, teacher: Shapes, seed: int) -> AuxParamArrays:
        """First values of what is trained beside the student; the same for the same seed."""
        if self.aux_params is None:
            return {}
        return self.aux_params(student, teacher, self.chosen, np.random.default_rng([seed, 7]))


def find_taps(wanted: Sequence[str], there: Sequence[str], *, method: str, network: str) -> tuple[str, ...]:
    """The taps ``there`` that a method wants; an error when one is missing."""
    found: list[str] = []
    for name in wanted:
        matching = [tap for tap in there if fnmatchcase(tap, name)]
        if not matching:
            raise UserError(
                f"{method} needs {name} of {network}, which has {', '.join(there)}"
                f"{': give it attention' if 'attention' in name else ''}."
            )
        found += [tap for tap in matching if tap not in found]
    return tuple(found)
