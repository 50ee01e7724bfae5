"""MLLD: answers compared window by window, between windows and between classes, at several temperatures."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .losses import cross_entropy, divergence
from .method import Array, Batch, Method, Number, Taps, Terms

TEMPERATURES = (1.0, 2.0, 4.0)


def objective(batch: Batch, student: Taps, teacher: Taps, numbers: Taps, extras: Taps) -> Terms:
    r"""L = L_stud + Σ_τ (w_i · τ² · KL + w_b · ‖p_T p_Tᵀ − p_S p_Sᵀ‖² / B + w_c · ‖p_Tᵀ p_T − p_Sᵀ p_S‖² / C).

    p (B, C) are the answers at τ in {1, 2, 4}; the squared norms are Frobenius'. The Gram terms grow with the batch, as
    published: their weights are small, and hold for one size of batch.
    """
    instance = between = within = jnp.zeros(())
    for tau in TEMPERATURES:
        mine, theirs = (jax.nn.softmax(each["logits"] / tau) for each in (student, teacher))
        instance += tau**2 * divergence(teacher["logits"], student["logits"], tau)
        between += _apart(mine @ mine.T, theirs @ theirs.T)
        within += _apart(mine.T @ mine, theirs.T @ theirs)
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "instances": numbers["instance"] * instance,
        "batch": numbers["batch"] * between,
        "classes": numbers["classes"] * within,
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
    numbers={
        "instance": Number(0.3, 0.03, 3.0, log=True),
        "batch": Number(0.03, 0.001, 1.0, log=True),
        "classes": Number(0.01, 0.0003, 0.3, log=True),
    },
)
