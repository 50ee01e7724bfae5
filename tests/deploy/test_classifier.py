"""Forests and regressions as programs: against scikit-learn's arrays, walked again, and the C bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.deploy import read_classifier
from stillmotion.deploy.program import quantise_program
from stillmotion.features import FeatureSet, TreeArrays, fit_classifier
from stillmotion.features.compute import compress
from stillmotion.features.window_features import compute_feature_table
from tests.deploy.blocks_in_c import BlocksInC

FEATURES = FeatureSet(40, 25.0, ("x", "y", "z"), ("acc",) * 3)
SHIFTS = (12, 12, 12)
CLASSES = 4


@pytest.fixture(scope="module")
def data():
    """Windows of four movements that overlap, and their counts."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % CLASSES
    time = np.arange(40)[None, :, None] / 25.0
    waves = np.sin(2 * np.pi * (0.8 + 0.7 * labels[:, None, None]) * time + random.uniform(0, 6, (240, 1, 3)))
    size = random.uniform(0.1, 0.6, (240, 1, 3))
    values = random.uniform(-0.5, 0.5, (240, 1, 3)) + size * waves + 0.3 * random.normal(size=waves.shape)
    counts = np.rint(values * 2.0**12).astype(np.int16)
    return (counts * 2.0**-12).astype(np.float32), counts, labels


def fit(data, name, **hyperparameters):
    windows, _, labels = data
    table = compute_feature_table(windows[::2], FEATURES)
    return fit_classifier(name, table, labels[::2], CLASSES, features=FEATURES, hyperparameters=hyperparameters).arrays


def programs(data, arrays, **options):
    windows, _, _ = data
    program = read_classifier(arrays, windows[::2], **options)
    return program, quantise_program(program, windows[::2], tuple(2.0**-shift for shift in SHIFTS))


def walk(trees, row, threshold):
    """The rows of leaves of one window, tree by tree."""
    for root in trees.roots:
        node = root
        while trees.feature[node] >= 0:
            goes_left = row[trees.feature[node]] <= threshold[node]
            node = trees.left[node] if goes_left else trees.right[node]
        yield trees.value[node]


def test_a_forest_gives_the_logits_of_its_arrays(data):
    windows, _, _ = data
    arrays = fit(data, "random-forest", max_depth=5)
    program, _ = programs(data, arrays)
    wanted = arrays.predict_logits(compute_feature_table(windows, FEATURES))
    found = program.run(windows)
    assert np.median(np.abs(found - wanted)) < 1e-5
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.99


@pytest.mark.parametrize(("thresholds", "share"), [("int8", 0.95), ("int16", 0.99)])
def test_a_forest_in_integers_walks_as_its_thresholds_say(data, thresholds, share):
    windows, counts, _ = data
    arrays = fit(data, "random-forest", max_depth=5)
    program, integers = programs(data, arrays, thresholds=thresholds)
    forest = program.steps[1].block
    given = integers.steps[0].block.output
    place = np.maximum(arrays.feature, 0)
    standard = (compress(np, arrays.threshold.astype(float)) - forest.scale.mean[place]) / forest.scale.std[place]
    least = np.iinfo(thresholds)
    # A crossing or a peak at the threshold itself goes left, rounded as it is.
    tied = np.array([name.endswith(("zero_crossings", "peak_hz")) for name in FEATURES.names])[place]
    cut = np.where(tied, np.rint(standard / given.step) + (thresholds == "int16"), np.rint(standard / given.step - 0.5))
    cut = np.clip(cut, least.min, least.max)
    features = integers.steps[0].block.run(counts[:40])
    found = integers.logits.dequantise(integers.steps[1].block.run(features))
    for row, logits in zip(features, found, strict=True):
        mean = np.mean(list(walk(arrays, row, cut)), axis=0)
        likely = mean > 0.05 * mean.max()
        np.testing.assert_allclose(logits[likely], np.log(mean[likely]), atol=0.03)
    agreement = (integers.run(counts).argmax(1) == program.run(windows).argmax(1)).mean()
    assert agreement >= share
    sizes = {each.name: each.array.itemsize for each in integers.steps[1].block.constants}
    assert sizes["feature"] == sizes["row"] == 1
    assert sizes["threshold"] == least.bits // 8


def test_a_regression_in_float32_and_integers(data):
    windows, counts, _ = data
    arrays = fit(data, "logistic-regression")
    program, integers = programs(data, arrays)
    wanted = arrays.predict_logits(compute_feature_table(windows, arrays.features))
    np.testing.assert_allclose(program.run(windows), wanted, atol=2e-3)
    assert (integers.run(counts).argmax(1) == wanted.argmax(1)).mean() > 0.95


def test_the_c_of_forests_equals_numpy_bit_for_bit(data, tmp_path):
    windows, counts, _ = data
    lone = TreeArrays(FEATURES, [0], [-1], [0.0], [-1], [-1], [[0.2, 0.8, 0.0, 0.0]])  # a tree that is one leaf
    cases = []
    for name, arrays, options in (
        ("deep", fit(data, "random-forest"), {}),
        ("flat", fit(data, "random-forest", max_depth=4), {"thresholds": "int8"}),
        ("lone", lone, {}),
    ):
        for program, given in zip(programs(data, arrays, **options), (windows, counts), strict=True):
            kind = program.signal.dtype
            features = program.steps[0].block.run(given[:60])
            cases.append((replace(program.steps[1].block, name=f"{name}_{kind}"), features))
    compiled = BlocksInC(tmp_path, [block for block, _ in cases])
    for block, features in cases:
        np.testing.assert_array_equal(compiled.run(block, features), block.run(features), err_msg=block.name)
    assert np.exp(cases[-2][0].run(cases[-2][1])[0]) == pytest.approx([0.2, 0.8, 0, 0], abs=1e-5)


def test_trees_without_windows_are_of_float32_alone(data):
    windows, _, _ = data
    program = read_classifier(fit(data, "random-forest", max_depth=2))
    assert program.run(windows[:2]).shape == (2, CLASSES)
