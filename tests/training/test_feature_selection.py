"""Features are selected by their cost: every score is that of a regression fitted anew, and budgets hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.evaluation import confusion_matrix, macro_f1
from stillmotion.features import FeatureSet, extract_features
from stillmotion.networks import network_cost
from stillmotion.training.feature_selection import PENALTY

SUBJECTS, EACH, T = 6, 60, 16


@pytest.fixture(scope="module")
def windows():
    """Three classes: told apart by the mean of x, and two of them by fast waves in z; y and the gyroscope are noise."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(3), SUBJECTS * EACH // 3)
    values = random.normal(0, 0.4, (len(labels), T, 6))
    values[:, :, 0] += np.array([0.0, 1.0, 1.0])[labels, None] + random.normal(0, 0.3, (len(labels), 1))
    wave = np.where(np.arange(T) % 2, 1.0, -1.0) * (
        np.array([0.1, 0.1, 0.6])[labels, None] + random.normal(0, 0.1, (len(labels), 1))
    )
    values[:, :, 2] += wave
    names = [f"{sensor}.{axis}" for sensor in ("acc", "gyr") for axis in "xyz"]
    subjects = np.repeat(np.arange(SUBJECTS), EACH)
    data = sm.from_arrays(values.astype(np.float32), labels, subjects, rate=16, channels=names)
    return sm.cut(data)


@pytest.fixture(scope="module")
def selection(windows):
    return sm.select_features(windows, np.arange(len(windows)), folds=3)


def refitted(windows, features, folds=3):
    """Macro-F1 of ridge regressions fitted with SciPy's normal equations to these features alone."""
    table = extract_features(windows, compressed=True, dropped=features.dropped).values.astype(float)
    codes, labels = windows.subject_codes, windows.labels
    subjects = np.unique(codes)
    group = (np.random.default_rng(0).permutation(len(subjects)) % folds)[np.searchsorted(subjects, codes)]
    counts = np.zeros((3, 3), int)
    for number in range(folds):
        train, test = group != number, group == number
        mean, std = table[train].mean(0), table[train].std(0)
        std[std == 0] = 1
        x, y = (np.clip((table[part] - mean) / std, -5, 5) for part in (train, test))
        own = labels[train]
        weights = 1 / np.sqrt(np.bincount(own)[own])
        weights /= weights.mean()
        design = np.column_stack([np.ones(len(x)), x])
        penalty = np.diag([0.0] + [PENALTY * len(x)] * x.shape[1])
        targets = 2.0 * (own[:, None] == np.arange(3)) - 1
        solution = np.linalg.solve(
            design.T @ (weights[:, None] * design) + penalty, design.T @ (weights[:, None] * targets)
        )
        predicted = (np.column_stack([np.ones(len(y)), y]) @ solution).argmax(1)
        counts += confusion_matrix(labels[test], predicted, 3)
    return float(macro_f1(counts))


def test_each_step_is_the_regression_without_what_was_dropped(windows, selection):
    steps = selection.path
    assert steps[0].features == FeatureSet.of(windows.spec, compressed=True)
    for step in (steps[0], steps[len(steps) // 2], steps[-2]):
        assert step.macro_f1 == pytest.approx(refitted(windows, step.features), abs=1e-9)


def test_the_path_drops_units_and_grows_cheaper(windows, selection):
    steps = selection.path
    units = steps[0].features.units
    for earlier, later in pairwise(steps):
        assert set(later.features.names) == set(earlier.features.names) - set(units[later.dropped])
        assert later.operations < earlier.operations
        assert later.constants < earlier.constants
    left = {name.rpartition(".")[0] for name in selection.features.names}
    assert {"acc.x", "acc.z"} & left == {"acc.x", "acc.z"}  # what tells the classes apart
    assert not {"gyr.x", "gyr.y", "gyr.z", "gyr.norm"} & left  # noise


def test_operations_and_constants_are_those_of_the_network(windows, selection):
    for step in (selection.path[0], selection.step):
        model = sm.networks.build_network("feature-net-xs", windows.spec, features=step.features.selection)
        assert model.get_layer("window_features").features == step.features
        counted = network_cost(model)
        assert (step.operations, step.constants) == (counted.flops, counted.weight_bytes_int8)


def test_what_is_selected_is_the_cheapest_within_the_tolerance(windows, selection):
    whole = selection.path[0]
    enough = [step for step in selection.path if step.macro_f1 >= whole.macro_f1 - 0.005]
    assert selection.step.operations == min(step.operations for step in enough)
    assert selection.step.operations < 0.5 * whole.operations
    assert {f"acc.x.{name}" for name in ("mean", "median", "min", "max")} & {*selection.features.names}
    loose = selection.within(tolerance=0.5)
    assert loose.path == selection.path
    assert loose.step.operations < selection.step.operations


def test_a_budget_holds_for_operations_and_constants(windows):
    rows, options = np.arange(len(windows)), {"folds": 3, "groups": ["axes", "time"]}
    whole = sm.select_features(windows, rows, **options)
    limits = {"operations": whole.path[0].operations // 2, "constants": whole.path[0].constants // 3}
    chosen = sm.select_features(windows, rows, **options, **limits)
    assert chosen == whole.within(**limits)
    fitting = [step for step in whole.path if all(getattr(step, name) <= most for name, most in limits.items())]
    assert chosen.step in fitting
    # Nothing is lost against the largest set that fits, unless it may be.
    assert chosen.step.macro_f1 >= fitting[0].macro_f1
    enough = [step.operations for step in fitting if step.macro_f1 >= fitting[0].macro_f1 - 0.3]
    assert whole.within(**limits, tolerance=0.3).step.operations == min(enough)


def test_only_the_given_windows_count(windows, selection):
    """Other subjects may be anything: here they are the same windows with other classes."""
    some = np.flatnonzero(windows.subject_codes < 4)
    one = sm.select_features(windows, some, folds=2, groups=["axes", "time"])
    mask = windows.subject_codes < 4
    assert sm.select_features(windows, mask, folds=2, groups=["axes", "time"]).path == one.path
    assert one.path[0].features.groups == ("axes", "time")
    assert one.path != selection.path


def test_a_single_feature_goes_alone_only_if_that_saves_a_hundredth(selection):
    for earlier, later in pairwise(selection.path):
        if len(earlier.features.names) - len(later.features.names) == 1:
            assert earlier.operations - later.operations >= 0.01 * earlier.operations


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"operations": 5},
            r"No set of features fits 5 operations; the smallest takes \d+ operations. Raise the limit",
        ),
        (
            {"constants": 3, "operations": 9999999},
            r"fits 9,999,999 operations and 3 bytes of constants; .* and \d+ bytes",
        ),
        ({"tolerance": 5}, "a difference of macro-F1 from 0 to 1, such as 0.005, not 5"),
        ({"folds": 7}, "7 groups of subjects for cross-validation do not fit 6 subjects"),
        ({"folds": 1}, "1 groups of subjects"),
        ({"index": []}, "windows that all have a class"),
        ({"groups": ["axes"]}, "leave no feature"),
        ({"index": np.arange(0, SUBJECTS * EACH, 3)}, "windows of at least two classes"),
    ],
)
def test_what_cannot_be_selected_is_one_sentence(windows, change, says):
    options = {"index": np.arange(len(windows)), "folds": 3, "groups": ["norms", "time"], **change}
    with pytest.raises(UserError, match=says):
        sm.select_features(windows, options.pop("index"), **options)
