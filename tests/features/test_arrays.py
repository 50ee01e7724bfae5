"""Classifiers as plain arrays: equal to scikit-learn's own answers, saved without objects, hostile files refused."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.features import (
    ClassifierCost,
    FeatureSet,
    LinearArrays,
    TreeArrays,
    array_files,
    classifier_cost,
    extract_features,
    fit_classifier,
    pack_arrays,
    unpack_arrays,
)
from stillmotion.features.window_features import compute_feature_table

FEATURES = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
SKLEARN = {
    "random-forest": (RandomForestClassifier, {"n_estimators": 30, "min_samples_leaf": 3}),
    "extra-trees": (ExtraTreesClassifier, {"n_estimators": 30, "max_depth": 12}),
    # Fitted to features that differ in their last digits, so both must come close to the optimum.
    "logistic-regression": (LogisticRegression, {"C": 0.01, "tol": 1e-7, "solver": "newton-cg", "max_iter": 1000}),
}
#: A node, then its two leaves.
STUMP = {
    "roots": [0],
    "feature": [1, -1, -1],
    "threshold": [0.5, 0.0, 0.0],
    "left": [1, -1, -1],
    "right": [2, -1, -1],
    "value": [[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]],
}
LINEAR = {"weights": np.ones((8, 2)), "bias": [0, 1], "location": np.zeros(8), "scale": np.ones(8), "clip": 5.0}


@pytest.fixture(scope="module")
def hapt(real):
    return sm.cut(sm.load("hapt", data=real("hapt")))


def scikit_learns_probabilities(name, table, labels, others):
    """Fit with scikit-learn alone; a regression to features compressed, standardised and clipped at 5."""
    kind, given = SKLEARN[name]
    model = kind(**given, **({} if kind is LogisticRegression else {"random_state": 7}))
    if kind is LogisticRegression:
        table, others = (np.sign(x) * np.log1p(np.abs(x)) for x in (table.astype(float), others.astype(float)))
        mean, std = table.mean(0), table.std(0)
        std[std < 1e-6 * abs(mean)] = 1.0
        table, others = (np.clip((x - mean) / std, -5, 5) for x in (table, others))
    return model.fit(table, labels).predict_proba(others)


@pytest.mark.real
@pytest.mark.parametrize("name", SKLEARN)
def test_arrays_predict_what_scikit_learn_predicts_of_real_windows(name, hapt):
    fit, others = (hapt.numbers(None)[start::20] for start in (0, 7))
    table, unseen = (extract_features(hapt, rows).values for rows in (fit, others))
    labels = np.asarray(hapt.labels)[fit]
    kept = labels != 3  # a class without a training window
    table, labels = table[kept], labels[kept]
    given = {key: value for key, value in SKLEARN[name][1].items() if key not in ("solver", "max_iter")}
    features = FeatureSet.of(hapt.spec)
    fitted = fit_classifier(name, table, labels, 12, features=features, seed=7, hyperparameters=given)
    arrays = unpack_arrays(pack_arrays(fitted.arrays), "model.npz")
    actual = arrays.predict_proba(compute_feature_table(hapt.values(others), arrays.features))
    assert actual.shape == (len(others), 12)
    assert actual[:, 3].max() < 1e-11
    wanted = scikit_learns_probabilities(name, table, labels, unseen)
    np.testing.assert_allclose(np.delete(actual, 3, 1), wanted, atol=1e-6)
    np.testing.assert_allclose(softmax(fitted.predict(unseen), axis=1), actual, atol=1e-6)


def test_a_threshold_between_two_neighbours_of_float32_still_parts_them():
    """The middle of these two rounds to the higher one, which would then go left too."""
    low = np.nextafter(np.float32(1000), np.float32(2000))
    high = np.nextafter(low, np.float32(2000))
    assert np.float32((float(low) + float(high)) / 2) == high
    table = np.tile(np.array([[low], [high]]), (20, 8))
    fitted = fit_classifier("random-forest", table, np.arange(40) % 2, 2, features=FEATURES)
    np.testing.assert_array_equal(fitted.arrays.predict_proba(table).argmax(1), np.arange(40) % 2)


def test_trees_average_the_leaves_that_a_window_ends_in():
    two = {name: np.concatenate([values, np.asarray(values)]) for name, values in STUMP.items()}
    for name in ("left", "right"):
        two[name] = [1, -1, -1, 4, -1, -1] if name == "left" else [2, -1, -1, 5, -1, -1]
    two |= {"roots": [0, 3], "threshold": [0.5, 0, 0, 0.75, 0, 0]}
    trees, table = TreeArrays(FEATURES, **two), np.zeros((3, 8))
    table[:, 1] = [0.5, 0.6, 0.8]
    np.testing.assert_allclose(trees.predict_proba(table), [[1, 0], [0.625, 0.375], [0.25, 0.75]])
    np.testing.assert_allclose(trees.predict_logits(table), np.log([[1, 1e-12], [0.625, 0.375], [0.25, 0.75]]), 1e-6)
    assert trees.predict_proba(table[:0]).shape == (0, 2)
    # Two comparisons, a sum and a mean of two classes; two inner nodes, four leaves, two roots.
    assert classifier_cost(trees) == ClassifierCost(2 * 4 + 4 * 2 + 2, 0, 2 + 2 * 2)


def test_the_longest_path_of_each_tree_counts():
    """A chain of three comparisons, and a leaf alone."""
    chain = {
        "roots": [0, 7],
        "feature": [0, -1, 1, -1, 2, -1, -1, -1],
        "threshold": np.zeros(8),
        "left": [1, -1, 3, -1, 5, -1, -1, -1],
        "right": [2, -1, 4, -1, 6, -1, -1, -1],
        "value": np.full((8, 2), 0.5),
    }
    assert TreeArrays(FEATURES, **chain).comparisons == 3


def test_logit_adjustment_divides_probabilities_by_shares():
    table = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    labels = (table[:, 0] + 0.8 * table[:, 1] > 1).astype(np.int64)
    shares = np.bincount(labels) / 60
    for name in ("random-forest", "logistic-regression", "gradient-boosting"):
        given = {} if name == "logistic-regression" else {"min_samples_leaf": 10.0}
        plain, adjusted = (
            fit_classifier(
                name, table, labels, 2, features=FEATURES, subtract_prior=subtract, hyperparameters=given
            ).predict(table)
            for subtract in (False, True)
        )
        wanted = softmax(plain, axis=1) / shares
        wanted /= wanted.sum(1, keepdims=True)
        np.testing.assert_allclose(softmax(adjusted, axis=1), wanted, atol=1e-6, err_msg=name)


TREE_FAULTS = {
    "outside": {"right": [5, -1, -1]},
    "no later node": {"left": [0, -1, -1]},
    "two parents": {"left": [2, -1, -1]},
    "compares a feature": {"feature": [8, -1, -1]},
    "roots among": {"roots": [3]},
    "at least one": {"roots": np.zeros(0, np.int32)},
    "differ in their number": {"threshold": [0.5]},
    "NaN, infinite": {"threshold": [np.nan, 0, 0]},
    "whole numbers": {"left": [1.0, -1.0, -1.0]},
    "not bool": {"left": [True, False, False]},
    "too large": {"left": np.array([2**40, -1, -1])},
    "negative probability": {"value": [[0.5, 0.5], [1, -1], [0, 1]]},
    "none above 0": {"value": [[0.5, 0.5], [0, 0], [0, 1]]},
    "2 dimensions": {"value": [1.0, 2.0, 3.0]},
    "not object": {"value": np.array([[None, None]] * 3)},
}


@pytest.mark.parametrize("reason", TREE_FAULTS)
def test_arrays_that_are_no_trees_are_refused(reason):
    with pytest.raises(UserError, match=reason if reason != "outside" else "no later node"):
        TreeArrays(FEATURES, **STUMP | TREE_FAULTS[reason])


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("shapes", {"weights": np.ones((7, 2))}),
        ("shapes", {"bias": [1.0]}),
        ("shapes", {"location": np.zeros(9)}),
        ("above 0", {"scale": np.zeros(8)}),
        ("above 0", {"clip": -1.0}),
        ("above 0", {"clip": np.nan}),
        ("NaN, infinite", {"weights": np.full((8, 2), 1e40)}),
    ],
)
def test_arrays_that_are_no_linear_classifier_are_refused(reason, fault):
    with pytest.raises(UserError, match=reason):
        LinearArrays(FEATURES, **LINEAR | fault)


def test_a_table_of_other_features_is_refused():
    with pytest.raises(UserError, match=r"\(n, 8\), not \(3, 7\)"):
        LinearArrays(FEATURES, **LINEAR).predict_logits(np.zeros((3, 7)))


def changed(content, **members):
    """Return the file with members replaced; None leaves one out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            kept = members.get(name.removesuffix(".npy"), old.read(name))
            if kept is not None:
                new.writestr(name, kept)
    return buffer.getvalue()


def as_member(values, **given):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(values), **given)
    return buffer.getvalue()


def about(**changes):
    values = {"version": 1, "kind": "trees", "features": FEATURES.to_dict()} | changes
    return as_member(np.frombuffer(json.dumps(values).encode(), np.uint8))


#: An array header that claims 8 TiB.
GIANT = as_member(np.zeros(3)).replace(b"(3,), }" + b" " * 13, b"(1099511627776,), }".ljust(20))
PICKLED = as_member(np.array([{"a": 1}], object), allow_pickle=True)
FILE_FAULTS = {
    "an object array": (PICKLED, "holds Python objects"),
    "a text": (as_member(np.array(["a", "b", "c"])), "must be numbers"),
    "a giant": (GIANT, "cannot reshape|buffer"),
    "no array": (b"nothing here", "magic"),
    "an empty member": (b"", "EOF|magic"),
    "a missing member": (None, "version 1 with"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_hostile_arrays_of_a_file_are_refused_in_one_sentence(fault):
    member, reason = FILE_FAULTS[fault]
    with pytest.raises(UserError, match=reason) as refused:
        unpack_arrays(changed(pack_arrays(TreeArrays(FEATURES, **STUMP)), threshold=member), "bundle/model.npz")
    assert str(refused.value).startswith("bundle/model.npz")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"kind": "linear"},
        {"kind": "svm"},
        {"kind": ["trees"]},
        {"features": None},
        {"features": {"channels": [], "edges": []}},
        {"features": FEATURES.to_dict() | {"rate": "fast"}},
        {"features": FEATURES.to_dict() | {"channels": ["a"] * 5000, "sensors": ["a"] * 5000}},
        {"features": FEATURES.to_dict() | {"groups": ["magic"]}},
    ],
)
def test_a_file_about_something_else_is_refused(changes):
    content = changed(pack_arrays(TreeArrays(FEATURES, **STUMP)), about=about(**changes))
    with pytest.raises(UserError, match=r"^model\.npz"):
        unpack_arrays(content, "model.npz")


def test_a_file_that_would_fill_the_memory_is_refused_before_it_is_read(monkeypatch):
    content = pack_arrays(TreeArrays(FEATURES, **STUMP))
    monkeypatch.setattr(array_files, "LARGEST", 100)
    with pytest.raises(UserError, match="take more than"):
        unpack_arrays(content, "model.npz")
    with pytest.raises(UserError, match="take more than"):
        pack_arrays(LinearArrays(FEATURES, **LINEAR))


def test_damaged_bytes_of_a_file_are_refused_or_read_as_the_same():
    content = pack_arrays(TreeArrays(FEATURES, **STUMP))
    original = TreeArrays(FEATURES, **STUMP)
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        try:
            opened = unpack_arrays(bytes(damaged), "model.npz")
        except UserError:
            continue
        for name in STUMP:  # a byte of a date
            np.testing.assert_array_equal(getattr(opened, name), getattr(original, name))
    for end in range(0, len(content), 11):
        with pytest.raises(UserError, match=r"model\.npz"):
            unpack_arrays(content[:end], "model.npz")
