"""HMKD: teacher and student of different kinds learn from each other, at intermediate layers and at the output.

Known from the abstract of Xiao et al. (TNNLS 36(9), 2025): distillation is mutual, between networks of different kinds;
it acts on intermediate and output layers; a weighted ensemble feature merges the intermediate features of both.

Where this differs from the published code: not known, since no code is published. We had the abstract only; everything
else is our reconstruction:

- Every stage of both networks is averaged over time, projected to ``WIDTH`` features and standardised window by window,
  so that the scale of a network's features gives it no weight. Each has an auxiliary classifier with cross-entropy.
- The ensemble feature is a weighted mean of these. The weights are a trained softmax with a floor: the share ``floor``
  is distributed evenly, since the weights otherwise collapse onto the teacher. A classifier on the ensemble feature is
  trained with cross-entropy.
- ``ensemble`` ``joint``: one feature from the stages of both networks. Each network's own feature, the weighted mean of
  its stages alone, has a head; ensemble and heads learn from each other. ``per-network``: a feature for each network,
  the classifier shared, and the two learn from each other.
- Divergences are KL with targets that have no gradient, as large as the direction's weight (``to_student``,
  ``to_teacher``), and rise from 0 over the first ``warmup`` of the run.
- In both settings, cross-entropy of an ensemble trains both networks: ``to_teacher`` 0 removes the divergences from the
  student to the teacher, but not this term.

Ablations: ``intermediate`` 0 keeps the output level only, ``output`` 0 the intermediate level only, ``weighting`` 0
takes plain means; ``start`` chooses whether the teacher begins from scratch or pretrained.
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

#: Width of the ensemble feature.
WIDTH = 64
NETWORKS = ("student", "teacher")


def objective(batch: Batch, student: Taps, teacher: Taps, hyperparameters: Taps, aux_params: Taps) -> Terms:
    r"""L = L_stud + L_teach + o · (s · KL(p_T ‖ p_S) + t · KL(p_S ‖ p_T)) + i · (x · L_aux + L_ens + L_feature).

    s, t are ``to_student`` and ``to_teacher`` after the warm-up, o and i ``output`` and ``intermediate``, x
    ``auxiliary``. L_aux is the mean cross-entropy of the stages' classifiers, summed over both networks, L_ens that of
    the ensemble. L_feature, joint: s · KL(e ‖ h_S) + t · KL(e ‖ h_T) + r · (KL(h_S ‖ e) + KL(h_T ‖ e)), e and h the
    logits of ensemble and heads, r the warm-up; per network: s · KL(e_T ‖ e_S) + t · KL(e_S ‖ e_T). All KL times τ².
    """
    rise = warmed(batch, hyperparameters["warmup"])
    directions = {
        **hyperparameters,
        "to_student": rise * hyperparameters["to_student"],
        "to_teacher": rise * hyperparameters["to_teacher"],
    }
    terms = {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "teacher_cross_entropy": cross_entropy(batch, teacher["logits"]),
        **{name: hyperparameters["output"] * term for name, term in exchange(student, teacher, directions).items()},
    }
    both = dict(zip(NETWORKS, (student, teacher), strict=True))
    features = {network: _features(network, taps, aux_params) for network, taps in both.items()}
    auxiliary = jnp.zeros(())
    for network, rows in features.items():
        stages = [apply_projector(row, aux_params, f"{network}/{name}/classifier") for name, row in rows.items()]
        auxiliary += sum(cross_entropy(batch, logits) for logits in stages) / len(stages)
    merged = _joint if "ensemble/weights" in aux_params else _per_network
    parts = {
        "auxiliary": hyperparameters["auxiliary"] * auxiliary,
        **merged(batch, features, directions, rise, aux_params),
    }
    return terms | {name: hyperparameters["intermediate"] * term for name, term in parts.items()}


def ensemble_weights(aux_params: Taps, hyperparameters: Taps, student: Shapes, teacher: Shapes) -> dict[str, float]:
    """Return the weight of each stage in the ensemble, by ``student/stage1`` …, for reports.

    Args:
        aux_params: the trained auxiliary parameters, by name.
        hyperparameters: those of the method.
        student, teacher: taps of both networks, by name.
    """
    both = zip(NETWORKS, (student, teacher), strict=True)
    names = {network: [f"{network}/{tap}" for tap in list_stages(taps)] for network, taps in both}
    if "ensemble/weights" in aux_params:
        groups = [("ensemble/weights", [*names["student"], *names["teacher"]])]
    else:
        groups = [(f"{network}/weights", names[network]) for network in NETWORKS]
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
    rows = [row for network in NETWORKS for row in features[network].values()]
    ensemble = apply_projector(_mean(rows, weights), aux_params, "ensemble/classifier")
    count = len(features["student"])
    shares = dict(zip(NETWORKS, (weights[:count], weights[count:]), strict=True))
    terms = {"ensemble": cross_entropy(batch, ensemble), "to_ensemble": jnp.zeros(())}
    tau, still = hyperparameters["temperature"], jax.lax.stop_gradient
    for network in NETWORKS:
        # The network's own feature keeps the ensemble's proportions, and does not shape them.
        own = still(shares[network] / shares[network].sum())
        head = apply_projector(_mean(list(features[network].values()), own), aux_params, f"{network}/head")
        weight = hyperparameters[f"to_{network}"] * tau**2
        terms[f"feature_to_{network}"] = weight * kl_divergence(still(ensemble), head, tau)
        terms["to_ensemble"] += rise * tau**2 * kl_divergence(still(head), ensemble, tau)
    return terms


def _per_network(
    batch: Batch, features: Mapping[str, dict[str, Array]], hyperparameters: Taps, rise: Array, aux_params: Taps
) -> Terms:
    outputs = {}
    for network in NETWORKS:
        weights = _weights(aux_params[f"{network}/weights"], hyperparameters)
        feature = _mean(list(features[network].values()), weights)
        outputs[network] = {"logits": apply_projector(feature, aux_params, "ensemble/classifier")}
    exchanged = exchange(outputs["student"], outputs["teacher"], hyperparameters)
    return {
        "ensemble": sum(cross_entropy(batch, outputs[network]["logits"]) for network in NETWORKS),
        **{f"feature_{name}": term for name, term in exchanged.items()},
    }


def _features(network: str, taps: Taps, aux_params: Taps) -> dict[str, Array]:
    """(B, WIDTH) of each stage, front to back."""
    return {
        name: standardise(apply_projector(taps[name].mean(1), aux_params, f"{network}/{name}/feature"))
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
    aux_params: AuxParamArrays = {}
    classes, joint = student["logits"][0], options["ensemble"] == "joint"
    for network, taps in zip(NETWORKS, (student, teacher), strict=True):
        names = list_stages(taps)
        for name in names:
            aux_params |= init_projector(f"{network}/{name}/feature", taps[name][-1], WIDTH, rng)
            aux_params |= init_projector(f"{network}/{name}/classifier", WIDTH, classes, rng)
        if joint:
            aux_params |= init_projector(f"{network}/head", WIDTH, classes, rng)
        else:
            aux_params[f"{network}/weights"] = np.zeros(len(names), np.float32)
    aux_params |= init_projector("ensemble/classifier", WIDTH, classes, rng)
    if joint:
        aux_params["ensemble/weights"] = np.zeros(len(list_stages(student)) + len(list_stages(teacher)), np.float32)
    return aux_params


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
