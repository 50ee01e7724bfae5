"""PKT: the probabilities that two windows are neighbours learn to equal those of the teacher.

Where this differs from the published code:

- A window is not its own neighbour; published, it is.
- The loss is a sum over neighbours and a mean over windows; published, it is a mean over pairs: its weight of 30,000
  corresponds to 470 here at batches of 64.
"""

from __future__ import annotations

import jax.numpy as jnp

from .embeddings import flat, unit
from .losses import cross_entropy
from .method import Array, Batch, Method, Range, Taps, Terms

#: Added to a probability before its logarithm is taken: that of opposite embeddings is 0.
TINY = 1e-7


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · mean_i Σ_{j≠i} p_T(j|i) log(p_T(j|i) / p_S(j|i)), p(j|i) ∝ (cos(e_i, e_j) + 1) / 2.

    e are embeddings; a window is not its own neighbour.
    """
    ours, target = _neighbours(student["embedding"]), _neighbours(teacher["embedding"])
    apart = jnp.mean(jnp.sum(target * (jnp.log(target + TINY) - jnp.log(ours + TINY)), -1))
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "neighbours": hyperparameters["weight"] * apart}


def _neighbours(rows: Array) -> Array:
    """Return neighbour probabilities (B, B) with a zero diagonal."""
    rows = unit(rows)
    likely = (rows @ rows.T + 1) / 2 * (1 - jnp.eye(rows.shape[0]))
    return likely / (likely.sum(-1, keepdims=True) + TINY)


PKT = Method(
    name="pkt",
    title="probabilities of being neighbours",
    source="Passalis & Tefas, Learning Deep Representations with Probabilistic Knowledge Transfer, ECCV 2018",
    when="With any pair; it compares only directions of embeddings, so their widths and scales do not matter.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"cross_entropy": "cross-entropy", "neighbours": "KL of neighbour probabilities"},
    hyperparameters={"weight": Range(100.0, 3.0, 3000.0, log=True)},
    view=flat,
)
