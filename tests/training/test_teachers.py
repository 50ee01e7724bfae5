"""Teachers: checks, cached taps, and co-training."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.methods import Method, Range
from stillmotion.methods.losses import cross_entropy, kl_divergence
from stillmotion.networks import initialise, set_statistics
from stillmotion.training import Fleet, Recipe, Replica, Teacher
from stillmotion.training.functional import CHUNK, Functional
from stillmotion.training.progress import Progress
from stillmotion.training.teacher import predict_taps, require_able

from .small import CLASSES, TRAIN, VALIDATION, dense, fleet, linear, normed, problem, same, train, with_weights

EYE = np.eye(CLASSES, dtype=np.float32)
RUNS = [Replica(seed, TRAIN, VALIDATION, {"temperature": 2.0 + seed}) for seed in range(2)]


def scores(seed=0):
    _, labels = problem()
    noise = np.random.default_rng(seed).normal(size=(len(labels), CLASSES))
    return (3 * EYE[labels] + noise).astype(np.float32)


def as_teacher(model, name="the teacher"):
    network = Functional(model, ["logits"])
    return Teacher(network, *network.own(), name=name)


@pytest.fixture(scope="module")
def able():
    """A trained network with dropout and batch norm: its answers differ between training and use."""
    model = normed()
    (outcome,) = train(model, [Replica(8, TRAIN, VALIDATION, {"learning_rate": 0.01})], recipe=Recipe(8, 20, 20))
    model = with_weights(model, outcome)
    set_statistics(model, [0.1, -0.2], [1.5, 0.5])
    return model


def test_cached_answers_are_what_the_teacher_predicts(able):
    windows, _ = problem(2 * CHUNK + 3)
    given = predict_taps(as_teacher(able), windows, ["logits"])["logits"]
    np.testing.assert_allclose(given, able.predict(windows, verbose=0), rtol=0, atol=1e-5)


def test_scores_from_elsewhere_teach_as_the_teacher_itself_does(able):
    windows, _ = problem()
    given = able.predict(windows, verbose=0)
    by_model = train(dense(), RUNS, teaching="rb-kd", teachers=[as_teacher(able)])
    by_scores = train(dense(), RUNS, teaching="rb-kd", teachers=[Teacher(outputs={"logits": given})])
    for one, other in zip(by_model, by_scores, strict=True):
        same(one, other, within=1e-5)


def test_a_teacher_that_is_run_in_every_step_says_what_was_computed_once(able):
    recipe = Recipe(batch=8, epochs=1, augment=("scaling",))
    still = [Replica(run.seed, TRAIN, VALIDATION, {**run.hyperparameters, "scaling": 0.0}) for run in RUNS]
    moved = [Replica(run.seed, TRAIN, VALIDATION, {**run.hyperparameters, "scaling": 0.5}) for run in RUNS]
    once = train(dense(), RUNS, teaching="rb-kd", teachers=[as_teacher(able)])
    live = train(dense(), still, teaching="rb-kd", teachers=[as_teacher(able)], recipe=recipe)
    for one, other in zip(once, live, strict=True):
        same(one, other, within=1e-5)
    augmented = train(dense(), moved, teaching="rb-kd", teachers=[as_teacher(able)], recipe=recipe)
    assert np.abs(augmented[0].weights - live[0].weights).max() > 1e-3
    with pytest.raises(UserError, match="scores from a file are not enough"):
        fleet(
            dense(), still, teaching="rb-kd", teachers=[Teacher(outputs={"logits": scores()})], recipe=recipe, live=True
        )


def test_a_live_teacher_sees_the_view_that_its_student_sees(able):
    """The student starts as the teacher and both see one view: at α 0 there is nothing to learn, whatever the view."""
    pupil = linear()
    windows, labels = problem()
    # A linear teacher that is right more often than the majority class.
    design = np.c_[windows.reshape(len(windows), -1), np.ones(len(windows))]
    solved = np.linalg.lstsq(design, 4 * EYE[labels], rcond=None)[0].astype(np.float32)
    pupil.set_weights([solved[:-1], solved[-1]])
    runs = [Replica(seed, TRAIN, VALIDATION, {"alpha": 0.0, "scaling": 0.5}) for seed in range(2)]
    recipe = Recipe(batch=8, epochs=1, augment=("scaling",))
    teachers = [as_teacher(pupil)]
    outcomes = train(pupil, runs, teaching="rb-kd", teachers=teachers, recipe=recipe, own_weights=True)
    for outcome in outcomes:
        # Rounding of the gradient is all that moves it; two views apart from each other would differ by about 1.
        assert abs(outcome.history[0]["distillation"]) < 1e-4


def test_each_replica_learns_from_its_own_teacher():
    one, other = scores(1), scores(2)
    teachers = [Teacher(outputs={"logits": one}), Teacher(outputs={"logits": other})]
    runs = [Replica(0, TRAIN, VALIDATION, {}, teacher=number) for number in (0, 1)]
    apart = train(dense(), runs, teaching="rb-kd", teachers=teachers)
    swapped = train(dense(), runs, teaching="rb-kd", teachers=teachers[::-1])
    same(apart[0], swapped[1])
    same(apart[1], swapped[0])
    assert np.abs(apart[0].weights - apart[1].weights).max() > 1e-4
    with pytest.raises(UserError, match="Replica 0 has teacher 2; valid are 0 … 1"):
        fleet(dense(), [Replica(0, TRAIN, VALIDATION, {}, teacher=2)], teaching="rb-kd", teachers=teachers)


def spoilt(row, value):
    given = scores()
    given[row] = value
    return given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((120, CLASSES), np.float32) + np.array([2, 1, 0], np.float32), "gives the same logits for all 40"),
        (-scores(), r"the teacher has an accuracy of \d+\.\d % on 40 validation windows, the majority class alone"),
        (spoilt(100, np.nan), "not finite for 1 of 40 windows"),
        (spoilt(5, -np.inf), "not finite for 1 of 80 windows"),
        (scores()[:-1], "there are logits for 119 windows, not 120"),
        (np.ones((120, 4), np.float32), r"gives outputs \(4,\), but there are 3 classes"),
    ],
    ids=["constant", "worse than the majority class", "nan", "infinite", "too few", "other classes"],
)
def test_a_teacher_with_nothing_to_teach_is_refused_before_the_first_step(given, message, monkeypatch):
    monkeypatch.setattr(Fleet, "_epoch", lambda *_: pytest.fail("a step was made"))
    with pytest.raises(UserError, match=message):
        train(dense(), RUNS, teaching="rb-kd", teachers=[Teacher(outputs={"logits": given})])


def test_a_live_teacher_with_nothing_to_teach_is_refused_too():
    idle = linear()
    idle.set_weights([np.zeros((16, CLASSES)), np.array([1.0, 0, 0])])
    recipe = Recipe(batch=8, epochs=1, augment=("scaling",))
    ours = fleet(dense(), RUNS, teaching="rb-kd", teachers=[as_teacher(idle, name="linear")], recipe=recipe)
    with pytest.raises(UserError, match="linear gives the same logits for all 40 windows"):
        ours.train(Progress(enabled=False))


def test_a_teacher_exactly_as_good_as_the_majority_class_is_refused():
    labels = np.array([0, 0, 0, 1, 2, 1])
    barely = EYE[[0, 0, 1, 1, 0, 0]]
    with pytest.raises(UserError, match=r"accuracy of 50\.0 % on 6 .* alone 50\.0 %"):
        require_able(barely, labels)
    assert require_able(EYE[[0, 0, 0, 1, 0, 0]], labels) == pytest.approx(4 / 6)


def both_learn(batch, student, teacher, hyperparameters, aux_params):
    """Two students that teach each other (Zhang et al., CVPR 2018)."""
    mine, yours, still = student["logits"], teacher["logits"], jax.lax.stop_gradient
    weight = hyperparameters["mutual"]
    return {
        "student": cross_entropy(batch, mine) + weight * kl_divergence(still(yours), mine, 1.0),
        "teacher": cross_entropy(batch, yours) + weight * kl_divergence(still(mine), yours, 1.0),
    }


MUTUAL = Method(
    "mutual",
    "both learn",
    "Zhang et al., CVPR 2018",
    both_learn,
    teacher_taps=("logits",),
    hyperparameters={"mutual": Range(1.0, 0.0, 10.0)},
    trains_teacher=True,
)


def test_a_mutual_method_trains_both_networks_in_the_same_step():
    teacher = normed()
    initialise(teacher, 21)
    runs = [Replica(seed, TRAIN, VALIDATION, {"mutual": weight}) for seed, weight in ((1, 0.0), (1, 2.0))]
    apart, mutual = train(dense(), runs, teaching=MUTUAL, teachers=[as_teacher(teacher)])
    # At weight 0 each is as if alone: the teacher as a student that starts from its weights.
    alone, _ = train(dense(), [Replica(1, TRAIN, VALIDATION)] * 2)
    np.testing.assert_allclose(apart.weights, alone.weights, rtol=0, atol=1e-5)
    start, _ = Functional(teacher, ["logits"]).own()
    assert apart.teacher_weights.shape == start.shape
    (by_itself,) = train(normed(), [Replica(21, TRAIN, VALIDATION)])
    assert np.abs(apart.teacher_weights - start).max() > 1e-3
    # Its order of windows and its dropout are those of another seed, so only its distance travelled compares.
    travelled = [np.linalg.norm(weights - start) for weights in (apart.teacher_weights, by_itself.weights)]
    assert 0.5 < travelled[0] / travelled[1] < 2
    assert not np.array_equal(apart.teacher_state[-1], np.asarray(Functional(teacher, ["logits"]).own()[1][-1]))
    assert np.abs(mutual.weights - apart.weights).max() > 1e-4
    assert np.abs(mutual.teacher_weights - apart.teacher_weights).max() > 1e-4
    assert set(mutual.history[0]) == {"student", "teacher", "validation"}
