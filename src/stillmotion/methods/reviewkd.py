"""ReviewKD: each stage of the student, fused with deeper ones, learns the teacher's stage at several time scales.

Where this differs from the published code:

- ``in`` and ``out`` are linear; published a convolution of 1 and one of 3, each with batch norm and no bias.
- Fused stages are 32 features wide, published as wide as the student's last stage, 512 at most.
- Where lengths differ, u_{i+1} is interpolated and the longer of a pair is averaged; published code resizes to the
  teacher's stage by nearest neighbours, before ``out``, and passes the resized features on.
- Stages are the networks' taps, 16 moments at most; published, the teacher's are taken before their activation, and the
  embedding is the last stage.
- The weight is 0.7, the published default 1; r rises step by step over a share of the run, published epoch by epoch
  over 20 epochs of 240.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ..limits import SHARE
from .alignment import resize
from .classes import warmed
from .losses import cross_entropy
from .method import Array, AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector
from .stages import condense, paired, stage_pairs

#: Width of the fused stages.
WIDTH = 32
#: Moments of the coarser scales, each with half the weight of the one before.
SCALES = (4, 2, 1)


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + r · w · Σ_pairs HCL(out(u_i), f_T), u_i = a ⊙ in(f_i) + b ⊙ u_{i+1}, from the last pair back.

    ``in`` and ``out`` are trained projectors; a, b (B, moments, 1) = sigmoid of a third one, of both together; u_{i+1}
    is interpolated to the moments of stage i; of the last pair u is in(f) alone. HCL is the mean squared difference at
    all moments, and at 4, 2 and 1 with weights ½, ¼, ⅛, over the sum of weights. r rises from 0 to 1 over the first
    ``warmup`` of the run.
    """
    reviewed, fused = jnp.zeros(()), None
    for mine, theirs in reversed(stage_pairs(student, teacher)):
        here = apply_projector(student[mine], aux_params, f"{mine}/in")
        if fused is not None:
            deeper = resize(fused, here.shape[1])
            shares = jax.nn.sigmoid(apply_projector(jnp.concatenate([here, deeper], -1), aux_params, f"{mine}/shares"))
            here = shares[..., :1] * here + shares[..., 1:] * deeper
        fused = here
        reviewed += _hierarchical(*paired(apply_projector(fused, aux_params, f"{mine}/out"), teacher[theirs]))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "review": warmed(batch, hyperparameters["warmup"]) * hyperparameters["weight"] * reviewed,
    }


def _hierarchical(ours: Array, target: Array) -> Array:
    # Averaging is linear, so the difference can be averaged, and each scale can start from the one before.
    apart = ours - target
    total, weights, weight = jnp.mean(apart**2), 1.0, 1.0
    for length in SCALES:
        if length < ours.shape[1]:
            apart = resize(apart, length)
            weight /= 2
            total += weight * jnp.mean(apart**2)
            weights += weight
    return total / weights


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    aux_params: AuxParamArrays = {}
    pairs = stage_pairs(student, teacher)
    for mine, theirs in pairs:
        aux_params |= init_projector(f"{mine}/in", student[mine][-1], WIDTH, rng)
        aux_params |= init_projector(f"{mine}/out", WIDTH, teacher[theirs][-1], rng)
        if (mine, theirs) != pairs[-1]:
            aux_params |= init_projector(f"{mine}/shares", 2 * WIDTH, 2, rng)
    return aux_params


REVIEWKD = Method(
    name="reviewkd",
    title="review of the stages, deeper ones fused in",
    source="Chen et al., Distilling Knowledge via Knowledge Review, CVPR 2021",
    when="When both networks have several stages over time.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    terms={"cross_entropy": "cross-entropy", "review": "squared difference of fused stages"},
    hyperparameters={"weight": Range(0.7, 0.02, 20.0, log=True), "warmup": Range(0.15, 0.15, 0.15, limits=SHARE)},
    aux_params=_init_aux_params,
    view=condense,
)
