"""LiteRT files: other interpreters compute the integers of our program, and the floats of Keras."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.deploy import export_c, export_litert
from stillmotion.deploy.litert import run_litert, schema, write_litert
from stillmotion.deploy.litert.running import PYTHON, find_python, run_jobs
from stillmotion.errors import UnknownName, UserError
from stillmotion.networks import build_network
from stillmotion.signals import SignalSpec
from tests.deploy.litert_python import use_interpreters
from tests.deploy.nets import CHANNELS, SPEC, WINDOW, draw_weights, draw_windows
from tests.deploy.test_equality import hapt_cases, hapt_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
#: Programs that LiteRT holds in integers; it holds those of ``FLOATS`` in float32 alone.
INTEGERS = ("convolutions", "planes", "attention", "pools", "motion_net_xs")
FLOATS = (*INTEGERS, "activations", "merges")
#: Networks of the package without recurrent layers and window features.
NETWORKS = ("motion-net-xs", "motion-net-s", "motion-net-m", "mlp-small", "cnn-har")
#: The same, too large for integers on a device.
TEACHERS = ("mlp", "motion-net-l")


@pytest.fixture(scope="module")
def interpreters():
    with pytest.MonkeyPatch.context() as patch:
        use_interpreters(patch, "tflite-micro", "litert")
        yield
    find_python.cache_clear()


def jobs_of(programs, folder):
    """Write programs as files; return what ``run_jobs`` takes, and the logits that it must give."""
    jobs, expected = [], []
    for name, program, given in programs:
        (folder / f"{name}.tflite").write_bytes(write_litert(program, name))
        jobs.append((folder / f"{name}.tflite", given))
        expected.append(program.run(given))
    return jobs, expected


def far_windows(count=20):
    """Windows that are not those of the calibration, the first far beyond it, so that integers saturate."""
    return draw_windows(count, seed=1) * np.where(np.arange(count) < 3, 4, 1)[:, None, None].astype(np.float32)


def require_same_integers(cases, windows, folder):
    programs = [(case.name, case.integers, case.counts.of(windows)) for case in cases]
    jobs, expected = jobs_of(programs, folder)
    for (file, _), logits, answer in zip(jobs, expected, run_jobs(jobs), strict=True):
        assert answer.logits.dtype == np.int8
        assert len(np.unique(logits)) > 4, file.stem  # they say something
        np.testing.assert_array_equal(answer.logits, logits, err_msg=file.stem)
        assert 0 < answer.arena_bytes < 1 << 20


def test_tflite_micro_gives_the_same_integers_for_every_kind_of_layer(cases, interpreters, tmp_path):
    require_same_integers([cases[name] for name in INTEGERS], far_windows(), tmp_path)


@pytest.mark.real
def test_tflite_micro_gives_the_same_integers_on_real_windows(real, interpreters, tmp_path):
    windows = hapt_windows(real)
    chosen = windows.values(np.linspace(5, len(windows.starts) - 5, 20).astype(int))
    require_same_integers(hapt_cases(windows, ["motion-net-s", "mlp-small"]), chosen, tmp_path)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("interpreter", ["tflite-micro", "litert-reference"])
def test_every_network_gives_the_same_integers_on_a_thousand_real_windows(real, interpreter, interpreters, tmp_path):
    windows = hapt_windows(real)
    chosen = windows.values(np.linspace(5, len(windows.starts) - 5, 1000).astype(int))
    for case in hapt_cases(windows, NETWORKS):
        jobs, (expected,) = jobs_of([(case.name, case.integers, case.counts.of(chosen))], tmp_path)
        (answer,) = run_jobs(jobs, interpreter=interpreter)
        np.testing.assert_array_equal(answer.logits, expected, err_msg=case.name)


def test_litert_gives_the_floats_of_our_program(cases, interpreters, tmp_path):
    windows = far_windows()
    jobs, expected = jobs_of([(name, cases[name].exact, windows) for name in FLOATS], tmp_path)
    for (file, _), logits, answer in zip(jobs, expected, run_jobs(jobs, interpreter="litert"), strict=True):
        error = np.abs(answer.logits - logits).max()
        assert error < 1e-5 * max(1.0, np.abs(logits).max()), file.stem


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each == "motion_net_xs" else pytest.mark.slow) for each in FLOATS]
)
def test_litert_gives_the_floats_of_keras(name, cases, interpreters, tmp_path):
    case, windows = cases[name], draw_windows(20, seed=1)
    jobs, _ = jobs_of([(name, case.exact, windows)], tmp_path)
    keras_logits = np.asarray(case.model.predict_on_batch(windows))
    (answer,) = run_jobs(jobs, interpreter="litert")
    assert np.abs(answer.logits - keras_logits).max() < 1e-5 * max(1.0, np.abs(keras_logits).max())


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", [*NETWORKS, *TEACHERS])
def test_every_network_gives_the_floats_of_keras_on_a_thousand_real_windows(real, name, interpreters, tmp_path):
    windows = hapt_windows(real)
    (case,) = hapt_cases(windows, [name])
    chosen = windows.values(np.linspace(5, len(windows.starts) - 5, 1000).astype(int))
    jobs, _ = jobs_of([(case.name, case.exact, chosen)], tmp_path)
    keras_logits = np.asarray(case.model.predict(chosen, batch_size=250, verbose=0))
    (answer,) = run_jobs(jobs, interpreter="litert")
    assert np.abs(answer.logits - keras_logits).max() < 1e-5 * max(1.0, np.abs(keras_logits).max())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    model = build_network("mlp-small", SPEC)
    draw_weights(model)
    return Bundle.save(tmp_path_factory.mktemp("bundles") / "watch", model, SPEC, calibration=draw_windows(30))


def test_the_command_writes_the_integers_of_the_c_and_what_they_stand_for(bundle, interpreters, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["export", str(bundle.path), "--to", "litert", "--int8", "--out", str(out), "--name", "watch"]
    assert main([*arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["bytes"] == (out / "watch.tflite").stat().st_size
    assert shown["calibration_windows"] == 30
    about = json.loads((out / "watch.json").read_text())
    export = export_c(bundle, tmp_path / "c", int8=True)
    windows = draw_windows(12, seed=2)
    steps = np.array([about["input"]["value_of_one_count"][name] for name in SPEC.channel_names])
    counts = np.clip(np.round(windows / steps), -32768, 32767).astype(np.int16)
    answer = run_litert(out / "watch.tflite", counts)
    np.testing.assert_array_equal(answer.logits, export.program.run(export.counts.of(windows)))
    assert about["output"]["scale"] == export.program.logits.step
    assert about["output"]["zero_point"] == export.program.logits.zero_point
    assert SignalSpec.from_dict(about["signal"]) == SPEC
    assert main([*arguments[:-2], "--json"]) == 2  # the folder exists
    assert "exists already" in capsys.readouterr().err


def test_float32_needs_no_calibration_and_says_its_unit(bundle, tmp_path):
    bare = replace(bundle, calibration=None)
    export = export_litert(bare, tmp_path / "out", name="watch")
    about = json.loads((tmp_path / "out" / "watch.json").read_text())
    assert about["input"] == {"shape": [1, WINDOW, CHANNELS], "type": "float32", "unit": "as in signal"}
    assert export.agreement is None
    with pytest.raises(UserError, match="no calibration windows"):
        export_litert(bare, tmp_path / "other", int8=True)


@pytest.mark.parametrize(
    ("name", "integers", "says"),
    [
        ("lstms", True, r"lstm\w* cannot be written as LiteRT.*keeps its state"),
        ("grus", False, r"bidirectional\w*_forward cannot be written as LiteRT: LiteRT has no GRU"),
        ("fastgrnns", True, r"fast_grnn\w* cannot be written as LiteRT"),
        (
            "features",
            True,
            r"window_features\w* cannot be written as LiteRT: LiteRT has no operators for",
        ),
        ("features", False, "no operators for window features.*--to c"),
        ("merges", True, r"softmax\w* cannot be written as LiteRT: its int8 softmax has steps of 1/256"),
    ],
)
def test_a_layer_that_litert_cannot_hold_is_named(name, integers, says, cases):
    program = cases[name].integers if integers else cases[name].exact
    with pytest.raises(UserError, match=says):
        write_litert(program, name)


def test_what_is_not_installed_is_said(monkeypatch, cases, tmp_path):
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    find_python.cache_clear()
    with pytest.raises(UserError, match=r"tflite-micro is not installed \(pip install --pre tflite-micro\)"):
        run_litert(tmp_path / "any.tflite", np.zeros((1, 2, 3)))
    find_python.cache_clear()
    with pytest.raises(UnknownName, match="litert-reference"):
        run_litert(tmp_path / "any.tflite", np.zeros((1, 2, 3)), interpreter="tensorflow")

    def absent(name):
        raise ImportError(f"No module named {name!r}")

    assert import_module("flatbuffers")
    monkeypatch.setattr(schema, "import_module", absent)
    with pytest.raises(UserError, match=r"No module named 'flatbuffers'.*stillmotion\[litert\]"):
        write_litert(cases["motion_net_xs"].exact, "net")


def test_a_file_that_an_interpreter_refuses_is_said(interpreters, tmp_path):
    (tmp_path / "broken.tflite").write_bytes(b"TFL3 and nothing else")
    with pytest.raises(UserError, match="tflite-micro cannot run broken.tflite"):
        run_litert(tmp_path / "broken.tflite", np.zeros((1, 2, 3), np.float32))
