"""Variants: the systems that a study compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ..errors import UnknownName, UserError
from ..methods import get_method
from ..names import require_text
from ..networks import get_network
from . import toml_io as written
from .sections import Range, Source


@dataclass(frozen=True)
class Variant:
    """A way of teaching applied to the study's networks.

    Args:
        method: name of the method.
        attention: whether the student has attention.
        teacher: who teaches: nobody (``none``), the ``plain`` teacher, the one with the student's ``attention``, or the
            student's own network trained alone (``self``), or an ``assistant`` that the plain teacher taught by KD.
        assistant: its network; it hears all teachers together, and is one run a fold, without cross-fitting.
        network: another student than the study's.
        hyperparameters: numbers that are fixed, and not searched.
        search: ranges searched besides the method's own.
        options: the method's options.
        title: what it is, for tables.
    """

    method: str
    attention: bool = False
    teacher: str = "none"
    network: str = ""
    assistant: str = ""
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, Range] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        written.check(self, "a variant")
        if self.teacher not in get_args(Source):
            raise UnknownName("teacher of a variant", self.teacher, list(get_args(Source)))
        if (self.teacher == "assistant") != bool(self.assistant):
            raise UserError("A variant names the network of its assistant exactly where its teacher is 'assistant'.")
        for key in ("network", "assistant"):
            if getattr(self, key):
                with written.named(f"{key} of a variant"):
                    get_network(getattr(self, key))
        get_method(self.method, **self.options)
        require_text(self.title, "title")


LOGIT_METHODS = ("kd", "ls-kd", "dkd", "nkd", "dist", "mlld", "ofa")
FEATURE_METHODS = ("fitnet", "at", "sp", "rkd", "pkt", "vid", "crd", "reviewkd", "simkd")

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
        hyperparameters={"beta": 0.0},
        title="attention teacher's answers, maps left out",
    ),
    "label-smoothing": Variant(
        "lm",
        hyperparameters={},
        search={"smoothing": Range(0.02, 0.3, start=0.1)},
        title="student alone, labels smoothed",
    ),
    "self-distillation": Variant("rb-kd", teacher="self", title="the student's own answers from a first training"),
    **{
        name: Variant(name, teacher="plain", title=get_method(name).title)
        for name in (*LOGIT_METHODS, *FEATURE_METHODS, "dml", "hmkd")
    },
    # Between the two sizes of the sources; a study with other networks names its own.
    "takd": Variant("takd", teacher="assistant", assistant="deepconvlstm-mm", title=get_method("takd").title),
    "hmkd-output": Variant(
        "hmkd", teacher="plain", hyperparameters={"intermediate": 0.0}, title="HMKD, output level alone"
    ),
    "hmkd-intermediate": Variant(
        "hmkd", teacher="plain", hyperparameters={"output": 0.0}, title="HMKD, intermediate level alone"
    ),
    "hmkd-even": Variant(
        "hmkd", teacher="plain", hyperparameters={"weighting": 0.0}, title="HMKD, plain means of the stages"
    ),
    "hmkd-one-way": Variant(
        "hmkd", teacher="plain", hyperparameters={"to_teacher": 0.0}, title="HMKD, the teacher is told nothing"
    ),
    "hmkd-per-network": Variant(
        "hmkd", teacher="plain", options={"ensemble": "per-network"}, title="HMKD, an ensemble for each network"
    ),
    "hmkd-pretrained": Variant(
        "hmkd", teacher="plain", options={"start": "pretrained"}, title="HMKD, the teacher trained before"
    ),
}

#: What any study adds: who gains from softer targets alone gains nothing from a teacher.
CONTROLS = ("lm", "label-smoothing", "self-distillation")
#: What a variant brings with it, so that what its parts do can be told apart.
COMPANIONS = {"rab-kd": ("rab-kd-no-maps",)}
