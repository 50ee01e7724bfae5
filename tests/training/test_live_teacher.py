"""A teacher that runs in every step, single or of several networks: what it says of the batch that the student sees.

The objective hands out what both networks give for the batch of a step; all is computed again in NumPy.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras import layers, ops

from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, WindowFeatures
from stillmotion.features.window_features import compute_feature_table
from stillmotion.methods import Method, Range
from stillmotion.methods.losses import cross_entropy, kl_divergence
from stillmotion.networks import initialise, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import Normaliser
from stillmotion.training import Fleet, Recipe, Replica, Teacher, fit, join_teachers
from stillmotion.training.functional import Functional
from stillmotion.training.memory import replica_bytes
from stillmotion.training.progress import Progress
from stillmotion.training.step import described_by, live_taps
from stillmotion.training.teacher import predict_taps

from .small import CHANNELS, CLASSES, TIME, TRAIN, VALIDATION, dense, fleet, normed, problem, same, train

QUIET = Progress(enabled=False)
#: All training windows in one step, so that a step is an epoch.
ONE_STEP = Recipe(batch=len(TRAIN), epochs=1)
FEATURES = FeatureSet(TIME, 50.0, ("0", "1"), ("all", "all"), ("axes", "time"), compressed=True)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True)
def quick_and_unjudged(monkeypatch, compile_anew):
    """The teachers here are not trained: they need not be better than the majority class."""
    monkeypatch.setattr("stillmotion.training.distillation.require_able", lambda *_, **__: 1.0)
    # XLA compiles draws from the Beta distribution for seconds; shares are searched in what is recorded.
    monkeypatch.setattr(jax.random, "beta", lambda key, a, b: jax.random.uniform(key))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def recording(records: list[dict[str, np.ndarray]], *taps: str) -> Method:
    """KD that also writes down what it was given; ``mark`` tells replicas apart."""

    def objective(batch, student, teacher, hyperparameters, aux_params):
        given = {f"student/{tap}": student[tap] for tap in taps}
        given |= {"teacher": teacher["logits"], "targets": batch.targets, "mark": hyperparameters["mark"]}
        jax.debug.callback(lambda **values: records.append({k: np.array(v) for k, v in values.items()}), **given)
        return {
            "student": cross_entropy(batch, student["logits"]),
            "teacher": kl_divergence(teacher["logits"], student["logits"], 2.0),
        }

    return Method(
        "recording",
        "",
        "",
        objective,
        student_taps=taps,
        teacher_taps=("logits",),
        hyperparameters={"mark": Range(0.0, 0.0, 9.0)},
    )


def recorded(student: keras.Model, runs: list[Replica], *taps: str, **options: Any) -> list[dict[str, np.ndarray]]:
    """What was given in the one step of each replica."""
    records: list[dict[str, np.ndarray]] = []
    train(student, runs, teaching=recording(records, "logits", *taps), recipe=options.pop("recipe"), **options)
    jax.effects_barrier()
    return sorted(records, key=lambda record: float(record["mark"]))


def on_features(units: int, seed: int, *, signal: bool = False) -> keras.Model:
    """A network on window features; with ``signal`` also on the windows themselves, which is a tap."""
    inputs = keras.Input((TIME, CHANNELS))
    x = Normaliser(axis=-1, name="scale")(WindowFeatures(FEATURES, name="described")(inputs))
    x = layers.Identity(name="features")(ops.clip(x, -5, 5))
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    if signal:
        seen = layers.Identity(name="stage1")(layers.Flatten()(inputs))
        x = layers.Concatenate()([x, seen])
    x = layers.Dropout(0.3)(x)
    model = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name=f"features_{units}")
    initialise(model, seed)
    # Statistics of other subjects than the student's.
    set_feature_statistics(model, problem(seed=seed)[0][:50] + 0.1 * seed)
    return model


def as_teacher(model: keras.Model) -> Teacher:
    network = Functional(model, ["logits"])
    return Teacher(network, *network.own(), name=model.name)


def by_hand(model: keras.Model, features: np.ndarray) -> np.ndarray:
    """Logits of ``on_features`` from features of the windows."""
    scale, hidden, last = (model.get_layer(name) for name in ("scale", "hidden", "logits"))
    mean, variance = (np.asarray(values, np.float64) for values in (scale.adapt_mean, scale.adapt_variance))
    x = np.clip((features - mean) / np.sqrt(variance), -5, 5)
    kernel, bias = (np.asarray(values, np.float64) for values in hidden.weights)
    x = np.maximum(x @ kernel + bias, 0)
    kernel, bias = (np.asarray(values, np.float64) for values in last.weights)
    return np.asarray(x @ kernel + bias)


def features_seen(student: keras.Model, record: dict[str, np.ndarray]) -> np.ndarray:
    """The features in the step, from the standardised ones that the student's tap shows."""
    scale = student.get_layer("scale")
    standardised = record["student/features"]
    assert np.abs(standardised).max() < 5, "clipped features do not tell what was before"
    return np.asarray(standardised * np.sqrt(np.asarray(scale.adapt_variance)) + np.asarray(scale.adapt_mean))


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(("mixup", "feature-noise"), id="known features"),
        pytest.param(("scaling", "mixup", "feature-noise"), id="computed in the step", marks=pytest.mark.slow),
    ],
)
def test_an_ensemble_answers_the_very_batch_that_the_student_sees(kinds):
    """Two replicas with a teacher each; of three networks, two read features and one the signal."""
    student = on_features(3, 9, signal=True)
    # So wide that none of its features is clipped, which shows them all.
    student.get_layer("scale").adapt_variance.assign(9 * np.asarray(student.get_layer("scale").adapt_variance))
    ensembles = [[on_features(5, 1 + n), on_features(4, 3 + n), dense()] for n in (0, 1)]
    for number, members in enumerate(ensembles):
        initialise(members[2], 20 + number)
    shares = [(0.5, 0.2, 0.3), (0.1, 0.9, 0.0)]
    teachers = [
        join_teachers([as_teacher(model) for model in members], weights)
        for members, weights in zip(ensembles, shares, strict=True)
    ]
    strengths = {"mixup": 0.8, "feature-noise": 0.3, "scaling": 0.2}
    runs = [
        Replica(seed, TRAIN, VALIDATION, {"mark": seed, **{kind: strengths[kind] for kind in kinds}}, teacher=seed)
        for seed in (0, 1)
    ]
    recipe = Recipe(batch=len(TRAIN), epochs=1, augment=kinds)
    options = {"teachers": teachers, "own_weights": True, "recipe": recipe}
    records = recorded(student, runs, "features", "stage1", **options)
    windows, _ = problem()
    for record, members, weights in zip(records, ensembles, shares, strict=True):
        features = features_seen(student, record)
        seen = record["student/stage1"].reshape(-1, TIME, CHANNELS)
        logits = [by_hand(model, features) for model in members[:2]] + [members[2].predict(seen, verbose=0)]
        mean = sum(share * softmax(each) for share, each in zip(weights, logits, strict=True))
        np.testing.assert_allclose(softmax(record["teacher"]), mean, rtol=1e-3, atol=2e-5)
        np.testing.assert_allclose(np.exp(record["teacher"]).sum(1), 1, rtol=1e-5)
        # The batch is no copy of the windows: mixed, changed, and with noise on its features.
        distances = np.abs(seen[:, None] - windows[TRAIN][None]).max((2, 3)).min(1)
        assert np.median(distances) > 0.05
        if "scaling" in kinds:
            noise = features - compute_feature_table(seen, FEATURES)
            clean = compute_feature_table(seen, FEATURES)
        else:
            mixed = mixed_from(compute_feature_table(windows[TRAIN], FEATURES), seen, windows[TRAIN])
            noise, clean = features - mixed, mixed
        moving = clean.std(0) > 1e-3
        ratio = noise.std(0)[moving] / clean.std(0)[moving]
        np.testing.assert_allclose(ratio.mean(), 0.3, rtol=0.1)
        assert np.abs(np.corrcoef(noise[:, moving].T)[np.triu_indices(moving.sum(), 1)]).mean() < 0.2
    assert np.abs(records[0]["teacher"] - records[1]["teacher"]).max() > 0.1


def mixed_from(values: np.ndarray, seen: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Mix values of windows as these windows were mixed to those that were seen; pairs and share are searched."""
    flat, mixed = windows.reshape(len(windows), -1).astype(float), seen.reshape(len(seen), -1).astype(float)
    direction = flat[None] - flat[:, None]  # (first, second, samples)
    length = np.maximum((direction**2).sum(2), 1e-12)
    result = np.empty((len(seen), *values.shape[1:]))
    for row, given in enumerate(mixed):
        apart = (given - flat)[:, None]
        share = (direction * apart).sum(2) / length
        error = np.abs(apart - share[..., None] * direction).max(2)
        error[(share < -1e-4) | (share > 1 + 1e-4)] = np.inf
        first, second = np.unravel_index(error.argmin(), error.shape)
        assert error[first, second] < 1e-4
        result[row] = (1 - share[first, second]) * values[first] + share[first, second] * values[second]
    return result


def test_outputs_for_single_windows_are_mixed_as_their_labels_are():
    """A forest cannot run in a step: with mixup the student learns the mean of its probabilities of both windows."""
    windows, labels = problem()
    outputs = (2 * np.eye(CLASSES)[labels] + np.random.default_rng(3).normal(size=(len(labels), CLASSES))).astype(
        np.float32
    )
    runs = [Replica(4, TRAIN, VALIDATION, {"mark": 0, "mixup": 0.9})]
    recipe = Recipe(batch=len(TRAIN), epochs=1, augment=("mixup",))
    inputs = keras.Input((TIME, CHANNELS))
    seen = layers.Identity(name="stage1")(layers.Flatten()(inputs))
    student = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(seen), name="linear")
    options = {"teachers": [Teacher(outputs={"logits": outputs})], "recipe": recipe}
    (record,) = recorded(student, runs, "stage1", **options)
    seen = record["student/stage1"].reshape(-1, TIME, CHANNELS)
    both = np.concatenate([softmax(outputs[TRAIN]), np.eye(CLASSES)[labels[TRAIN]]], axis=1)
    expected = mixed_from(both, seen, windows[TRAIN])
    np.testing.assert_allclose(softmax(record["teacher"]), expected[:, :CLASSES], atol=1e-4)
    np.testing.assert_allclose(record["targets"], expected[:, CLASSES:], atol=1e-4)
    assert 0.1 < np.ptp(record["targets"], axis=1).min() < 0.9


@pytest.fixture(scope="module")
def several() -> Teacher:
    models = [normed(), dense()]
    for seed, model in enumerate(models):
        initialise(model, 30 + seed)
    return join_teachers([as_teacher(model) for model in models], (0.3, 0.7), name="two")


def test_no_gradient_flows_into_the_teacher_or_through_it(several):
    ours = fleet(dense(), [Replica(0, TRAIN, VALIDATION)], teaching="rb-kd", teachers=[several], live=True)
    network = ours.setup.student

    def total(shared, x):
        answers = live_taps(ours.setup, shared, 0, x, described_by(ours.setup, []))
        return (answers["logits"] ** 2).sum()

    floats = ours.shared.teacher_weights
    differentiate = jax.jit(
        jax.grad(lambda weights, x: total(ours.shared._replace(teacher_weights=weights), x), argnums=(0, 1))
    )
    gradients = differentiate(floats, ours.shared.windows[:5])
    assert sum(leaf.size for leaf in jax.tree.leaves(gradients)) > 100
    for leaf in jax.tree.leaves(gradients):
        np.testing.assert_array_equal(leaf, 0)
    assert network.size == ours.setup.layout.size, "nothing but the student is trained"


@pytest.mark.slow
def test_run_in_every_step_or_computed_once_an_ensemble_teaches_the_same(several):
    runs = [Replica(seed, TRAIN, VALIDATION, {"temperature": 3.0, "alpha": 0.3}) for seed in (0, 1)]
    once, live = (train(dense(), runs, teaching="rb-kd", teachers=[several], live=live) for live in (False, True))
    for one, other in zip(once, live, strict=True):
        same(one, other, within=1e-5)
    windows, _ = problem()
    probabilities = [softmax(part.network.model.predict(windows, verbose=0)) for part in several.members]
    expected = 0.3 * probabilities[0] + 0.7 * probabilities[1]
    np.testing.assert_allclose(softmax(predict_taps(several, windows, ["logits"])["logits"]), expected, atol=1e-6)


@pytest.mark.slow
# Keras 3.15 reads its variables in a way that NumPy 2.4 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
def test_fit_takes_a_list_of_teachers(several):
    windows, labels = problem()
    models = [part.network.model for part in several.members]
    hyperparameters, recipe = {"alpha": 0.2, "mixup": 0.3}, Recipe(batch=16, epochs=2, augment=("mixup",))
    student, again = dense(), dense()
    again.set_weights(student.get_weights())
    held_out = windows[VALIDATION], labels[VALIDATION]
    options = {"validation": held_out, "hyperparameters": hyperparameters, "recipe": recipe, "progress": False}
    fit(student, windows[TRAIN], labels[TRAIN], teacher=models, **options)
    run = Replica(0, TRAIN, VALIDATION, hyperparameters)
    set_statistics(again, windows[TRAIN].mean((0, 1)), windows[TRAIN].std((0, 1)))
    equal = join_teachers(several.members)
    (result,) = train(again, [run], teaching="rb-kd", teachers=[equal], recipe=recipe, own_weights=True)
    np.testing.assert_allclose(Functional(student, ["logits"]).own()[0], result.weights, atol=1e-6)


def test_a_fleet_with_an_ensemble_in_its_steps_goes_on_bit_for_bit(several, tmp_path):
    runs = [Replica(seed, TRAIN, VALIDATION, {"mixup": 0.4, "alpha": 0.2}) for seed in (0, 1)]
    recipe = Recipe(batch=16, epochs=3, augment=("mixup",))

    def make(teacher: Teacher, folder: Path | None) -> Fleet:
        return fleet(dense(), runs, teaching="rb-kd", teachers=[teacher], recipe=recipe, folder=folder)

    ours = make(several, None)
    whole = ours.train(QUIET)
    # The same fleet again, so that it is compiled once; all that it knows of the first epoch is in the file.
    ours.path = make(several, tmp_path).path
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ours.train(interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    # The same networks in other shares are another teacher.
    with pytest.raises(UserError, match="belongs to another plan"):
        make(join_teachers(several.members, (0.7, 0.3)), tmp_path).train(QUIET)
    resumed = ours.train(QUIET)
    for one, other in zip(whole, resumed, strict=True):
        assert one.epochs == 3
        assert one.teacher_weights.size == 0
        same(one, other)


def interrupt(epoch: Any, *, last: bool = False) -> None:
    """A progress display at which the user presses Ctrl-C after the first epoch."""
    os.kill(os.getpid(), signal.SIGINT)


def test_what_several_teachers_or_outputs_cannot_teach_is_refused(several):
    runs = [Replica(0, TRAIN, VALIDATION)]
    hidden = Method("needy", "", "", lambda *_: {}, teacher_taps=("logits", "hidden"))
    models = [as_teacher_with(dense(), "hidden") for _ in range(2)]
    with pytest.raises(UserError, match="needy needs a single teacher network in every step, not 2"):
        fleet(dense(), runs, teaching=hidden, teachers=[join_teachers(models)], live=True)
    scores = {"logits": np.zeros((120, CLASSES), np.float32), "hidden": np.zeros((120, 4), np.float32)}
    with pytest.raises(UserError, match="needy needs hidden of its teacher, which cannot be known for mixed windows"):
        fleet(dense(), runs, teaching=hidden, teachers=[Teacher(outputs=scores)], recipe=Recipe(augment=("mixup",)))
    other = join_teachers([as_teacher(dense()), as_teacher(dense())])
    with pytest.raises(UserError, match="two and dense are not of the same networks"):
        fleet(dense(), runs, teaching="rb-kd", teachers=[other, several], live=True)
    with pytest.raises(UserError, match="only networks can be joined"):
        join_teachers([Teacher(outputs=scores, name="scores")])
    for weights, message in (
        ((0.5,), "2 teachers need a weight"),
        ((0.5, 0.6), "add up to 1"),
        ((1.5, -0.5), "0 or more"),
    ):
        with pytest.raises(UserError, match=message):
            join_teachers(several.members, weights)


def as_teacher_with(model: keras.Model, tap: str) -> Teacher:
    network = Functional(model, ["logits", tap])
    return Teacher(network, *network.own(), name=model.name)


def test_memory_counts_a_frozen_network_without_its_gradient(several):
    ours = fleet(dense(), [Replica(0, TRAIN, VALIDATION)], teaching="rb-kd", teachers=[several], live=True)
    student, first, second = ours.setup.student, *ours.setup.live
    alone = replica_bytes([student], 64)
    outputs = {normed: TIME * CHANNELS * 3 + 4 * 4 + CLASSES, dense: TIME * CHANNELS * 3 + 4 + CLASSES}
    one, other = (4 * (network.size + 64 * outputs[make]) for network, make in ((first, normed), (second, dense)))
    assert replica_bytes([student], 64, frozen=[first]) - alone == one
    assert replica_bytes([student], 64, frozen=[first, second]) - alone == one + other
    assert replica_bytes([student, second], 64) - alone == 4 * (12 * second.size + 4 * 64 * outputs[dense])
