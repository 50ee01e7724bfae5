"""Variants: distillation methods applied to a student and a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from ..errors import UnknownName, UserError
from ..methods import METHODS, Method, get_method, register_method
from ..names import require_text
from ..networks import get_network
from . import toml_io
from .sections import Range, Source, Training, name_network


@dataclass(frozen=True)
class Variant:
    """A distillation method applied to the networks of a study.

    Args:
        method: name of the method; in Python also a ``Method`` of one's own.
        attention: whether the student has attention.
        teacher: ``none``, the ``plain`` teacher, the teacher with the ``attention`` of the student, the network of the
            student trained alone (``self``), or a teacher ``assistant`` distilled from the plain teacher by KD.
        assistant: network of the teacher assistant; it learns from the mean of all teachers, in one run per fold
            without cross-fitting.
        network: student network, if not that of the study; in Python also a ``keras.Model`` or a function that builds
            one.
        hyperparameters: fixed hyperparameters, which are not searched.
        search: search ranges in addition to those of the method.
        options: options of the method.
        training: differences from ``[training]`` for its students.
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
    training: Training = field(default_factory=Training)
    title: str = ""

    def __post_init__(self) -> None:
        method: Any = self.method
        if isinstance(method, Method):
            object.__setattr__(self, "method", register_method(method))
        for key in ("network", "assistant"):
            object.__setattr__(self, key, name_network(getattr(self, key)))
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


#: The study's teachers by knowledge distillation: what a teacher assistant learns from.
PLAIN = Variant("kd", teacher="plain")

#: A recipe for small networks on window features: one cycle of the learning rate, mixed windows, smooth labels. On the
#: wrist recordings of WISDM 2019, this rate for 40 epochs came to what 3e-3 does for 80, and at 3e-3 40 epochs were too
#: few. There, the weights of the last epoch came to a little more than those of the best (docs/results.md), but the
#: best epoch is kept unless the study says otherwise: a budget chooses by the score on validation subjects, which that
#: choice flatters, so all variants of a study must make it.
ON_FEATURES = Training(
    batch=128,
    epochs=40,
    patience=40,
    learning_rate=1e-2,
    weight_decay=1e-3,
    schedule="cosine",
    warmup=0.3,
    imbalance="sqrt-weights",
    smoothing=0.1,
    augment={"mixup": 0.4},
)
#: A recipe for convolutions and features: rotated and scaled windows, noise on features. On the wrist recordings of
#: WISDM 2019 and on the simulated subjects, validation subjects score 0.9 and 1.3 points more than with mixed windows.
WITH_CONVOLUTIONS = Training(
    batch=128,
    epochs=80,
    patience=80,
    learning_rate=4e-3,
    weight_decay=5e-3,
    schedule="cosine",
    warmup=0.1,
    imbalance="sqrt-weights",
    augment={"rotation": 0.2, "scaling": 0.08, "feature-noise": 0.1},
)

#: Variants that are more than a method with the plain teacher.
_DEFINED: dict[str, Variant] = {
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
        name: Variant("lm", network=name, training=training, title=f"{get_network(name).title}, alone")
        for training, names in (
            (ON_FEATURES, ("feature-net-xs", "feature-net-s", "feature-net-m", "feature-net-l")),
            (WITH_CONVOLUTIONS, ("hybrid-net-s", "hybrid-net-m")),
        )
        for name in names
    },
    "feature-net-s-kd": Variant(
        "kd",
        teacher="plain",
        network="feature-net-s",
        training=ON_FEATURES,
        title="MLP of 16 units on features, taught by the teacher",
    ),
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

#: All variants by name: those above, and every other method with the plain teacher.
VARIANTS: dict[str, Variant] = {
    **_DEFINED,
    **{
        name: Variant(name, teacher="plain", title=method.title)
        for name, method in METHODS.items()
        if name not in _DEFINED
    },
}


def known_variants() -> dict[str, Variant]:
    """Return all variants by name: ``VARIANTS``, and the user's own methods with the plain teacher if they need one."""
    own = {name: method for name, method in METHODS.items() if name not in VARIANTS}
    made = {
        name: Variant(name, teacher="plain" if method.teacher_taps else "none", title=method.title)
        for name, method in own.items()
    }
    return {**VARIANTS, **made}


#: Controls that every study adds: a gain from softer targets alone is no gain from a teacher.
CONTROLS = ("lm", "label-smoothing", "self-distillation")
#: Variants added with a variant, to separate the effects of its parts.
COMPANIONS = {"rab-kd": ("rab-kd-no-maps",)}
