"""SP: similarities between windows learn to equal those of the teacher.

Where this differs from the published code:

- The rows are embeddings; published code takes the last map before pooling, flattened.
- The weight is 300, published 3,000 (mdistiller, RepDistiller); the formula is the same.
"""

from __future__ import annotations

import jax.numpy as jnp

from .embeddings import flat, unit
from .losses import cross_entropy
from .method import Batch, Method, Range, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · ‖G_S − G_T‖²_F / B², G = E Eᵀ with rows of length 1, E (B, F) the embeddings."""
    ours, target = (unit(each["embedding"] @ each["embedding"].T) for each in (student, teacher))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "similarity": hyperparameters["weight"] * jnp.sum((ours - target) ** 2) / ours.shape[0] ** 2,
    }


SP = Method(
    name="sp",
    title="similarities between windows are kept",
    source="Tung & Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019",
    when="With any pair, when the weight is searched over orders of magnitude.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"cross_entropy": "cross-entropy", "similarity": "squared difference of similarities"},
    hyperparameters={"weight": Range(300.0, 10.0, 10_000.0, log=True)},
    view=flat,
)
