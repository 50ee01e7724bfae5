"""Random convolutions against plain loops, their ridge head against scikit-learn's and against leaving windows out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import Ridge

from stillmotion.features import FeatureSet, fit_classifier
from stillmotion.features.random_convolutions import FACTORS, fit_random_convolutions, fit_ridge

FEATURES = FeatureSet(40, 20.0, ("a", "b", "c"), ("a", "b", "c"), groups=("axes", "time"))


def drawn(count, seed=0, length=40):
    """Windows of two classes: the second has a wave in its second channel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values = rng.normal(5, 2, size=(count, length, 3))
    values[labels == 1, :, 1] += 3 * np.sin(np.arange(length) * 1.7)
    return values.astype(np.float32), labels


def convolved(window, channels, weights, dilation):
    """One kernel over one window, by numpy's own convolution of a dilated kernel."""
    wide = np.zeros(8 * dilation + 1)
    wide[::dilation] = weights
    return sum(np.convolve(window[:, at], wide[::-1], "full")[4 * dilation : -4 * dilation] for at in channels)


def test_features_are_shares_of_samples_above_a_bias():
    windows, _ = drawn(7)
    fitted = fit_random_convolutions(windows, seed=3)
    assert fitted.dilations == (1, 2, 4), "a kernel of nine weights spans 33 of the 40 samples at most"
    table = fitted.transform(windows)
    kernels = [[2.0 if at in high else -1.0 for at in range(9)] for high in combinations(range(9), 3)]
    assert table.shape == (7, 3 * 5 * len(kernels))
    shares = table.reshape(7, 3, 5, 84)
    scaled = (windows - windows.mean((0, 1), float)) / windows.std((0, 1), float)
    for window, d, b, k in ((0, 0, 0, 0), (3, 1, 4, 83), (6, 2, 2, 40), (2, 2, 1, 17), (5, 0, 3, 61)):
        result = convolved(scaled[window], np.flatnonzero(fitted.channels[d, :, k]), kernels[k], 2**d)
        assert shares[window, d, b, k] == pytest.approx((result > fitted.biases[d, b, k]).mean(), abs=1.5 / 40)
    assert 0.1 < shares.mean() < 0.9
    assert 1 < fitted.channels.sum(1).mean() < 3
    # Biases are quantiles of results, and rise.
    assert (np.diff(fitted.biases, axis=1) >= 0).all()


def test_a_level_that_is_added_changes_only_the_edges():
    """The weights of a kernel add up to 0, so gravity drops out of whatever lies inside the window."""
    windows, _ = drawn(4, length=400)
    fitted = fit_random_convolutions(windows, seed=0)
    change = fitted.transform(windows + 0.5) - fitted.transform(windows)
    per_dilation = np.abs(change).reshape(4, len(fitted.dilations), -1).max((0, 2))
    assert (per_dilation <= 8 * np.array(fitted.dilations) / 400 + 2 / 400).all()


def test_the_head_is_scikit_learns_ridge_and_its_factor_fits_windows_that_are_left_out():
    rng = np.random.default_rng(1)
    table, labels = rng.normal(size=(30, 6)), np.arange(30) % 3
    table[:, 0] += labels
    weights = rng.uniform(0.5, 2, 30)
    head = fit_ridge(table, labels, 3, alpha=4.0, weights=weights)

    def ridge(rows):
        """With the scale of all windows, which is no part of the leaving out."""
        mean = weights @ table / weights.sum()
        z = (table - mean) / np.sqrt(weights @ (table - mean) ** 2 / weights.sum())
        targets = np.where(labels[:, None] == np.arange(3), 1.0, -1.0)
        return Ridge(alpha=4.0).fit(z[rows], targets[rows], sample_weight=weights[rows]).predict(z)

    everybody = np.arange(30)
    np.testing.assert_allclose(head.predict_logits(table), head.factor * ridge(everybody), atol=1e-5)
    left_out = np.array([ridge(everybody != row)[row] for row in everybody])
    losses = [-(weights * log_softmax(each * left_out, axis=1)[everybody, labels]).sum() for each in FACTORS]
    assert head.factor == pytest.approx(FACTORS[int(np.argmin(losses))])


def test_it_is_fitted_to_windows_themselves_and_an_absent_class_is_never_predicted():
    windows, labels = drawn(80)
    others, truth = drawn(60, seed=5)
    fitted = fit_classifier(
        "random-convolutions", windows, 2 * labels, 3, features=FEATURES, seed=1, hyperparameters={"alpha": 10.0}
    )
    logits = fitted.predict(others)
    assert (logits.argmax(1) == 2 * truth).mean() > 0.9
    assert (logits[:, 1] < -20).all()
    assert fitted.arrays is None
    assert fitted.size == {}
    assert fitted.predict(others[:0]).shape == (0, 3)
    again = fit_classifier("random-convolutions", windows, 2 * labels, 3, features=FEATURES, seed=1)
    other = fit_classifier("random-convolutions", windows, 2 * labels, 3, features=FEATURES, seed=2)
    assert not np.allclose(again.predict(others), other.predict(others))


def test_classes_can_be_weighted():
    """The rare class wins more of other people's windows where its windows weigh more."""
    windows, labels = drawn(80)
    few = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:4]])
    given = {"features": FEATURES, "hyperparameters": {"alpha": 1e5}}
    margins = []
    for weights in (None, np.array([0.5, 5.0])):
        fitted = fit_classifier("random-convolutions", windows[few], labels[few], 2, weights=weights, **given)
        logits = fitted.predict(drawn(40, seed=2)[0])
        margins.append(float((logits[:, 1] - logits[:, 0]).mean()))
    assert margins[1] > margins[0]
