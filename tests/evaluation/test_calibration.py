"""Calibration: confidence against accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from stillmotion.errors import UserError
from stillmotion.evaluation import Reliability, are_probabilities, compute_reliability, confidence_sums


def drawn(samples=400, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, samples), rng.dirichlet(np.full(classes, 0.4), samples)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_bins_and_ece_are_those_of_a_plain_loop_and_of_scikit_learn(bins):
    labels, probabilities = drawn()
    found = compute_reliability(labels, probabilities, bins=bins)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    ece = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        within = [
            i for i in range(len(labels)) if (low < confidence[i] <= high) or (number == 0 and confidence[i] == 0)
        ]
        assert found.count[number] == len(within)
        if within:
            assert found.confidence[number] == pytest.approx(np.mean(confidence[within]))
            assert found.accuracy[number] == pytest.approx(np.mean(right[within]))
            ece += len(within) / len(labels) * abs(np.mean(right[within]) - np.mean(confidence[within]))
        else:
            assert np.isnan(found.accuracy[number])
    assert found.ece == pytest.approx(ece)
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins, strategy="uniform")
    there = found.count > 0
    np.testing.assert_allclose(found.accuracy[there], accuracy)
    np.testing.assert_allclose(found.confidence[there], mean)
    assert sum(row["samples"] for row in found.rows()) == len(labels)


def test_a_calibrated_model_has_no_error_and_an_overconfident_one_has():
    probabilities = np.tile([0.75, 0.25], (400, 1))
    labels = np.repeat([0, 0, 0, 1], 100)
    assert compute_reliability(labels, probabilities).ece == pytest.approx(0)
    assert compute_reliability(labels, np.tile([1.0, 0.0], (400, 1))).ece == pytest.approx(0.25)


def test_logits_are_distinguished_from_probabilities():
    _, probabilities = drawn()
    assert are_probabilities(probabilities.astype(np.float16))
    assert not are_probabilities(np.log(probabilities))
    assert not are_probabilities(probabilities.T)
    assert not are_probabilities(np.array([[1.5, -0.5]]))


@pytest.mark.parametrize(
    ("labels", "probabilities", "bins", "message"),
    [
        ([0, 1], [[0.5, 0.5]], 15, r"not \(2,\) and \(1, 2\)"),
        ([], np.zeros((0, 2)), 15, r"not \(0,\) and \(0, 2\)"),
        ([0], [[2.0, 1.0]], 15, "sum to 1 in each row"),
        ([0], [[0.5, 0.5]], 0, "at least one bin, not 0"),
    ],
)
def test_invalid_probabilities_are_refused(labels, probabilities, bins, message):
    with pytest.raises(UserError, match=message):
        compute_reliability(labels, probabilities, bins=bins)


def test_sums_of_parts_add_up_to_the_reliability_of_the_whole():
    random = np.random.default_rng(5)
    probabilities = random.dirichlet(np.ones(4), 90)
    labels = random.integers(0, 4, 90)
    whole = compute_reliability(labels, probabilities, bins=7)
    parts = [confidence_sums(labels[part], probabilities[part], bins=7) for part in (slice(0, 20), slice(20, 90))]
    added = Reliability.of(sum(parts))
    assert added.ece == pytest.approx(whole.ece)
    np.testing.assert_array_equal(added.count, whole.count)
    np.testing.assert_allclose(added.accuracy, whole.accuracy)
    np.testing.assert_allclose(added.confidence, whole.confidence)
