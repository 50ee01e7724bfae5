"""Variants: the systems that a study compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ..errors import UnknownName
from ..methods import method
from .choices import Range, Source


@dataclass(frozen=True)
class Variant:
    """A way of teaching applied to the study's networks.

    Args:
        method: name of the method.
        attention: whether the student has attention.
        teacher: who teaches: nobody (``none``), the ``plain`` teacher, the one with the student's ``attention``, or the
            student's own network trained alone (``self``).
        network: another student than the study's.
        numbers: numbers that are fixed, and not searched.
        search: ranges searched besides the method's own.
        options: the method's options.
        title: what it is, for tables.
    """

    method: str
    attention: bool = False
    teacher: str = "none"
    network: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, Range] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        if self.teacher not in get_args(Source):
            raise UnknownName("teacher of a variant", self.teacher, list(get_args(Source)))
        method(self.method, **self.options)


VARIANTS: dict[str, Variant] = {
    "lm": Variant("lm", title="student alone"),
    "lm-att": Variant("lm-att", attention=True, title="student with attention, alone"),
    "rb-kd": Variant("rb-kd", teacher="plain", title="plain teacher's answers"),
    "rb-kd-att": Variant("rb-kd-att", attention=True, teacher="plain", title="plain teacher, student with attention"),
    "rab-kd": Variant("rab-kd", attention=True, teacher="attention", title="attention teacher's answers and maps"),
    "rab-kd-no-maps": Variant(
        "rab-kd",
        attention=True,
        teacher="attention",
        numbers={"beta": 0.0},
        title="attention teacher's answers, maps left out",
    ),
    "label-smoothing": Variant(
        "lm",
        numbers={},
        search={"smoothing": Range(0.02, 0.3, start=0.1)},
        title="student alone, labels smoothed",
    ),
    "self-distillation": Variant("rb-kd", teacher="self", title="the student's own answers from a first training"),
}

#: What any study adds: who gains from softer targets alone gains nothing from a teacher.
CONTROLS = ("lm", "label-smoothing", "self-distillation")
#: What a variant brings with it, so that what its parts do can be told apart.
COMPANIONS = {"rab-kd": ("rab-kd-no-maps",)}
