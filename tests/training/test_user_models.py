"""Users' Keras models train as fast as the project's own: convolutions run in forms that are fast in a loop."""

from __future__ import annotations

import re

import jax
import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.errors import UserError
from stillmotion.networks import initialise
from stillmotion.training import Fleet, Recipe, fit
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress

from ..networks.test_xla_convolution import FAST
from .small import CHANNELS, CLASSES, TIME, problem, replica
from .test_plain_loop import plain_loop

# Keras 3.15 reads its variables in a way that NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
WINDOWS, LABELS = problem()
SUBJECTS = np.arange(len(LABELS)) // 24
QUIET = Progress(enabled=False)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def model(*parts, name="mine"):
    network = keras.Sequential([keras.Input((TIME, CHANNELS)), *parts, layers.Dense(CLASSES)], name=name)
    initialise(network, 3)
    return network


def small():
    return model(layers.Conv1D(4, 3, padding="causal", activation="relu"), layers.MaxPooling1D(2), layers.Flatten())


def solid():
    return model(layers.Reshape((TIME, CHANNELS, 1, 1)), layers.Conv3D(2, (3, 2, 1), name="solid"), layers.Flatten())


def fleet_of(network, count=1, **options):
    replicas = [replica(seed) for seed in range(count)]
    recipe = Recipe(batch=8, epochs=2)
    return Fleet(network, "lm", replicas, WINDOWS, LABELS, classes=CLASSES, recipe=recipe, **options)


def large():
    return model(
        layers.Conv1D(32, 3, padding="same", activation="relu"),
        layers.Conv1D(24, 3, strides=2, padding="same"),
        layers.Conv1DTranspose(8, 3, strides=2),
        layers.Flatten(),
    )


@pytest.mark.parametrize(("build", "count"), [(small, 0), (large, 5), (solid, 2)])
def test_convolutions_in_a_fleet_run_by_the_fast_routine_of_xla(build, count):
    """Forward and backward; the first layer's input needs no gradient, and little ones are no convolutions."""
    fleet = fleet_of(build())
    begun = fleet._begin(judge=False)
    given = (begun.learners, fleet._members(begun.slots), fleet.shared, *fleet.threads.slots(begun.alive))
    found = re.findall(r"dim_labels=\S+", fleet.program.epoch.lower(*given).compile().as_text())
    assert len(found) == count
    assert all(map(FAST.match, found))


@pytest.mark.slow
@pytest.mark.parametrize("build", [small, large, solid])
def test_a_users_model_takes_the_steps_that_keras_takes(build):
    network, theirs = build(), build()
    recipe = Recipe(batch=8, epochs=1)
    fleet = Fleet(network, "lm", [replica(7)], WINDOWS, LABELS, classes=CLASSES, recipe=recipe, own_weights=True)
    (outcome,) = fleet.train(QUIET)
    rows = fleet.tables.order(fleet.replicas[0], 0)
    weights, _ = plain_loop(theirs, keras.optimizers.Adam(1e-3), [(WINDOWS[row], LABELS[row]) for row in rows])
    np.testing.assert_allclose(outcome.weights, np.concatenate([w.ravel() for w in weights]), atol=1e-5)
    # The user's own model has what was learnt, by plain Keras.
    fleet.student.put(outcome.weights, outcome.state)
    taps = fleet.student.predict_taps(outcome.weights, outcome.state, WINDOWS)
    np.testing.assert_allclose(network.predict(WINDOWS, verbose=0), taps["logits"], atol=1e-5)


@pytest.mark.slow
def test_regularisers_are_part_of_the_loss():
    network = model(layers.Flatten(), layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.1)))
    before = 0.1 * float(np.square(network.layers[1].kernel).sum())
    recipe = Recipe(batch=len(LABELS), epochs=1)
    done = fit(network, WINDOWS, LABELS, validation=(WINDOWS, LABELS), recipe=recipe, progress=False)
    assert done.history[0]["regularisation"] == pytest.approx(before, rel=1e-5)
    assert (
        "regularisation"
        not in fit(small(), WINDOWS, LABELS, subjects=SUBJECTS, recipe=recipe, progress=False).history[0]
    )


def test_frozen_layers_keep_their_weights_whatever_the_seed():
    network = model(layers.Flatten(), layers.Dense(4, name="frozen"), layers.BatchNormalization(name="steady"))
    network.get_layer("frozen").trainable = network.get_layer("steady").trainable = False
    network.get_layer("frozen").bias.assign([1.0, 2.0, 3.0, 4.0])
    network.get_layer("steady").moving_mean.assign([5.0, 6.0, 7.0, 8.0])
    kept = [np.asarray(variable) for name in ("frozen", "steady") for variable in network.get_layer(name).variables]
    functional = Functional(network, ["logits"])
    one, other = (functional.initial(seed) for seed in (1, 2))
    assert not np.array_equal(one[0], other[0])
    for state in (one[1], other[1]):
        assert all(any(np.array_equal(value, leaf) for leaf in state) for value in kept)
    network.trainable = False
    with pytest.raises(UserError, match="mine has no weights to train"):
        fit(network, WINDOWS, LABELS, subjects=SUBJECTS, progress=False)


@pytest.mark.slow
def test_half_precision_inside_a_network_trains_with_whole_losses():
    network = keras.Sequential(
        [keras.Input((TIME, CHANNELS)), layers.Flatten(), layers.Dense(CLASSES, dtype="mixed_bfloat16")]
    )
    done = fit(network, WINDOWS, LABELS, subjects=SUBJECTS, recipe=Recipe(batch=8, epochs=2), progress=False)
    assert done.history[1]["cross_entropy"] < done.history[0]["cross_entropy"]


@pytest.mark.slow
def test_a_model_that_has_not_seen_a_window_is_built_as_keras_builds_it():
    network = keras.Sequential([layers.Flatten(), layers.Dense(CLASSES)], name="unbuilt")
    fit(network, WINDOWS, LABELS, subjects=SUBJECTS, recipe=Recipe(batch=8, epochs=1), progress=False)
    assert network.predict(WINDOWS, verbose=0).shape == (len(LABELS), CLASSES)
