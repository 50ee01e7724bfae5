"""HMKD: teacher and student of different kinds learn from each other, at intermediate layers and at the output.

Known, from the abstract of Xiao et al. (TNNLS 36(9), 2025): distillation is mutual, between networks of unlike kinds;
it acts on intermediate and output layers; a weighted ensemble feature merges the intermediate features of both.

Where this differs from the published code: not known, no code is published. Our reconstruction is all else; the paper's
full text was not at hand:

- Every stage of both networks is averaged over time, projected to ``WIDTH`` features and standardised window by window,
  so that no network weighs more because its features are larger. Each has an auxiliary classifier with cross-entropy.
- The ensemble feature is a weighted mean of these, weights a softmax of trained numbers with a floor: ``floor`` of the
  whole is dealt out evenly, since the weights otherwise collapse onto the teacher. A classifier says the classes from
  it, with cross-entropy.
- ``ensemble`` ``joint``: one feature from the stages of both networks. Each network's own feature, the weighted mean of
  its stages alone, has a head; ensemble and heads learn from each other. ``per-network``: a feature for each network,
  the classifier shared, and the two learn from each other.
- Divergences are KL with targets that have no gradient, as large as the direction's weight (``to_student``,
  ``to_teacher``), and rise from 0 over the first ``warmup`` of the run.
- Joint or not, cross-entropy of an ensemble reaches both networks: ``to_teacher`` 0 stops what the student tells the
  teacher, not that.

Ablations: ``intermediate`` 0 leaves the output level alone, ``output`` 0 the intermediate one, ``weighting`` 0 takes
plain means; ``start`` says whether the teacher begins from scratch.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ..limits import SHARE, TEMPERATURE
from .classes import warmed
from .dml import exchange
from .losses import cross_entropy, kl_divergence
from .ls_kd import standardise
from .method import Array, AuxParamArrays, Batch, Method, Range, Shapes, Taps, Terms
from .projectors import apply_projector, init_projector
from .stages import averaged, list_stages

#: Features of an ensemble.
WIDTH = 64
SIDES = ("student", "teacher")


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + L_teach + o · (s · KL(p_T ‖ p_S) + t · KL(p_S ‖ p_T)) + i · (x · L_aux + L_ens + L_feature).

    s, t are ``to_student`` and ``to_teacher`` after the warm-up, o and i ``output`` and ``intermediate``, x
    ``auxiliary``. L_aux is the mean cross-entropy of the stages' classifiers, summed over both networks, L_ens that of
    the ensemble. L_feature, joint: s · KL(e ‖ h_S) + t · KL(e ‖ h_T) + r · (KL(h_S ‖ e) + KL(h_T ‖ e)), e and h what
    ensemble and heads say, r the warm-up; per network: s · KL(e_T ‖ e_S) + t · KL(e_S ‖ e_T). All KL times τ².
    """
    rise = warmed(batch, hyperparameters["warmup"])
    told = {
        **hyperparameters,
        "to_student": rise * hyperparameters["to_student"],
        "to_teacher": rise * hyperparameters["to_teacher"],
    }
    terms = {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "teacher_cross_entropy": cross_entropy(batch, teacher["logits"]),
        **{name: hyperparameters["output"] * term for name, term in exchange(student, teacher, told).items()},
    }
    both = dict(zip(SIDES, (student, teacher), strict=True))
    features = {side: _features(side, taps, aux_params) for side, taps in both.items()}
    auxiliary = jnp.zeros(())
    for side, rows in features.items():
        said = [apply_projector(row, aux_params, f"{side}/{name}/classifier") for name, row in rows.items()]
        auxiliary += sum(cross_entropy(batch, logits) for logits in said) / len(said)
    merged = _joint if "ensemble/weights" in aux_params else _per_network
    parts = {"auxiliary": hyperparameters["auxiliary"] * auxiliary, **merged(batch, features, told, rise, aux_params)}
    return terms | {name: hyperparameters["intermediate"] * term for name, term in parts.items()}


def ensemble_weights(aux_params: Taps, hyperparameters: Taps, student: Shapes, teacher: Shapes) -> dict[str, float]:
    """What each stage weighs in the ensemble, by ``student/stage1`` …, for reports.

    Args:
        aux_params: what was trained beside the networks, by name.
        hyperparameters: of the method.
        student, teacher: the taps of both, by name.
    """
    both = zip(SIDES, (student, teacher), strict=True)
    names = {side: [f"{side}/{tap}" for tap in list_stages(taps)] for side, taps in both}
    if "ensemble/weights" in aux_params:
        groups = [("ensemble/weights", [*names["student"], *names["teacher"]])]
    else:
        groups = [(f"{side}/weights", names[side]) for side in SIDES]
    return {
        name: float(weight)
        for key, members in groups
        for name, weight in zip(
            members, np.asarray(_weights(jnp.asarray(aux_params[key]), hyperparameters)), strict=True
        )
    }


def _joint(
    batch: Batch, features: Mapping[str, dict[str, Array]], hyperparameters: Taps, rise: Array, aux_params: Taps
) -> Terms:
    weights = _weights(aux_params["ensemble/weights"], hyperparameters)
    rows = [row for side in SIDES for row in features[side].values()]
    ensemble = apply_projector(_mean(rows, weights), aux_params, "ensemble/classifier")
    count = len(features["student"])
    shares = dict(zip(SIDES, (weights[:count], weights[count:]), strict=True))
    terms = {"ensemble": cross_entropy(batch, ensemble), "to_ensemble": jnp.zeros(())}
    tau, still = hyperparameters["temperature"], jax.lax.stop_gradient
    for side in SIDES:
        # The network's own feature keeps the ensemble's proportions, and does not shape them.
        own = still(shares[side] / shares[side].sum())
        head = apply_projector(_mean(list(features[side].values()), own), aux_params, f"{side}/head")
        terms[f"feature_to_{side}"] = hyperparameters[f"to_{side}"] * tau**2 * kl_divergence(still(ensemble), head, tau)
        terms["to_ensemble"] += rise * tau**2 * kl_divergence(still(head), ensemble, tau)
    return terms


def _per_network(
    batch: Batch, features: Mapping[str, dict[str, Array]], hyperparameters: Taps, rise: Array, aux_params: Taps
) -> Terms:
    said = {}
    for side in SIDES:
        weights = _weights(aux_params[f"{side}/weights"], hyperparameters)
        said[side] = {
            "logits": apply_projector(_mean(list(features[side].values()), weights), aux_params, "ensemble/classifier")
        }
    told = exchange(said["student"], said["teacher"], hyperparameters)
    return {
        "ensemble": cross_entropy(batch, said["student"]["logits"]) + cross_entropy(batch, said["teacher"]["logits"]),
        **{f"feature_{name}": term for name, term in told.items()},
    }


def _features(side: str, taps: Taps, aux_params: Taps) -> dict[str, Array]:
    """(B, WIDTH) of each stage, front to back."""
    return {
        name: standardise(apply_projector(taps[name].mean(1), aux_params, f"{side}/{name}/feature"))
        for name in list_stages(taps)
    }


def _weights(trained: Array, hyperparameters: Taps) -> Array:
    """Positive, summing to 1, none below floor / n; all alike without weighting."""
    even = jnp.ones_like(trained) / trained.shape[0]
    learnt = hyperparameters["floor"] * even + (1 - hyperparameters["floor"]) * jax.nn.softmax(trained)
    return hyperparameters["weighting"] * learnt + (1 - hyperparameters["weighting"]) * even


def _mean(rows: list[Array], weights: Array) -> Array:
    return jnp.einsum("n,nbf->bf", weights, jnp.stack(rows))


def _init_aux_params(
    student: Shapes, teacher: Shapes, options: Mapping[str, str], rng: np.random.Generator
) -> AuxParamArrays:
    made: AuxParamArrays = {}
    classes, joint = student["logits"][0], options["ensemble"] == "joint"
    for side, taps in zip(SIDES, (student, teacher), strict=True):
        names = list_stages(taps)
        for name in names:
            made |= init_projector(f"{side}/{name}/feature", taps[name][-1], WIDTH, rng)
            made |= init_projector(f"{side}/{name}/classifier", WIDTH, classes, rng)
        if joint:
            made |= init_projector(f"{side}/head", WIDTH, classes, rng)
        else:
            made[f"{side}/weights"] = np.zeros(len(names), np.float32)
    made |= init_projector("ensemble/classifier", WIDTH, classes, rng)
    if joint:
        made["ensemble/weights"] = np.zeros(len(list_stages(student)) + len(list_stages(teacher)), np.float32)
    return made


HMKD = Method(
    name="hmkd",
    title="heterogeneous mutual distillation",
    source="Xiao et al. (HMKD), TNNLS 36(9), 2025, as far as its abstract says; the rest is ours",
    when="When the networks are of different kinds and every step may cost both; weigh it against DML at "
    "equal budgets.",
    objective=objective,
    student_taps=("logits", "stage*"),
    teacher_taps=("logits", "stage*"),
    terms={
        "cross_entropy": "cross-entropy",
        "teacher_cross_entropy": "cross-entropy",
        "to_student": "KL of probabilities",
        "to_teacher": "KL of probabilities",
        "auxiliary": "cross-entropy of stages",
        "ensemble": "cross-entropy of the ensemble",
        "feature_to_student": "KL to the ensemble",
        "feature_to_teacher": "KL to the ensemble",
        "to_ensemble": "KL of the ensemble",
    },
    hyperparameters={
        "to_student": Range(1.0, 0.1, 10.0, log=True),
        "to_teacher": Range(0.3, 0.0, 1.0),
        "temperature": Range(1.0, 1.0, 1.0, limits=TEMPERATURE),
        "auxiliary": Range(0.3, 0.3, 0.3),
        "floor": Range(0.2, 0.2, 0.2, limits=SHARE),
        "warmup": Range(0.1, 0.1, 0.1, limits=SHARE),
        "output": Range(1.0, 1.0, 1.0),
        "intermediate": Range(1.0, 1.0, 1.0),
        "weighting": Range(1.0, 1.0, 1.0),
    },
    options={"ensemble": ("joint", "per-network"), "start": ("scratch", "pretrained")},
    aux_params=_init_aux_params,
    view=averaged,
    trains_teacher=True,
    learnt=ensemble_weights,
)
