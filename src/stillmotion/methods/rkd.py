"""RKD: distances between windows, and angles between three of them, are to be those of the teacher.

Where this differs from the published code:

- ``weight`` scales the published 25 and 50, by 0.1 where nothing else is said.
- Two windows closer than a thousandth of the root of the mean squared distance are one point: their distance is 0, and
  no angle leads from one to the other. Published code takes a distance of at least 10⁻⁶, and counts it in the mean.
- Embeddings come as they are, as in mdistiller and RepDistiller; the authors' code for classification brings them to
  length 1 first, and adds KD.
"""

from __future__ import annotations

import jax.numpy as jnp

from .embeddings import flat, huber, squared_distances
from .losses import cross_entropy
from .method import Array, Batch, Method, Range, Taps, Terms

#: Two windows closer than this share of the mean squared distance are one point: no direction leads between them.
NEAR = 1e-6


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · (d · Σ_ij H(δ_S − δ_T) / B² + a · Σ_ijk H(cos_S − cos_T) / B³), H Huber's loss.

    δ_ij is the distance of two embeddings over the mean distance of the batch, cos_ijk the cosine of the angle at j
    between i and k. Angles come from inner products: B³ steps, whatever the embedding's width.
    """
    ours, target = squared_distances(student["embedding"]), squared_distances(teacher["embedding"])
    distance = jnp.mean(huber(_relative(ours) - _relative(target)))
    angle = jnp.mean(huber(_cosines(ours) - _cosines(target)))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distances": hyperparameters["weight"] * hyperparameters["distance"] * distance,
        "angles": hyperparameters["weight"] * hyperparameters["angle"] * angle,
    }


def _relative(squared: Array) -> Array:
    """Distances over the mean of those that are not 0."""
    distances, apart = _roots(squared)
    return distances / jnp.maximum(jnp.sum(distances) / jnp.maximum(jnp.sum(apart), 1), 1e-12)


def _cosines(squared: Array) -> Array:
    """(i, j, k) cosine at j: (d²_ij + d²_jk − d²_ik) / (2 d_ij d_jk), 0 where two are one point."""
    distances, apart = _roots(squared)
    inverse = jnp.where(apart, 1 / jnp.where(apart, distances, 1.0), 0.0)
    inner = (squared[:, :, None] + squared[None, :, :] - squared[:, None, :]) / 2
    return inner * inverse[:, :, None] * inverse[None, :, :]


def _roots(squared: Array) -> tuple[Array, Array]:
    """Distances with a finite gradient at 0, and which of them are not 0."""
    size = squared.shape[0]
    apart = (squared > NEAR * squared.mean()) & ~jnp.eye(size, dtype=bool)
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0), apart


RKD = Method(
    name="rkd",
    title="distances and angles between windows",
    source="Park et al., Relational Knowledge Distillation, CVPR 2019",
    when="With any pair, when the weight is searched over decades; between kinds it helped little in "
    "comparisons on images.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"cross_entropy": "cross-entropy", "distances": "Huber loss of distances", "angles": "Huber loss of angles"},
    # Published: 25 and 50; what is searched scales both.
    hyperparameters={
        "weight": Range(0.1, 0.003, 3.0, log=True),
        "distance": Range(25.0, 25.0, 25.0),
        "angle": Range(50.0, 50.0, 50.0),
    },
    view=flat,
)
