"""DKD: KD split into the window's class and the other classes, each with its own weight.

Where this differs from the published code:

- ``b`` is 1.5, published for CIFAR-100 8 (for other pairs 1 to 8): with few classes the others hold less information.
- r rises step by step over a share of the run; published epoch by epoch over 20 epochs of 240.
- Probabilities are summed by log-sum-exp; the published logarithm of a sum is −∞ where a class has all the probability.
  The logit of the class itself is replaced; published, it is lowered by 1,000, with the same result.

For a window with a mixed label (mixup), t is the class with the larger share, at equal shares the first, as in the
published code of OFA, which contains DKD; the code of DKD itself has no mixed labels.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..limits import SHARE, TEMPERATURE
from .classes import log_others, log_own_and_rest, own_class, warmed
from .losses import cross_entropy
from .method import Batch, Method, Range, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + r · τ² · (a · TCKD + b · NCKD), softened at temperature τ.

    TCKD = KL between (p_t, 1 − p_t) of teacher and student, t the window's class; NCKD = Σ_{i≠t} p̂ᵀ_i log(p̂ᵀ_i / p̂ˢ_i)
    with p̂ the softmax over the classes other than t. r rises from 0 to 1 over the first ``warmup`` of the run. With
    two classes NCKD is 0.
    """
    tau, own = hyperparameters["temperature"], own_class(batch)
    mine, theirs = student["logits"] / tau, teacher["logits"] / tau
    two, two_taught = log_own_and_rest(mine, own), log_own_and_rest(theirs, own)
    others, others_taught = log_others(mine, own), log_others(theirs, own)
    target = jnp.mean(jnp.sum(jnp.exp(two_taught) * (two_taught - two), -1))
    apart = jnp.where(own > 0, 0.0, others_taught - others)
    rest = jnp.mean(jnp.sum(jnp.exp(others_taught) * apart, -1))
    factor = warmed(batch, hyperparameters["warmup"]) * tau**2
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "target_class": factor * hyperparameters["a"] * target,
        "other_classes": factor * hyperparameters["b"] * rest,
    }


DKD = Method(
    name="dkd",
    title="decoupled distillation",
    source="Zhao et al., Decoupled Knowledge Distillation, CVPR 2022",
    when="With any pair and six or more classes; with two classes its second term is 0.",
    objective=objective,
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "target_class": "KL of the class against the rest",
        "other_classes": "KL among other classes",
    },
    # Published b is 1–8 for 100 and more classes; with few classes the others hold less information.
    hyperparameters={
        "temperature": Range(4.0, 1.0, 8.0, log=True, limits=TEMPERATURE),
        "a": Range(1.0, 1.0, 1.0),
        "b": Range(1.5, 0.5, 4.0, log=True),
        "warmup": Range(0.15, 0.15, 0.15, limits=SHARE),
    },
)
