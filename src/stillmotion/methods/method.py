"""The distillation method as a value: its objective, taps, hyperparameters and options."""

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
#: Transforms a network's taps before the objective sees them.
View = Callable[[Taps], dict[str, Array]]


class IncompatibleNetworks(UserError):
    """Raised for two networks whose taps a method cannot compare."""


@dataclass(frozen=True)
class Range:
    """A hyperparameter: its default and the range that is searched.

    Args:
        default: used when no value is given.
        low, high: ends of the range, both included; where they are equal, it is not searched.
        log: whether it is searched on a logarithmic scale.
        limits: values that are allowed at all.
    """

    default: float
    low: float
    high: float
    log: bool = False
    limits: Limits = FACTOR

    def check(self, name: str, value: float) -> float:
        """Return the value; raise ``UserError`` when it lies outside the limits."""
        self.limits.check(value, name)
        return float(value)


class Batch(NamedTuple):
    """The labels and weights of a batch of windows, as an objective gets them.

    ``targets`` is (B, C), a distribution over the classes for each window (one-hot, unless windows were mixed);
    ``weights`` is (B,), one factor a window; ``offset`` is (C,), added to the student's logits in the cross-entropy
    (logit adjustment), 0 otherwise. ``done`` is the share of the recipe's steps that are done, for terms with a
    warm-up.
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
    """A distillation method.

    Args:
        name: lower-case, with hyphens.
        title: a description in a few words.
        source: paper and equation.
        objective: (batch, student taps, teacher taps, hyperparameters, aux_params) → named loss terms, each a mean over
            the batch; training minimises their sum. A pure function of ``jax.numpy`` arrays.
        when: when to use it, in a sentence.
        student_taps: taps that it needs of the student; a name with ``*`` stands for all that match, at least one.
        teacher_taps: taps that it needs of the teacher; empty for a method without a teacher.
        terms: the kind of each loss term, by name, in a few words for a diagram; which taps a term teaches is traced
            from the objective (``trace_terms``).
        attention: networks that must have attention.
        hyperparameters: its hyperparameters, by name.
        options: its other settings, by name: all choices, the one in use first. For methods that also train the
            teacher, ``start`` ``scratch`` draws the teacher's weights anew for each replica.
        aux_params: draws the auxiliary parameters, such as projectors, that are trained with the student; None for a
            method without any. It may raise ``IncompatibleNetworks`` for taps that it cannot compare.
        classifier: (aux_params, the teacher's classifier) → the student's classifier, which replaces the trained one
            after every step. In both networks one dense layer must lead from the embedding to the logits.
        view: transforms the taps of both networks before the objective sees them, and before a teacher's taps are
            cached, so that less is stored: stages become short sequences, unused ones are left out. Names stay.
        trains_teacher: whether the teacher is trained too, in the same step (a co-trained teacher).
        learnt: (aux_params, hyperparameters, student's shapes, teacher's shapes) → learnt values to report, by name.
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
        """Return all hyperparameters of the method: the given values and the defaults of the rest."""
        for name in given:
            if name not in self.hyperparameters:
                known = list(self.hyperparameters) or ["(it has none)"]
                raise UnknownName(f"hyperparameter of {self.name}", name, known)
        return {
            name: space.check(f"{self.name}'s {name}", given.get(name, space.default))
            for name, space in self.hyperparameters.items()
        }

    def choose(self, options: Mapping[str, str]) -> Method:
        """Return the method with these options set."""
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
        """The current value of each option."""
        return {name: choices[0] for name, choices in self.options.items()}

    @property
    def fresh_teacher(self) -> bool:
        """Whether the teacher is trained from scratch."""
        return self.trains_teacher and self.chosen.get("start") == "scratch"

    def init_aux_params(self, student: Shapes, teacher: Shapes, seed: int) -> AuxParamArrays:
        """Draw the initial auxiliary parameters; the same seed gives the same values."""
        if self.aux_params is None:
            return {}
        return self.aux_params(student, teacher, self.chosen, np.random.default_rng([seed, 7]))


def find_taps(wanted: Sequence[str], there: Sequence[str], *, method: str, network: str) -> tuple[str, ...]:
    """Find the taps that a method needs.

    Args:
        wanted: names, of which one with ``*`` stands for all that match.
        there: taps of the network.
        method: its name, for the message.
        network: its name, for the message.

    Returns:
        The names among ``there``, in the order wanted.

    Raises:
        UserError: a name matches none.

    Example:
        >>> from stillmotion.methods import find_taps
        >>> find_taps(["logits", "stage*"], ["stage1", "stage2", "logits"], method="hmkd", network="mlp")
        ('logits', 'stage1', 'stage2')
    """
    matched: list[str] = []
    for name in wanted:
        matching = [tap for tap in there if fnmatchcase(tap, name)]
        if not matching:
            raise UserError(f"{method} needs {name} of {network}, which has {', '.join(there)}{_remedy(name)}.")
        matched += [tap for tap in matching if tap not in matched]
    return tuple(matched)


def _remedy(tap: str) -> str:
    """What to do where a network has no such tap, as the end of a message."""
    if "attention" in tap:
        return ": give it attention"
    if tap.startswith("stage"):
        return ": name the layers to compare stage1, stage2, …, or take a method that needs logits alone"
    return ""
