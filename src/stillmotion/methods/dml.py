"""DML: student and teacher learn from each other's probabilities in every step.

Where this differs from the published code:

- Both networks are updated in one step from one batch; published, they take turns, each with its own batch.
- KL is exact; published code adds 10⁻⁸ inside the logarithm.
"""

from __future__ import annotations

import jax

from ..limits import TEMPERATURE
from .losses import cross_entropy, kl_divergence
from .method import Batch, Method, Range, Taps, Terms


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + L_teach + s · τ² · KL(p_T ‖ p_S) + t · τ² · KL(p_S ‖ p_T), targets without gradient.

    The first divergence moves the student, the second the teacher; published: s = t = 1 and τ = 1, both from scratch.
    """
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "teacher_cross_entropy": cross_entropy(batch, teacher["logits"]),
        **exchange(student, teacher, hyperparameters),
    }


def exchange(student: Taps, teacher: Taps, hyperparameters: Taps) -> Terms:
    """Return the KL terms between the logits of two networks, one for each direction."""
    tau, mine, theirs = hyperparameters["temperature"], student["logits"], teacher["logits"]
    to_student = kl_divergence(jax.lax.stop_gradient(theirs), mine, tau)
    to_teacher = kl_divergence(jax.lax.stop_gradient(mine), theirs, tau)
    return {
        "to_student": hyperparameters["to_student"] * tau**2 * to_student,
        "to_teacher": hyperparameters["to_teacher"] * tau**2 * to_teacher,
    }


DML = Method(
    name="dml",
    title="deep mutual learning",
    source="Zhang et al., Deep Mutual Learning, CVPR 2018",
    when="When there is no good teacher yet, or the teacher should learn too; every step costs both networks.",
    objective=objective,
    teacher_taps=("logits",),
    terms={
        "cross_entropy": "cross-entropy",
        "teacher_cross_entropy": "cross-entropy",
        "to_student": "KL of probabilities",
        "to_teacher": "KL of probabilities",
    },
    hyperparameters={
        "temperature": Range(1.0, 1.0, 1.0, limits=TEMPERATURE),
        "to_student": Range(1.0, 0.1, 10.0, log=True),
        "to_teacher": Range(1.0, 0.0, 1.0),
    },
    options={"start": ("scratch", "pretrained")},
    trains_teacher=True,
)
