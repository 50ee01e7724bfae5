"""SimKD: the student's embedding learns to equal the teacher's, and the teacher's classifier is reused.

The projector between the embeddings is linear, so projector and classifier are one matrix, which replaces the student's
classifier after every step. The published method keeps a deeper projector at inference, which costs more than a student
for a watch; here a device runs the student alone, and the projector is part of its cost.

Where this differs from the published code:

- The projector is linear and acts on embeddings; published it acts on the maps before pooling: three convolutions with
  batch norm and ReLU.
- It becomes part of the student's classifier; published it stays in the network at inference.

Labels, mixed or not, are not used.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from .embeddings import flat
from .method import AuxParamArrays, Batch, Classifier, Method, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = ‖r(e_S) − e_T‖², e the embeddings and r a trained linear projector to the teacher's width.

    The square is a mean over features. There is no other term: labels have an effect only through the teacher's
    classifier.
    """
    ours = apply_projector(student["embedding"], aux_params, "projector")
    return {"embedding": jnp.mean((ours - teacher["embedding"]) ** 2)}


def _classifier(aux_params: Taps, teacher: Classifier) -> Classifier:
    """z = (e_S P + p) W_T + b_T as one dense layer on e_S."""
    kernel, bias = teacher
    return aux_params["projector/kernel"] @ kernel, aux_params["projector/bias"] @ kernel + bias


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    return init_projector("projector", student["embedding"][0], teacher["embedding"][0], rng)


SIMKD = Method(
    name="simkd",
    title="the teacher's classifier, reused",
    source="Chen et al., Knowledge Distillation with the Reused Teacher Classifier, CVPR 2022",
    when="When a single teacher that ends in a dense classifier is far better than the student; the student takes over "
    "its mistakes too.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"embedding": "squared difference"},
    aux_params=_init_aux_params,
    classifier=_classifier,
    view=flat,
)
