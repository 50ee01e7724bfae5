"""MLLD: answers compared window by window, between windows and between classes, at several temperatures.

Where this differs from the published code:

- Temperatures are 1, 2 and 4; published 2, 3, 4, 5 and 6.
- Each level has a weight of its own; published, all share KD's (0.9 beside 0.1 for labels).
- A window is seen once, and all windows and classes count. Published, it is seen weakly and strongly augmented: KL and
  cross-entropy count in both views, Gram terms in the weak one. Windows of which the teacher is surer than of half of
  the batch are meant to be left out there, and classes likewise; as what is multiplied is a sum already, the weak
  view's terms all shrink to about one half.

Labels, mixed or not, act in the cross-entropy alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .losses import cross_entropy, kl_divergence
from .method import Array, Batch, Method, Range, Taps, Terms

TEMPERATURES = (1.0, 2.0, 4.0)


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + Σ_τ (w_i · τ² · KL + w_b · ‖p_T p_Tᵀ − p_S p_Sᵀ‖² / B + w_c · ‖p_Tᵀ p_T − p_Sᵀ p_S‖² / C).

    p (B, C) are the answers at τ in {1, 2, 4}; the squared norms are Frobenius'. The Gram terms grow with the batch, as
    published: their weights are small, and hold for one size of batch.
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
    """Squared distance of two square matrices, over their size."""
    return jnp.sum((one - other) ** 2) / one.shape[0]


MLLD = Method(
    name="mlld",
    title="multi-level logit distillation",
    source="Jin, Wang & Lin, Multi-Level Logit Distillation, CVPR 2023",
    when="With any pair, when the batch's size is settled: the weights of its Gram terms hang on it.",
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
