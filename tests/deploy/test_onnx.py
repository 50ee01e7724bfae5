"""ONNX models give Keras' logits through onnxruntime; features, forests and the decoder included."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

import stillmotion as sm
from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.decoding import IntegerDecoder, fit_decoder
from stillmotion.deploy.onnx import OnnxDecoder, export_onnx, run_onnx
from stillmotion.deploy.onnx.export import write_program
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, fit_classifier
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import build_network, list_networks, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import has_normaliser
from stillmotion.signals import Channel, SignalSpec
from tests.deploy.conftest import REAL
from tests.deploy.nets import CLASSES, SMALL, SPEC, build, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
#: Programs that the fixture ``cases`` holds.
NAMES = [*(builder.__name__ for builder in SMALL), *(name.replace("-", "_") for name in REAL)]


def saved(path, model, windows, spec=SPEC, **values):
    return Bundle.save(path, model, spec, golden=windows, **values)


def require_close(logits, expected):
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gives_the_logits_of_its_program(name, cases, tmp_path):
    """The program in NumPy gives those of Keras (test_equality)."""
    program, windows = cases[name].exact, draw_windows(20, seed=1)
    model = write_program(program)
    onnx.checker.check_model(model, full_check=True)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    require_close(run_onnx(tmp_path / "net.onnx", windows), program.run(windows))
    used = {node.op_type for node in model.graph.node}
    wanted = {"lstms": {"LSTM"}, "grus": {"GRU", "LSTM"}, "fastgrnns": {"Scan"}, "features": {"TopK"}}
    assert wanted.get(name, {"Conv", "MatMul"}) & used


@pytest.mark.slow
@pytest.mark.parametrize("builder", SMALL)
def test_every_layer_gives_the_logits_of_keras(builder, tmp_path):
    bundle = saved(tmp_path / "bundle", build(builder), draw_windows(40, seed=1))
    export = export_onnx(bundle, tmp_path / "onnx", name="net")
    windows, expected = bundle.golden
    require_close(run_onnx(export.file, windows), expected)
    assert export.error == np.abs(run_onnx(export.file, windows) - expected).max()


def test_windows_are_answered_one_by_one_as_in_a_batch(tmp_path):
    bundle = saved(tmp_path / "bundle", build_network("fastgrnn-8", SPEC), draw_windows(4))
    file = export_onnx(bundle, tmp_path / "onnx").file
    windows = draw_windows(5, seed=2)
    alone = np.concatenate([run_onnx(file, window[None]) for window in windows])
    np.testing.assert_allclose(run_onnx(file, windows), alone, atol=1e-6)
    assert run_onnx(file, windows[:0]).shape == (0, CLASSES)


@pytest.fixture(scope="module")
def classifiers():
    """A forest and a regression on movements that overlap, with the windows they were not fitted to."""
    random = np.random.default_rng(3)
    labels = np.arange(240) % CLASSES
    windows = draw_windows(240, seed=3) * (0.4 + 0.3 * labels[:, None, None]).astype(np.float32)
    features = FeatureSet.of(SPEC, groups=("axes", "norms", "jerk", "time", "spectrum", "correlations"))
    table = compute_feature_table(windows[::2], features)
    fitted = {
        name: fit_classifier(name, table, labels[::2], CLASSES, features=features, hyperparameters=given).arrays
        for name, given in {"random-forest": {"n_estimators": 20.0}, "logistic-regression": {}}.items()
    }
    held_out = windows[1::2]
    held_out[:3] = random.normal(size=(3, 1, held_out.shape[2]))  # constant windows: nothing is defined
    return fitted, held_out


@pytest.mark.parametrize("name", ["random-forest", "logistic-regression"])
def test_feature_classifiers_give_the_logits_of_their_arrays(classifiers, name, tmp_path):
    fitted, windows = classifiers
    bundle = saved(tmp_path / "bundle", fitted[name], windows, provenance={"method": name})
    export = export_onnx(bundle, tmp_path / "onnx")
    require_close(run_onnx(export.file, windows), bundle.golden[1])
    if name == "random-forest":
        assert "TreeEnsembleRegressor" in {node.op_type for node in onnx.load(export.file).graph.node}


def test_the_contract_is_in_the_metadata(tmp_path):
    decoder = fit_decoder("duration", SPEC.classes, [0] * 9 + [1] * 9 + [2] * 9 + [3] * 9, hop=SPEC.hop / SPEC.rate)
    bundle = saved(tmp_path / "bundle", build_network("gru-4", SPEC), draw_windows(4), decoder=decoder)
    export = export_onnx(bundle, tmp_path / "onnx")
    assert export.decoder_file is not None
    for file in (export.file, export.decoder_file):
        held = {each.key: each.value for each in onnx.load(file).metadata_props}
        assert json.loads(held["channels"]) == list(SPEC.channel_names)
        assert json.loads(held["classes"]) == list(SPEC.classes)
        assert SignalSpec.from_dict(json.loads(held["signal"])) == SPEC
        assert (held["rate_hz"], held["window_samples"], held["hop_samples"]) == ("25.0", "24", "8")
        assert held["model_sha256"] == bundle.sha256


def test_the_decoder_gives_the_classes_of_the_integer_decoder(tmp_path):
    random = np.random.default_rng(0)
    labels = np.repeat(random.integers(0, CLASSES, 40), 5)
    decoder = fit_decoder("duration", SPEC.classes, labels, hop=SPEC.hop / SPEC.rate)
    bundle = saved(tmp_path / "bundle", build_network("gru-4", SPEC), draw_windows(4), decoder=decoder)
    export = export_onnx(bundle, tmp_path / "onnx")
    logits = (2 * random.normal(size=(200, CLASSES))).astype(np.float32)
    logits[50] = [1e9, -1e9, 0, 0]  # beyond the quantised range
    reference = IntegerDecoder.of(bundle.decoder)
    gaps = np.minimum(np.arange(200), 1)
    wanted = reference.filter(reference.quantise_logits(logits), gaps).argmax(1)
    assert (wanted != logits.argmax(1)).any()
    decoder = OnnxDecoder(export.decoder_file)
    assert np.array_equal(decoder.decode(logits), wanted)
    decoder.reset()
    parts = [decoder.decode(part) for part in np.split(logits, [1, 2, 70])]
    assert np.array_equal(np.concatenate(parts), wanted), "the state goes on from call to call"


def test_a_product_of_tensors_has_an_onnx_form(tmp_path):
    """TinyHAR's attention between channels, whose trained scalar begins at 0, drawn instead."""
    model = build_network("tinyhar", (48, 2, 3))
    for variable in model.variables:
        if "attention_gamma" in variable.path:
            variable.assign(np.full(variable.shape, 0.7))
    spec = SignalSpec(25.0, tuple(map(Channel.of, ("acc.x", "acc.y"))), ("a", "b", "c"), 48, 24)
    bundle = saved(tmp_path / "bundle", model, draw_windows(6, 48, 2), spec)
    export = export_onnx(bundle, tmp_path / "onnx")
    require_close(run_onnx(export.file, bundle.golden[0]), bundle.golden[1])


def test_what_cannot_be_exported_is_one_sentence(tmp_path, monkeypatch, capsys):
    import keras
    from keras import layers

    inputs = keras.Input((24, 6))
    x = layers.Dense(CLASSES, name="logits")(layers.Flatten()(layers.LayerNormalization(name="norm")(inputs)))
    bundle = saved(tmp_path / "bundle", keras.Model(inputs, x, name="normed"), draw_windows(2))
    with pytest.raises(UserError, match=r"norm \(LayerNormalization\) cannot run in ONNX: use BatchNormalization"):
        export_onnx(bundle, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", str(tmp_path / "bundle"), "--to", "onnx", "--out", str(tmp_path / "onnx")]) == 2
    assert 'pip install "stillmotion[onnx]"' in capsys.readouterr().err


@pytest.mark.slow
def test_without_the_extra_everything_else_is_there():
    code = "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None; import stillmotion.deploy.web"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_no_model_and_windows_that_do_not_fit_are_refused(tmp_path, monkeypatch):
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be opened by onnxruntime"):
        run_onnx(tmp_path / "no.onnx", np.zeros((1, 24, 6)))
    export = export_onnx(saved(tmp_path / "bundle", build_network("gru-4", SPEC), draw_windows(2)), tmp_path / "onnx")
    with pytest.raises(UserError, match=r"takes windows \(n, 24, 6\), not \(1, 6, 24\)"):
        run_onnx(export.file, np.zeros((1, 6, 24)))
    with pytest.raises(UserError, match="exists already"):
        export_onnx(tmp_path / "bundle", tmp_path / "onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"stillmotion\[onnx\]"):
        run_onnx(export.file, np.zeros((1, 24, 6)))


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    saved(tmp_path / "bundle", build_network("gru-4", SPEC), draw_windows(2))
    line = ["export", str(tmp_path / "bundle"), "--to", "onnx", "--out", str(tmp_path / "onnx"), "--name", "watch"]
    assert main([*line, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["bytes"] == (tmp_path / "onnx" / "watch.onnx").stat().st_size
    assert written["decoder_file"] is None
    assert written["error"] < 1e-5
    assert main([*line[:-3], str(tmp_path / "again"), "--int8", "--name", "watch"]) == 2
    assert "--int8" in capsys.readouterr().err


@pytest.fixture(scope="module")
def hapt(real):
    """A thousand windows of real subjects, with their contract."""
    windows = sm.cut(sm.load("hapt", data=real("hapt")))
    return windows.values(np.linspace(0, len(windows.starts) - 1, 1000).astype(int)), windows.spec


def on_hapt(name, values, spec, folder):
    """Compare a network whose weights all differ from those of a start."""
    model, random = build_network(name, spec), np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.05 * random.normal(size=variable.shape))
    if has_normaliser(model):
        set_statistics(model, values.mean((0, 1)), values.std((0, 1)))
    set_feature_statistics(model, values)
    bundle = Bundle.save(folder / "bundle", model, spec, golden=values)
    export = export_onnx(bundle, folder / "onnx")
    require_close(run_onnx(export.file, values), bundle.golden[1])


@pytest.mark.real
def test_a_network_on_real_windows(hapt, tmp_path):
    on_hapt("feature-net-s", hapt[0][::20], hapt[1], tmp_path)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", [each.name for each in list_networks()])
def test_every_network_on_a_thousand_real_windows(hapt, name, tmp_path):
    on_hapt(name, *hapt, tmp_path)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", ["random-forest", "logistic-regression"])
def test_every_kind_of_classifier_on_a_thousand_real_windows(hapt, name, tmp_path):
    values, spec = hapt
    features, labels = FeatureSet.of(spec), np.random.default_rng(0).integers(0, len(spec.classes), len(values))
    table = compute_feature_table(values[::2], features)
    fitted = fit_classifier(name, table, labels[::2], len(spec.classes), features=features).arrays
    bundle = saved(tmp_path / "bundle", fitted, values, spec, provenance={"method": name})
    require_close(run_onnx(export_onnx(bundle, tmp_path / "onnx").file, values), bundle.golden[1])
