"""What a way of teaching is: the taps it needs, the numbers it has, and an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UnknownName, UserError

Array = Any
Terms = dict[str, Array]


@dataclass(frozen=True)
class Number:
    """A number of a method: its default, and the range in which a search may look for it.

    Args:
        default: used when nothing else is said.
        low, high: ends of the range, both included; equal ends mean that it is not searched.
        log: whether the search steps by factors instead of by differences.
    """

    default: float
    low: float
    high: float
    log: bool = False

    def check(self, name: str, value: float) -> float:
        """The value, or a ``UserError`` when it is not a finite number of 0 or more."""
        if not (value >= 0 and value < float("inf")):
            raise UserError(f"{name} must be a finite number of 0 or more, not {value}.")
        return float(value)


class Batch(NamedTuple):
    """What an objective knows of the windows at hand.

    ``targets`` is (B, C), a distribution over the classes for each window (one-hot, unless windows were mixed);
    ``weights`` is (B,), one factor a window; ``offset`` is (C,), added to the student's logits in the cross-entropy
    (logit adjustment), 0 otherwise.
    """

    targets: Array
    weights: Array
    offset: Array


Objective = Callable[[Batch, Mapping[str, Array], Mapping[str, Array], Mapping[str, Array]], Terms]


@dataclass(frozen=True)
class Method:
    """One way of teaching.

    Args:
        name: lower-case, with hyphens.
        title: what it is, in a few words.
        source: paper and equation.
        objective: (batch, student taps, teacher taps, numbers) → named loss terms, each a mean over the batch; their
            sum is what training makes small. A pure function of ``jax.numpy`` arrays.
        student_taps: outputs that it needs of the student.
        teacher_taps: outputs that it needs of the teacher; none: it needs no teacher.
        numbers: its numbers, by name.
        trains_teacher: whether the teacher learns too, in the same step.
    """

    name: str
    title: str
    source: str
    objective: Objective
    student_taps: tuple[str, ...] = ("logits",)
    teacher_taps: tuple[str, ...] = ()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    trains_teacher: bool = False

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """All numbers of the method: those given, and the defaults of the rest."""
        for name in given:
            if name not in self.numbers:
                raise UnknownName(f"number of {self.name}", name, list(self.numbers) or ["(it has none)"])
        return {
            name: number.check(f"{self.name}'s {name}", given.get(name, number.default))
            for name, number in self.numbers.items()
        }
