"""Scores equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from stillmotion.errors import UserError
from stillmotion.evaluation import accuracy, confusion, f1_per_class, macro_f1

pairs = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
    )
)


@settings(max_examples=80, deadline=None)
@given(pairs)
def test_scores_are_those_of_scikit_learn(given):
    classes, drawn = given
    truth, guess = np.array(drawn).T
    counts = confusion(truth, guess, classes)
    labels = list(range(classes))
    np.testing.assert_array_equal(counts, confusion_matrix(truth, guess, labels=labels))
    options = {"labels": labels, "zero_division": 0}
    np.testing.assert_allclose(f1_per_class(counts), f1_score(truth, guess, average=None, **options), atol=1e-12)
    assert macro_f1(counts) == pytest.approx(f1_score(truth, guess, average="macro", **options))
    there = {"labels": np.unique(truth), "zero_division": 0}
    assert macro_f1(counts, absent="skip") == pytest.approx(f1_score(truth, guess, average="macro", **there))
    assert accuracy(counts) == pytest.approx(accuracy_score(truth, guess))


def test_a_class_that_nobody_has_counts_0_or_is_left_out():
    counts = confusion([0, 0, 1, 1], [0, 0, 1, 0], 3)
    by_class = [4 / 5, 2 / 3, 0]
    np.testing.assert_allclose(f1_per_class(counts), by_class)
    assert macro_f1(counts) == pytest.approx(sum(by_class) / 3)
    assert macro_f1(counts, absent="skip") == pytest.approx(sum(by_class) / 2)


def test_tables_of_many_give_a_score_each():
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 9, (4, 5, 3, 3))
    for score in (macro_f1, accuracy, lambda table: macro_f1(table, absent="skip")):
        many = score(tables)
        assert many.shape == (4, 5)
        for at in np.ndindex(4, 5):
            assert many[at] == pytest.approx(float(score(tables[at])))
    assert f1_per_class(tables).shape == (4, 5, 3)


def test_no_sample_at_all_scores_0():
    empty = confusion([], [], 3)
    assert empty.shape == (3, 3)
    assert macro_f1(empty) == accuracy(empty) == macro_f1(empty, absent="skip") == 0


@pytest.mark.parametrize(
    ("truth", "guess", "said"),
    [
        ([0, 3], [0, 0], r"A label lies outside 0 … 2: 0 … 3"),
        ([0, 1], [0, -1], r"A prediction lies outside 0 … 2: -1 … 0"),
        ([0, 1], [0], r"Labels \(2,\) and predictions \(1,\) must be two lists of one length"),
        ([[0]], [[0]], "two lists of one length"),
    ],
)
def test_labels_that_make_no_table_are_refused(truth, guess, said):
    with pytest.raises(UserError, match=said):
        confusion(truth, guess, 3)
