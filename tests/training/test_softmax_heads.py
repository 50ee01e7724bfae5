"""Models that end in softmax train as the same networks without it, as student and as teacher."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
from keras import layers, ops

from stillmotion.errors import UserError
from stillmotion.networks import initialise
from stillmotion.training import Fleet, Recipe, Teacher, fit
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress

from .small import CHANNELS, CLASSES, TIME, problem, replica, same

# Keras 3.15 reads its variables in a way that NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
WINDOWS, LABELS = problem()
SUBJECTS = np.arange(len(LABELS)) // 24
SHORT, QUIET = Recipe(batch=8, epochs=2), Progress(enabled=False)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def convolutional(head, seed=3):
    """Conv and Dense with the same first weights for every head."""
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.Flatten()(layers.Conv1D(3, 3, activation="relu", name="conv")(inputs))
    x = layers.Dense(4, activation="relu", name="embedding")(x)
    model = keras.Model(inputs, head(x), name="mine")
    initialise(model, seed)
    return model


def plain(x):
    return layers.Dense(CLASSES, name="end")(x)


def fused(x):
    return layers.Dense(CLASSES, name="end", activation="softmax")(x)


def layered(x):
    return layers.Softmax()(plain(x))


def divided(x):
    """Probabilities by operations that show no softmax."""
    powers = ops.exp(plain(x))
    return powers / ops.sum(powers, axis=-1, keepdims=True)


@pytest.mark.parametrize("head", [fused, pytest.param(layered, marks=pytest.mark.slow)])
def test_a_softmax_ended_student_trains_to_the_same_weights_and_gives_probabilities_after(head):
    models = convolutional(plain), convolutional(head)
    histories = [fit(m, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False).history for m in models]
    assert histories[0] == histories[1]
    for mine, theirs in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    given = models[1].predict(WINDOWS, verbose=0)
    np.testing.assert_allclose(given.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(given, ops.softmax(models[0].predict(WINDOWS, verbose=0)), atol=1e-5)


def able(head):
    """A teacher whose logits tell the classes apart."""
    model = convolutional(head, seed=5)
    logits = model if head is plain else convolutional(plain, seed=5)
    fit(
        logits,
        WINDOWS,
        LABELS,
        subjects=SUBJECTS,
        recipe=Recipe(batch=8, epochs=12),
        progress=False,
        hyperparameters={"learning_rate": 0.01},
    )
    model.set_weights(logits.get_weights())
    return model


@pytest.fixture(scope="module")
def teachers(quick_compilation):
    model = able(plain)
    ended = convolutional(fused)
    ended.set_weights(model.get_weights())
    return model, ended


def distilled(teacher, head=plain, method=None):
    model = convolutional(head)
    return fit(model, WINDOWS, LABELS, subjects=SUBJECTS, teacher=teacher, method=method, recipe=SHORT, progress=False)


def test_a_softmax_ended_teacher_gives_the_same_loss_terms_as_its_logits(teachers):
    by_logits, by_softmax = (distilled(teacher).history for teacher in teachers)
    assert by_logits == by_softmax


@pytest.mark.slow
def test_a_co_trained_teacher_that_ends_in_softmax_learns_like_its_logits(teachers):
    by_logits, by_softmax = (
        distilled(teacher, head, "dml").history for teacher, head in zip(teachers, (plain, fused), strict=True)
    )
    assert by_logits == by_softmax


@pytest.mark.slow
def test_probabilities_given_as_a_teachers_scores_teach_like_its_logits(teachers):
    # Of moderate logits: a probability below 1e-12 is taken for 1e-12.
    logits = 4 * teachers[0].predict(WINDOWS, verbose=0)
    logits /= np.abs(logits).max()
    histories = [distilled(np.asarray(scores)).history for scores in (logits, ops.softmax(logits))]
    for one, other in zip(*histories, strict=True):
        np.testing.assert_allclose(list(one.values()), list(other.values()), atol=1e-5)


@pytest.mark.slow
def test_a_fleet_takes_softmax_heads_for_what_they_are(teachers):
    outcomes = []
    for head, teacher in zip((plain, fused), teachers, strict=True):
        network = Functional(teacher, ["logits"])
        taught = Teacher(network, *network.own())
        fleet = Fleet(
            convolutional(head),
            "rb-kd",
            [replica(1)],
            WINDOWS,
            LABELS,
            classes=CLASSES,
            recipe=SHORT,
            teachers=[taught],
        )
        outcomes += fleet.train(QUIET)
    same(*outcomes)


def test_a_classifier_is_handed_on_from_under_a_softmax(teachers):
    for teacher in teachers:
        network = Functional(teacher, ["logits", "embedding"])
        kernel, bias = network.classifier_of(network.own()[0])
        np.testing.assert_array_equal(kernel, teacher.get_layer("end").kernel)
        np.testing.assert_array_equal(bias, teacher.get_layer("end").bias)


def test_probabilities_whose_logits_cannot_be_reached_are_refused_in_student_and_teacher(teachers):
    with pytest.raises(UserError, match=r"mine gives probabilities \(its rows sum to 1\)"):
        fit(convolutional(divided), WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    hidden = convolutional(divided)
    hidden.set_weights(teachers[0].get_weights())
    with pytest.raises(UserError, match=r"mine gives probabilities \(its rows sum to 1\)"):
        distilled(hidden)
