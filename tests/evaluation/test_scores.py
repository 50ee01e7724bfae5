"""Scores equal scikit-learn's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.metrics import (
    confusion_matrix as sklearn_confusion_matrix,
)

from stillmotion.errors import UserError
from stillmotion.evaluation import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    confusion_matrix,
    f1_per_class,
    macro_f1,
    precision_per_class,
    recall_per_class,
    weighted_f1,
)

pairs = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
    )
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(pairs)
def test_scores_are_those_of_scikit_learn(given):
    classes, drawn = given
    truth, guess = np.array(drawn).T
    counts = confusion_matrix(truth, guess, classes)
    labels = list(range(classes))
    np.testing.assert_array_equal(counts, sklearn_confusion_matrix(truth, guess, labels=labels))
    options = {"labels": labels, "zero_division": 0}
    np.testing.assert_allclose(f1_per_class(counts), f1_score(truth, guess, average=None, **options), atol=1e-12)
    assert macro_f1(counts) == pytest.approx(f1_score(truth, guess, average="macro", **options))
    present = {"labels": np.unique(truth), "zero_division": 0}
    assert macro_f1(counts, absent="skip") == pytest.approx(f1_score(truth, guess, average="macro", **present))
    assert accuracy(counts) == pytest.approx(accuracy_score(truth, guess))
    assert weighted_f1(counts) == pytest.approx(f1_score(truth, guess, average="weighted", **options))
    for ours, sklearn_score in ((precision_per_class, precision_score), (recall_per_class, recall_score)):
        np.testing.assert_allclose(ours(counts), sklearn_score(truth, guess, average=None, **options), atol=1e-12)
    # scikit-learn's balanced accuracy is the macro recall over the classes that are present.
    assert balanced_accuracy(counts) == pytest.approx(recall_score(truth, guess, average="macro", **present))
    if len(set(truth) | set(guess)) > 1:  # where all agree on one class it is 0 / 0
        assert cohen_kappa(counts) == pytest.approx(cohen_kappa_score(truth, guess, labels=labels))


def test_precision_and_recall_are_not_mixed_up():
    counts = confusion_matrix([0, 0, 0, 1], [0, 1, 1, 1], 2)  # the true class is the row
    np.testing.assert_array_equal(counts, [[1, 2], [0, 1]])
    np.testing.assert_allclose(precision_per_class(counts), [1, 1 / 3])
    np.testing.assert_allclose(recall_per_class(counts), [1 / 3, 1])
    assert balanced_accuracy(counts) == pytest.approx(2 / 3)
    assert weighted_f1(counts) == pytest.approx(3 / 4 * (1 / 2) + 1 / 4 * (1 / 2))
    assert cohen_kappa(counts) == pytest.approx((0.5 - 6 / 16) / (1 - 6 / 16))


def test_one_class_alone_agrees_by_chance_only():
    assert cohen_kappa(confusion_matrix([1, 1], [1, 1], 3)) == 0
    assert balanced_accuracy(confusion_matrix([1, 1], [1, 1], 3)) == 1


def test_a_class_that_no_subject_has_counts_0_or_is_left_out():
    counts = confusion_matrix([0, 0, 1, 1], [0, 0, 1, 0], 3)
    by_class = [4 / 5, 2 / 3, 0]
    np.testing.assert_allclose(f1_per_class(counts), by_class)
    assert macro_f1(counts) == pytest.approx(sum(by_class) / 3)
    assert macro_f1(counts, absent="skip") == pytest.approx(sum(by_class) / 2)


def test_many_confusion_matrices_give_one_score_each():
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, 9, (4, 5, 3, 3))
    singles = (macro_f1, accuracy, weighted_f1, balanced_accuracy, cohen_kappa, partial(macro_f1, absent="skip"))
    for score in singles:
        many = score(matrices)
        assert many.shape == (4, 5)
        for at in np.ndindex(4, 5):
            assert many[at] == pytest.approx(float(score(matrices[at])))
    for by_class in (f1_per_class, precision_per_class, recall_per_class):
        many = by_class(matrices)
        assert many.shape == (4, 5, 3)
        for at in np.ndindex(4, 5):
            np.testing.assert_allclose(many[at], by_class(matrices[at]))


def test_no_sample_at_all_scores_0():
    empty = confusion_matrix([], [], 3)
    assert empty.shape == (3, 3)
    assert macro_f1(empty) == accuracy(empty) == macro_f1(empty, absent="skip") == 0
    assert weighted_f1(empty) == balanced_accuracy(empty) == cohen_kappa(empty) == 0


@pytest.mark.parametrize(
    ("truth", "guess", "message"),
    [
        ([0, 3], [0, 0], r"every label in 0 … 2, not 0 … 3"),
        ([0, 1], [0, -1], r"every prediction in 0 … 2, not -1 … 0"),
        ([0, 1], [0], r"Labels \(2,\) and predictions \(1,\) must be two lists of equal length"),
        ([[0]], [[0]], "two lists of equal length"),
    ],
)
def test_labels_that_make_no_confusion_matrix_are_refused(truth, guess, message):
    with pytest.raises(UserError, match=message):
        confusion_matrix(truth, guess, 3)
