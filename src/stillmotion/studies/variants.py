"""Variants: distillation methods applied to a student and a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ..errors import UnknownName, UserError
from ..methods import get_method
from ..names import require_text
from ..networks import get_network
from . import toml_io
from .sections import Range, Source


@dataclass(frozen=True)
class Variant:
    """A distillation method applied to the networks of a study.

    Args:
        method: name of the method.
        attention: whether the student has attention.
        teacher: ``none``, the ``plain`` teacher, the teacher with the ``attention`` of the student, the network of the
            student trained alone (``self``), or a teacher ``assistant`` distilled from the plain teacher by KD.
        assistant: network of the teacher assistant; it learns from the mean of all teachers, in one run per fold
            without cross-fitting.
        network: student network, if not that of the study.
        hyperparameters: fixed hyperparameters, which are not searched.
        search: search ranges in addition to those of the method.
        options: options of the method.
        title: description for tables.
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
        toml_io.check(self, "a variant")
        if self.teacher not in get_args(Source):
            raise UnknownName("teacher of a variant", self.teacher, list(get_args(Source)))
        if (self.teacher == "assistant") != bool(self.assistant):
            raise UserError(
                "assistant of a variant must name a network if teacher is 'assistant', and must be empty otherwise."
            )
        for key in ("network", "assistant"):
            if getattr(self, key):
                with toml_io.named(f"{key} of a variant"):
                    get_network(getattr(self, key))
        get_method(self.method, **self.options)
        require_text(self.title, "title")


LOGIT_METHODS = ("kd", "ls-kd", "dkd", "nkd", "dist", "mlld", "ofa")
FEATURE_METHODS = ("fitnet", "at", "sp", "rkd", "pkt", "vid", "crd", "reviewkd", "simkd")

VARIANTS: dict[str, Variant] = {
    "lm": Variant("lm", title="student alone"),
    "lm-att": Variant("lm-att", attention=True, title="student with attention, alone"),
    "rb-kd": Variant("rb-kd", teacher="plain", title="plain teacher's logits"),
    "rb-kd-att": Variant("rb-kd-att", attention=True, teacher="plain", title="plain teacher, student with attention"),
    "rab-kd": Variant("rab-kd", attention=True, teacher="attention", title="attention teacher's logits and maps"),
    "rab-kd-no-maps": Variant(
        "rab-kd",
        attention=True,
        teacher="attention",
        hyperparameters={"beta": 0.0},
        title="attention teacher's logits without maps",
    ),
    "label-smoothing": Variant(
        "lm",
        hyperparameters={},
        search={"smoothing": Range(0.02, 0.3, start=0.1)},
        title="student alone, label smoothing",
    ),
    "self-distillation": Variant("rb-kd", teacher="self", title="logits of the student from a first training"),
    **{
        name: Variant(name, teacher="plain", title=get_method(name).title)
        for name in (*LOGIT_METHODS, *FEATURE_METHODS, "dml", "hmkd")
    },
    # The middle size of Agac & Incel; studies with other networks set their own assistant.
    "takd": Variant("takd", teacher="assistant", assistant="deepconvlstm-mm", title=get_method("takd").title),
    "hmkd-output": Variant(
        "hmkd", teacher="plain", hyperparameters={"intermediate": 0.0}, title="HMKD, output level only"
    ),
    "hmkd-intermediate": Variant(
        "hmkd", teacher="plain", hyperparameters={"output": 0.0}, title="HMKD, intermediate level only"
    ),
    "hmkd-even": Variant(
        "hmkd", teacher="plain", hyperparameters={"weighting": 0.0}, title="HMKD, equal weights of the stages"
    ),
    "hmkd-one-way": Variant(
        "hmkd",
        teacher="plain",
        hyperparameters={"to_teacher": 0.0},
        title="HMKD, distillation to the student only",
    ),
    "hmkd-per-network": Variant(
        "hmkd", teacher="plain", options={"ensemble": "per-network"}, title="HMKD, an ensemble for each network"
    ),
    "hmkd-pretrained": Variant(
        "hmkd", teacher="plain", options={"start": "pretrained"}, title="HMKD, pretrained teacher"
    ),
}

#: Controls that every study adds: a gain from softer targets alone is no gain from a teacher.
CONTROLS = ("lm", "label-smoothing", "self-distillation")
#: Variants added with a variant, to separate the effects of its parts.
COMPANIONS = {"rab-kd": ("rab-kd-no-maps",)}
