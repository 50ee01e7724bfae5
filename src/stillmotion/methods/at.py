"""AT: where in time the stages of the student are active is to be where the teacher's are."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from .losses import cross_entropy
from .method import Array, Batch, Extras, Method, Number, Shapes, Taps, Terms
from .stages import is_stage, paired, require_moments, sequence, stage_pairs

#: Added to a sum of squares before its root is taken.
LEAST = 1e-12


def objective(batch: Batch, student: Taps, teacher: Taps, numbers: Taps, extras: Taps) -> Terms:
    r"""L = L_stud + w · Σ_pairs ‖Q_S/‖Q_S‖ − Q_T/‖Q_T‖‖, Q(t) = mean over features and sensors of f(t)², a mean over B.

    ``square`` 1 takes the squared distance instead, as published code does. Pairs with a single moment say nothing.
    """
    apart = jnp.zeros(())
    for mine, theirs in stage_pairs(student, teacher):
        ours, target = paired(student[mine], teacher[theirs])
        if ours.shape[1] < 2:
            continue
        squared = jnp.sum((_unit(ours[..., 0]) - _unit(target[..., 0])) ** 2, -1)
        apart += jnp.mean(jnp.where(numbers["square"] > 0, squared, jnp.sqrt(squared + LEAST)))
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "maps": numbers["weight"] * apart}


def maps(taps: Taps) -> dict[str, Array]:
    """Stages as their energy over time (B, moments, 1), everything else as it is."""
    return {name: _energy(x) if is_stage(name) else x for name, x in taps.items()}


def _energy(x: Array) -> Array:
    x = x if len(x.shape) > 2 else x[:, None, :]
    energy = x**2
    while len(energy.shape) > 2:
        energy = energy.mean(-1)
    return sequence(energy[..., None])


def _unit(x: Array) -> Array:
    return x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + LEAST)


def _check(student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator) -> Extras:
    require_moments(student, teacher, method="at")
    return {}


AT = Method(
    name="at",
    title="attention transfer: where stages are active in time",
    source="Zagoruyko & Komodakis, Paying More Attention to Attention, ICLR 2017",
    when="When both networks have stages over time; between kinds, comparisons on images saw it hurt.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    numbers={"weight": Number(1.0, 0.03, 30.0, log=True), "square": Number(0.0, 0.0, 0.0)},
    extras=_check,
    view=maps,
)
