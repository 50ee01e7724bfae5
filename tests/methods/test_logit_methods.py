"""Methods on logits equal loops over their formulas, in value and gradient, and have the expected invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.methods import METHODS, get_method
from stillmotion.methods.dist import correlation

from .by_hand import SHAPES, check, cross_entropy, drawn, evaluate, kl, labels, linear, softmax

each_shape = pytest.mark.parametrize(("batch", "classes"), SHAPES)


def logits(batch, classes, seed):
    return drawn(seed, batch, logits=(classes,))


def kd(batch, student, teacher, hyperparameters, aux_params):
    tau, size = hyperparameters["temperature"], len(student["logits"])
    weights = batch.weights if hyperparameters["weighted"] else np.ones(size)
    apart = sum(
        w * kl(softmax(t / tau), softmax(s / tau))
        for w, s, t in zip(weights, student["logits"], teacher["logits"], strict=True)
    )
    return {
        "cross_entropy": hyperparameters["alpha"] * cross_entropy(batch, student["logits"]),
        "distillation": (1 - hyperparameters["alpha"]) * tau**2 * apart / size,
    }


def ls_kd(batch, student, teacher, hyperparameters, aux_params):
    tau, total = hyperparameters["temperature"], 0.0
    for s, t in zip(student["logits"], teacher["logits"], strict=True):
        s, t = ((z - z.mean()) / np.std(z, ddof=1) for z in (s, t))
        total += tau**2 * kl(softmax(t / tau), softmax(s / tau))
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distillation": hyperparameters["weight"] * total / len(student["logits"]),
    }


def own_and_others(p, own):
    """(p_t, 1 − p_t) and the others over their sum."""
    rest = np.delete(p, own)
    return np.array([p[own], rest.sum()]), rest / rest.sum()


def dkd(batch, student, teacher, hyperparameters, aux_params):
    tau, target, rest = hyperparameters["temperature"], 0.0, 0.0
    for b, (s, t) in enumerate(zip(student["logits"], teacher["logits"], strict=True)):
        own = int(np.argmax(batch.targets[b]))
        (two_s, others_s), (two_t, others_t) = (own_and_others(softmax(z / tau), own) for z in (s, t))
        target += kl(two_t, two_s)
        rest += kl(others_t, others_s)
    factor = tau**2 * min(1.0, batch.done / hyperparameters["warmup"]) / len(student["logits"])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "target_class": factor * hyperparameters["a"] * target,
        "other_classes": factor * hyperparameters["b"] * rest,
    }


def nkd(batch, student, teacher, hyperparameters, aux_params):
    tau, target, rest = hyperparameters["temperature"], 0.0, 0.0
    for b, (s, t) in enumerate(zip(student["logits"], teacher["logits"], strict=True)):
        own = int(np.argmax(batch.targets[b]))
        target -= softmax(t)[own] * np.log(softmax(s)[own])
        (_, others_s), (_, others_t) = (own_and_others(softmax(z / tau), own) for z in (s, t))
        rest -= sum(others_t * np.log(others_s))
    size = len(student["logits"])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "target_class": hyperparameters["weight"] * target / size,
        "other_classes": hyperparameters["gamma"] * tau**2 * rest / size,
    }


def dist(batch, student, teacher, hyperparameters, aux_params):
    tau = hyperparameters["temperature"]
    p, q = (np.stack([softmax(z / tau) for z in each["logits"]]) for each in (student, teacher))
    between = np.mean([1 - np.corrcoef(p[b], q[b])[0, 1] for b in range(p.shape[0])])
    within = np.mean([1 - np.corrcoef(p[:, c], q[:, c])[0, 1] for c in range(p.shape[1])])
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "between_classes": hyperparameters["b"] * tau**2 * between,
        "within_classes": hyperparameters["g"] * tau**2 * within,
    }


def mlld(batch, student, teacher, hyperparameters, aux_params):
    instance = between = within = 0.0
    size, classes = student["logits"].shape
    for tau in (1, 2, 4):
        p, q = (np.stack([softmax(z / tau) for z in each["logits"]]) for each in (student, teacher))
        instance += tau**2 * sum(kl(q[b], p[b]) for b in range(size)) / size
        for i in range(size):
            for j in range(size):
                between += (sum(q[i] * q[j]) - sum(p[i] * p[j])) ** 2 / size
        for c in range(classes):
            for d in range(classes):
                within += (sum(q[:, c] * q[:, d]) - sum(p[:, c] * p[:, d])) ** 2 / classes
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "instances": hyperparameters["instance"] * instance,
        "batch": hyperparameters["batch"] * between,
        "classes": hyperparameters["classes"] * within,
    }


def ofa(batch, student, teacher, hyperparameters, aux_params):
    def taught(z, b):
        own = np.arange(len(z)) == np.argmax(batch.targets[b])
        goal = (softmax(teacher["logits"][b] / hyperparameters["temperature"]) + own) ** hyperparameters["epsilon"]
        return -sum((goal - own) * np.log(softmax(z / hyperparameters["temperature"])))

    size = len(student["logits"])
    stages = [
        taught(linear(student[stage][b].mean(0), aux_params, stage), b)
        for stage in ("stage1", "stage2")
        for b in range(size)
    ]
    return {
        "cross_entropy": cross_entropy(batch, student["logits"]),
        "distillation": hyperparameters["logits_weight"]
        * np.mean([taught(student["logits"][b], b) for b in range(size)]),
        "stages": hyperparameters["weight"] * sum(stages) / size,
    }


CASES = [
    ("kd", kd, {"alpha": 0.3, "temperature": 2.5}),
    ("takd", kd, {"alpha": 0.7, "temperature": 4.0}),
    ("ls-kd", ls_kd, {"temperature": 0.7, "weight": 3.0}),
    ("dkd", dkd, {"temperature": 2.0, "a": 0.7, "b": 2.3}),
    ("nkd", nkd, {"temperature": 2.0, "gamma": 0.8, "weight": 0.6}),
    ("dist", dist, {"temperature": 1.5, "b": 0.7, "g": 1.9}),
    ("mlld", mlld, {"instance": 0.4, "batch": 0.7, "classes": 0.9}),
]


@each_shape
@pytest.mark.parametrize(("name", "loops", "hyperparameters"), CASES, ids=[case[0] for case in CASES])
def test_a_method_on_logits_is_its_formula(name, loops, hyperparameters, batch, classes):
    targets = labels(batch, classes, hard=batch > classes)  # The other shape has mixed labels.
    check(
        name,
        loops,
        logits(batch, classes, 1),
        logits(batch, classes, 2),
        batch=targets,
        hyperparameters=hyperparameters,
    )


@pytest.mark.parametrize("hard", [True, False])
def test_ofa_is_its_formula_and_of_a_mixed_label_takes_the_largest_class(hard):
    student = drawn(1, 5, logits=(3,), stage1=(4, 2), stage2=(1, 6))
    hyperparameters = {"temperature": 1.7, "epsilon": 1.3, "weight": 0.6, "logits_weight": 1.4}
    check("ofa", ofa, student, logits(5, 3, 2), batch=labels(5, 3, hard=hard), hyperparameters=hyperparameters)


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.0), (0.05, 0.5), (0.4, 1.0)])
def test_dkd_begins_weakly(done, share):
    student, teacher = logits(4, 5, 1), logits(4, 5, 2)
    hyperparameters = {"warmup": 0.1}
    early = check("dkd", dkd, student, teacher, batch=labels(4, 5, done=done), hyperparameters=hyperparameters)
    late = check("dkd", dkd, student, teacher, batch=labels(4, 5), hyperparameters=hyperparameters)
    for term in ("target_class", "other_classes"):
        assert early[term] == pytest.approx(share * late[term], rel=1e-5)


def taught(name, student, teacher, **hyperparameters):
    """What a method adds to the cross-entropy, and its slope."""
    terms, (slopes, _) = evaluate(
        name,
        {"logits": student},
        {"logits": teacher},
        {},
        batch=labels(*np.shape(student)),
        hyperparameters=hyperparameters,
        chosen=set(METHODS[name].terms) - {"cross_entropy"},
    )
    return sum(float(value) for term, value in terms.items() if term != "cross_entropy"), slopes["logits"]


@settings(derandomize=True, max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), name=st.sampled_from(["kd", "ls-kd", "dkd", "dist", "mlld"]))
def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn(seed, name):
    z = logits(4, 5, seed)["logits"]
    value, slope = taught(name, z, z + 3)  # A shift of all logits says the same.
    assert value == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(slope, 0, atol=1e-4)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.2, 5), shift=st.floats(-5, 5))
def test_ls_kd_ignores_the_shift_and_scale_of_either_networks_logits(seed, scale, shift):
    student, teacher = logits(4, 5, seed)["logits"], logits(4, 5, seed + 1)["logits"]
    plain, _ = taught("ls-kd", student, teacher)
    assert taught("ls-kd", scale * student + shift, teacher)[0] == pytest.approx(plain, rel=1e-3, abs=1e-5)
    assert taught("ls-kd", student, scale * teacher + shift)[0] == pytest.approx(plain, rel=1e-3, abs=1e-5)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_dists_correlation_ignores_an_affine_change_of_each_window(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 4, 6)).astype(np.float32)
    scale, shift = rng.uniform(0.2, 5, (4, 1)), rng.normal(size=(4, 1))
    plain = correlation(x, y)
    np.testing.assert_allclose(correlation(np.float32(scale * x + shift), y), plain, atol=1e-4)
    np.testing.assert_allclose(correlation(x, np.float32(-scale * y + shift)), -plain, atol=1e-4)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_dkd_with_the_weights_of_kd_is_kd(seed):
    """KL = TCKD + (1 − p_t) NCKD: with one window and b = 1 − p_t of the teacher the two agree."""
    student, teacher = logits(1, 5, seed)["logits"], logits(1, 5, seed + 1)["logits"]
    own = int(np.argmax(labels(1, 5).targets[0]))
    rest = 1 - softmax(teacher[0] / 2)[own]
    apart, _ = taught("dkd", student, teacher, temperature=2.0, a=1.0, b=rest, warmup=0.0)
    whole, _ = taught("kd", student, teacher, temperature=2.0, alpha=0.0, weighted=0.0)
    assert apart == pytest.approx(whole, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", ["kd", "ls-kd", "dkd", "nkd", "dist", "mlld"])
@pytest.mark.parametrize("classes", [2, 4])
def test_answers_without_doubt_or_without_difference_have_finite_losses_and_slopes(name, classes):
    sure = 200.0 * np.eye(classes)[[0, 1, 1]]
    flat = np.zeros((3, classes))
    for student, teacher in ((sure, sure[::-1]), (flat, sure), (sure, flat), (flat, flat)):
        value, slope = taught(name, student, teacher)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_kd_is_rb_kd_under_its_common_name():
    assert get_method("kd").objective is get_method("takd").objective is get_method("rb-kd").objective
    assert get_method("kd").hyperparameters == get_method("rb-kd").hyperparameters
