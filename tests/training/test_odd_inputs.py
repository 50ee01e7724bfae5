"""Odd models and arrays through ``fit`` and ``Fleet`` give a correct result or an error of one sentence."""

from __future__ import annotations

import itertools
import warnings

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

from .small import CHANNELS, CLASSES, TIME, TRAIN, VALIDATION, Replica, problem

# Keras 3.15 reads its variables in a way that NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
WINDOWS, LABELS = problem()
COUNT = len(LABELS)
SUBJECTS = np.arange(COUNT) // 24
SHAPE = (TIME, CHANNELS)
ONCE = Recipe(batch=32, epochs=1)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def dense(classes=CLASSES, **settings):
    return lambda x: layers.Dense(classes, **settings)(x)


def normed(x):
    powers = ops.exp(dense()(x))
    return powers / ops.sum(powers, axis=-1, keepdims=True)


#: What may stand at the end, and whether it can be trained.
HEADS = {
    "linear": (dense(), True),
    "softmax": (dense(activation="softmax"), True),
    "softmax-layer": (lambda x: layers.Softmax()(dense()(x)), True),
    "softmax-activation": (lambda x: layers.Activation("softmax")(dense()(x)), True),
    "softmax-operation": (lambda x: ops.softmax(dense()(x)), True),
    "log-softmax": (dense(activation="log_softmax"), True),
    "cooled": (lambda x: layers.Softmax()(layers.Rescaling(0.5)(dense()(x))), True),
    "sigmoid": (dense(activation="sigmoid"), False),
    "sigmoid-layer": (lambda x: layers.Activation("sigmoid")(dense()(x)), False),
    "sigmoid-operation": (lambda x: ops.sigmoid(dense()(x)), False),
    "one-sigmoid": (dense(1, activation="sigmoid"), False),
    "one-output": (dense(1), False),
    "sparsemax": (dense(activation="sparsemax"), False),
    "own-softmax": (normed, False),
    "lambda": (lambda x: layers.Lambda(ops.softmax, output_shape=(CLASSES,))(dense()(x)), False),
    "softmax-then-dropout": (lambda x: layers.Dropout(0.1)(dense(activation="softmax")(x)), False),
    "mean-of-two": (
        lambda x: layers.Average()([dense(activation="softmax")(x), dense(activation="softmax")(x)]),
        False,
    ),
    "sum-of-two": (lambda x: layers.Add()([dense()(x), dense()(x)]), True),
}


class Class(keras.Model):
    """A user's class around a graph."""

    def __init__(self, inner):
        super().__init__(name="odd")
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def graph(head):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, head(layers.Flatten()(inputs)), name="odd")


def nested(head):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, graph(head)(inputs), name="outer")


def sequential(head):
    return keras.Sequential([keras.Input(SHAPE), graph(head)], name="row")


def classed(head):
    model = Class(graph(head))
    model(WINDOWS[:2])
    return model


FORMS = {"graph": graph, "sequential": sequential, "nested": nested, "class": classed}


def plain():
    return graph(dense())


def unchanged_or_trained(model, **given):
    """Fit for an epoch: a sentence, or finite weights that have moved."""
    arrays = {"windows": WINDOWS, "labels": LABELS, "subjects": SUBJECTS, "recipe": ONCE, "progress": False, **given}
    arrays = {name: value for name, value in arrays.items() if value is not None}
    before = [np.array(weight) for weight in model.get_weights()] if getattr(model, "built", False) else []
    try:
        fit(model, arrays.pop("windows"), arrays.pop("labels"), **arrays)
    except UserError as refusal:
        text = str(refusal)
        assert "\n" not in text, text
        assert text.endswith("."), text
        for old, new in zip(before, model.get_weights() if before else (), strict=True):
            np.testing.assert_array_equal(old, new)
        return text
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert not before or any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    return None


def samples(forms, every):
    """All heads in all of these forms; slow but for every so many of those that are refused before a training."""
    cases = list(itertools.product(HEADS, forms))
    quick = [case for case in cases if not HEADS[case[0]][1]][::every]
    return [pytest.param(*case, id="-".join(case), marks=[] if case in quick else [pytest.mark.slow]) for case in cases]


def refused_first(table):
    """All cases of a table; those that end in a training are slow."""
    return [pytest.param(*case, id=name, marks=[pytest.mark.slow] if case[1] else []) for name, case in table.items()]


@pytest.mark.parametrize(("head", "form"), samples(FORMS, 9))
def test_a_head_is_trained_for_what_it_is_or_refused(head, form):
    build, right = HEADS[head]
    model = FORMS[form](build)
    refusal = unchanged_or_trained(model)
    assert (refusal is None) == right, refusal
    if right and "softmax" in head and head != "log-softmax":
        np.testing.assert_allclose(model.predict(WINDOWS, verbose=0).sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(("head", "form"), samples(("graph", "class"), 7))
def test_a_teachers_head_is_heard_for_what_it_is_or_refused(head, form):
    build, right = HEADS[head]
    teacher = FORMS[form](build)
    for variable in teacher.trainable_variables:
        # Each class looks at the mean of its own channel, so that there is something to teach.
        value = np.zeros(variable.shape, np.float32)
        if value.ndim == 2:
            value += np.resize([[0.0, 0.5, -0.5], [0.0, -0.5, 0.3]], value.shape)
        variable.assign(value)
    refusal = unchanged_or_trained(plain(), teacher=teacher)
    assert (refusal is None) == right, refusal


def changed(array, change):
    array = np.array(array)
    change(array)
    return array


def ragged():
    return [np.zeros((TIME, CHANNELS)), np.zeros((TIME + 1, CHANNELS))]


#: What is given in place of the usual arrays, and whether it can be trained on.
ARRAYS = {
    "windows-2d": ({"windows": WINDOWS[:, :, 0]}, False),
    "windows-4d": ({"windows": WINDOWS[..., None]}, False),
    "windows-turned": ({"windows": WINDOWS.transpose(0, 2, 1)}, False),
    "windows-none": ({"windows": WINDOWS[:0], "labels": LABELS[:0], "subjects": SUBJECTS[:0]}, False),
    "windows-without-time": ({"windows": WINDOWS[:, :0]}, False),
    "windows-nan": ({"windows": np.where(np.arange(COUNT)[:, None, None] == 5, np.nan, WINDOWS)}, False),
    "windows-inf": ({"windows": np.where(np.arange(COUNT)[:, None, None] == 5, np.inf, WINDOWS)}, False),
    "windows-beyond-float32": ({"windows": WINDOWS.astype(np.float64) * 1e200}, False),
    "windows-complex": ({"windows": WINDOWS * 1j}, False),
    "windows-words": ({"windows": WINDOWS.astype(str)}, False),
    "windows-ragged": ({"windows": ragged(), "labels": [0, 1], "subjects": [0, 1]}, False),
    "windows-ragged-objects": ({"windows": np.array([*ragged(), None], object)}, False),
    "windows-dictionary": ({"windows": {"x": WINDOWS}}, False),
    "windows-number": ({"windows": 3.0}, False),
    "windows-objects-of-numbers": ({"windows": WINDOWS.astype(object)}, True),
    "windows-whole": ({"windows": np.round(8 * WINDOWS).astype(np.int16)}, True),
    "windows-lists": ({"windows": WINDOWS.tolist()}, True),
    "windows-half": ({"windows": WINDOWS.astype(np.float16)}, True),
    "labels-short": ({"labels": LABELS[:-1]}, False),
    "labels-one-hot": ({"labels": np.eye(CLASSES)[LABELS]}, False),
    "labels-column": ({"labels": LABELS[:, None]}, False),
    "labels-words": ({"labels": LABELS.astype(str)}, True),
    "labels-names": ({"labels": np.array(["walk", "run", "sit"], object)[LABELS]}, True),
    "labels-bytes": ({"labels": LABELS.astype("S1")}, False),
    "labels-fractions": ({"labels": LABELS + 0.5}, False),
    "labels-nan": ({"labels": np.where(LABELS == 1, np.nan, LABELS)}, False),
    "labels-negative": ({"labels": LABELS - 1}, False),
    "labels-beyond": ({"labels": LABELS + 1}, False),
    "labels-of-64-bits": ({"labels": LABELS + 2**40}, False),
    "labels-of-32-bits-wrapped": ({"labels": LABELS + 2**32}, False),
    "labels-dates": ({"labels": LABELS.astype("datetime64[D]")}, False),
    "labels-none": ({"labels": None, "subjects": SUBJECTS}, False),
    "labels-objects-with-none": ({"labels": np.array([None, *LABELS[1:]], object)}, False),
    "labels-whole-floats": ({"labels": LABELS.astype(float)}, True),
    "labels-objects-of-numbers": ({"labels": LABELS.astype(object)}, True),
    "labels-unsigned": ({"labels": LABELS.astype(np.uint8)}, True),
    "labels-one-class": ({"labels": np.zeros_like(LABELS)}, True),
    "subjects-short": ({"subjects": SUBJECTS[:-1]}, False),
    "subjects-one": ({"subjects": np.zeros(COUNT)}, False),
    "subjects-nan": ({"subjects": np.where(SUBJECTS == 1, np.nan, SUBJECTS)}, False),
    "subjects-with-none": ({"subjects": [None, *SUBJECTS[1:]]}, False),
    "subjects-table": ({"subjects": np.stack([SUBJECTS] * 2, 1)}, False),
    "subjects-and-nothing": ({"subjects": None}, False),
    "subjects-names": ({"subjects": np.array(["ann", "bo", "cy", "di", "ed"])[SUBJECTS]}, True),
    "subjects-mixed": ({"subjects": [*SUBJECTS[:60].tolist(), *map(str, 5 + SUBJECTS[60:])]}, True),
    "validation-and-subjects": ({"validation": (WINDOWS, LABELS)}, False),
    "validation-windows-alone": ({"validation": WINDOWS, "subjects": None}, False),
    "validation-shorter-windows": ({"validation": (WINDOWS[:, :4], LABELS), "subjects": None}, False),
    "validation-fewer-labels": ({"validation": (WINDOWS, LABELS[:-1]), "subjects": None}, False),
    "validation-more-labels-than-windows": ({"validation": (WINDOWS[:-1], LABELS), "subjects": None}, False),
    "validation-one-hot": ({"validation": (WINDOWS, np.eye(CLASSES)[LABELS]), "subjects": None}, False),
    "validation-nan": ({"validation": (WINDOWS * np.nan, LABELS), "subjects": None}, False),
    "validation-empty": ({"validation": (WINDOWS[:0], LABELS[:0]), "subjects": None}, False),
    "seed-negative": ({"seed": -1}, False),
    "seed-too-large": ({"seed": 2**32}, False),
}


@pytest.mark.parametrize(("given", "right"), refused_first(ARRAYS))
def test_arrays_that_do_not_fit_are_refused_and_odd_ones_that_do_are_read(given, right):
    given = {"labels": LABELS} | given
    model = plain()
    if given["labels"] is None:
        with pytest.raises(UserError, match="Labels"):
            fit(model, WINDOWS, None, subjects=SUBJECTS, recipe=ONCE, progress=False)
        return
    refusal = unchanged_or_trained(model, **given)
    assert (refusal is None) == right, refusal


def scores(width=CLASSES, count=COUNT):
    return np.resize(4 * np.eye(CLASSES, width)[LABELS], (count, width)) + np.linspace(0, 1, width)


TEACHERS = {
    "scores": (scores(), True),
    "one-hot": (np.eye(CLASSES)[LABELS], True),
    "lists": (scores().tolist(), True),
    "fewer-windows": (scores(count=COUNT - 1), False),
    "more-windows": (scores(count=COUNT + 1), False),
    "another-class": (scores(CLASSES + 1), False),
    "fewer-classes": (scores(CLASSES - 1), False),
    "labels-as-scores": (LABELS, False),
    "three-axes": (scores()[:, None], False),
    "nan": (np.where(np.arange(COUNT) == 3, np.nan, scores().T).T, False),
    "infinite": (np.where(np.arange(COUNT) == 3, np.inf, scores().T).T, False),
    "words": (scores().astype(str), False),
    "a-path": ("teacher.keras", False),
    "a-layer": (layers.Dense(3), False),
    "nothing-to-teach": (np.ones((COUNT, CLASSES)), False),
    "always-one-third": (np.full((COUNT, CLASSES), 1 / CLASSES), False),
    "empty": (np.zeros((0, CLASSES)), False),
}


@pytest.mark.parametrize(("given", "right"), refused_first(TEACHERS))
def test_a_teachers_scores_fit_or_are_refused(given, right):
    refusal = unchanged_or_trained(plain(), teacher=given)
    assert (refusal is None) == right, refusal


def two_inputs():
    inputs = [keras.Input(SHAPE), keras.Input(SHAPE)]
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(layers.Add()(inputs))), name="odd")


def two_outputs(names=("one", "other")):
    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(CLASSES, name=name)(x) for name in names], name="odd")


class Adds(keras.Model):
    """A class that adds a loss in its call."""

    def __init__(self):
        super().__init__(name="odd")
        self.flat, self.last = layers.Flatten(), layers.Dense(CLASSES)

    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return self.last(self.flat(x))


class Foreign(keras.Model):
    """A class whose call leaves Keras."""

    def __init__(self):
        super().__init__(name="odd")
        self.last = layers.Dense(CLASSES)

    def call(self, x):
        return self.last(np.asarray(x).reshape(len(x), -1))


def called(model):
    model(WINDOWS[:2])
    return model


def frozen():
    model = plain()
    model.trainable = False
    return model


def rowed(*parts, name="odd"):
    return keras.Sequential([keras.Input(SHAPE), *parts], name=name)


MODELS = {
    "two-inputs": (two_inputs, False),
    "two-outputs": (two_outputs, False),
    "two-outputs-one-named": (lambda: two_outputs(("logits", "other")), True),
    "add-loss-in-a-class": (lambda: called(Adds()), False),
    "leaves-keras": (lambda: called(Foreign()), False),
    "class-never-called": (Adds, False),
    "frozen": (frozen, False),
    "no-weights": (lambda: rowed(layers.Flatten(), layers.Reshape((TIME * CHANNELS,))), False),
    "a-layer": (lambda: layers.Dense(CLASSES), False),
    "a-path": (lambda: "model.keras", False),
    "nothing": (lambda: None, False),
    "a-class-per-step": (lambda: rowed(layers.Dense(CLASSES)), False),
    "float16-weights": (lambda: rowed(layers.Flatten(dtype="float16"), layers.Dense(CLASSES, dtype="float16")), False),
    "mixed-float16": (lambda: rowed(layers.Flatten(), layers.Dense(CLASSES, dtype="mixed_float16")), True),
    "unbuilt": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(CLASSES)], name="odd"), True),
    "unbuilt-that-cannot-be": (lambda: keras.Sequential([layers.Conv2D(3, 3)], name="odd"), False),
    "other-channels": (lambda: keras.Sequential([keras.Input((TIME, 5)), layers.Flatten(), layers.Dense(3)]), False),
    "other-length": (lambda: keras.Sequential([keras.Input((9, CHANNELS)), layers.Flatten(), layers.Dense(3)]), False),
    "any-length": (lambda: keras.Sequential([
        keras.Input((None, CHANNELS)), layers.Conv1D(4, 3), layers.GlobalMaxPooling1D(), layers.Dense(CLASSES)]), True),
    "regularised": (lambda: rowed(layers.Flatten(), layers.Dense(CLASSES, kernel_regularizer="l2")), True),
    "activity-regularised": (lambda: rowed(layers.Flatten(), layers.Dense(3, activity_regularizer="l2")), True),
    "half-frozen": (lambda: rowed(layers.Flatten(), layers.Dense(4, trainable=False), layers.Dense(CLASSES)), True),
    "attention": (lambda: rowed(layers.Bidirectional(layers.GRU(3)), layers.Dropout(0.2), layers.Dense(CLASSES)), True),
    "recurrent-convolution": (lambda: rowed(
        layers.Reshape((4, 2, CHANNELS)), layers.ConvLSTM1D(2, 2), layers.Flatten(), layers.Dense(CLASSES)), True),
    "time-distributed": (lambda: rowed(
        layers.Reshape((2, 4, CHANNELS)), layers.TimeDistributed(layers.Conv1D(3, 2)), layers.Flatten(),
        layers.Dense(CLASSES)), True),
    "transposed": (lambda: rowed(layers.Conv1DTranspose(3, 3, strides=2), layers.Flatten(), layers.Dense(3)), True),
    "solid": (lambda: rowed(
        layers.Reshape((*SHAPE, 1, 1)), layers.Conv3D(2, (3, 1, 1)), layers.Flatten(), layers.Dense(CLASSES)), True),
}  # fmt: skip


@pytest.mark.parametrize(("build", "right"), refused_first(MODELS))
def test_a_model_that_cannot_be_trained_is_refused_and_an_odd_one_that_can_is_trained(build, right):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras' own, of half precision and of empty models.
        model = build()
    if not isinstance(model, keras.Model):
        with pytest.raises(UserError, match="keras.Model"):
            fit(model, WINDOWS, LABELS, subjects=SUBJECTS, recipe=ONCE, progress=False)
        return
    refusal = unchanged_or_trained(model)
    assert (refusal is None) == right, refusal


FLEETS = {
    "windows-nan": {"windows": np.where(np.arange(COUNT)[:, None, None] == 5, np.nan, WINDOWS)},
    "windows-2d": {"windows": WINDOWS[:, :, 0]},
    "windows-words": {"windows": WINDOWS.astype(str)},
    "labels-one-hot": {"labels": np.eye(CLASSES)[LABELS]},
    "labels-names": {"labels": LABELS.astype(str)},
    "labels-fractions": {"labels": LABELS + 0.5},
    "labels-of-64-bits": {"labels": LABELS + 2**40},
    "labels-of-32-bits-wrapped": {"labels": LABELS + 2**32},
    "labels-negative": {"labels": LABELS - 1},
    "labels-beyond": {"labels": LABELS + 1},
    "classes-more": {"classes": CLASSES + 1},
    "classes-fewer": {"classes": CLASSES - 1},
    "sigmoid": {"student": lambda: graph(HEADS["sigmoid"][0])},
    "own-softmax": {"student": lambda: graph(HEADS["own-softmax"][0])},
    "two-inputs": {"student": two_inputs},
    "two-outputs": {"student": two_outputs},
    "frozen": {"student": frozen},
    "teacher-scores-short": {"teaching": "rb-kd", "teachers": [Teacher(outputs={"logits": scores(count=9)})]},
    "teacher-scores-wide": {"teaching": "rb-kd", "teachers": [Teacher(outputs={"logits": scores(9)})]},
    "teacher-without-logits": {"teaching": "rb-kd", "teachers": [Teacher(outputs={"embedding": scores()})]},
}


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_refuses_before_the_first_step_what_fit_refuses(name):
    given = {"student": plain, "teaching": "lm", "windows": WINDOWS, "labels": LABELS, "classes": CLASSES} | FLEETS[
        name
    ]
    student, teaching, windows, labels = (given.pop(key) for key in ("student", "teaching", "windows", "labels"))
    runs = [Replica(0, TRAIN, VALIDATION)]
    with pytest.raises(UserError) as refusal:
        Fleet(student(), teaching, runs, windows, labels, recipe=ONCE, **given)
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_every_seed_trains_a_softmax_ended_fleet_as_its_logits():
    outcomes = []
    for head in (dense(name="end"), dense(name="end", activation="softmax")):
        model = graph(head)
        initialise(model, 0)
        runs = [Replica(seed, TRAIN, VALIDATION) for seed in range(5)]
        fleet = Fleet(model, "lm", runs, WINDOWS, LABELS, classes=CLASSES, recipe=ONCE)
        outcomes.append([each.weights for each in fleet.train(Progress(enabled=False))])
        assert Functional(model, ["logits"]).size == TIME * CHANNELS * CLASSES + CLASSES
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(one, other)
