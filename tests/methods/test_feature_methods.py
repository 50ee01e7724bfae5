"""Methods on stages and embeddings equal loops over their formulas, in value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.methods import METHODS, IncompatibleNetworks, get_method
from stillmotion.methods.alignment import averaging_matrix
from stillmotion.methods.stages import TIME_STEPS, averaged, condense, middle, stage_pairs

from .by_hand import check, cross_entropy, drawn, evaluate, kl, labels, linear, resized, stretches

B, C = 5, 3
STUDENT = {"stage1": (6, 2), "stage2": (4, 3)}
TEACHER = {"stage1": (3, 4), "stage2": (8, 3), "stage3": (5, 6)}
DENSE = {"stage1": (1, 5), "stage2": (1, 4)}


def taps(seed, **shapes):
    return drawn(seed, B, logits=(C,), **shapes)


def rows(x, aux_params, name):
    return np.stack([linear(row, aux_params, name) for row in x])


def meet(x, y):
    length = min(len(x), len(y))
    return resized(x, length), resized(y, length)


def fitnet(batch, student, teacher, hyperparameters, aux_params):
    (mine,), (theirs,) = (([tap for tap in each if tap.startswith("stage")]) for each in (student, teacher))
    total = 0.0
    for b in range(B):
        ours, target = meet(rows(student[mine][b], aux_params, "hint"), teacher[theirs][b])
        total += sum((o - t) ** 2 for o, t in zip(ours.ravel(), target.ravel(), strict=True)) / target.size
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "hint": hyperparameters["weight"] * total / B}


def at(batch, student, teacher, hyperparameters, aux_params):
    total = 0.0
    for mine, theirs in (("stage1", "stage2"), ("stage2", "stage3")):
        for b in range(B):
            ours, target = meet(student[mine][b], teacher[theirs][b])
            ours, target = (each[:, 0] / np.sqrt(sum(each[:, 0] ** 2)) for each in (ours, target))
            squared = sum((ours - target) ** 2)
            # Published code: the mean over positions of the squared difference; the paper: the norm.
            total += squared / len(target) if hyperparameters["square"] else np.sqrt(squared)
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "maps": hyperparameters["weight"] * total / B}


def sp(batch, student, teacher, hyperparameters, aux_params):
    grams = []
    for each in (student, teacher):
        e = each["embedding"]
        gram = np.array([[sum(e[i] * e[j]) for j in range(B)] for i in range(B)])
        grams.append(np.stack([row / np.sqrt(sum(row**2)) for row in gram]))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "similarity": hyperparameters["weight"] * ((grams[0] - grams[1]) ** 2).sum() / B**2,
    }


def huber(d):
    return d * d / 2 if abs(d) < 1 else abs(d) - 0.5


def rkd(batch, student, teacher, hyperparameters, aux_params):
    distances, cosines = [], []
    for each in (student, teacher):
        e = each["embedding"]
        apart = np.array([[np.sqrt(sum((e[i] - e[j]) ** 2)) for j in range(B)] for i in range(B)])
        distances.append(apart / apart[apart > 0].mean())
        angles = np.zeros((B, B, B))
        for i, j, k in np.ndindex(B, B, B):
            if j not in (i, k):
                angles[i, j, k] = sum((e[i] - e[j]) / apart[i, j] * (e[k] - e[j]) / apart[k, j])
        cosines.append(angles)
    d, a = (np.vectorize(huber)(mine - theirs).mean() for mine, theirs in (distances, cosines))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distances": hyperparameters["weight"] * hyperparameters["distance"] * d,
        "angles": hyperparameters["weight"] * hyperparameters["angle"] * a,
    }


def pkt(batch, student, teacher, hyperparameters, aux_params):
    total = 0.0
    for i in range(B):
        likely = []
        for each in (student, teacher):
            e = each["embedding"]
            others = [j for j in range(B) if j != i]
            k = [(sum(e[i] * e[j]) / np.sqrt(sum(e[i] ** 2) * sum(e[j] ** 2)) + 1) / 2 for j in others]
            likely.append(np.array(k) / sum(k))
        total += kl(likely[1], likely[0])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "neighbours": hyperparameters["weight"] * total / B,
    }


def vid(batch, student, teacher, hyperparameters, aux_params):
    total = 0.0
    for mine, theirs in (("stage1", "stage2"), ("stage2", "stage3")):
        variance = np.log1p(np.exp(aux_params[f"{mine}/alpha"])) + 1e-3
        for b in range(B):
            mean, target = meet(rows(student[mine][b], aux_params, mine), teacher[theirs][b])
            for t, c in np.ndindex(target.shape):
                nll = (mean[t, c] - target[t, c]) ** 2 / (2 * variance[c]) + 0.5 * np.log(variance[c])
                total += nll / target.size
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "information": hyperparameters["weight"] * total / B,
    }


def crd(batch, student, teacher, hyperparameters, aux_params):
    sides = []
    for who, each in (("student", student), ("teacher", teacher)):
        through = rows(each["embedding"], aux_params, who)
        sides.append(np.stack([row / np.sqrt(sum(row**2)) for row in through]))
    own = batch.targets.argmax(1)
    total = 0.0
    for i in range(B):
        among = [i, *(j for j in range(B) if own[j] != own[i])]
        by_teacher = [np.exp(sum(sides[0][i] * sides[1][j]) / hyperparameters["temperature"]) for j in among]
        by_student = [np.exp(sum(sides[0][j] * sides[1][i]) / hyperparameters["temperature"]) for j in among]
        total -= np.log(by_teacher[0] / sum(by_teacher)) + np.log(by_student[0] / sum(by_student))
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "contrast": hyperparameters["weight"] * total / B}


def reviewkd(batch, student, teacher, hyperparameters, aux_params):
    total = 0.0
    for b in range(B):
        fused = None
        for mine, theirs in (("stage2", "stage3"), ("stage1", "stage2")):
            here = rows(student[mine][b], aux_params, f"{mine}/in")
            if fused is not None:
                deeper = resized(fused, len(here))
                shares = 1 / (1 + np.exp(-rows(np.concatenate([here, deeper], 1), aux_params, f"{mine}/shares")))
                here = shares[:, :1] * here + shares[:, 1:] * deeper
            fused = here
            ours, target = meet(rows(fused, aux_params, f"{mine}/out"), teacher[theirs][b])
            value, weights = ((ours - target) ** 2).mean(), 1.0
            for weight, length in zip((1 / 2, 1 / 4, 1 / 8), [n for n in (4, 2, 1) if n < len(ours)], strict=False):
                value += weight * ((stretches(ours, length) - stretches(target, length)) ** 2).mean()
                weights += weight
            total += value / weights
    factor = min(1.0, batch.done / hyperparameters["warmup"]) * hyperparameters["weight"]
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "review": factor * total / B}


@pytest.mark.parametrize("theirs", [(7, 4), (3, 4), (1, 4)])
@pytest.mark.parametrize("mine", [(6, 2), (1, 5)])
def test_fitnet_is_its_formula(mine, theirs):
    check(
        "fitnet",
        fitnet,
        taps(1, stage2=mine),
        taps(2, stage1=theirs),
        batch=labels(B, C),
        hyperparameters={"weight": 0.7},
    )


@pytest.mark.parametrize("square", [0.0, 1.0])
def test_at_is_its_formula_and_squared_a_mean_over_positions_not_a_sum(square):
    student = taps(1, stage1=(6, 1), stage2=(4, 1))
    teacher = taps(2, stage1=(3, 1), stage2=(8, 1), stage3=(5, 1))
    check("at", at, student, teacher, batch=labels(B, C), hyperparameters={"weight": 1.7, "square": square})


EMBEDDED = [("sp", sp, {"weight": 7.0}), ("rkd", rkd, {"weight": 0.6}), ("pkt", pkt, {"weight": 30.0})]


@pytest.mark.parametrize(("name", "loops", "hyperparameters"), EMBEDDED, ids=[case[0] for case in EMBEDDED])
def test_a_method_on_embeddings_is_its_formula(name, loops, hyperparameters):
    check(
        name,
        loops,
        taps(1, embedding=(2,)),
        taps(2, embedding=(7,)),
        batch=labels(B, C),
        hyperparameters=hyperparameters,
    )


@pytest.mark.parametrize("mine", [STUDENT, DENSE], ids=["recurrent", "dense"])
@pytest.mark.parametrize(("name", "loops"), [("vid", vid), ("reviewkd", reviewkd)])
def test_a_method_on_stages_is_its_formula(name, loops, mine):
    check(
        name, loops, taps(1, **mine), taps(2, **TEACHER), batch=labels(B, C, done=0.1), hyperparameters={"weight": 1.3}
    )


def test_crd_is_its_formula():
    hyperparameters = {"weight": 0.7, "temperature": 0.3}
    # Mixed labels: the class with the larger share decides who is a negative.
    mixed = labels(B, C, hard=False)
    assert len(set(mixed.targets.argmax(1))) > 1
    check("crd", crd, taps(1, embedding=(2,)), taps(2, embedding=(4,)), batch=mixed, hyperparameters=hyperparameters)


def simkd(batch, student, teacher, hyperparameters, aux_params):
    through = rows(student["embedding"], aux_params, "projector")
    apart = [sum((o - t) ** 2) / len(t) for o, t in zip(through, teacher["embedding"], strict=True)]
    return {"embedding": sum(apart) / B}


def test_simkd_is_its_formula():
    check("simkd", simkd, taps(1, embedding=(2,)), taps(2, embedding=(4,)), batch=labels(B, C))


def test_simkd_s_classifier_is_the_teacher_s_on_the_projected_embedding():
    rng = np.random.default_rng(0)
    aux_params = {"projector/kernel": rng.normal(size=(2, 4)), "projector/bias": rng.normal(size=4)}
    kernel, bias, e = rng.normal(size=(4, C)), rng.normal(size=C), rng.normal(size=(B, 2))
    ours, offset = METHODS["simkd"].classifier(aux_params, (kernel, bias))
    for row in e:
        expected = linear(linear(row, aux_params, "projector"), {"last/kernel": kernel, "last/bias": bias}, "last")
        np.testing.assert_allclose(row @ ours + offset, expected, rtol=1e-12)


def added(name, student, teacher):
    """What a method adds to the cross-entropy, and its slope in the student's embedding."""
    logits = np.zeros((len(student), C))
    terms, (slopes, _) = evaluate(
        name,
        {"logits": logits, "embedding": student},
        {"logits": logits, "embedding": teacher},
        {},
        batch=labels(len(student), C),
        hyperparameters={},
        chosen=set(METHODS[name].terms) - {"cross_entropy"},
    )
    return sum(float(value) for term, value in terms.items() if term != "cross_entropy"), slopes["embedding"]


def pair(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, 4)), rng.normal(size=(B, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]


@settings(derandomize=True, max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), name=st.sampled_from(["sp", "rkd", "pkt"]))
def test_relations_ignore_rotation_and_scale_of_the_embedding(seed, name):
    student, teacher, turn = pair(seed)
    plain, _ = added(name, student, teacher)
    assert added(name, 3 * student @ turn, teacher)[0] == pytest.approx(plain, rel=2e-3, abs=1e-4)
    assert added(name, student, 0.4 * teacher @ turn)[0] == pytest.approx(plain, rel=2e-3, abs=1e-4)
    assert added(name, 2 * teacher @ turn, teacher)[0] == pytest.approx(0, abs=1e-3)


@settings(derandomize=True, max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_rkd_ignores_a_shift_and_pkt_the_scale_of_each_window(seed):
    student, teacher, _ = pair(seed)
    shifted = added("rkd", student + 7, teacher)[0]
    assert shifted == pytest.approx(added("rkd", student, teacher)[0], rel=2e-3, abs=1e-4)
    scales = np.random.default_rng(seed).uniform(0.3, 3, (B, 1))
    assert added("pkt", scales * student, teacher)[0] == pytest.approx(added("pkt", student, teacher)[0], rel=2e-3)


@pytest.mark.parametrize("name", ["sp", "rkd", "pkt"])
def test_windows_that_are_one_point_have_finite_losses_and_slopes(name):
    student, teacher, _ = pair(0)
    for mine, theirs in (
        (np.zeros((B, 4)), teacher),
        (student, np.zeros((B, 4))),
        (np.repeat(student[:1], B, axis=0), teacher),
        (np.concatenate([student[:2], student[:2], -student[:1]]), teacher),
        (student, student),
    ):
        value, slope = added(name, mine, theirs)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ["at", "crd"])
def test_silent_stages_and_embeddings_have_finite_slopes(name):
    shape = {"logits": (C,), "stage1": (4, 1), "embedding": (4,)}
    silent = {tap: np.zeros((B, *size)) for tap, size in shape.items()}
    aux_params = METHODS[name].init_aux_params(shape, shape, 0)
    _, (slopes, _) = evaluate(
        name, silent, silent, aux_params, batch=labels(B, C), hyperparameters={}, chosen=METHODS[name].terms
    )
    for slope in slopes.values():
        assert np.isfinite(slope).all()


def test_stages_are_paired_evenly_the_last_with_the_last():
    def named(count):
        return {f"stage{number}": None for number in range(1, count + 1)}

    assert stage_pairs(named(2), named(5)) == [("stage1", "stage3"), ("stage2", "stage5")]
    assert stage_pairs(named(6), named(3)) == [("stage2", "stage1"), ("stage4", "stage2"), ("stage6", "stage3")]
    assert stage_pairs(named(12), named(12))[9] == ("stage10", "stage10")


def test_stages_are_seen_as_sequences_whatever_their_axes():
    given = taps(0, stage1=(40, 3, 2), stage2=(9, 4), stage10=(7,), embedding=(2, 3))
    seen = condense(given)
    assert {name: x.shape[1:] for name, x in seen.items() if name != "logits"} == {
        "stage1": (TIME_STEPS, 2),
        "stage2": (9, 4),
        "stage10": (1, 7),
        "embedding": (2, 3),
    }
    expected = np.stack([stretches(x.mean(1), TIME_STEPS) for x in given["stage1"]])
    np.testing.assert_allclose(seen["stage1"], expected, atol=1e-5)
    assert set(middle(given)) == {"logits", "embedding", "stage2"}
    for name, x in condense(seen).items():
        np.testing.assert_allclose(x, seen[name])
    for name, x in averaged(given).items():
        expected = seen[name] if name in ("logits", "embedding") else seen[name].mean(1, keepdims=True)
        np.testing.assert_allclose(x, expected, atol=1e-5)


def test_at_sees_the_energy_of_a_stage_over_time():
    given = taps(0, stage1=(5, 3, 2), stage2=(7,))
    seen = get_method("at").view(given)
    np.testing.assert_allclose(seen["stage1"][..., 0], (given["stage1"] ** 2).mean((2, 3)), rtol=1e-5)
    assert seen["stage2"].shape == (B, 1, 1)


@pytest.mark.parametrize(("source", "target"), [(7, 3), (6, 2), (5, 5), (9, 1)])
def test_fewer_moments_are_means_of_stretches(source, target):
    weights = averaging_matrix(source, target)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    x = np.random.default_rng(0).normal(size=(source, 2))
    np.testing.assert_allclose(weights @ x, stretches(x, target), atol=1e-6)


def test_at_refuses_a_network_without_a_course_in_time():
    shapes = {"stage1": (1, 1), "stage2": (1, 1)}
    with pytest.raises(IncompatibleNetworks, match="the student's paired stages have none"):
        get_method("at").init_aux_params(shapes, {"stage1": (16, 1)}, 0)
    with pytest.raises(IncompatibleNetworks, match="the teacher's paired stages have none"):
        get_method("at").init_aux_params({"stage1": (16, 1)}, shapes, 0)
