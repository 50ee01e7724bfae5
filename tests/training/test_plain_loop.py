"""A fleet gives the results of a plain Keras training loop."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from stillmotion.networks import initialise
from stillmotion.training import Recipe, layout
from stillmotion.training.progress import Progress

from .small import CLASSES, dense, fleet, normed, problem, replica


def plain_loop(model, optimizer, batches, *, clip=None):
    """Weights and state after the batches, by Keras' own stateless parts."""
    optimizer.build(model.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)

    def of(trainable, state, x, y):
        logits, state = model.stateless_call(trainable, state, x, training=True)
        return loss(y, logits), state

    @jax.jit
    def step(trainable, state, memory, x, y):
        gradients, state = jax.grad(of, has_aux=True)(trainable, state, x, y)
        trainable, memory = optimizer.stateless_apply(memory, gradients, trainable)
        return trainable, state, memory

    values = [
        [v.value for v in part]
        for part in (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    ]
    for x, y in batches:
        values = step(*values, x, keras.utils.to_categorical(y, CLASSES))
    return [np.asarray(w) for w in values[0]], [np.asarray(s) for s in values[1]]


@pytest.mark.parametrize(
    ("network", "hyperparameters", "make", "large"),
    [
        (dense, {"learning_rate": 0.01}, lambda: keras.optimizers.Adam(0.01), layout.LARGE),
        (normed, {"learning_rate": 0.003}, lambda: keras.optimizers.Adam(0.003), 12),
        (
            dense,
            {"learning_rate": 0.01, "weight_decay": 0.1, "clip": 0.3},
            lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.3),
            64,
        ),
    ],
    ids=["adam", "norm-and-dropout", "adamw-clipped"],
)
def test_the_first_steps_are_those_of_keras(monkeypatch, network, hyperparameters, make, large):
    monkeypatch.setattr(layout, "LARGE", large)
    windows, labels = problem()
    run = replica(11, **hyperparameters)
    model = network()
    ours = fleet(model, [run], recipe=Recipe(batch=8, epochs=1))
    (outcome,) = ours.train(Progress(enabled=False))
    order = ours.tables.order(run, 0)
    assert order.shape == (10, 8)
    initialise(model, 11)
    optimizer = make()
    if hyperparameters.get("weight_decay"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    weights, state = plain_loop(model, optimizer, [(windows[rows], labels[rows]) for rows in order])
    np.testing.assert_allclose(outcome.weights, np.concatenate([w.ravel() for w in weights]), rtol=0, atol=1e-5)
    for mine, theirs in zip(outcome.state, state, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


def test_an_epoch_sees_every_window_and_fills_its_last_step_up():
    run = replica(3)
    ours = fleet(dense(), [run], recipe=Recipe(batch=32, epochs=1))
    order = ours.tables.order(run, 0)
    assert order.shape == (3, 32)
    flat = order.ravel()
    assert sorted(flat[:80]) == list(range(80))
    np.testing.assert_array_equal(flat[80:], flat[:16])
    assert (ours.tables.order(run, 1).ravel() != flat).any()
    np.testing.assert_array_equal(ours.tables.order(run, 0), order)
