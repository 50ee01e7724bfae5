"""FitNet: the projected middle stage of the student learns to equal that of the teacher.

Where this differs from the published code:

- The projector is linear; published it is a convolution that also matches sizes, with batch norm and ReLU.
- The weight is 1, published 100 for images (mdistiller, RepDistiller).
- Both terms are trained together, as in that code; in the paper a first phase trains the hint alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from .losses import cross_entropy
from .method import AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector
from .stages import list_stages, middle, paired


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · ‖r(f_S) − f_T‖², f the middle stage of each, r a trained projector to the teacher's width.

    The square is a mean over moments and features, so that w means the same for narrow and wide teachers; time is
    averaged to the shorter of the two.
    """
    (mine,), (theirs,) = list_stages(student), list_stages(teacher)
    ours, target = paired(apply_projector(student[mine], aux_params, "hint"), teacher[theirs])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "hint": hyperparameters["weight"] * jnp.mean((ours - target) ** 2),
    }


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    (mine,), (theirs,) = list_stages(student), list_stages(teacher)
    return init_projector("hint", student[mine][-1], teacher[theirs][-1], rng)


FITNET = Method(
    name="fitnet",
    title="a hint from one hidden stage",
    source="Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015",
    when="When both networks are of one kind; in comparisons on images it hurt between architectures of "
    "different kinds.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    terms={"cross_entropy": "cross-entropy", "hint": "squared difference"},
    hyperparameters={"weight": Range(1.0, 0.01, 100.0, log=True)},
    aux_params=_init_aux_params,
    view=middle,
)
