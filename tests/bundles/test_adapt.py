"""A bundle adapted to one subject: the last layer is the optimum that SciPy finds, all else is as it was."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

import stillmotion as sm
from benchmarks.adaptation import first_seconds, overlaps
from stillmotion.bundles import Bundle, refit_layer
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.deploy import export_c, run_on_host
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, fit_classifier
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import build_network, with_taps
from tests.conftest import unavailable

from .test_bundle import SCORES, SPEC
from .test_classifier_bundle import table_of, windows_of
from .test_recordings import NAMES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
DECODER = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2, 3, 4], 6), hop=16 / 50)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # see test_bundle.py
        path = tmp_path_factory.mktemp("models") / "best"
        provenance = {"method": "lm", "seed": 3, "estimate": "0.9 of unseen subjects"}
        return Bundle.save(
            path, build_network("mlp-small", SPEC, seed=2), SPEC, scores=SCORES, provenance=provenance,
            decoder=DECODER, calibration=windows_of(5)[0],
        )  # fmt: skip


@pytest.fixture(scope="module")
def adapted(bundle, tmp_path_factory):
    values, labels = windows_of(0)
    labels = np.where(np.arange(60) < 10, -1, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return sm.adapt(bundle, values, labels, tmp_path_factory.mktemp("mine") / "mine", strength=0.5)


def draw(seed=0, count=40):
    rng = np.random.default_rng(seed)
    return rng.normal(1, 2, (count, 6)), rng.normal(size=(6, 3)), rng.normal(size=3), rng.integers(0, 2, count)


@pytest.mark.parametrize("strength", [0.02, 1.0])
def test_a_layer_fitted_again_is_the_penalised_optimum(strength):
    inputs, weights, bias, labels = draw()
    table, first = np.column_stack([inputs, np.ones(40)]), np.vstack([weights, bias])
    penalty = strength * np.mean(np.sum(table**2, axis=1))

    def loss(flat):
        layer = flat.reshape(7, 3)
        wrong = log_softmax(table @ layer, axis=1)[np.arange(40), labels].sum()
        return penalty / 2 * np.sum((layer - first) ** 2) - wrong

    best = minimize(loss, first.ravel(), method="BFGS", options={"gtol": 1e-7, "maxiter": 2000}).x.reshape(7, 3)
    weights_now, bias_now = refit_layer(inputs, weights, bias, labels, strength=strength, steps=3000)
    np.testing.assert_allclose(np.vstack([weights_now, bias_now]), best, atol=2e-4)
    few = np.vstack([each.reshape(-1, 3) for each in refit_layer(inputs, weights, bias, labels, strength=strength)])
    assert loss(best.ravel()) <= loss(few.ravel()) < loss(first.ravel())


def test_the_first_step_is_a_ridge_regression_of_what_the_layer_gets_wrong():
    inputs, weights, bias, labels = draw(3)
    table = np.column_stack([inputs, np.ones(40)])
    wrong = 2 * (np.eye(3)[labels] - softmax(table @ np.vstack([weights, bias]), axis=1))
    penalty = 2 * 0.3 * np.mean(np.sum(table**2, axis=1))
    stacked = np.vstack([table, np.sqrt(penalty) * np.eye(7)])
    ridge = np.linalg.lstsq(stacked, np.vstack([wrong, np.zeros((7, 3))]), rcond=None)[0]
    weights_now, bias_now = refit_layer(inputs, weights, bias, labels, strength=0.3, steps=1)
    np.testing.assert_allclose(np.vstack([weights_now - weights, bias_now - bias]), ridge, atol=1e-5)


def test_only_the_last_layer_of_a_network_changes(bundle, adapted):
    before, after = bundle.model.get_weights(), adapted.model.get_weights()
    for one, other in zip(before[:-2], after[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    values, labels = windows_of(0)
    embedding = np.asarray(with_taps(bundle.model, ["embedding"]).predict(values[10:], verbose=0)["embedding"])
    expected = refit_layer(embedding, before[-2], before[-1], labels[10:], strength=0.5)
    np.testing.assert_allclose(after[-2], expected[0], atol=1e-5)
    np.testing.assert_allclose(after[-1], expected[1], atol=1e-5)
    accuracy = [np.mean(each.logits(values, SPEC).argmax(1) == labels) for each in (bundle, adapted)]
    assert accuracy[1] > accuracy[0] + 0.1


def test_an_adapted_bundle_has_no_scores_of_unseen_subjects_and_says_where_it_comes_from(bundle, adapted):
    again = Bundle.open(adapted.path)
    assert again.scores == ()
    assert "estimate" not in again.provenance
    assert again.provenance["method"] == "lm"
    about = again.provenance["adapted"]
    assert about == {"sha256": bundle.sha256, "windows": dict.fromkeys(SPEC.classes, 10), "strength": 0.5}
    assert again.decoder.to_dict() == bundle.decoder.to_dict()
    np.testing.assert_array_equal(again.calibration, bundle.calibration)
    np.testing.assert_array_equal(again.golden[0], bundle.golden[0])  # no window of the subject is kept
    np.testing.assert_allclose(again.golden[1], again.logits(again.golden[0], SPEC), atol=1e-5)


def test_a_logistic_regression_is_adapted_and_decision_trees_are_refused(tmp_path):
    values, labels = windows_of(0)
    given = {"n_estimators": 3.0, "max_depth": 3.0}
    bundles = {}
    for name, numbers in (("logistic-regression", None), ("random-forest", given)):
        fitted = fit_classifier(
            name, table_of(values), labels, 5, features=FeatureSet.of(SPEC), hyperparameters=numbers, seed=1
        )
        bundles[name] = Bundle.save(tmp_path / name, fitted.arrays, SPEC)
    linear = bundles["logistic-regression"].classifier
    turned = (labels + 1) % 5  # this subject does the next thing
    mine = sm.adapt(bundles["logistic-regression"], values, turned, tmp_path / "mine", strength=0.01)
    inputs = linear.scaled(compute_feature_table(values, linear.features))
    expected = refit_layer(inputs, linear.weights, linear.bias, turned, strength=0.01)
    np.testing.assert_allclose(mine.classifier.weights, expected[0], atol=1e-4)
    assert np.mean(mine.logits(values, SPEC).argmax(1) == turned) > 0.8
    with pytest.raises(UserError, match="holds decision trees, which have no last layer"):
        sm.adapt(bundles["random-forest"], values, labels, tmp_path / "trees")


def test_c_of_an_adapted_bundle_differs_in_one_table_and_gives_its_answers(bundle, adapted, tmp_path):
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        unavailable("no C compiler is installed (apt-get install gcc)")
    exports = [
        export_c(each, tmp_path / name, int8=True, name="watch") for each, name in ((bundle, "a"), (adapted, "b"))
    ]
    # Weights before the last layer are the same bytes.
    arrays = [
        {f"{step.output}.{each.name}": each.array for step in export.program.steps for each in step.block.constants}
        for export in exports
    ]
    differ = {name for name in arrays[0] if not np.array_equal(arrays[0][name], arrays[1][name])}
    assert {name.partition(".")[0] for name in differ} == {"logits"}
    values, _ = windows_of(7)
    expected = exports[1].program.run(exports[1].counts.of(values))
    np.testing.assert_array_equal(run_on_host(exports[1], values), expected)
    assert exports[0].constant_bytes == exports[1].constant_bytes


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros(59, int), "labels must be 60 whole numbers from 0 to 4"),
        (np.full(60, 5), "from 0 to 4, or -1"),
        (np.zeros(60), "not float64"),
        (np.full(60, -1), "No window has a class"),
    ],
)
def test_labels_that_do_not_fit_are_refused(bundle, tmp_path, labels, says):
    with pytest.raises(UserError, match=says):
        sm.adapt(bundle, windows_of(0)[0], labels, tmp_path / "mine")
    with pytest.raises(UserError, match="strength of adaptation must be above 0"):
        sm.adapt(bundle, windows_of(0)[0], windows_of(0)[1], tmp_path / "mine", strength=0)


def test_the_command_adapts_to_a_labelled_table_of_one_subject(bundle, tmp_path, capsys):
    values, _ = windows_of(0)
    lines = [",".join(["time", *NAMES, "doing", "who"])]
    for number in range(20):
        for at in range(32):
            time = (number * 32 + at) / 50
            name = [*SPEC.classes[:2], "swim"][number // 7]
            lines.append(",".join([f"{time:.2f}", *(f"{v:.4f}" for v in values[number, at]), name, "ann"]))
    (tmp_path / "me.csv").write_text("\n".join(lines) + "\n")
    given = ["adapt", bundle.path, tmp_path / "me.csv", "--label", "doing", "--subject", "who", "--out"]
    assert main([str(each) for each in (*given, tmp_path / "mine")]) == 0
    printed = capsys.readouterr().out
    counts = json.loads((tmp_path / "mine" / "provenance.json").read_text())["adapted"]["windows"]
    assert set(counts) == {"walk", "run"}
    assert counts["walk"] >= 12
    assert f"walk: {counts['walk']} windows" in printed
    assert "as trained, for want of windows: sit, stand, lie" in printed
    assert main(["predict", str(tmp_path / "mine"), str(tmp_path / "me.csv"), "--json"]) == 0
    # Another subject in the table, and labels that are no classes of the bundle.
    (tmp_path / "two.csv").write_text("\n".join([*lines, *(line.replace("ann", "bo") for line in lines[1:])]) + "\n")
    (tmp_path / "swim.csv").write_text("\n".join(line.replace("walk", "dive").replace("run", "dive") for line in lines))
    for file, says in (("two.csv", "has 2 subjects"), ("swim.csv", "No window of swim has a label among walk, run")):
        given[2] = tmp_path / file
        capsys.readouterr()
        assert main([str(each) for each in (*given, tmp_path / "other")]) == 2
        assert says in capsys.readouterr().err


def test_no_scored_window_shares_a_sample_with_one_that_was_adapted_to():
    from dataclasses import replace

    from tests.studies.conftest import small_index

    rng = np.random.default_rng(0)
    index = replace(
        small_index(),
        labels=np.repeat(rng.integers(0, 2, 20), 5),
        recording=np.repeat([0, 1], 50),
        seconds=np.tile(np.arange(50) * 0.08, 2),  # windows of 4 samples at 25 Hz, one every 2
        spec=sm.signals.SignalSpec(25.0, small_index().spec.channels, ("sit", "walk"), window=4, hop=2),
    )
    rows = np.arange(100)
    for seconds, count in ((0, 0), (0.1, 0), (0.16, 1), (1.0, 11)):
        taken = first_seconds(index, rows, seconds)
        assert len(taken) == 2 * count
        for label in (0, 1):
            own = [row for row in rows if index.labels[row] == label]
            assert taken[index.labels[taken] == label].tolist() == own[:count]
        kept = rows[~overlaps(index, rows, taken)]
        for row in rows:
            shares = any(
                index.recording[row] == index.recording[other]
                and abs(round(index.seconds[row] * 25) - round(index.seconds[other] * 25)) < 4
                for other in taken
            )
            assert (row in kept) == (not shares)
    half = first_seconds(index, rows, 1000)
    assert len(half) == sum(np.sum(index.labels == label) // 2 for label in (0, 1))
