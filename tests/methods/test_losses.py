"""Losses equal NumPy code of the formulas, in value and in gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UnknownName, UserError
from stillmotion.methods import METHODS, Batch, get_method
from stillmotion.methods.losses import cross_entropy, kl_divergence

#: Each would show a mean over the wrong axis; few, since each is compiled.
SHAPES = st.sampled_from([(1, 2), (3, 5), (5, 3), (7, 9)])


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def drawn(shape, seed):
    """Logits of student and teacher, targets that are distributions, weights and an offset."""
    rng = np.random.default_rng(seed)
    batch, classes = shape
    targets = rng.dirichlet(np.ones(classes), batch)
    return rng.normal(0, 2, shape), rng.normal(0, 2, shape), targets, rng.uniform(0, 3, batch), rng.normal(size=classes)


def loop_cross_entropy(z, targets, weights, offset):
    total = 0.0
    for row in range(len(z)):
        p = softmax((z[row] + offset)[None])[0]
        total += weights[row] * sum(-targets[row, c] * np.log(p[c]) for c in range(len(p)))
    return total / len(z)


def loop_divergence(teacher, student, temperature, weights=None):
    total, weights = 0.0, np.ones(len(teacher)) if weights is None else weights
    for w, t, s in zip(weights, teacher / temperature, student / temperature, strict=True):
        p, q = softmax(t[None])[0], softmax(s[None])[0]
        total += w * sum(p[c] * np.log(p[c] / q[c]) for c in range(len(p)))
    return total / len(teacher)


def slope(function, at):
    """Central differences in double precision."""
    result = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = 1e-5
        result[index] = (function(at + step) - function(at - step)) / 2e-5
    return result


def jax_gradient(function, at):
    import jax

    return np.asarray(jax.jit(jax.grad(lambda z: function(z)))(at.astype(np.float32)))


@settings(derandomize=True, max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 2**31))
def test_cross_entropy_is_the_sum_over_classes_and_the_mean_over_windows(shape, seed):
    z, _, targets, weights, offset = drawn(shape, seed)
    batch = Batch(*(part.astype(np.float32) for part in (targets, weights, offset)))
    assert float(cross_entropy(batch, z.astype(np.float32))) == pytest.approx(
        loop_cross_entropy(z, targets, weights, offset), rel=1e-5, abs=1e-6
    )


@settings(derandomize=True, max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 2**31), temperature=st.floats(0.5, 15))
def test_divergence_is_the_sum_over_classes_and_the_mean_over_windows(shape, seed, temperature):
    student, teacher, *_ = drawn(shape, seed)
    value = kl_divergence(teacher.astype(np.float32), student.astype(np.float32), np.float32(temperature))
    assert float(value) == pytest.approx(loop_divergence(teacher, student, temperature), rel=1e-4, abs=1e-6)
    assert float(value) >= -1e-6


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (1, 4)])
def test_gradients_are_those_of_the_formulas(shape):
    student, teacher, targets, weights, offset = drawn(shape, 3)
    batch = Batch(*(part.astype(np.float32) for part in (targets, weights, offset)))
    by_jax = jax_gradient(lambda z: cross_entropy(batch, z), student)
    np.testing.assert_allclose(
        by_jax, slope(lambda z: loop_cross_entropy(z, targets, weights, offset), student), atol=2e-6
    )
    by_jax = jax_gradient(lambda z: kl_divergence(teacher.astype(np.float32), z, 3.0), student)
    np.testing.assert_allclose(by_jax, slope(lambda z: loop_divergence(teacher, z, 3.0), student), atol=2e-6)


def hyperparameters(**changes):
    return {
        name: np.float32(changes.get(name, number.default)) for name, number in METHODS["rb-kd"].hyperparameters.items()
    }


@pytest.mark.parametrize("weighted", [0.0, 1.0])
@pytest.mark.parametrize("square", [0.0, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0, 15.0])
def test_rb_kd_is_alpha_of_the_labels_and_the_rest_of_the_teacher(square, temperature, weighted):
    student, teacher, targets, weights, offset = drawn((6, 4), 8)
    batch = Batch(*(part.astype(np.float32) for part in (targets, weights, offset)))
    given = hyperparameters(alpha=0.3, temperature=temperature, square=square, weighted=weighted)
    terms = METHODS["rb-kd"].objective(batch, {"logits": student}, {"logits": teacher}, given, {})
    assert set(terms) == {"cross_entropy", "distillation"}
    labels = 0.3 * loop_cross_entropy(student, targets, weights, offset)
    factor = temperature**2 if square else 1.0
    # The teacher is not adjusted by class priors, and neither is what the student says to it.
    taught = 0.7 * factor * loop_divergence(teacher, student, temperature, weights if weighted else np.ones(6))
    assert float(terms["cross_entropy"]) == pytest.approx(labels, rel=1e-5)
    assert float(terms["distillation"]) == pytest.approx(taught, rel=1e-4)


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn_from_it():
    student, _, targets, weights, offset = drawn((6, 4), 9)
    batch = Batch(*(part.astype(np.float32) for part in (targets, weights, offset)))

    def taught(z):
        teacher = (student + 5).astype(np.float32)  # A shift of all logits says the same.
        return METHODS["rb-kd"].objective(batch, {"logits": z}, {"logits": teacher}, hyperparameters(), {})[
            "distillation"
        ]

    assert float(taught(student.astype(np.float32))) == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(jax_gradient(taught, student), 0, atol=1e-5)


def test_certain_answers_give_finite_losses():
    logits = np.array([[200.0, -200.0, 0.0], [-300.0, 300.0, 0.0]], np.float32)
    batch = Batch(np.eye(3, dtype=np.float32)[[0, 0]], np.ones(2, np.float32), np.zeros(3, np.float32))
    assert float(cross_entropy(batch, logits)) == pytest.approx(300)
    assert np.isfinite(float(kl_divergence(logits, logits[::-1], 1.0)))
    assert np.isfinite(jax_gradient(lambda z: kl_divergence(logits, z, 1.0), logits[::-1])).all()


def test_lm_is_the_cross_entropy_alone():
    student, _, targets, weights, offset = drawn((4, 3), 1)
    terms = METHODS["lm"].objective(Batch(targets, weights, offset), {"logits": student}, {}, {}, {})
    assert set(terms) == {"cross_entropy"}
    expected = loop_cross_entropy(student, targets, weights, offset)
    assert float(terms["cross_entropy"]) == pytest.approx(expected, rel=1e-5)


def test_methods_are_found_by_name_and_say_what_they_are():
    for name, one in METHODS.items():
        assert one.name == name == name.lower()
        assert one.title
        assert one.source
        for number in one.hyperparameters.values():
            assert number.low <= number.default <= number.high
    assert get_method("lm") is METHODS["lm"]
    assert get_method(METHODS["rb-kd"]) is METHODS["rb-kd"]
    with pytest.raises(UnknownName, match="Unknown method 'rbkd'. Did you mean 'rb-kd'"):
        get_method("rbkd")


def test_numbers_of_a_method_are_checked():
    assert METHODS["rb-kd"].resolve({"alpha": 0.2}) == {
        "temperature": 4.0,
        "alpha": 0.2,
        "square": 1.0,
        "weighted": 1.0,
    }
    with pytest.raises(UnknownName, match="hyperparameter of rb-kd 'tempreature'. Did you mean 'temperature'"):
        METHODS["rb-kd"].resolve({"tempreature": 2})
    with pytest.raises(UnknownName, match="it has none"):
        METHODS["lm"].resolve({"alpha": 1})
    for value in (-1, float("inf"), float("nan")):
        with pytest.raises(UserError, match="rb-kd's alpha must be at least 0 and at most 1"):
            METHODS["rb-kd"].resolve({"alpha": value})
