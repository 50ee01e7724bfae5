"""Forms of a model are compared with the Keras model by class and, on labelled windows, by score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stillmotion.bundles import Bundle
from stillmotion.deploy import FormScore, compare_forms, export_c
from stillmotion.deploy.litert.running import PYTHON, find_python
from stillmotion.features import FeatureSet, LinearArrays
from stillmotion.networks import build_network
from tests.conftest import unavailable
from tests.deploy.litert_python import use_interpreters
from tests.deploy.nets import SPEC, draw_weights, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
LABELS = np.arange(60) % 4
SUBJECTS = np.repeat(["ann", "bob", "eve"], 20)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    model = build_network("mlp-small", SPEC)
    draw_weights(model)
    # Calibrated on weak movement, so that integers saturate and some classes change.
    calibration = draw_windows(30) * np.float32(0.25)
    return Bundle.save(tmp_path_factory.mktemp("bundles") / "watch", model, SPEC, calibration=calibration)


@pytest.fixture(scope="module")
def scores(bundle):
    windows = draw_windows(60, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        use_interpreters(patch, "tflite-micro", "litert")
        found = compare_forms(bundle, windows, labels=LABELS, subjects=SUBJECTS)
    find_python.cache_clear()
    return {each.form: each for each in found}


def test_every_form_is_equal_to_its_reference(scores):
    assert list(scores) == ["keras", "c-float32", "c-int8", "litert-float32", "litert-int8", "onnx-float32"]
    assert all(each.windows == 60 and not each.note for each in scores.values())
    assert [scores[name].equal for name in scores] == [None, 60, 60, None, 60, None]
    for name in ("keras", "c-float32", "litert-float32", "onnx-float32"):
        assert scores[name].agreement == 1
    assert scores["c-int8"].agreement == scores["litert-int8"].agreement > 0.5
    for each in scores.values():
        assert each.latency.windows == 59
        assert 0 < each.latency.p50_microseconds <= each.latency.p99_microseconds
    assert scores["c-int8"].memory < scores["c-float32"].memory < scores["litert-int8"].memory
    assert scores["c-int8"].bytes < scores["litert-int8"].bytes < scores["litert-float32"].bytes


def test_scores_are_those_of_scikit_learn(bundle, scores, tmp_path):
    windows = draw_windows(60, seed=3)
    keras = bundle.logits(windows, SPEC).argmax(1)
    export = export_c(bundle, tmp_path / "c", int8=True)
    classes = export.program.run(export.counts.of(windows)).argmax(1)
    assert (classes != keras).any()
    form = scores["c-int8"]
    assert form.agreement == pytest.approx((classes == keras).mean())
    before, after = (100 * f1_score(LABELS, each, average="macro") for each in (keras, classes))
    assert form.macro_f1 == pytest.approx(after / 100)
    assert form.change == pytest.approx(after - before)
    assert scores["keras"].change == 0
    rows = {row["subject"]: row for row in form.subjects}
    for name in ("ann", "bob", "eve"):
        own = name == SUBJECTS
        before, after = (100 * f1_score(LABELS[own], each[own], average="macro") for each in (keras, classes))
        expected = {"windows": 20, "agreement": (classes == keras)[own].mean(), "macro_f1": after / 100}
        assert rows[name] == pytest.approx({"subject": name, **expected, "change": after - before})
    assert form.worst == min(rows.values(), key=lambda row: row["change"])
    assert form.to_dict()["worst"] == form.worst


def test_without_labels_there_is_agreement_alone_and_what_is_missing_is_said(bundle, monkeypatch):
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr("sys.executable", "/bin/false")
    find_python.cache_clear()
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = {each.form: each for each in compare_forms(bundle, draw_windows(10, seed=3))}
    find_python.cache_clear()
    assert all(each.macro_f1 is each.change is each.worst is None for each in found.values())
    assert found["c-int8"].agreement is not None
    assert found["c-int8"].equal is None
    assert "equality and latency not measured: There is no C compiler" in found["c-int8"].note
    assert found["c-int8"].latency is None
    assert found["keras"].latency.windows == 9
    assert "tflite-micro is not installed" in found["litert-int8"].note
    assert found["litert-float32"].agreement is None
    assert "ai-edge-litert is not installed" in found["litert-float32"].note


def test_a_form_that_cannot_be_written_has_a_note(tmp_path):
    random = np.random.default_rng(0)
    features = FeatureSet.of(SPEC, groups=("axes", "time"), compressed=True)
    count = len(features.names)
    weights = random.normal(size=(count, 4))
    linear = LinearArrays(features, weights, np.zeros(4), np.zeros(count), np.ones(count), 5.0)
    bundle = Bundle.save(tmp_path / "linear", linear, SPEC)
    found = {each.form: each for each in compare_forms(bundle, draw_windows(5))}
    assert "no calibration windows" in found["c-int8"].note
    assert "cannot be written as LiteRT: LiteRT has no operators for window features" in found["litert-float32"].note
    assert found["c-float32"].equal in (5, None)
    if found["c-float32"].equal is None:
        unavailable(found["c-float32"].note)


def test_the_worst_subject_without_labels_is_the_one_with_least_agreement():
    rows = ({"subject": "a", "agreement": 0.9}, {"subject": "b", "agreement": 0.8}, {"subject": "c", "agreement": 1.0})
    score = FormScore("c-int8", 3, agreement=0.9, subjects=rows)
    assert score.worst["subject"] == "b"
    changed = tuple({**row, "change": change} for row, change in zip(rows, (-2.0, 0.0, -1.0), strict=True))
    assert replace(score, subjects=changed, change=-1.0).worst["subject"] == "a"
