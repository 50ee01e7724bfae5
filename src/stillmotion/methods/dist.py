"""DIST: the student's probabilities learn to correlate with the teacher's, over classes and over the batch.

Where this differs from the published code:

- 10⁻¹² is added to sums of squares below the root; published code adds 10⁻⁸ to the product of the norms. Probabilities
  that do not vary have a correlation of 0 in both.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..limits import TEMPERATURE
from .losses import cross_entropy
from .method import Array, Batch, Method, Range, Taps, Terms

#: Added to a sum of squares before its root is taken: constant probabilities have no direction.
LEAST = 1e-12


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + τ² · (b · mean_windows(1 − ρ over classes) + g · mean_classes(1 − ρ over the batch)).

    ρ is Pearson's correlation of the probabilities at temperature τ. The second term needs batches of 64 windows or
    more that hold the classes.
    """
    tau = hyperparameters["temperature"]
    mine, theirs = (jax.nn.softmax(each["logits"] / tau) for each in (student, teacher))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "between_classes": hyperparameters["b"] * tau**2 * jnp.mean(1 - correlation(mine, theirs)),
        "within_classes": hyperparameters["g"] * tau**2 * jnp.mean(1 - correlation(mine.T, theirs.T)),
    }


def correlation(x: Array, y: Array) -> Array:
    """Return Pearson's correlation along the last axis; 0 where one of the two does not vary."""
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    norms = jnp.sqrt(jnp.sum(x**2, -1) + LEAST) * jnp.sqrt(jnp.sum(y**2, -1) + LEAST)
    return jnp.sum(x * y, -1) / norms


DIST = Method(
    name="dist",
    title="correlation instead of equality",
    source="Huang et al., Knowledge Distillation from A Stronger Teacher, NeurIPS 2022",
    when="When the teacher is much stronger than the student, with batches of 64 and more.",
    objective=objective,
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "between_classes": "correlation over classes",
        "within_classes": "correlation over windows",
    },
    hyperparameters={
        "temperature": Range(1.0, 1.0, 4.0, log=True, limits=TEMPERATURE),
        "b": Range(1.0, 0.5, 4.0, log=True),
        "g": Range(1.0, 0.5, 4.0, log=True),
    },
)
