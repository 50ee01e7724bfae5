"""Every method trains in a fleet, between networks of different kinds; pairs that cannot work are refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.errors import UserError
from stillmotion.methods import METHODS, IncompatibleNetworks, get_method
from stillmotion.networks import build_network, initialise
from stillmotion.networks.layers import Conv1D
from stillmotion.networks.normaliser import Normaliser
from stillmotion.training import Fleet, Recipe, Replica, Teacher
from stillmotion.training.distillation import teacher_network
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress

from .small import CHANNELS, CLASSES, TIME, TRAIN, VALIDATION, dense, fleet, problem, replica, train

#: Those that learn from a teacher through taps that any staged network has.
FROM_A_TEACHER = [name for name, one in METHODS.items() if one.teacher_taps and not one.attention]
#: Those of them with an objective of their own.
TAUGHT = [name for name in FROM_A_TEACHER if name not in ("rb-kd", "takd")]
RECIPE = Recipe(batch=8, epochs=6, patience=6)
#: Little noise: what is left to learn after a first epoch is the method's.
CLEAR = problem(noise=0.5)


def wide():
    """Convolutions over time, three stages."""
    inputs = keras.Input((TIME, CHANNELS))
    x = Normaliser(axis=-1)(inputs)
    for number, filters in enumerate((5, 6, 7), start=1):
        x = Conv1D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.Identity(name=f"stage{number}")(x)
    x = layers.GlobalAveragePooling1D(name="embedding")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name="wide")


def mixed(name="mixed", *, time=True):
    """A stage over time, a dense one; without ``time`` both are dense."""
    inputs = keras.Input((TIME, CHANNELS))
    x = Normaliser(axis=-1)(inputs)
    x = Conv1D(3, 3, activation="relu", name="conv1")(x) if time else layers.Dense(4)(layers.Flatten()(x))
    x = layers.Flatten()(layers.Identity(name="stage1")(x))
    x = layers.Identity(name="stage2")(layers.Dense(6, activation="tanh", name="dense2")(x))
    x = layers.Identity(name="embedding")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name=name)


@pytest.fixture(scope="module")
def taught():
    """A teacher's weights after some epochs."""
    model = wide()
    (outcome,) = train(
        model, [Replica(5, TRAIN, VALIDATION, {"learning_rate": 0.01})], recipe=Recipe(16, 15, 15), data=CLEAR
    )
    Functional(model, ["logits"]).put(outcome.weights, outcome.state)
    return model


def teacher(model, name):
    network = teacher_network(model, get_method(name))
    return Teacher(network, *network.own(), name=model.name)


def objective(row):
    """What is learnt from labels, or else from the teacher alone."""
    return row.get("cross_entropy", sum(value for name, value in row.items() if name != "validation"))


def runs(count=2, **hyperparameters):
    return [Replica(seed, TRAIN, VALIDATION, {"learning_rate": 0.01, **hyperparameters}) for seed in range(count)]


@pytest.mark.parametrize("name", TAUGHT)
def test_every_method_improves_a_student_of_another_kind(name, taught):
    made = fleet(mixed(), runs(), teaching=name, teachers=[teacher(taught, name)], recipe=RECIPE, data=CLEAR)
    first = made.setup.aux.flat(made.setup.aux_params(0))
    outcomes = made.train(Progress(enabled=False))
    for outcome in outcomes:
        assert outcome.status == "done", outcome.reason
        assert all(np.isfinite(list(row.values())).all() for row in outcome.history)
        assert objective(outcome.history[-1]) < objective(outcome.history[0])
        # A student that learns from no label need not name more classes rightly while it comes nearer to its teacher.
        assert outcome.best > outcome.history[0]["validation"] or "cross_entropy" not in outcome.history[0]
        assert outcome.aux_params.shape == first.shape
    if len(first):
        assert np.abs(outcomes[0].aux_params - first).max() > 1e-3
    assert bool(outcomes[0].teacher_weights.size) == get_method(name).trains_teacher


#: Student and teacher: kinds, sizes and courses over time in which the two are unlike.
PAIRS = [
    ("mlp-small", "resnet-lstman"),
    ("deepconvlstm-lm", "deepconvlstm-mm"),
    ("tinierhar", "cnn-har"),
    ("deepconvlstm-lm", "mlp-small"),
]
#: (samples, channels, classes) of waves, a frequency for each class.
WAVES = (32, 2, 4)


@pytest.fixture(scope="module", params=PAIRS, ids="-from-".join)
def pair(request):
    """A student's network, a teacher that was trained once for all methods, and what every fleet is given."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 96)
    time = np.arange(32)[None, :, None] / 5
    windows = np.sin(time * (1 + labels[:, None, None]) + rng.normal(size=(96, 1, 2))) + 0.3 * rng.normal(
        size=(96, 32, 2)
    )
    student, teaching = request.param
    model, net = build_network(teaching, WAVES, seed=1), build_network(student, WAVES, seed=2)
    given = ([Replica(0, np.arange(64), np.arange(64, 96), {"learning_rate": 0.003})], windows, labels)
    common = {"classes": 4, "recipe": Recipe(batch=16, epochs=4, patience=4)}
    (learnt,) = Fleet(model, "lm", *given, **common).train(Progress(enabled=False))
    Functional(model, ["logits"]).put(learnt.weights, learnt.state)

    def go(name):
        made = Fleet(net, name, *given, teachers=[teacher(model, name)], **common)
        return made.train(Progress(enabled=False))

    return request.param, go


@pytest.mark.slow
@pytest.mark.parametrize("name", FROM_A_TEACHER)
def test_every_method_trains_four_unlike_pairs(name, pair):
    names, go = pair
    if name == "at" and "mlp-small" in names:
        with pytest.raises(IncompatibleNetworks, match="courses over time"):
            go(name)
        return
    (outcome,) = go(name)
    assert outcome.status == "done", outcome.reason
    assert all(np.isfinite(list(row.values())).all() for row in outcome.history)
    assert objective(outcome.history[-1]) < objective(outcome.history[0])


@pytest.mark.parametrize("name", ["fitnet", "hmkd", "ofa"])
def test_a_student_without_stages_is_refused_before_training(name, taught):
    with pytest.raises(UserError, match=rf"{name} needs stage\* of dense, which has"):
        fleet(dense(), runs(), teaching=name, teachers=[teacher(taught, name)])


def test_a_pair_without_a_course_in_time_is_refused_before_training(taught):
    with pytest.raises(
        IncompatibleNetworks, match="at compares courses over time, and the student's paired stages have none"
    ):
        fleet(mixed("flat", time=False), runs(), teaching="at", teachers=[teacher(taught, "at")])


@pytest.mark.parametrize("live", [False, True])
def test_a_student_of_simkd_answers_by_the_teacher_s_classifier(taught, live):
    given, student = teacher(taught, "simkd"), mixed()
    (outcome,) = train(student, runs(1), teaching="simkd", teachers=[given], live=live, data=CLEAR, recipe=RECIPE)
    Functional(student, ["logits"]).put(outcome.weights, outcome.state)
    windows = CLEAR[0]
    seen = Functional(student, ["embedding", "logits"])
    answers = seen.predict_taps(*seen.own(), windows)
    projector, shift = outcome.aux_params[:42].reshape(6, 7), outcome.aux_params[42:]
    kernel, bias = (np.asarray(each) for each in taught.get_layer("logits").weights)
    expected = (answers["embedding"] @ projector + shift) @ kernel + bias
    np.testing.assert_allclose(answers["logits"], expected, rtol=1e-4, atol=1e-4)
    assert outcome.best > 0.5


def test_simkd_needs_a_dense_layer_from_the_embedding_on_both_sides(taught):
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.Dense(4, name="embedding")(layers.Flatten()(Normaliser(axis=-1)(inputs)))
    x = layers.Dense(5, activation="relu")(x)
    deeper = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x), name="deeper")
    with pytest.raises(IncompatibleNetworks, match="but in deeper no dense layer leads from the embedding"):
        fleet(deeper, runs(), teaching="simkd", teachers=[teacher(taught, "simkd")])
    with pytest.raises(IncompatibleNetworks, match="but deeper has no dense layer"):
        fleet(mixed(), runs(), teaching="simkd", teachers=[teacher(deeper, "simkd")])
    seen = teacher(taught, "simkd")
    outputs = seen.network.predict_taps(seen.weights, seen.state, CLEAR[0])
    with pytest.raises(IncompatibleNetworks, match="an ensemble of teachers has none"):
        fleet(mixed(), runs(), teaching="simkd", teachers=[Teacher(outputs=outputs, name="two together")], data=CLEAR)


def test_scores_from_a_file_cannot_teach_features():
    scores = Teacher(outputs={"logits": np.zeros((120, CLASSES), np.float32)})
    with pytest.raises(UserError, match=r"fitnet needs stage\* of the teacher, which has logits"):
        fleet(mixed(), runs(), teaching="fitnet", teachers=[scores])


def test_a_teacher_is_seen_as_the_method_sees_it_however_it_was_made(taught):
    taps = ["logits", "stage1", "stage2", "stage3"]
    plain = Functional(taught, taps)
    own = fleet(mixed(), runs(1), teaching="fitnet", teachers=[Teacher(plain, *plain.own(), name="wide")])
    assert set(own.setup.cached) == {"logits", "stage2"}
    viewed = fleet(mixed(), runs(1), teaching="fitnet", teachers=[teacher(taught, "fitnet")])
    np.testing.assert_array_equal(own.setup.cached["stage2"], viewed.setup.cached["stage2"])


def test_stages_are_learnt_alike_from_cached_and_from_live_answers(taught):
    given = [teacher(taught, "fitnet")]
    (cached,) = train(mixed(), runs(1), teaching="fitnet", teachers=given)
    (live,) = train(mixed(), runs(1), teaching="fitnet", teachers=given, live=True)
    np.testing.assert_allclose(live.weights, cached.weights, rtol=0, atol=1e-5)
    np.testing.assert_allclose(live.aux_params, cached.aux_params, rtol=0, atol=1e-5)


def test_the_run_begins_weakly_where_a_method_warms_up(taught):
    recipe = Recipe(batch=80, epochs=4, patience=4)  # One step an epoch.
    slow = [Replica(0, TRAIN, VALIDATION, {"learning_rate": 1e-6, "warmup": share}) for share in (0.0, 0.5)]
    at_once, rising = train(mixed(), slow, teaching="dkd", teachers=[teacher(taught, "dkd")], recipe=recipe)
    pairs = zip(rising.history, at_once.history, strict=True)
    share = [row["target_class"] / whole["target_class"] for row, whole in pairs]
    np.testing.assert_allclose(share, [0, 0.5, 1, 1], atol=1e-3)


def test_a_teacher_that_learns_too_begins_from_scratch_or_as_it_is(taught):
    start, _ = teacher_network(taught, get_method("dml")).own()

    def begun(way, student, seed):
        made = fleet(student, [replica(seed)], teaching=way, teachers=[teacher(taught, "dml")])
        first = made._fresh(0).weights
        return first[: made.student.size], first[made.student.size :]

    np.testing.assert_array_equal(begun(get_method("dml", start="pretrained"), mixed(), 0)[1], start)
    fresh, again, other = (begun("dml", mixed(), seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(fresh, again)
    assert np.abs(fresh - start).max() > 0.05
    assert np.abs(fresh - other).max() > 0.05
    one, twin = begun("dml", wide(), 0)
    assert np.abs(one - twin).max() > 0.05


@pytest.mark.slow
def test_a_mutual_method_with_projectors_survives_a_checkpoint(taught, tmp_path):
    given, options = [teacher(taught, "hmkd")], {"recipe": Recipe(batch=16, epochs=2, patience=2)}
    whole = train(mixed(), runs(1), teaching="hmkd", teachers=given, **options)
    train(mixed(), runs(1), teaching="hmkd", teachers=given, folder=tmp_path, **options)
    again = train(mixed(), runs(1), teaching="hmkd", teachers=given, folder=tmp_path, **options)
    np.testing.assert_array_equal(again[0].aux_params, whole[0].aux_params)
    np.testing.assert_array_equal(again[0].teacher_weights, whole[0].teacher_weights)


def test_networks_of_the_package_have_taps_for_every_method():
    model = build_network("mlp-small", (24, 3, 4), seed=0)
    initialise(model, 1)
    shapes = teacher_network(model, get_method("vid")).tap_shapes
    assert shapes == {"logits": (4,), "stage1": (1, 32), "stage2": (1, 32)}
