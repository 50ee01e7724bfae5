"""Training for int8: rounding with gradients that pass straight through, in a fleet's steps and in ``fit``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.deploy import plan_quantisation, read_program
from stillmotion.deploy.program import quantise_program
from stillmotion.errors import UserError
from stillmotion.methods import get_method
from stillmotion.networks import FastGRNN, initialise
from stillmotion.training import Recipe, fit
from stillmotion.training.distillation import student_network
from stillmotion.training.fake_quantisation import round_kernel, round_to
from stillmotion.training.progress import Progress

from .small import CHANNELS, TIME, TRAIN, dense, fleet, normed, problem, replica, same

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
QUIET = Progress(enabled=False)


def by_loop(values, scale, zero):
    """What the integers of a grid stand for, and where a value lies between the lowest and the highest."""
    rounded, inside = [], []
    for value in values.tolist():
        whole = min(127, max(-128, round(value / scale) + zero))
        rounded.append(scale * (whole - zero))
        inside.append(float(scale * (-128 - zero) <= value <= scale * (127 - zero)))
    return rounded, inside


def test_a_rounded_value_is_that_of_its_integer_and_its_gradient_passes_within_the_range():
    scale, zero = 0.25, -100  # from -7 to 56.75
    values = np.array([-9, -7, -6.9, -0.1, 0, 0.13, 3.3, 56.7, 56.75, 60], np.float32)
    factors = np.arange(1, 11, dtype=np.float32)
    rounded, inside = by_loop(values, scale, zero)
    np.testing.assert_allclose(round_to(values, scale, zero), rounded, atol=1e-6)
    gradient = jax.grad(lambda x: (round_to(x, scale, zero) * factors).sum())(values)
    np.testing.assert_array_equal(gradient, factors * inside)


def test_a_kernel_is_rounded_by_its_filters_and_its_gradient_passes():
    random = np.random.default_rng(0)
    kernel = (random.normal(size=(3, 2, 4)) * [0.01, 1, 30, 0]).astype(np.float32)
    expected = np.zeros_like(kernel)
    for place in range(3):
        largest = np.abs(kernel[:, :, place]).max()
        expected[:, :, place] = np.rint(kernel[:, :, place] / largest * 127) * largest / 127
    np.testing.assert_allclose(round_kernel(kernel, (0, 1)), expected, rtol=1e-5)
    gradient = jax.grad(lambda x: (round_kernel(x, (0, 1)) * kernel**2).sum())(kernel)
    np.testing.assert_allclose(gradient, kernel**2, rtol=1e-6)


def int8_accuracy(model, windows, labels):
    program = quantise_program(read_program(model), problem()[0][TRAIN], (2.0**-12,) * CHANNELS)
    counts = np.rint(windows * 4096).astype(np.int16)
    return float((program.run(counts).argmax(1) == labels).mean())


def float_accuracy(model, windows, labels):
    return float((read_program(model).run(windows).argmax(1) == labels).mean())


def test_what_int8_destroys_a_few_epochs_with_rounding_give_back():
    """One hidden unit is 300 times as large as the others, and counts 300 times less: the same function in float32."""
    data, others = problem(noise=0.5), problem(300, seed=5, noise=0.5)
    model = dense()
    initialise(model, 1)
    recipe = Recipe(batch=8, epochs=30, keep="last", select="accuracy")
    options = {"validation": others, "recipe": recipe, "learning_rate": 0.02, "progress": False}
    fit(model, *data, **options)
    hidden, logits = model.get_layer("hidden"), model.get_layer("logits")
    factor = np.array([300.0, 1, 1, 1])
    hidden.set_weights([np.asarray(each) * factor for each in hidden.get_weights()])
    kernel, bias = logits.get_weights()
    logits.set_weights([kernel / factor[:, None], bias])
    exact, after = float_accuracy(model, *others), int8_accuracy(model, *others)
    fitted = fit(model, *data, teacher=model, method="kd", quantise=plan_quantisation(model), **options)
    trained = int8_accuracy(model, *others)
    assert after < exact - 0.1
    assert trained > after + 0.7 * (exact - after), (exact, after, trained)
    assert fitted.best == pytest.approx(trained, abs=0.03)  # the score of an epoch is that of its int8 form


RECIPE = Recipe(batch=8, epochs=3)
RUNS = [replica(0), replica(1, learning_rate=0.01), replica(2)]


class StopAfter:
    """A progress display at which the user stops."""

    def __init__(self, epochs):
        self.left = epochs

    def __call__(self, epoch, *, last=False):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def make(folder=None, runs=RUNS, **options):
    model = normed()
    options.setdefault("quantise", plan_quantisation(model))
    return fleet(model, runs, recipe=RECIPE, size=2, folder=folder, every=0.0, **options)


def test_a_fleet_trained_for_int8_resumes_and_its_results_are_the_models_own(tmp_path):
    whole = make().train(QUIET)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).train(StopAfter(2))
    with pytest.raises(UserError, match="another plan"):
        make(tmp_path, quantise=None).train(QUIET)
    elsewhere = replace(RUNS[2], start=(whole[0].weights, whole[0].state))
    with pytest.raises(UserError, match="another plan"):
        make(tmp_path, runs=[*RUNS[:2], elsewhere]).train(QUIET)
    for one, other in zip(make(tmp_path).train(QUIET), whole, strict=True):
        same(one, other)
    model = normed()
    assert [each.shape for each in whole[0].state] == [tuple(each.shape) for each in model.non_trainable_variables]
    assert not np.array_equal(whole[0].weights, whole[2].weights)


def test_a_range_widens_at_once_and_narrows_by_a_part():
    model = dense()
    network = student_network(model, get_method("lm"), quantise=plan_quantisation(model))
    weights, state = network.initial(0)
    windows = problem()[0][:64]
    step = jax.jit(lambda state, x: network.apply(weights, state, x, training=True)[1])
    after = step(state, windows)
    measured = dict(zip(network.quantise.measured, np.asarray(after[-1]), strict=True))
    name = model.layers[2].name if model.layers[2].name in measured else next(iter(measured))
    np.testing.assert_allclose(measured[name], [windows.min(), windows.max()], rtol=1e-5)
    # Half as large a batch narrows them by a part; a larger one widens them at once.
    narrower = step(after, windows / 2)
    place = network.quantise.measured.index(name)
    np.testing.assert_allclose(narrower[-1][place], 0.85 * measured[name], rtol=1e-5)
    wider = step(narrower, windows * 2)
    np.testing.assert_allclose(wider[-1][place], 2 * measured[name], rtol=1e-5)


def test_dropout_inside_a_recurrence_is_refused():
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.GRU(3, dropout=0.2, name="memory")(layers.Normalization(name="normaliser")(inputs))
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    with pytest.raises(UserError, match="memory drops values inside its recurrence"):
        student_network(model, get_method("lm"), quantise=plan_quantisation(model))


def test_the_range_of_a_state_is_that_of_its_values_before_they_are_rounded():
    """A FastGRNN's state exceeds 1; a range measured after rounding to ±1 would never widen."""
    inputs = keras.Input((TIME, CHANNELS))
    x = FastGRNN(4, name="memory")(layers.Normalization(name="normaliser")(inputs))
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    initialise(model, 0)
    model.get_layer("memory").nu.assign(2.0)
    network = student_network(model, get_method("lm"), quantise=plan_quantisation(model))
    weights, state = network.own()
    windows = problem()[0][:64]
    program = read_program(model)
    values = program.run_all(windows)
    block = next(step.block for step in program.steps if step.output == "memory")
    low, high = block.range_of((values["normaliser"],), values["memory"])
    assert max(-low, high) > 2
    place, narrow = network.quantise.measured.index("memory"), state[-1].copy()
    narrow[place] = [-1, 1]
    step = jax.jit(lambda ranges: network.apply(weights, [*state[:-1], ranges], windows, training=True)[1][-1][place])
    np.testing.assert_allclose(step(state[-1]), [min(low, 0), max(high, 0)], rtol=0.05)
    assert np.abs(step(narrow)).max() > 2


def test_a_frozen_kernel_is_rounded_in_the_forward_pass_and_stays_as_it_is():
    model = dense()
    initialise(model, 0)
    model.get_layer("hidden").trainable = False
    network = student_network(model, get_method("lm"), quantise=plan_quantisation(model))
    weights, state = network.own()
    windows = problem()[0][:4]
    taps, after = jax.jit(partial(network.apply, training=False))(weights, state, windows)
    for before, left in zip(state, after, strict=True):
        np.testing.assert_array_equal(left, before)
    hidden, logits = model.get_layer("hidden"), model.get_layer("logits")
    kernels = [np.asarray(round_kernel(np.asarray(each.kernel), (0,))) for each in (hidden, logits)]
    inside = np.maximum(windows.reshape(4, -1) @ kernels[0] + np.asarray(hidden.bias), 0)
    np.testing.assert_allclose(taps["logits"], inside @ kernels[1] + np.asarray(logits.bias), atol=1e-5)
