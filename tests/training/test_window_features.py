"""Networks with window features in a fleet: features of all windows once, statistics of each replica's own subjects."""

from __future__ import annotations

from functools import partial

import jax
import keras
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.features import extract_array_features
from stillmotion.features.window_features import compute_feature_table
from stillmotion.methods import get_method
from stillmotion.networks import build_network, set_feature_statistics, with_taps
from stillmotion.networks.normaliser import FEATURE_NORMALISER
from stillmotion.training import Fleet, Recipe, Replica, Teacher, fit
from stillmotion.training.distillation import teacher_network
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress

SHAPE = (16, 3, 3)
ROWS = (np.arange(0, 90), np.arange(40, 130))
VALIDATION = np.arange(130, 160)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 160)
    windows = rng.normal(size=(160, *SHAPE[:2])) * np.array([0.5, 1, 2])[labels][:, None, None]
    windows[:90] *= 3  # the first replica's subjects move more
    return windows.astype(np.float32), labels


def fleet_of(name, data, method="lm", **options):
    windows, labels = data
    replicas = [
        Replica(seed, rows, VALIDATION, {}, windows[rows].mean((0, 1)), windows[rows].std((0, 1)))
        for seed, rows in enumerate(ROWS)
    ]
    recipe = Recipe(batch=32, epochs=2, augment=options.pop("augment", ()))
    model = build_network(name, SHAPE)
    return Fleet(model, method, replicas, windows, labels, classes=3, recipe=recipe, **options)


def trained(fleet):
    results = fleet.train(Progress(enabled=False))
    assert [result.status for result in results] == ["done"] * len(results)
    return results


def statistics_in(fleet, state):
    layer = fleet.student.model.get_layer(FEATURE_NORMALISER)
    ids = [id(variable) for variable in fleet.student.state]
    return state[ids.index(id(layer.adapt_mean))], state[ids.index(id(layer.adapt_variance))]


def test_features_computed_once_train_as_those_computed_in_every_step(data):
    """Augmentation of strength 0 changes no window, but has the features computed in the step."""
    once, in_step = (fleet_of("feature-net-s", data, augment=kinds) for kinds in ((), ("jitter",)))
    for known, computed in zip(trained(once), trained(in_step), strict=True):
        np.testing.assert_allclose(known.weights, computed.weights, rtol=1e-4, atol=1e-5)
        assert known.best == computed.best


def test_the_part_behind_the_features_gives_what_the_whole_network_gives(data):
    """Convolutions beside features, in training: logits, batch statistics and the state of dropout."""
    network = Functional(build_network("hybrid-net-s", SHAPE, seed=2), ["logits", "features"])
    vector, state = network.own()
    windows = data[0][:8]
    apply = jax.jit(partial(network.apply, training=True))
    whole, after = apply(vector, state, windows)
    features = [compute_feature_table(windows, layer.features) for layer, _ in network.described]
    behind, after_behind = apply(vector, state, windows, features)
    for tap in ("logits", "features"):
        np.testing.assert_allclose(behind[tap], whole[tap], rtol=1e-4, atol=1e-4)
    changed = [not np.array_equal(new, old) for new, old in zip(after, state, strict=True)]
    assert sum(changed) == 2 * 9 + 1  # means and variances of nine batch normalisations, and dropout's seed
    for new, expected in zip(after_behind, after, strict=True):
        np.testing.assert_allclose(new, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_network_is_written_as_before_when_the_part_behind_its_features_was_made(data, tmp_path):
    """A study asks a network that its fleets share for its configuration again, and users save what ``fit`` trained."""
    model = build_network("hybrid-net-s", SHAPE, seed=2)
    before = model.to_json()
    first = Functional(model, ["logits"])
    features = [compute_feature_table(data[0][:2], layer.features) for layer, _ in first.described]
    jax.jit(partial(first.apply, training=False))(*first.own(), data[0][:2], features)
    assert model.to_json() == before
    assert Functional(model, ["logits"]).twin is not None
    model.save(tmp_path / "saved.keras")
    saved = keras.saving.load_model(tmp_path / "saved.keras")
    answers, expected = (jax.jit(each)(data[0][:2]) for each in (saved, model))
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)


def test_each_replica_standardises_by_its_own_training_windows(data):
    fleet = fleet_of("feature-net-s", data)
    results = trained(fleet)
    sensors = {"rate": 50.0, "compressed": True}
    for result, rows in zip(results, ROWS, strict=True):
        features = extract_array_features(data[0][rows], **sensors).values.astype(float)
        mean, variance = statistics_in(fleet, result.state)
        np.testing.assert_allclose(mean, features.mean(0), rtol=1e-4, atol=1e-5)
        # So short a window has no frequency in some bands: their power is 0, and only centred.
        std = np.where(features.std(0) > 0, features.std(0), 1)
        np.testing.assert_allclose(variance, std**2, rtol=1e-3, atol=1e-6)
        fleet.student.put(result.weights, result.state)
        found = with_taps(fleet.student.model, ["features"])(data[0][VALIDATION])["features"]
        wanted = extract_array_features(data[0][VALIDATION], **sensors).values
        wanted = np.clip((wanted - features.mean(0)) / std, -5, 5)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    first, second = (statistics_in(fleet, result.state)[0] for result in results)
    assert abs(first - second).max() > 0.5


def test_fit_standardises_a_new_network_and_keeps_the_statistics_of_an_old_one(data):
    windows, labels = data
    model = build_network("feature-net-xs", SHAPE)
    validation = windows[VALIDATION], labels[VALIDATION]
    settings = {"validation": validation, "recipe": Recipe(epochs=1), "progress": False}
    fit(model, windows[ROWS[0]], labels[ROWS[0]], **settings)
    features = extract_array_features(windows[ROWS[0]], rate=50.0, compressed=True).values
    layer = model.get_layer(FEATURE_NORMALISER)
    np.testing.assert_allclose(layer.adapt_mean, features.mean(0), rtol=1e-4, atol=1e-5)
    fit(model, windows[ROWS[1]], labels[ROWS[1]], **settings)
    np.testing.assert_allclose(layer.adapt_mean, features.mean(0), rtol=1e-4, atol=1e-5)


def test_a_constant_feature_is_only_centred(data):
    windows = data[0][:20].copy()
    windows[:, :, 1] = 0.25
    model = build_network("feature-net-xs", SHAPE)
    set_feature_statistics(model, windows)
    variance = np.asarray(model.get_layer(FEATURE_NORMALISER).adapt_variance)
    names = model.get_layer("window_features").features.names
    assert variance[names.index("1.mean")] == variance[names.index("1.power_0_1_hz")] == 1
    moved = windows.copy()
    moved[:, 3:, 1] = 0.5  # another subject moves that axis a little: no feature of it is blown up
    outputs = np.asarray(with_taps(model, ["features"])(moved)["features"])
    assert abs(outputs[:, names.index("1.mean")]).max() < 0.3


def test_a_teacher_on_features_that_learns_too_has_statistics_of_its_replica(data):
    network = teacher_network(build_network("feature-net-m", SHAPE), get_method("dml"))
    weights, state = network.own()
    teachers = [Teacher(network, weights, state)]
    fleet = fleet_of("feature-net-s", data, "dml", teachers=teachers)
    layer = network.model.get_layer(FEATURE_NORMALISER)
    place = [id(variable) for variable in network.state].index(id(layer.adapt_mean))
    for result, rows in zip(trained(fleet), ROWS, strict=True):
        features = extract_array_features(data[0][rows], rate=50.0, compressed=True).values
        np.testing.assert_allclose(result.teacher_state[place], features.mean(0), rtol=1e-4, atol=1e-5)


def test_a_plain_normaliser_of_features_cannot_have_statistics_of_replicas(data):
    model = keras.Model.from_config(build_network("feature-net-xs", SHAPE).get_config())
    windows, labels = data
    replica = Replica(0, ROWS[0], VALIDATION, {}, np.zeros(3, np.float32), np.ones(3, np.float32))
    fleet = Fleet(model, "lm", [replica], windows, labels, classes=3, recipe=Recipe(epochs=1))
    with pytest.raises(UserError, match="keeps its statistics as constants.*loop_friendly"):
        fleet.train(Progress(enabled=False))


def test_mixup_alone_mixes_features_that_are_computed_once(data, monkeypatch, compile_anew):
    from stillmotion.features import feature_layer

    fleet = fleet_of("feature-net-s", data, augment=("mixup",))
    plain = trained(fleet_of("feature-net-s", data))

    def fail(self, inputs):
        raise AssertionError("features were computed in a step")

    with monkeypatch.context() as patch:
        patch.setattr(feature_layer.WindowFeatures, "call", fail)
        without = trained(fleet)
    for mixed, known in zip(without, plain, strict=True):
        # A replica without a strength mixes nothing.
        np.testing.assert_allclose(mixed.weights, known.weights, rtol=1e-4, atol=1e-5)
    strong = fleet_of("feature-net-s", data, augment=("mixup",))
    strong.tables.hyperparameters["mixup"][:] = 0.5
    moved = trained(strong)
    assert not np.allclose(moved[0].weights, plain[0].weights, atol=1e-3)
