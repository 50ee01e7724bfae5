"""AT: the student's stages learn to be active at the same moments as the teacher's.

Where this differs from the published code:

- The default is the paper's norm; published code (the authors', mdistiller, RepDistiller) takes the mean over positions
  of the squared difference instead, weighted by 1,000 in the latter two: ``square`` 1.
- Positions are moments in time. Energies are averaged to the shorter network's moments, 16 at most; published code
  averages features before squaring them.
- All pairs of stages count; published code leaves out the stem.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from .losses import cross_entropy
from .method import Array, AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .stages import is_stage, paired, require_time_steps, stage_pairs, to_sequence

#: Added to a sum of squares before its root is taken.
LEAST = 1e-12


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + w · Σ_pairs ‖Q_S/‖Q_S‖ − Q_T/‖Q_T‖‖, Q(t) = mean over features and sensors of f(t)², a mean over B.

    ``square`` 1 takes the mean over moments of the squared difference instead of the norm, as published code does.
    Pairs with a single moment are left out.
    """
    apart = jnp.zeros(())
    for mine, theirs in stage_pairs(student, teacher):
        ours, target = paired(student[mine], teacher[theirs])
        if ours.shape[1] < 2:
            continue
        squared = (_unit(ours[..., 0]) - _unit(target[..., 0])) ** 2
        norm = jnp.sqrt(jnp.sum(squared, -1) + LEAST)
        apart += jnp.mean(jnp.where(hyperparameters["square"] > 0, jnp.mean(squared, -1), norm))
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "maps": hyperparameters["weight"] * apart}


def maps(taps: Taps) -> dict[str, Array]:
    """Replace stages by their energy over time (B, moments, 1); keep all other taps."""
    return {name: _energy(x) if is_stage(name) else x for name, x in taps.items()}


def _energy(x: Array) -> Array:
    x = x if len(x.shape) > 2 else x[:, None, :]
    energy = x**2
    while len(energy.shape) > 2:
        energy = energy.mean(-1)
    return to_sequence(energy[..., None])


def _unit(x: Array) -> Array:
    return x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + LEAST)


def _check(student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator) -> AuxParamArrays:
    require_time_steps(student, teacher, method="at")
    return {}


AT = Method(
    name="at",
    title="attention transfer: where stages are active in time",
    source="Zagoruyko & Komodakis, Paying More Attention to Attention, ICLR 2017",
    when="When both networks have stages over time; in comparisons on images it hurt between architectures of "
    "different kinds.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    terms={"cross_entropy": "cross-entropy", "maps": "distance of normalised energies"},
    hyperparameters={"weight": Range(1.0, 0.03, 30.0, log=True), "square": Range(0.0, 0.0, 0.0)},
    aux_params=_check,
    view=maps,
)
