"""VID: the student's stages learn to predict the teacher's, with a trained variance for each feature.

Where this differs from the published code:

- μ is one linear map with a bias; published three convolutions of 1 with ReLU between them, without biases.
- The smallest variance is 10⁻³, published 10⁻⁵. Variances are trained, as in RepDistiller and the paper; in
  mdistiller no optimiser updates them, so they stay at 5.
- Stages have at most 16 moments and are averaged to the shorter of the two after μ; published before it.
- All pairs of stages count; published code leaves out the stem.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from .losses import cross_entropy
from .method import AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector
from .stages import condense, paired, stage_pairs

#: Smallest variance: with a variance near 0 the loss has no lower bound.
LEAST = 1e-3
#: Initial α: a variance of 5, as published.
START = float(np.log(np.expm1(5.0 - LEAST)))


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · Σ_pairs mean((μ(f_S) − f_T)² / 2σ² + log σ) over windows, moments and features.

    The stages of a pair are brought to the same moments; μ is a trained projector, σ² = softplus(α) + 0.001 a trained
    variance for each of the teacher's features.
    """
    information = jnp.zeros(())
    for mine, theirs in stage_pairs(student, teacher):
        mean, target = paired(apply_projector(student[mine], aux_params, mine), teacher[theirs])
        variance = jax.nn.softplus(aux_params[f"{mine}/alpha"]) + LEAST
        # Average over windows and moments first: one division and logarithm for each feature, not for each element.
        squared = jnp.mean((mean - target) ** 2, axis=(0, 1))
        information += jnp.mean(squared / (2 * variance) + jnp.log(variance) / 2)
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "information": hyperparameters["weight"] * information,
    }


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    aux_params: AuxParamArrays = {}
    for mine, theirs in stage_pairs(student, teacher):
        width = teacher[theirs][-1]
        aux_params |= init_projector(mine, student[mine][-1], width, rng)
        aux_params[f"{mine}/alpha"] = np.full(width, START, np.float32)
    return aux_params


VID = Method(
    name="vid",
    title="variational information",
    source="Ahn et al., Variational Information Distillation for Knowledge Transfer, CVPR 2019",
    when="When the student's stages are narrow: features that it cannot predict cost little, because their "
    "variance grows.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    terms={"cross_entropy": "cross-entropy", "information": "Gaussian likelihood"},
    hyperparameters={"weight": Range(1.0, 0.03, 10.0, log=True)},
    aux_params=_init_aux_params,
    view=condense,
)
