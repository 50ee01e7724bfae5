"""``fit`` trains one model on arrays."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import f1_score

from stillmotion.errors import UserError
from stillmotion.networks import build_network, initialise
from stillmotion.training import Recipe, fit
from stillmotion.training.arrays import hold_out_subjects

from .small import CHANNELS, CLASSES, TIME, dense, linear, normed, problem

# Keras 3.15 reads its variables in a way that NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn:DeprecationWarning")
WINDOWS, LABELS = problem()
#: Five subjects, one of whom chooses the epoch.
SUBJECTS = np.arange(len(LABELS)) // 24
SHORT = Recipe(batch=8, epochs=3)


def macro(model, windows, labels):
    guess = model.predict(windows, verbose=0).argmax(1)
    return f1_score(labels, guess, labels=range(CLASSES), average="macro", zero_division=0)


@pytest.fixture(scope="module")
def teacher():
    model = dense()
    hyperparameters = {"learning_rate": 0.01}
    fit(
        model,
        WINDOWS,
        LABELS,
        subjects=SUBJECTS,
        recipe=Recipe(batch=8, epochs=20),
        hyperparameters=hyperparameters,
        progress=False,
    )
    return model


def test_five_lines_train_a_model_and_leave_it_at_its_best_epoch():
    model = dense()
    initialise(model, 2)
    others = problem(90, seed=7)
    before = macro(model, *others)
    fitted = fit(model, WINDOWS, LABELS, validation=others, recipe=Recipe(batch=8, epochs=15), progress=False)
    assert fitted.best == pytest.approx(macro(model, *others), abs=1e-9)
    assert fitted.best > before + 0.2
    scores = [row["validation"] for row in fitted.history]
    assert fitted.epochs == len(scores)
    assert fitted.best == scores[fitted.best_epoch - 1] == max(scores)
    assert set(fitted.history[0]) == {"cross_entropy", "validation"}


def held_out(model):
    """The subject without whom the training windows have the mean that the normaliser was given."""
    return [
        subject
        for subject in range(5)
        if np.allclose(model.layers[1].adapt_mean, WINDOWS[subject != SUBJECTS].mean((0, 1)), atol=1e-6)
    ]


def test_without_validation_whole_subjects_are_held_out_and_choose_the_epoch():
    drawn = set()
    for seed in range(4):
        model = dense()
        fitted = fit(model, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, seed=seed, progress=False)
        (subject,) = held_out(model)
        theirs = subject == SUBJECTS
        assert fitted.best == pytest.approx(macro(model, WINDOWS[theirs], LABELS[theirs]), abs=1e-9)
        drawn.add(subject)
    assert len(drawn) > 1


def test_the_same_seed_holds_out_the_same_fifth_of_the_subjects_by_any_name():
    hyperparameters = np.repeat(np.arange(20), 3)
    names = np.array([f"subject {number:02d}" for number in hyperparameters], object)
    for subjects in (hyperparameters, names, hyperparameters.astype(float)):
        train, chosen = hold_out_subjects(subjects, 60, 3)
        assert len(set(names[chosen])) == 4
        assert not set(names[train]) & set(names[chosen])
        assert sorted([*train, *chosen]) == list(range(60))
    assert len({tuple(hold_out_subjects(hyperparameters, 60, seed)[1]) for seed in range(10)}) > 5


def test_fit_never_chooses_the_epoch_on_windows_of_subjects_it_trains_on_unasked():
    for given in ({}, {"validation": problem(30, seed=7), "subjects": SUBJECTS}):
        with pytest.raises(UserError, match=r"validation=.*subjects="):
            fit(dense(), WINDOWS, LABELS, recipe=SHORT, progress=False, **given)


def test_training_starts_from_the_weights_that_the_model_has():
    one, other = dense(), dense()
    initialise(one, 5)
    other.set_weights(one.get_weights())
    histories = [fit(m, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False).history for m in (one, other)]
    assert histories[0] == histories[1]
    for mine, yours in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)
    again = fit(one, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    assert again.history[0]["cross_entropy"] < histories[0][0]["cross_entropy"]


def test_dropout_too_follows_the_seed():
    start, results = normed(), []
    for seed in (0, 0, 1):
        model = normed()  # Its dropout was built with a seed that nobody chose.
        for mine, given in zip(model.trainable_variables, start.trainable_variables, strict=True):
            mine.assign(given)
        results.append(fit(model, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, seed=seed, progress=False).history)
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_a_teacher_helps_as_a_model_and_as_scores(teacher):
    by_model, by_scores, alone = dense(), dense(), dense()
    for model in (by_model, by_scores, alone):
        initialise(model, 4)
    given = teacher.predict(WINDOWS, verbose=0)
    one = fit(by_model, WINDOWS, LABELS, subjects=SUBJECTS, teacher=teacher, recipe=SHORT, progress=False)
    other = fit(by_scores, WINDOWS, LABELS, subjects=SUBJECTS, teacher=given, recipe=SHORT, progress=False)
    fit(alone, WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    assert set(one.history[0]) == {"cross_entropy", "distillation", "validation"}
    assert len(one.history) == len(other.history)
    for mine, yours in zip(by_model.get_weights(), by_scores.get_weights(), strict=True):
        np.testing.assert_allclose(mine, yours, rtol=0, atol=1e-5)

    def apart(model):
        return np.abs(_softmax(model.predict(WINDOWS, verbose=0)) - _softmax(given)).mean()

    # Taught by nothing but the answers, and for long enough, a student comes nearer to them than labels bring it.
    pupil = dense()
    initialise(pupil, 4)
    before = apart(pupil)
    long, only = Recipe(epochs=30, patience=30), {"alpha": 0.0, "temperature": 1.0, "learning_rate": 0.02}
    fit(pupil, WINDOWS, LABELS, subjects=SUBJECTS, teacher=teacher, recipe=long, hyperparameters=only, progress=False)
    assert apart(pupil) < 0.5 * before
    assert apart(pupil) < apart(alone)


def test_a_model_with_keras_own_normaliser_answers_the_same_after_saving(tmp_path):
    inputs = keras.Input((TIME, CHANNELS))
    x = layers.Flatten()(layers.Normalization(axis=-1)(inputs))
    model = keras.Model(inputs, layers.Dense(CLASSES)(x))
    moved = 5 + 3 * WINDOWS
    fitted = fit(model, moved, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    train, chosen = hold_out_subjects(SUBJECTS, len(LABELS), 0)
    assert fitted.best == pytest.approx(macro(model, moved[chosen], LABELS[chosen]), abs=1e-9)
    np.testing.assert_allclose(model.layers[1].adapt_mean, moved[train].mean((0, 1)), rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(moved, verbose=0), model.predict(moved, verbose=0), atol=1e-5)


def test_a_normaliser_that_has_statistics_keeps_them(teacher):
    copy = dense()
    copy.set_weights(teacher.get_weights())
    fit(copy, 2 * WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    np.testing.assert_array_equal(copy.layers[1].adapt_mean, teacher.layers[1].adapt_mean)


def test_what_a_user_does_wrong_is_one_sentence(teacher):
    worse = -teacher.predict(WINDOWS, verbose=0)
    nested = WINDOWS.copy()
    nested[0, 0, 0] = np.inf
    cases = [
        ({"labels": LABELS + 1}, r"Labels run from 1 to 3; dense has classes 0 … 2"),
        ({"labels": LABELS[:-1]}, "label each"),
        ({"windows": WINDOWS[:, :, :1]}, r"dense takes windows \(8, 2\), but these are \(8, 1\)"),
        ({"windows": nested}, "NaN or infinite"),
        ({"windows": WINDOWS[:0], "labels": LABELS[:0]}, "no training window"),
        ({"validation": (WINDOWS[:, :4], LABELS)}, r"Validation windows are \(4, 2\), training windows \(8, 2\)"),
        ({"method": "rb-kd"}, "rb-kd needs a teacher"),
        ({"teacher": worse}, "the given logits has an accuracy of"),
        ({"teacher": worse[:-1]}, "the given logits: there are logits for 119 windows, not 120"),
        ({"hyperparameters": {"temprature": 2.0}, "teacher": teacher}, "Did you mean 'temperature'"),
        (
            {"hyperparameters": {"learning_rate": 1e30}},
            "Training dense failed: .* in epoch 1; a smaller learning_rate may help",
        ),
    ]
    for change, message in cases:
        given = {"windows": WINDOWS, "labels": LABELS, "subjects": SUBJECTS, **change}
        if "validation" in change or len(given["windows"]) != len(LABELS):
            given.pop("subjects")
            given.setdefault("validation", (WINDOWS, LABELS))
        with pytest.raises(UserError, match=message) as error:
            fit(dense(), given.pop("windows"), given.pop("labels"), recipe=SHORT, progress=False, **given)
        assert "\n" not in str(error.value)


def test_a_model_without_a_normaliser_learns_too():
    fitted = fit(linear(), WINDOWS, LABELS, subjects=SUBJECTS, recipe=SHORT, progress=False)
    assert fitted.history[-1]["cross_entropy"] < fitted.history[0]["cross_entropy"]


def test_another_backend_is_a_clear_error():
    code = """
import stillmotion, keras, numpy as np
from stillmotion.errors import UserError
from stillmotion.training import fit
inputs = keras.Input((4, 1))
model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
try:
    fit(model, np.zeros((9, 4, 1)), np.arange(9) % 2, subjects=np.arange(9))
except UserError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
    )
    assert done.stdout == (
        "Training needs Keras on JAX, and Keras runs on numpy: set KERAS_BACKEND=jax before keras is imported.\n"
    )


def _softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_names_are_numbered_in_order_and_epochs_are_set_directly():
    labels = np.array(["walk", "sit"])[np.arange(60) % 2]
    windows = np.random.default_rng(0).normal(size=(60, 20, 3)) + 3 * (labels == "walk")[:, None, None]
    model = build_network("mlp-small", (20, 3, 2), seed=0)
    fitted = fit(model, windows, labels, subjects=np.arange(60) // 10, epochs=4, learning_rate=0.01, progress=False)
    assert fitted.classes == ("sit", "walk")
    assert fitted.epochs == 4
    predicted = np.asarray(fitted.classes)[model.predict(windows, verbose=0).argmax(axis=1)]
    assert (predicted == labels).mean() > 0.9
    with pytest.raises(UserError, match="3 names of classes occur, but .* has 2 classes"):
        fit(model, windows, [*labels[:59], "run"], subjects=np.arange(60) // 10, progress=False)
