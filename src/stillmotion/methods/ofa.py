"""OFA: every stage of the student predicts the classes, so that the two networks may be of any kinds.

Where this differs from the published code:

- A stage's logits are its mean over time through one linear projector; published branches are separable convolutions or
  transformer blocks, as deep as the rest of the network, that end in a linear layer.
- Every stage has a branch, published four chosen stages; all share one ε, published each may have its own.
- ``weight`` is 0.3 and ε 1.2; published defaults are 1 and 1, to be tuned for each pair.

For a window with a mixed label (mixup), y is one-hot at the class with the larger share, at equal shares the first, as
in the published code.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ..limits import TEMPERATURE
from .classes import own_class
from .losses import cross_entropy
from .method import Array, AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector
from .stages import averaged, list_stages


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w_k · OFA(z_S) + w · Σ_stages OFA(z_stage), OFA(z) = −Σ_c ((p_T + y)^ε − y) log softmax(z / τ)_c.

    p_T is softened at τ; y is one-hot at the window's class, so that ε above 1 raises only that class. A stage's
    logits are a trained projector of its mean over time.
    """
    goal = _goal(batch, teacher["logits"], hyperparameters)
    stages = jnp.zeros(())
    for name in list_stages(student):
        logits = apply_projector(student[name].mean(1), aux_params, name)
        stages += _taught(goal, logits, hyperparameters["temperature"])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distillation": hyperparameters["logits_weight"]
        * _taught(goal, student["logits"], hyperparameters["temperature"]),
        "stages": hyperparameters["weight"] * stages,
    }


def _goal(batch: Batch, teacher: Array, hyperparameters: Taps) -> Array:
    """Return the target (p_T + y)^ε − y, (B, C)."""
    p = jax.nn.softmax(teacher / hyperparameters["temperature"])
    own = own_class(batch)
    return (p + own) ** hyperparameters["epsilon"] - own


def _taught(goal: Array, logits: Array, temperature: Array) -> Array:
    return jnp.mean(-jnp.sum(goal * jax.nn.log_softmax(logits / temperature), -1))


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    aux_params: AuxParamArrays = {}
    for name in list_stages(student):
        aux_params |= init_projector(name, student[name][-1], student["logits"][0], rng)
    return aux_params


OFA = Method(
    name="ofa",
    title="one for all: every stage predicts the classes",
    source="Hao et al., One-for-All: Bridge the Gap Between Heterogeneous Architectures, NeurIPS 2023",
    when="When the two networks are of different kinds and the student has stages; the teacher may be a file "
    "of scores.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "distillation": "cross-entropy, the class raised",
        "stages": "cross-entropy of stages, the class raised",
    },
    hyperparameters={
        "temperature": Range(1.0, 1.0, 4.0, log=True, limits=TEMPERATURE),
        "epsilon": Range(1.2, 1.0, 1.5),
        "logits_weight": Range(1.0, 1.0, 1.0),
        "weight": Range(0.3, 0.03, 3.0, log=True),
    },
    aux_params=_init_aux_params,
    view=averaged,
)
