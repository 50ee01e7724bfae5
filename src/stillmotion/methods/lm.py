"""LM: the student learns from the labels alone.

Where this differs from the published code: nowhere; it is plain cross-entropy.
"""

from __future__ import annotations

from .losses import cross_entropy
from .method import Batch, Method, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    """L = −Σ_k y_k log p_k, as a mean over the batch."""
    return {"cross_entropy": cross_entropy(batch, student["logits"])}


LM = Method(
    name="lm",
    title="plain training",
    source="Agac & Incel, attention-based knowledge distillation: L_stud",
    when="Always, with the same budget: the effect of a teacher is measured against it.",
    objective=objective,
    terms={"cross_entropy": "cross-entropy"},
)
