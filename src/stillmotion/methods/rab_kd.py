"""RAB-KD: the student learns from the labels, the teacher's softened probabilities and its attention maps.

Where this differs from the published code:

- The projector is trained; in the published code it keeps its initial values.
- With both kinds of attention, both terms are used; in the published code only the spatial one.
- Channel maps are projected from the student's to the teacher's width by default (``project``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import jax.numpy as jnp
import numpy as np

from . import rb_kd
from .alignment import align
from .method import AuxParamArrays, Batch, IncompatibleNetworks, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector

MAPS = ("channel", "spatial", "sensor")


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = α · L_stud + (1 − α) · T² · KL(q_T ‖ q_S) + β · (L_CA + L_SA).

    L_CA is the mean over channels of the squared difference between the two channel maps, L_SA the mean over positions
    of that between the two spatial maps, each averaged over the batch; with several blocks of attention, their sum.

    Channel maps of unequal width go through a trained projector, by default the student's map to the teacher's width:
    the target stays the teacher's own map. ``project`` ``teacher`` is the published direction, in which a trained
    projector may collapse to a constant. Spatial maps of unequal size are aligned by interpolating the student's.
    """
    terms = rb_kd.objective(batch, student, teacher, hyperparameters, aux_params)
    for kind, mine, theirs in map_pairs(student, teacher):
        ours, target = student[mine], teacher[theirs]
        if kind == "spatial":
            target = target[..., 0]
            ours = align(ours[..., 0], target.shape[1:])
        else:
            ours = apply_projector(ours, aux_params, f"student/{mine}")
            target = apply_projector(target, aux_params, f"teacher/{theirs}")
        name = f"{kind}_attention"
        terms[name] = terms.get(name, 0.0) + hyperparameters["beta"] * jnp.mean((ours - target) ** 2)
    return terms


def map_pairs(student: Mapping[str, object], teacher: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, student's tap, teacher's tap) of every pair of attention maps, front to back."""
    for kind in MAPS:
        mine, theirs = _of_kind(student, kind), _of_kind(teacher, kind)
        if len(mine) != len(theirs):
            raise IncompatibleNetworks(
                f"The student has {len(mine)} maps of {kind} attention and the teacher {len(theirs)}: give both the "
                f"same attention."
            )
        yield from ((kind, one, other) for one, other in zip(mine, theirs, strict=True))


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    aux_params: AuxParamArrays = {}
    for kind, mine, theirs in map_pairs(student, teacher):
        (width, *_), (target, *_) = student[mine], teacher[theirs]
        if kind == "spatial" or width == target:
            continue
        if options["project"] == "student":
            aux_params |= init_projector(f"student/{mine}", width, target, rng)
        else:
            aux_params |= init_projector(f"teacher/{theirs}", target, width, rng)
    return aux_params


def _of_kind(taps: Mapping[str, object], kind: str) -> list[str]:
    """Return the maps of one kind, ordered by the number of their convolution."""
    maps = [name for name in taps if re.fullmatch(rf"{kind}_attention_\d+", name)]
    return sorted(maps, key=lambda name: int(name.rpartition("_")[2]))


RAB_KD = Method(
    name="rab-kd",
    title="response- and attention-based distillation",
    source="Agac & Incel: α L_stud + (1 − α) L_dist + β (L_CA + L_SA)",
    when="When both networks have attention at the same places.",
    objective=objective,
    student_taps=("logits", "*_attention_*"),
    teacher_taps=("logits", "*_attention_*"),
    terms={**rb_kd.RB_KD.terms, **{f"{kind}_attention": "squared difference of maps" for kind in MAPS}},
    attention=("student", "teacher"),
    # Agac & Incel set β to 1, the middle of the range on a logarithmic scale.
    hyperparameters={**rb_kd.RB_KD.hyperparameters, "beta": Range(1.0, 0.01, 100.0, log=True)},
    options={"project": ("student", "teacher")},
    aux_params=_init_aux_params,
)
