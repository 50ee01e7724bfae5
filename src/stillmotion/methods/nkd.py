"""NKD: the other classes are normalised to sum to one; the teacher's probability of the true class is a soft label.

Where this differs from the published code:

- The window's class is left out of the last term, as in the paper and in the versions of the published file that lower
  its logit by 1,000. In another version the mask is all ones, so that no class is left out.

For a window with a mixed label (mixup), t is the class with the larger share, at equal shares the first, as in the
published code.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..limits import TEMPERATURE
from .classes import log_others, own_class
from .losses import cross_entropy
from .method import Batch, Method, Range, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud − w · T_t log S_t − γ · τ² · Σ_{i≠t} T̂_i log Ŝ_i.

    t is the window's class, T and S the probabilities of teacher and student, T̂ and Ŝ the same at temperature τ,
    normalised over the classes other than t. With two classes the last term is 0.
    """
    tau, own = hyperparameters["temperature"], own_class(batch)
    log_s, log_t = (jax.nn.log_softmax(each["logits"]) for each in (student, teacher))
    target = -jnp.mean(jnp.sum(own * jnp.exp(log_t) * log_s, -1))
    others, taught = (log_others(each["logits"] / tau, own) for each in (student, teacher))
    rest = -jnp.mean(jnp.sum(jnp.exp(taught) * jnp.where(own > 0, 0.0, others), -1))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "target_class": hyperparameters["weight"] * target,
        "other_classes": hyperparameters["gamma"] * tau**2 * rest,
    }


NKD = Method(
    name="nkd",
    title="normalised distillation",
    source="Yang et al., From Knowledge Distillation to Self-Knowledge Distillation, ICCV 2023",
    when="With any pair; it has fewer hyperparameters than DKD and no warm-up.",
    objective=objective,
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "target_class": "cross-entropy at the teacher's certainty",
        "other_classes": "cross-entropy among other classes",
    },
    hyperparameters={
        "temperature": Range(1.0, 1.0, 4.0, log=True, limits=TEMPERATURE),
        "gamma": Range(1.5, 0.3, 3.0, log=True),
        "weight": Range(1.0, 1.0, 1.0),
    },
)
