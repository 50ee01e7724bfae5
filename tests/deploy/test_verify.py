"""A bundle and its exported forms are verified; what differs, and what cannot be checked, is said in one sentence."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.bundles.contents import GOLDEN, pack_golden
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.deploy import export_c, export_litert, export_onnx, verify, verify_bundle
from stillmotion.deploy.litert.running import PYTHON, find_python
from stillmotion.deploy.record import find_record, pack_array, read_record, unpack_array
from stillmotion.deploy.verify import check_export
from stillmotion.deploy.web import browser, export_web
from stillmotion.files import BLANK, SEAL, seal
from stillmotion.networks import build_network
from stillmotion.signals import SignalSpec
from tests.bundles.test_bundle_attacks import list_anew
from tests.conftest import unavailable
from tests.deploy.litert_python import use_interpreters
from tests.deploy.nets import SPEC, draw_weights, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
FORMS = ("c-float32", "c-int8", "litert-float32", "litert-int8", "onnx-float32", "web-int8")
TOOLS = {"gcc": "gcc", "clang": "clang", "wasm-ld": "lld"}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    model = build_network("mlp-small", SPEC)
    draw_weights(model)
    labels = np.repeat(np.arange(len(SPEC.classes)), 12)
    decoder = fit_decoder("duration", SPEC.classes, labels, hop=SPEC.hop / SPEC.rate)
    folder = tmp_path_factory.mktemp("verify") / "bundle"
    return Bundle.save(folder, model, SPEC, calibration=draw_windows(30), decoder=decoder)


@pytest.fixture(scope="module")
def exported(original, tmp_path_factory):
    """Every form of the bundle, in a folder under its name."""
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed (apt-get install {package})")
    if not any(map(shutil.which, browser.PROGRAMS)):
        unavailable("Chromium is not installed (apt-get install chromium)")
    root = tmp_path_factory.mktemp("forms")
    writers = {"c": export_c, "litert": export_litert, "web": export_web}
    for form in FORMS:
        kind, int8 = form.partition("-")[0], form.endswith("int8")
        if kind == "onnx":
            export_onnx(original, root / form, name="watch")
        else:
            writers[kind](original, root / form, int8=int8, name="watch")
    with pytest.MonkeyPatch.context() as patch:
        use_interpreters(patch, "tflite-micro", "litert")
        yield root
    find_python.cache_clear()


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original.path, tmp_path / "bundle")


def altered(file, at):
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def check(bundle, folder):
    return check_export(bundle, "form", find_record(folder))


@pytest.mark.slow
def test_the_command_verifies_every_form_and_what_was_exported(original, exported, capsys):
    assert main(["verify", str(original.path), *(str(exported / form) for form in FORMS), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    written = ["files", "keras", *FORMS[:5], "web-float32"]
    assert [each["form"] for each in checks] == [*written, *(str(exported / form) for form in FORMS)]
    assert {each["state"] for each in checks} == {"equal"}


@pytest.mark.parametrize("form", FORMS)
def test_an_exported_form_gives_what_was_recorded(original, exported, form):
    result = check(original, exported / form)
    assert result.state == "equal"
    assert result.text.startswith(f"{form}: 4 golden windows of its own")
    assert ("every bit" in result.text) == (form not in ("litert-float32", "onnx-float32"))
    assert ("of the bundle, 4 golden windows" in result.text) == form.endswith("float32")


def test_forms_are_written_anew_and_a_file_stands_for_its_export(original, exported):
    files = [exported / "c-int8" / "watch_example.c", exported / "onnx-float32" / "watch_decoder.onnx"]
    checks = verify_bundle(original.path, files, forms=("c-float32", "onnx-float32"))
    assert [each.state for each in checks] == ["equal"] * 6
    assert [each.text.partition(":")[0] for each in checks[-2:]] == ["c-int8", "onnx-float32"]


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("c-float32", "watch.c"),
        ("c-int8", "watch.h"),
        ("c-int8", "watch_example.c"),
        ("litert-int8", "watch.tflite"),
        ("onnx-float32", "watch.onnx"),
        ("onnx-float32", "watch_decoder.onnx"),
        ("web-int8", "watch.html"),
        ("litert-float32", "watch.json"),
    ],
)
def test_one_altered_bit_and_a_missing_file_are_one_sentence(original, exported, tmp_path, form, file):
    copy = shutil.copytree(exported / form, tmp_path / form)
    altered(copy / file, at=-200)
    result = check(original, copy)
    assert result.state == "differs"
    assert result.text.startswith(f"{copy / file} is not the")
    assert "checksum differs" in result.text
    if file != "watch.json":
        (copy / file).unlink()
        result = check(original, copy)
        assert (result.state, result.text) == (
            "differs",
            f"{copy} lacks {file}, which watch.json lists; export it again.",
        )


@pytest.mark.parametrize("form", ["c-int8", "onnx-float32", "litert-float32"])
def test_other_logits_than_the_recorded_ones_differ(original, exported, tmp_path, form):
    """A sound seal does not make golden logits right."""
    file = find_record(shutil.copytree(exported / form, tmp_path / form))
    record = json.loads(file.read_text())
    logits = unpack_array(record["golden"]["logits"])
    logits[1, 2] += 1
    record["golden"]["logits"] = pack_array(logits)
    file.write_bytes(seal(json.dumps(record | {SEAL: BLANK}).encode()))
    assert check(original, file).state == "differs"


def test_a_form_of_another_bundle_differs(original, exported, tmp_path, monkeypatch, capsys):
    other = Bundle.save(tmp_path / "other", build_network("mlp-small", SPEC, seed=5), SPEC, golden=draw_windows(2))
    result = check(other, exported / "c-int8")
    assert (result.state, result.text) == ("differs", "c-int8 is of another bundle, with another model and decoder")
    contract = replace(original, spec=replace(SPEC, hop=SPEC.hop + 1))
    assert check(contract, exported / "c-int8").text.endswith("with another contract")
    monkeypatch.setattr(verify, "WRITTEN", {})
    assert main(["verify", str(other.path), str(exported / "litert-int8" / "watch.tflite")]) == 1
    assert "litert-int8 is of another bundle" in capsys.readouterr().out


def test_what_is_no_form_is_refused_in_a_sentence(original, exported, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.html").write_text("<p>hello</p>")
    lone = shutil.copy(exported / "onnx-float32" / "watch.onnx", tmp_path)
    for path in (tmp_path / "empty", tmp_path / "page.html", lone, original.path):
        assert main(["verify", str(original.path), str(path)]) == 2
        error = capsys.readouterr().err
        assert f"{path} is no exported form: the record that still export writes beside one" in error
        assert len(error.strip().splitlines()) == 1
    assert main(["verify", str(original.path), str(tmp_path / "nothing")]) == 2
    assert "does not exist; give the folder" in capsys.readouterr().err


def test_other_golden_logits_differ_in_every_float_form(folder, original, exported, monkeypatch, capsys):
    windows, logits = original.golden
    changed = logits.copy()
    changed[2, 1] += 1e-3 * np.abs(logits).max()
    (folder / GOLDEN).write_bytes(pack_golden(windows, changed))
    monkeypatch.setattr(verify, "WRITTEN", {"c-float32": ("c", False)})
    assert main(["verify", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "files"
    assert "differs" in lines[0]
    assert len(lines) == 1
    list_anew(folder)
    named = [exported / form for form in ("litert-float32", "onnx-float32")]
    assert [each.state for each in verify_bundle(folder, named)] == ["equal", *["differs"] * 4]


def test_what_cannot_be_run_is_said_and_is_no_success(original, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(PYTHON, "")
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("STILLMOTION_CHROMIUM", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    find_python.cache_clear()
    named = [exported / form for form in FORMS]
    assert main(["verify", str(original.path), *map(str, named), "--json"]) == 2
    checks = {each["form"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["keras"]["state"] == "equal"
    for form, reason in (
        ("c-int8", "no C compiler"),
        ("litert-float32", "ai-edge-litert is not installed"),
        ("litert-int8", "tflite-micro is not installed"),
        ("onnx-float32", "stillmotion[onnx]"),
    ):
        for each in (form, str(exported / form)):
            assert checks[each]["state"] == "not checked"
            assert reason in checks[each]["text"]
    assert "needs clang and wasm-ld" in checks["web-float32"]["text"]
    assert "apt-get install chromium" in checks[str(exported / "web-int8")]["text"]
    find_python.cache_clear()
    # What nobody named, such as integers without calibration windows, is no failure.
    assert main(["verify", str(original.path)]) == 0


def test_a_record_holds_the_contract_and_what_the_form_takes(original, exported):
    for form in FORMS:
        record = read_record(find_record(exported / form))
        held = json.loads((exported / form / "watch.json").read_text())
        assert SignalSpec.from_dict(held["signal"]) == original.spec
        assert held["model_sha256"] == original.sha256
        assert record.windows.dtype == (np.int16 if form in ("c-int8", "litert-int8") else np.float32)
        assert record.logits.shape == (4, len(SPEC.classes))
        assert len(np.unique(record.logits, axis=0)) == 4
    counts, floats = (read_record(find_record(exported / form)) for form in ("c-int8", "c-float32"))
    steps = json.loads((exported / "c-int8" / "watch.json").read_text())["input"]["value_of_one_count"]
    np.testing.assert_array_equal(counts.windows * np.array(list(steps.values())), floats.windows)
