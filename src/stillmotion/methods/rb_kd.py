"""RB-KD: the student learns from the labels and the teacher's softened probabilities.

Where this differs from the published code: nowhere in the formula (checked against mdistiller and RepDistiller, KL
summed over classes). They weigh labels 0.1 and the teacher 0.9, at T = 4; here the default of α is 0.5, and α is
searched.
"""

from __future__ import annotations

import jax.numpy as jnp

from ..limits import SHARE, TEMPERATURE
from .losses import cross_entropy, kl_divergence
from .method import Batch, Method, Range, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = α · L_stud + (1 − α) · T² · KL(q_T ‖ q_S), softened at temperature T.

    The page of Agac & Incel leaves out the factor T², their code has it; ``square`` 0 leaves it out. Where
    ``imbalance`` weighs classes, both terms are weighted: with weights in the first alone, the teacher's term would
    favour the frequent classes again. ``weighted`` 0 leaves the second term without them.
    """
    alpha, temperature = hyperparameters["alpha"], hyperparameters["temperature"]
    factor = jnp.where(hyperparameters["square"] > 0, temperature**2, 1.0)
    weights = jnp.where(hyperparameters["weighted"] > 0, batch.weights, 1.0)
    taught = kl_divergence(teacher["logits"], student["logits"], temperature, weights)
    return {
        "cross_entropy": alpha * cross_entropy(batch, student["logits"]),
        "distillation": (1 - alpha) * factor * taught,
    }


RB_KD = Method(
    name="rb-kd",
    title="response-based distillation",
    source="Hinton, Vinyals & Dean 2015; Agac & Incel: α L_stud + (1 − α) L_dist",
    when="Try it first, with any teacher (a file of scores is enough): it is cheap and rarely hurts.",
    objective=objective,
    teacher_taps=("logits",),
    terms={"cross_entropy": "cross-entropy", "distillation": "KL of softened probabilities"},
    # The grid of Agac & Incel: T in {1, 2, 4, 6, 8, 10, 15}, α in {0.1 … 0.9}.
    hyperparameters={
        "temperature": Range(4.0, 1.0, 15.0, log=True, limits=TEMPERATURE),
        "alpha": Range(0.5, 0.1, 0.9, limits=SHARE),
        "square": Range(1.0, 1.0, 1.0),
        "weighted": Range(1.0, 1.0, 1.0),
    },
)
