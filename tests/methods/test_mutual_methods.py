"""DML and HMKD equal loops over their formulas; terms for one network have no gradient in the other."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from stillmotion.methods import get_method
from stillmotion.methods.hmkd import WIDTH, ensemble_weights

from .by_hand import check, cross_entropy, drawn, evaluate, kl, labels, linear, softmax

B, C = 4, 3
STUDENT = {"logits": (C,), "stage1": (1, 3), "stage2": (5, 2)}
TEACHER = {"logits": (C,), "stage1": (4, 2), "stage2": (1, 5), "stage3": (6, 4)}


def apart(targets, answers, tau=1.0):
    """τ² KL, summed over classes, as a mean over windows."""
    rows = zip(targets, answers, strict=True)
    return tau**2 * sum(kl(softmax(t / tau), softmax(a / tau)) for t, a in rows) / len(answers)


def exchange(student, teacher, held_student, held_teacher, hyperparameters, rise=1.0):
    tau = hyperparameters["temperature"]
    return {
        "to_student": rise * hyperparameters["to_student"] * apart(held_teacher, student, tau),
        "to_teacher": rise * hyperparameters["to_teacher"] * apart(held_student, teacher, tau),
    }


def dml(batch, student, teacher, hyperparameters, aux_params, held=None):
    still = held or (student, teacher, aux_params)
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "teacher_cross_entropy": cross_entropy(batch, teacher["logits"]),
        **exchange(student["logits"], teacher["logits"], still[0]["logits"], still[1]["logits"], hyperparameters),
    }


def features(taps, aux_params, side):
    """(windows, stages, WIDTH), standardised."""
    names = sorted(name for name in taps if name.startswith("stage"))
    made = np.zeros((B, len(names), WIDTH))
    for b in range(B):
        for n, name in enumerate(names):
            row = linear(taps[name][b].mean(0), aux_params, f"{side}/{name}/feature")
            made[b, n] = (row - row.mean()) / np.std(row, ddof=1)
    return made


def weights_of(trained, hyperparameters):
    n = len(trained)
    learnt = [hyperparameters["floor"] / n + (1 - hyperparameters["floor"]) * share for share in softmax(trained)]
    return np.array([hyperparameters["weighting"] * w + (1 - hyperparameters["weighting"]) / n for w in learnt])


def classify(rows, weights, aux_params, head):
    """Logits of a head on the weighted mean of a network's stages."""
    return np.stack(
        [linear(sum(w * row for w, row in zip(weights, each, strict=True)), aux_params, head) for each in rows]
    )


def ensembles(student, teacher, aux_params, hyperparameters):
    """Logits of every head: joint and own, or one a network."""
    mine, theirs = features(student, aux_params, "student"), features(teacher, aux_params, "teacher")
    if "ensemble/weights" in aux_params:
        w = weights_of(aux_params["ensemble/weights"], hyperparameters)
        return mine, theirs, w, classify(np.concatenate([mine, theirs], 1), w, aux_params, "ensemble/classifier")
    one, other = (
        classify(rows, weights_of(aux_params[f"{side}/weights"], hyperparameters), aux_params, "ensemble/classifier")
        for side, rows in (("student", mine), ("teacher", theirs))
    )
    return mine, theirs, one, other


def hmkd(batch, student, teacher, hyperparameters, aux_params, held=None):
    still = held or (student, teacher, aux_params)
    rise = min(1.0, batch.done / hyperparameters["warmup"])
    terms = {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "teacher_cross_entropy": cross_entropy(batch, teacher["logits"]),
    }
    output = exchange(
        student["logits"], teacher["logits"], still[0]["logits"], still[1]["logits"], hyperparameters, rise
    )
    terms |= {name: hyperparameters["output"] * value for name, value in output.items()}
    auxiliary = 0.0
    for side, taps in (("student", student), ("teacher", teacher)):
        rows = features(taps, aux_params, side)
        names = sorted(name for name in taps if name.startswith("stage"))
        for n, name in enumerate(names):
            heads = np.stack([linear(row, aux_params, f"{side}/{name}/classifier") for row in rows[:, n]])
            auxiliary += cross_entropy(batch, heads) / len(names)
    parts = {"auxiliary": hyperparameters["auxiliary"] * auxiliary}
    tau = hyperparameters["temperature"]
    now, then = ensembles(student, teacher, aux_params, hyperparameters), ensembles(*still, hyperparameters)
    if "ensemble/weights" in aux_params:
        mine, theirs, _, e = now
        old_mine, old_theirs, w, old_e = then
        parts |= {"ensemble": cross_entropy(batch, e), "to_ensemble": 0.0}
        split = mine.shape[1]
        for side, rows, old, share in (
            ("student", mine, old_mine, w[:split]),
            ("teacher", theirs, old_theirs, w[split:]),
        ):
            head = classify(rows, share / share.sum(), aux_params, f"{side}/head")
            old_head = classify(old, share / share.sum(), still[2], f"{side}/head")
            parts[f"feature_to_{side}"] = rise * hyperparameters[f"to_{side}"] * apart(old_e, head, tau)
            parts["to_ensemble"] += rise * apart(old_head, e, tau)
    else:
        parts["ensemble"] = cross_entropy(batch, now[2]) + cross_entropy(batch, now[3])
        found = exchange(now[2], now[3], then[2], then[3], hyperparameters, rise)
        parts |= {f"feature_{name}": value for name, value in found.items()}
    return terms | {name: hyperparameters["intermediate"] * value for name, value in parts.items()}


def descended(loops, batch, trees, held, hyperparameters):
    return sum(loops(batch, trees[0], trees[1], hyperparameters, trees[2], held).values())


def test_dml_is_its_formula():
    hyperparameters = {"to_student": 0.7, "to_teacher": 1.9}
    taps = [drawn(seed, 5, logits=(3,)) for seed in (1, 2)]
    check("dml", dml, *taps, batch=labels(5, 3), hyperparameters=hyperparameters, mutual=partial(descended, dml))


@pytest.mark.parametrize("ensemble", ["joint", "per-network"])
@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"to_student": 2.0, "to_teacher": 0.6, "warmup": 0.4, "temperature": 1.5},
        {"weighting": 0.0, "output": 0.5, "intermediate": 0.7, "auxiliary": 0.9},
    ],
    ids=["weighted", "even"],
)
def test_hmkd_is_its_formula(hyperparameters, ensemble):
    check(
        "hmkd",
        hmkd,
        drawn(1, B, **STUDENT),
        drawn(2, B, **TEACHER),
        batch=labels(B, C, done=0.1),
        hyperparameters=hyperparameters,
        mutual=partial(descended, hmkd),
        ensemble=ensemble,
    )


def slopes(name, hyperparameters, terms, **options):
    """Slopes of chosen terms in student, teacher and extras."""
    aux_params = get_method(name, **options).init_aux_params(dict(STUDENT), dict(TEACHER), 0)
    given = {"batch": labels(B, C), "hyperparameters": hyperparameters, "chosen": terms, "mutual": True, **options}
    return evaluate(name, drawn(1, B, **STUDENT), drawn(2, B, **TEACHER), aux_params, **given)[1]


def moves(tree):
    return any(np.abs(leaf).max() > 1e-9 for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("name", "options", "to_student", "to_teacher"),
    [
        ("dml", {}, ["to_student"], ["to_teacher"]),
        ("hmkd", {"ensemble": "joint"}, ["to_student", "feature_to_student"], ["to_teacher", "feature_to_teacher"]),
        ("hmkd", {"ensemble": "per-network"}, ["feature_to_student"], ["feature_to_teacher"]),
    ],
)
def test_terms_for_one_network_have_no_gradient_in_the_other(name, options, to_student, to_teacher):
    student, teacher, _ = slopes(name, {}, to_student, **options)
    assert moves(student)
    assert not moves(teacher)
    student, teacher, _ = slopes(name, {}, to_teacher, **options)
    assert moves(teacher)
    assert not moves(student)


def test_each_part_of_hmkd_can_be_left_out():
    intermediate = ["auxiliary", "ensemble", "feature_to_student", "feature_to_teacher", "to_ensemble"]
    assert not moves(slopes("hmkd", {"intermediate": 0.0}, intermediate))
    assert not moves(slopes("hmkd", {"output": 0.0}, ["to_student", "to_teacher"]))
    _, _, aux_params = slopes("hmkd", {"weighting": 0.0}, intermediate)
    assert not moves(aux_params["ensemble/weights"])
    _, _, aux_params = slopes("hmkd", {}, intermediate)
    assert moves(aux_params["ensemble/weights"])
    _, teacher, _ = slopes("hmkd", {"to_teacher": 0.0}, ["to_teacher", "feature_to_teacher"])
    assert not moves(teacher)


def test_the_weights_of_the_ensemble_have_a_floor_and_sum_to_one():
    values = get_method("hmkd").resolve({})
    found = ensemble_weights({"ensemble/weights": np.array([30.0, 0, 0, 0, 0])}, values, STUDENT, TEACHER)
    assert list(found) == ["student/stage1", "student/stage2", "teacher/stage1", "teacher/stage2", "teacher/stage3"]
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    assert min(found.values()) == pytest.approx(0.2 / 5, rel=1e-4)
    apart = {"student/weights": np.zeros(2), "teacher/weights": np.array([0.0, 9, 0])}
    each = ensemble_weights(apart, values, STUDENT, TEACHER)
    assert each["student/stage1"] == pytest.approx(0.5)
    assert each["teacher/stage2"] > 0.8


def test_hmkd_counts_what_it_trains_beside_the_networks():
    taps = [dict(STUDENT), dict(TEACHER)]
    made = get_method("hmkd").init_aux_params(*taps, 0)
    widths = [3, 2, 2, 5, 4]
    head = WIDTH * C + C
    expected = sum(width * WIDTH + WIDTH + head for width in widths) + 3 * head + len(widths)
    assert sum(values.size for values in made.values()) == expected
