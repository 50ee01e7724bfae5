"""LS-KD: KD on standardised logits, so that the student need not match the scale of the teacher's logits.

Where this differs from the published code:

- Labels weigh 1 and distillation 4 at τ = 1; published runs weigh 0.1 and 9 at τ = 2, for 100 classes.
- 10⁻¹² is added to the variance below the root; published code adds 10⁻⁷ to the deviation. The effect is negligible.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..limits import TEMPERATURE
from .losses import cross_entropy, kl_divergence
from .method import Array, Batch, Method, Range, Taps, Terms

#: Added to the variance: equal logits stay equal and have a finite gradient.
LEAST = 1e-12


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · τ² · KL(softmax(Z(z_T)/τ) ‖ softmax(Z(z_S)/τ)), Z(z) = (z − mean(z)) / sd(z) for each window.

    The standard deviation is over C − 1, as in the published code. With six classes, a fully
    confident teacher has p = 0.40 at τ = 2 and 0.88 at τ = 0.5, so τ stays at or below 1. With two classes Z keeps only
    the sign.
    """
    tau = hyperparameters["temperature"]
    taught = kl_divergence(standardise(teacher["logits"]), standardise(student["logits"]), tau)
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distillation": hyperparameters["weight"] * tau**2 * taught,
    }


def standardise(logits: Array) -> Array:
    """Standardise the logits (B, C) of each window to mean 0 and standard deviation 1."""
    apart = logits - logits.mean(-1, keepdims=True)
    variance = jnp.sum(apart**2, -1, keepdims=True) / (logits.shape[-1] - 1)
    return apart / jnp.sqrt(variance + LEAST)


LS_KD = Method(
    name="ls-kd",
    title="KD on standardised logits",
    source="Sun et al., Logit Standardization in Knowledge Distillation, CVPR 2024",
    when="When the logits of teacher and student differ much in scale, and there are more than two classes.",
    objective=objective,
    teacher_taps=("logits",),
    terms={"cross_entropy": "cross-entropy", "distillation": "KL of standardised logits"},
    hyperparameters={"temperature": Range(1.0, 0.5, 1.0, limits=TEMPERATURE), "weight": Range(4.0, 2.0, 9.0)},
)
