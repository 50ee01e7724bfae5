"""A bundle is verified through every form; what differs, and what cannot be checked, is said."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from stillmotion.bundles import Bundle
from stillmotion.bundles.contents import GOLDEN, pack_golden
from stillmotion.cli import main
from stillmotion.deploy import verify_bundle
from stillmotion.deploy.onnx import export_onnx
from stillmotion.networks import build_network
from tests.bundles.test_bundle_attacks import list_anew
from tests.conftest import unavailable
from tests.deploy.nets import SPEC, draw_weights, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    model = build_network("gru-4", SPEC)
    draw_weights(model)
    return Bundle.save(tmp_path_factory.mktemp("verify") / "bundle", model, SPEC, calibration=draw_windows(30))


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original.path, tmp_path / "bundle")


def states(checks):
    return {check.form: check.state for check in checks}


def test_every_form_of_a_sound_bundle_is_equal(original, tmp_path, capsys):
    if shutil.which("gcc") is None:
        unavailable("gcc is not installed (apt-get install gcc)")
    file = export_onnx(original, tmp_path / "onnx").file
    assert main(["verify", str(original.path), str(file), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    forms = ["files", "keras", "c float32", "c int8", "onnx", str(file)]
    assert [(check["form"], check["state"]) for check in checks] == [(form, "equal") for form in forms]
    assert "every bit" in checks[3]["text"]


def test_other_golden_logits_differ_in_every_float_form(folder, original, capsys):
    windows, logits = original.golden
    changed = logits.copy()
    changed[2, 1] += 1e-3
    (folder / GOLDEN).write_bytes(pack_golden(windows, changed))
    assert main(["verify", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "files"
    assert "differs" in lines[0]
    assert len(lines) == 1
    list_anew(folder)
    found = states(verify_bundle(folder))
    assert [found[form] for form in ("files", "keras", "c float32", "onnx")] == ["equal", *["differs"] * 3]


def test_a_file_of_another_model_differs(folder, tmp_path):
    other = Bundle.save(tmp_path / "other", build_network("gru-4", SPEC, seed=5), SPEC, golden=draw_windows(2))
    file = export_onnx(other, tmp_path / "onnx").file
    *_, last = verify_bundle(folder, [file])
    assert (last.form, last.state) == (str(file), "differs")
    assert "another model" in last.text


def test_what_cannot_be_checked_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    checks = {check.form: check for check in verify_bundle(folder, [tmp_path / "page.html"])}
    assert checks["keras"].state == "equal"
    for form, reason in (("c float32", "no C compiler"), ("onnx", "stillmotion[onnx]")):
        assert checks[form].state == "not checked"
        assert reason in checks[form].text
    assert "is no .onnx file" in checks[str(tmp_path / "page.html")].text
