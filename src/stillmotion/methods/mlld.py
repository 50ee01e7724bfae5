"""MLLD: probabilities compared for each window, between windows and between classes, at several temperatures.

Where this differs from the published code:

- Temperatures are 1, 2 and 4; published 2, 3, 4, 5 and 6.
- Each level has a weight of its own; published, all share that of KD (0.9, and 0.1 for labels).
- Each window has one view, and all windows and classes are used. Published, it has a weakly and a strongly augmented
  view: KL and cross-entropy use both, Gram terms the weak one. A mask is meant to leave out, in the weak view, the half
  of the batch (and of the classes) on which the teacher is most confident; as it multiplies a sum, it only halves the
  weak view's terms.

Labels, mixed or not, are used in the cross-entropy only.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .losses import cross_entropy, kl_divergence
from .method import Array, Batch, Method, Range, Taps, Terms

TEMPERATURES = (1.0, 2.0, 4.0)


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + Σ_τ (w_i · τ² · KL + w_b · ‖p_T p_Tᵀ − p_S p_Sᵀ‖² / B + w_c · ‖p_Tᵀ p_T − p_Sᵀ p_S‖² / C).

    p (B, C) are the probabilities at τ in {1, 2, 4}; norms are Frobenius norms. The Gram terms grow with the batch, as
    published, so their weights are small and hold for one batch size.
    """
    instance = between = within = jnp.zeros(())
    for tau in TEMPERATURES:
        mine, theirs = (jax.nn.softmax(each["logits"] / tau) for each in (student, teacher))
        instance += tau**2 * kl_divergence(teacher["logits"], student["logits"], tau)
        between += _apart(mine @ mine.T, theirs @ theirs.T)
        within += _apart(mine.T @ mine, theirs.T @ theirs)
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "instances": hyperparameters["instance"] * instance,
        "batch": hyperparameters["batch"] * between,
        "classes": hyperparameters["classes"] * within,
    }


def _apart(one: Array, other: Array) -> Array:
    """Return the squared distance of two square matrices, divided by their size."""
    return jnp.sum((one - other) ** 2) / one.shape[0]


MLLD = Method(
    name="mlld",
    title="multi-level logit distillation",
    source="Jin, Wang & Lin, Multi-Level Logit Distillation, CVPR 2023",
    when="With any pair, once the batch size is fixed: the weights of its Gram terms depend on it.",
    objective=objective,
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "instances": "KL at three temperatures",
        "batch": "squared difference of window similarities",
        "classes": "squared difference of class similarities",
    },
    hyperparameters={
        "instance": Range(0.3, 0.03, 3.0, log=True),
        "batch": Range(0.03, 0.001, 1.0, log=True),
        "classes": Range(0.01, 0.0003, 0.3, log=True),
    },
)
