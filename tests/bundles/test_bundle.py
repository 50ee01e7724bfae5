"""Bundles are saved atomically, open with Keras and NumPy alone, and refuse windows that do not fit."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.bundles.card import OPENING
from stillmotion.errors import ContractError, UserError
from stillmotion.networks import build_network, set_statistics
from stillmotion.signals import Channel, SignalSpec

#: Keras copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPEC = SignalSpec(
    rate=50.0,
    channels=tuple(Channel("acc", axis, "m/s2", "wrist") for axis in "xyz"),
    classes=("walk", "run", "sit", "stand", "lie"),
    window=32,
    hop=16,
)
SCORES = [{"subject": "ann", "macro_f1": 0.91234567, "windows": 40}, {"subject": "bo", "macro_f1": 0.5, "windows": 12}]


@pytest.fixture(scope="module")
def model():
    model = build_network("mlp-small", SPEC, seed=2)
    set_statistics(model, [0.0, 9.81, 1.0], [2.0, 3.0, 4.0])
    return model


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "best"
    return Bundle.save(path, model, SPEC, scores=SCORES, provenance={"method": "rb-kd", "seed": 3})


@pytest.fixture
def windows():
    return np.random.default_rng(1).normal(size=(6, 32, 3)).astype(np.float32) * 5


def test_it_holds_seven_papers_and_no_pickle(bundle):
    names = {path.name for path in bundle.path.iterdir()}
    papers = {"signal.json", "scores.json", "provenance.json", "README.md", "manifest.json", "golden.npz"}
    assert names == {"model.keras", *papers}
    assert [path.name for path in bundle.path.parent.iterdir()] == ["best"]  # no draft left


def test_it_comes_back_as_it_was(bundle, model, windows):
    again = Bundle.open(bundle.path)
    assert again.spec == SPEC
    assert list(again.scores) == SCORES
    assert again.provenance["method"] == "rb-kd"
    assert again.provenance["versions"]["keras"] == keras.__version__
    np.testing.assert_allclose(again.logits(windows, SPEC), model(windows), atol=1e-5)
    logits = np.asarray(model(windows), np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(again.predict(windows, SPEC), expected, atol=1e-5)
    assert again.predict(windows[:0], SPEC).shape == (0, 5)


def test_golden_vectors_are_windows_with_the_logits_of_the_model(bundle, model, windows, tmp_path):
    drawn, logits = Bundle.open(bundle.path).golden
    assert drawn.shape == (4, 32, 3)
    np.testing.assert_allclose(logits, model(drawn), atol=1e-5)
    given, logits = Bundle.save(tmp_path / "given", model, SPEC, golden=windows[:2]).golden
    np.testing.assert_array_equal(given, windows[:2])
    np.testing.assert_allclose(logits, model(windows[:2]), atol=1e-5)
    with pytest.raises(ContractError, match=r"\(windows, 32, 3\).*, not float32 \(6, 31, 3\)"):
        Bundle.save(tmp_path / "short", model, SPEC, golden=windows[:, 1:])


def test_its_own_instructions_open_it_with_keras_and_numpy_alone(bundle):
    assert OPENING in (bundle.path / "README.md").read_text()
    program = 'import sys; sys.modules["stillmotion"] = None\n' + OPENING
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=bundle.path,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert any(name in run.stdout for name in SPEC.classes)


def test_the_card_says_what_it_takes_and_how_well_it_did(bundle):
    card = (bundle.path / "README.md").read_text()
    for part in (
        "# mlp-small",
        "50 Hz",
        "| wrist.acc.y | m/s2 |",
        "| ann | 0.9123 | 40 |",
        "method: rb-kd",
        "walk, run",
    ):
        assert part in card


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (SignalSpec(100.0, SPEC.channels, SPEC.classes, 32, 16), "bundle against signal.*rate 50 Hz against 100 Hz"),
        (SignalSpec(50.0, SPEC.channels[::-1], SPEC.classes, 32, 16), r"wrist.acc.x.*against \[wrist.acc.z"),
        (SPEC.with_window(64), "window 32 against 64"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused_naming_both(bundle, windows, other, says):
    with pytest.raises(ContractError, match=says):
        bundle.predict(windows, other)


def test_windows_of_another_shape_are_refused(bundle, windows):
    with pytest.raises(ContractError, match=r"\(windows, 32, 3\).*, not float32 \(6, 20, 3\)"):
        bundle.predict(windows[:, :20], SPEC)


def test_a_network_of_another_shape_than_its_contract_is_not_bundled(tmp_path, model):
    with pytest.raises(ContractError, match=r"maps \(32, 3\) to \(5,\).*windows of \(64, 3\) and 5 classes"):
        Bundle.save(tmp_path / "wrong", model, SPEC.with_window(64))
    assert not list(tmp_path.iterdir())


def test_a_bundle_is_not_overwritten_unless_asked(bundle, model, tmp_path):
    with pytest.raises(UserError, match="is a bundle already; pass replace=True"):
        Bundle.save(bundle.path, model, SPEC)
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="exists and is no bundle"):
        Bundle.save(tmp_path / "photos", model, SPEC, replace=True)
    first = Bundle.save(tmp_path / "b", model, SPEC)
    second = Bundle.save(tmp_path / "b", model, SPEC, scores=SCORES, replace=True)
    assert (len(first.scores), len(second.scores)) == (0, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "b"}


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, model):
    with pytest.raises(TypeError):
        Bundle.save(tmp_path / "broken", model, SPEC, provenance={"when": object()})
    assert not list(tmp_path.iterdir())


def test_damage_and_strangers_are_named(bundle, tmp_path):
    with pytest.raises(UserError, match=r"is no bundle: it lacks model.keras, signal.json"):
        Bundle.open(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in bundle.path.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "scores.json").write_text("[")
    with pytest.raises(UserError, match=r"scores.json is not the file that was bundled"):
        Bundle.open(copy)
    with (copy / "model.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=r"model.keras is not the file that was bundled"):
        Bundle.open(copy)


def test_scores_need_a_subject(tmp_path, model):
    with pytest.raises(UserError, match="needs the key 'subject'"):
        Bundle.save(tmp_path / "b", model, SPEC, scores=[{"macro_f1": 1.0}])


def test_auxiliary_classifiers_stay_in_the_lab(tmp_path):
    inputs = keras.Input((32, 3))
    x = keras.layers.Flatten()(inputs)
    heads = {name: keras.layers.Dense(5, name=name)(x) for name in ("logits", "aux_logits_1")}
    bundle = Bundle.save(tmp_path / "teacher", keras.Model(inputs, heads, name="two_heads"), SPEC)
    assert bundle.model.output_shape == (None, 5)
    assert [layer.name for layer in bundle.model.layers][-1] == "logits"
    assert json.loads((bundle.path / "provenance.json").read_text())["network"] == "two-heads"
