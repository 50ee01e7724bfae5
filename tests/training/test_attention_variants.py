"""The five variants of Agac & Incel in fleets: equal where they must be, and attention is learnt from the teacher."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.errors import UserError
from stillmotion.networks import add_cbam, initialise
from stillmotion.networks.layers import Conv1D
from stillmotion.networks.normaliser import Normaliser
from stillmotion.training import Recipe, Replica, Teacher
from stillmotion.training.functional import Functional

from .small import CHANNELS, CLASSES, TIME, TRAIN, VALIDATION, fleet, problem, train

TAPS = ["logits", "channel_attention_1", "spatial_attention_1"]


def attentive(filters, name="attentive", *, attention=True):
    inputs = keras.Input((TIME, CHANNELS))
    x = Conv1D(filters, 3, activation="relu", name="conv1")(Normaliser(axis=-1)(inputs))
    if attention:
        x = add_cbam(x, channel=1, spatial=3, name="1")
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name=name)


@pytest.fixture(scope="module")
def teacher():
    model = attentive(6, "wide")
    initialise(model, 11)
    recipe = Recipe(batch=8, epochs=10, patience=10)
    (outcome,) = train(model, [Replica(11, TRAIN, VALIDATION, {"learning_rate": 0.01})], recipe=recipe)
    return Teacher(Functional(model, TAPS), outcome.weights, outcome.state, name="wide")


def learnt(teaching, teacher, replicas, *, filters=3, epochs=2, **options):
    recipe = Recipe(batch=8, epochs=epochs, patience=epochs)
    made = fleet(attentive(filters), replicas, teaching=teaching, teachers=[teacher], recipe=recipe, **options)
    return made, made.train()


def runs(*hyperparameters, seed=1):
    return [Replica(seed, TRAIN, VALIDATION, {"learning_rate": 0.01, **each}) for each in hyperparameters]


def test_beta_0_makes_rab_kd_equal_to_rb_kd_att_from_the_same_teacher(teacher):
    _, (without, with_maps) = learnt("rab-kd", teacher, runs({"beta": 0}, {"beta": 5}))
    _, (plain,) = learnt("rb-kd-att", teacher, runs({}))
    np.testing.assert_allclose(without.weights, plain.weights, rtol=0, atol=1e-6)
    assert np.abs(with_maps.weights - plain.weights).max() > 1e-3


def test_alpha_1_makes_rb_kd_equal_to_lm(teacher):
    recipe = Recipe(batch=8, epochs=2, patience=2)
    student = attentive(3, attention=False)
    (taught,) = train(student, runs({"alpha": 1}), teaching="rb-kd", teachers=[teacher], recipe=recipe)
    (alone,) = train(student, runs({}), recipe=recipe)
    np.testing.assert_allclose(taught.weights, alone.weights, rtol=0, atol=1e-6)
    (other,) = train(student, runs({"alpha": 0.5}), teaching="rb-kd", teachers=[teacher], recipe=recipe)
    assert np.abs(other.weights - alone.weights).max() > 1e-3


def test_the_students_maps_approach_the_teachers_as_beta_grows(teacher):
    made, outcomes = learnt("rab-kd", teacher, runs({"beta": 0.0}, {"beta": 1.0}, {"beta": 30.0}), filters=6, epochs=15)
    windows, _ = problem()
    target = teacher.network.predict_taps(teacher.weights, teacher.state, windows[TRAIN])
    assert made.setup.aux.size == 0  # Maps of equal width are compared as they are.
    apart = []
    for outcome in outcomes:
        mine = made.student.predict_taps(outcome.weights, outcome.state, windows[TRAIN])
        apart.append([float(np.mean((mine[name] - target[name]) ** 2)) for name in TAPS[1:]])
    (free, *_), (weak, *_), (strong, *_) = apart
    assert free > 3 * weak > 9 * strong, apart
    assert apart[0][1] > apart[1][1] > apart[2][1], apart


def test_the_projector_learns_and_is_kept(teacher):
    made, (still, moved) = learnt("rab-kd", teacher, runs({"beta": 0.0}, {"beta": 10.0}))
    first = made.setup.aux.flat(made.setup.aux_params(1))
    assert first.shape == (3 * 6 + 6,)
    np.testing.assert_array_equal(still.aux_params, first)
    assert np.abs(moved.aux_params - first).max() > 1e-3
    assert set(made.setup.aux.named(moved.aux_params)) == {
        "student/channel_attention_1/kernel",
        "student/channel_attention_1/bias",
    }


def test_a_projector_survives_a_checkpoint(teacher, tmp_path):
    options = {"filters": 3, "epochs": 3}
    _, (whole,) = learnt("rab-kd", teacher, runs({"beta": 10.0}), **options)
    stopped, _ = learnt("rab-kd", teacher, runs({"beta": 10.0}), folder=tmp_path, **options)
    (resumed,) = stopped.train()
    np.testing.assert_array_equal(resumed.aux_params, whole.aux_params)
    np.testing.assert_array_equal(resumed.weights, whole.weights)


def test_the_same_maps_are_learnt_from_cached_and_from_live_answers(teacher):
    _, (cached,) = learnt("rab-kd", teacher, runs({"beta": 3.0}))
    _, (live,) = learnt("rab-kd", teacher, runs({"beta": 3.0}), live=True)
    np.testing.assert_allclose(live.weights, cached.weights, rtol=0, atol=1e-5)
    np.testing.assert_allclose(live.aux_params, cached.aux_params, rtol=0, atol=1e-5)


@pytest.mark.parametrize("teaching", ["lm-att", "rb-kd-att", "rab-kd"])
def test_a_student_without_attention_is_refused_before_training(teaching, teacher):
    with pytest.raises(UserError, match=rf"{teaching} needs \*_attention_\* of plain"):
        fleet(attentive(3, "plain", attention=False), runs({}), teaching=teaching, teachers=[teacher])


def test_a_teacher_without_attention_is_refused_before_training():
    model = attentive(6, "plain", attention=False)
    network = Functional(model, ["logits"])
    weights, state = network.own()
    plain = Teacher(network, weights, state, name="the plain teacher")
    with pytest.raises(UserError, match="rab-kd needs .* of the plain teacher"):
        fleet(attentive(3), runs({}), teaching="rab-kd", teachers=[plain])
