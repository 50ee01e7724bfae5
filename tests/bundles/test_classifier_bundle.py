"""Bundles of feature classifiers: arrays instead of a network, everything else alike."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle, saved_cost
from stillmotion.bundles.card import OPENING_OF_CLASSIFIER
from stillmotion.errors import ContractError, UserError
from stillmotion.features import FeatureSet, LinearArrays, extract_array_features, fit_classifier, pack_arrays
from stillmotion.features.cost import feature_cost

from .test_bundle import SCORES, SPEC
from .test_bundle_attacks import list_anew

FEATURES = FeatureSet.of(SPEC)
NAMES = ("random-forest", "logistic-regression")


def windows_of(seed):
    """Windows whose class is the strength of their movement along one axis."""
    labels = np.arange(60) % 5
    values = np.random.default_rng(seed).normal(size=(60, 32, 3)).astype(np.float32)
    values[:, :, 1] *= labels[:, None] + 1
    return values, labels


def table_of(windows):
    groups = [channel.group for channel in SPEC.channels]
    return extract_array_features(windows, rate=SPEC.rate, sensors=groups, names=SPEC.channel_names).values


@pytest.fixture(scope="module")
def fitted():
    values, labels = windows_of(0)
    given = {"random-forest": {"n_estimators": 5.0, "max_depth": 4.0}}
    return {
        name: fit_classifier(
            name, table_of(values), labels, 5, features=FEATURES, hyperparameters=given.get(name), seed=1
        )
        for name in NAMES
    }


@pytest.fixture(scope="module")
def bundles(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        name: Bundle.save(
            folder / name,
            each.arrays,
            SPEC,
            scores=SCORES,
            provenance={"method": name, "estimate": "0.7 in cross-validation"},
            golden=windows_of(1)[0][:3],
        )
        for name, each in fitted.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_like_the_classifier_that_was_fitted(name, fitted, bundles):
    windows, labels = windows_of(2)
    bundle = Bundle.open(bundles[name].path)
    expected = fitted[name].predict(table_of(windows))
    np.testing.assert_allclose(bundle.logits(windows, SPEC), expected, atol=1e-5)
    shares = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(bundle.predict(windows, SPEC), shares, atol=1e-5)
    assert (bundle.predict(windows, SPEC).argmax(1) == labels).mean() > 0.5
    assert bundle.predict(windows[:0], SPEC).shape == (0, 5)
    assert list(bundle.scores) == SCORES
    golden, logits = bundle.golden
    np.testing.assert_array_equal(golden, windows_of(1)[0][:3])
    np.testing.assert_allclose(logits, fitted[name].predict(table_of(golden)), atol=1e-5)
    with pytest.raises(UserError, match="holds a feature classifier and no network"):
        _ = bundle.model


def test_its_files_are_those_of_every_bundle_but_for_the_model(bundles):
    names = {path.name for path in bundles["random-forest"].path.iterdir()}
    papers = {"signal.json", "scores.json", "provenance.json", "README.md", "manifest.json", "golden.npz"}
    assert names == {"model.npz", *papers}
    assert "network" not in bundles["random-forest"].provenance


def test_its_card_counts_it_and_its_instructions_open_it(bundles, monkeypatch, capsys):
    bundle = bundles["random-forest"]
    card = (bundle.path / "README.md").read_text()
    assert "# random-forest" in card
    assert "0.7 in cross-validation\n\n| subject" in card
    assert OPENING_OF_CLASSIFIER in card
    monkeypatch.chdir(bundle.path)
    exec(OPENING_OF_CLASSIFIER, {})
    assert any(name in capsys.readouterr().out for name in SPEC.classes)


def test_its_cost_is_counted_by_hand(bundles, fitted):
    trees, linear = fitted["random-forest"].arrays, fitted["logistic-regression"].arrays
    cost, count = saved_cost(bundles["random-forest"].path), len(FEATURES.names)
    leaves = int((trees.feature < 0).sum())
    stored = 4 * (len(trees.feature) - leaves) + 5 * leaves + 5
    paths = sum(longest_path(trees, int(root)) for root in trees.roots)
    features = feature_cost(FEATURES)
    assert (cost.network, cost.input_shape, cost.output_shape) == ("random-forest", (32, 3), (5,))
    assert (cost.params, cost.weight_bytes) == (stored, 4 * (stored + 32))
    assert cost.weight_bytes == cost.weight_bytes_int8 == 4 * fitted["random-forest"].size["stored"]
    assert cost.multiply_adds == features.multiply_adds
    assert cost.flops == 2 * features.multiply_adds + features.elementary + paths + 5 * 5
    assert cost.activation_bytes == 4 * (32 * 3 + 3 * 32 + count)
    cost, features = saved_cost(bundles["logistic-regression"].path), feature_cost(linear.features)
    assert cost.params == 2 * count + 5 * count + 5
    assert cost.multiply_adds == features.multiply_adds + 5 * count
    assert cost.flops == 2 * cost.multiply_adds + features.elementary + 4 * count + 5


def longest_path(trees, node):
    if trees.feature[node] < 0:
        return 0
    return 1 + max(longest_path(trees, int(child[node])) for child in (trees.left, trees.right))


def test_features_of_another_signal_are_not_bundled(fitted, tmp_path):
    arrays = fitted["logistic-regression"].arrays
    for change, reason in (
        ({"window": 64}, "window 64, its signal 32"),
        ({"rate": 25.0}, "rate 25"),
        ({"channels": ("a", "b", "c")}, "channels"),
    ):
        # Of as many features: another rate has other bands.
        other = replace(arrays.features, **change)
        count = len(other.names)
        given = LinearArrays(other, np.zeros((count, 5)), np.zeros(5), np.zeros(count), np.ones(count), 5.0)
        with pytest.raises(ContractError, match=reason):
            Bundle.save(tmp_path / "wrong", given, SPEC)
    count = len(FEATURES.names)
    fewer = LinearArrays(FEATURES, np.zeros((count, 4)), np.zeros(4), np.zeros(count), np.ones(count), 5.0)
    with pytest.raises(ContractError, match="4 classes, its signal 5"):
        Bundle.save(tmp_path / "wrong", fewer, SPEC)
    assert not list(tmp_path.iterdir())


def test_hostile_arrays_whose_checksum_fits_are_refused_when_they_are_used(bundles, tmp_path):
    copy = shutil.copytree(bundles["random-forest"].path, tmp_path / "copy")
    windows, _ = windows_of(2)
    count = len(FEATURES.names)
    other = LinearArrays(FEATURES, np.zeros((count, 4)), np.zeros(4), np.zeros(count), np.ones(count), 5.0)
    for content, reason in ((b"PK nothing", "model.npz is damaged"), (pack_arrays(other), "4 classes, its signal 5")):
        (copy / "model.npz").write_bytes(content)
        list_anew(copy)
        with pytest.raises(UserError, match=reason):
            Bundle.open(copy).logits(windows, SPEC)
        with pytest.raises(UserError, match=reason):
            saved_cost(copy)


def test_a_replaced_model_and_two_models_are_refused(bundles, tmp_path):
    copy = shutil.copytree(bundles["random-forest"].path, tmp_path / "copy")
    opened = Bundle.open(copy)
    (copy / "model.npz").write_bytes(b"other")
    with pytest.raises(UserError, match=r"model\.npz is not the file that was opened"):
        _ = opened.classifier
    (copy / "model.keras").write_bytes(b"")
    with pytest.raises(UserError, match=r"holds both model\.keras and model\.npz"):
        Bundle.open(copy)


@pytest.mark.parametrize("fault", ["shape", "nan", "absent", "objects"])
def test_golden_vectors_that_do_not_fit_are_refused(fault, bundles, tmp_path):
    copy = shutil.copytree(bundles["random-forest"].path, tmp_path / "copy")
    windows = np.zeros((2, 32, 3), np.float32)
    logits = np.zeros((2, 5), np.float32)
    if fault == "shape":
        logits = logits[:1]
    elif fault == "nan":
        windows[0, 0, 0] = np.nan
    elif fault == "objects":
        logits = np.array([{}], object)
    arrays = {"windows": windows} | ({} if fault == "absent" else {"logits": logits})
    np.savez(copy / "golden.npz", allow_pickle=True, **arrays)
    list_anew(copy)
    with pytest.raises(UserError, match=r"golden\.npz holds no golden vectors"):
        _ = Bundle.open(copy).golden
    (copy / "golden.npz").unlink()
    sums = json.loads((copy / "manifest.json").read_text())["sha256"]
    del sums["golden.npz"]
    (copy / "manifest.json").write_text(json.dumps({"sha256": sums}))
    with pytest.raises(UserError, match="has no golden vectors"):
        _ = Bundle.open(copy).golden
