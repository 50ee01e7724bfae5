"""RKD: distances between windows, and angles between three of them, learn to equal those of the teacher.

Where this differs from the published code:

- ``weight`` (default 0.1) scales the published weights 25 and 50.
- Two windows closer than a thousandth of the root of the mean squared distance are one point: their distance and
  the cosines of their angles are 0. Published code takes a distance of at least 10⁻⁶, and counts it in the mean.
- Embeddings are not normalised, as in mdistiller and RepDistiller; the authors' code for classification scales them to
  length 1 first, and adds KD.
"""

from __future__ import annotations

import jax.numpy as jnp

from .embeddings import flat, huber, squared_distances
from .losses import cross_entropy
from .method import Array, Batch, Method, Range, Taps, Terms

#: Two windows closer than this share of the mean squared distance are one point: there is no direction between them.
NEAR = 1e-6


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · (d · Σ_ij H(δ_S − δ_T) / B² + a · Σ_ijk H(cos_S − cos_T) / B³), H Huber's loss.

    δ_ij is the distance of two embeddings over the mean distance of the batch, cos_ijk the cosine of the angle at j
    between i and k. Angles come from squared distances: B³ steps for any width of the embedding.
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
    """Return distances divided by the mean of those that are not 0."""
    distances, apart = _roots(squared)
    return distances / jnp.maximum(jnp.sum(distances) / jnp.maximum(jnp.sum(apart), 1), 1e-12)


def _cosines(squared: Array) -> Array:
    """Return cosines (i, j, k) at j: (d²_ij + d²_jk − d²_ik) / (2 d_ij d_jk), 0 where two are one point."""
    distances, apart = _roots(squared)
    inverse = jnp.where(apart, 1 / jnp.where(apart, distances, 1.0), 0.0)
    inner = (squared[:, :, None] + squared[None, :, :] - squared[:, None, :]) / 2
    return inner * inverse[:, :, None] * inverse[None, :, :]


def _roots(squared: Array) -> tuple[Array, Array]:
    """Return distances with a finite gradient at 0, and a mask of those that are not 0."""
    size = squared.shape[0]
    apart = (squared > NEAR * squared.mean()) & ~jnp.eye(size, dtype=bool)
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0), apart


RKD = Method(
    name="rkd",
    title="distances and angles between windows",
    source="Park et al., Relational Knowledge Distillation, CVPR 2019",
    when="With any pair, when the weight is searched over orders of magnitude; between architectures of different "
    "kinds it helped little in comparisons on images.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"cross_entropy": "cross-entropy", "distances": "Huber loss of distances", "angles": "Huber loss of angles"},
    # Published: 25 and 50; the searched weight scales both.
    hyperparameters={
        "weight": Range(0.1, 0.003, 3.0, log=True),
        "distance": Range(25.0, 25.0, 25.0),
        "angle": Range(50.0, 50.0, 50.0),
    },
    view=flat,
)
