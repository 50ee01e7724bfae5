"""CRD: the student's embedding of a window is contrasted with the teacher's embeddings of other classes' windows.

Where this differs from the published code:

- Negatives are the batch's windows of other classes, with a gradient; published, 16,384 are drawn from a memory bank of
  the whole data set, which is updated as a moving average (0.5) and has no gradient.
- The loss is the softmax over the window itself and its negatives (InfoNCE); published, each pair is
  classified against noise by itself (NCE), with a normaliser that is set in the first batch.
- The default temperature is 0.1, published 0.07; it is searched.

The class of a window with a mixed label (mixup) is the one with the larger share, at equal shares the first; published
code has no mixed labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ..limits import TEMPERATURE
from .classes import NEVER, own_class
from .embeddings import flat, unit
from .losses import cross_entropy
from .method import AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector

#: Width of the projected embeddings, as published.
WIDTH = 128


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · mean_i(−log e^{s_i·t_i/τ} / Σ_j e^{s_i·t_j/τ} − log e^{s_i·t_i/τ} / Σ_j e^{s_j·t_i/τ}).

    s and t are the embeddings of student and teacher, each through a trained projector to 128 features and brought to
    length 1; j runs over i itself and the windows of the batch that are of other classes; with few classes a batch
    holds enough of them.
    """
    mine = unit(apply_projector(student["embedding"], aux_params, "student"))
    theirs = unit(apply_projector(teacher["embedding"], aux_params, "teacher"))
    own = own_class(batch)
    same = own @ own.T - jnp.eye(own.shape[0]) > 0.5
    alike = jnp.where(same, NEVER, mine @ theirs.T / hyperparameters["temperature"])
    log_p = jnp.diagonal(jax.nn.log_softmax(alike, axis=1)) + jnp.diagonal(jax.nn.log_softmax(alike, axis=0))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "contrast": -hyperparameters["weight"] * jnp.mean(log_p),
    }


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    return {
        **init_projector("student", student["embedding"][0], WIDTH, rng),
        **init_projector("teacher", teacher["embedding"][0], WIDTH, rng),
    }


CRD = Method(
    name="crd",
    title="contrast with windows of other classes",
    source="Tian, Krishnan & Isola, Contrastive Representation Distillation, ICLR 2020",
    when="With any pair whose batches hold several classes; the strongest method on features in "
    "published comparisons on images.",
    objective=objective,
    student_taps=("logits", "embedding"),
    teacher_taps=("logits", "embedding"),
    terms={"cross_entropy": "cross-entropy", "contrast": "contrastive"},
    hyperparameters={
        "temperature": Range(0.1, 0.05, 0.2, log=True, limits=TEMPERATURE),
        "weight": Range(0.8, 0.1, 3.0, log=True),
    },
    aux_params=_init_aux_params,
    view=flat,
)
