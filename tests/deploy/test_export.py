"""From a bundle to C that compiles everywhere and prints the promised answer; and one sentence for what cannot be."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace

import keras
import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.deploy import export_c, fit_counts, read_calibration, read_program
from stillmotion.errors import UserError
from stillmotion.networks import build_network
from stillmotion.networks.draws import drawn_by_numpy
from tests.conftest import unavailable
from tests.deploy.compiling import STRICT
from tests.deploy.nets import SPEC, build, draw_weights, draw_windows, features

#: Keras' own saving.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
SCORES = [{"subject": "s1 */ x", "windows": 12, "macro_f1": 0.875}]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Two bundles with calibration windows and one without."""
    root = tmp_path_factory.mktemp("bundles")
    gru = build_network("gru-4", SPEC)
    draw_weights(gru)
    made = {"gru": gru, "described": build(features)}
    windows = draw_windows(30)
    for name, model in made.items():
        Bundle.save(root / name, model, SPEC, scores=SCORES, provenance={"variant": name}, calibration=windows)
    Bundle.save(root / "bare", gru, SPEC)
    return root


def gcc(folder, *arguments):
    if shutil.which("gcc") is None:
        unavailable("gcc is not installed (apt-get install gcc)")
    return subprocess.run(["gcc", *arguments], cwd=folder, check=True, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["gru", "described"])
@pytest.mark.parametrize("int8", [True, False])
def test_the_compile_line_gives_the_answer(name, int8, bundles, tmp_path):
    if shutil.which("cc") is None:
        unavailable("cc is not installed (apt-get install gcc)")
    export = export_c(bundles / name, tmp_path / "out", int8=int8)
    assert sorted(file.name for file in export.folder.iterdir()) == [
        *(f"{name}.c", f"{name}.h", f"{name}.json", f"{name}_example.c")
    ]
    line = export.compile_line.replace("-O2", "-O0")
    done = subprocess.run(line, shell=True, cwd=export.folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == export.answer
    assert export.answer.startswith(SPEC.classes)
    assert export.agreement is None or export.agreement > 0.8
    weights = sum(each.bytes for step in export.program.steps for each in step.block.constants)
    assert export.constant_bytes == weights > 100


@pytest.mark.parametrize("int8", [True, False])
def test_objects_need_nothing_but_memory_functions(int8, bundles, tmp_path):
    export = export_c(bundles / "described", tmp_path / "out", int8=int8, name="My watch-7")
    assert export.name == "my_watch_7"
    gcc(export.folder, *STRICT, "-O0", "-c", "my_watch_7.c")
    symbols = subprocess.run(["nm", "my_watch_7.o"], cwd=export.folder, capture_output=True, text=True, check=True)
    rows = [line.split()[-2:] for line in symbols.stdout.splitlines()]
    assert {name for kind, name in rows if kind == "U"} <= {"memcpy", "memmove", "memset"}
    public = {name for kind, name in rows if kind in "TDRBC"}
    assert all(name.startswith("my_watch_7_") for name in public)
    functions = {"init", "push", "push_i16", "predict", "logits", "probabilities"} | (
        {"predict_i16"} if int8 else set()
    )
    assert public == {f"my_watch_7_{each}" for each in (*functions, "class_names")}


def test_the_header_holds_the_contract_for_c_and_cpp(bundles, tmp_path):
    export = export_c(bundles / "gru", tmp_path / "out", int8=True)
    program = f"""
#include "gru.h"
#include <cstdio>
int main() {{
    const float logits[GRU_CLASSES] = {{0, 1, 2, 3}};
    float shares[GRU_CLASSES];
    gru_probabilities(logits, shares);
    std::printf("%d %d %d %d %g %d %d %s %.6f %d\\n", GRU_WINDOW, GRU_HOP, GRU_CHANNELS, GRU_CLASSES, GRU_RATE,
        GRU_CHANNEL_WRIST_GYR_Z, GRU_SHIFT_WRIST_ACC_X, gru_class_names[3], shares[3], GRU_NOT_YET);
    return (int)(GRU_ARENA_BYTES + GRU_STATE_BYTES) == {export.arena_bytes + export.state_bytes} ? 0 : 1;
}}
"""
    (export.folder / "main.cpp").write_text(program)
    gcc(export.folder, *STRICT, "-O0", "-c", "gru.c")
    if shutil.which("g++") is None:
        unavailable("g++ is not installed (apt-get install g++)")
    subprocess.run(
        ["g++", "-Wall", "-Werror", "-pedantic", "main.cpp", "gru.o", "-o", "m"], cwd=export.folder, check=True
    )
    done = subprocess.run(["./m"], cwd=export.folder, capture_output=True, text=True, check=True)
    shift, share = export.counts.shifts[0], np.exp(3) / np.exp(range(4)).sum()
    assert done.stdout.strip() == f"24 8 6 4 25 5 {shift} {SPEC.classes[3]} {share:.6f} -1"
    header = (export.folder / "gru.h").read_text()
    assert "s1 * / x: windows 12, macro_f1 0.875" in header
    assert header.count("*/") == header.count("/*")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "described"])
def test_static_analysis_has_nothing_to_say(name, bundles, tmp_path):
    for int8 in (True, False):
        export = export_c(bundles / name, tmp_path / str(int8), int8=int8)
        gcc(export.folder, *STRICT, "-O2", "-fanalyzer", "-c", f"{name}.c")
        if shutil.which("clang"):
            warnings = (
                "-Weverything",
                "-Wno-padded",
                "-Wno-unknown-warning-option",
                "-Wno-declaration-after-statement",
            )
            subprocess.run(
                ["clang", "-std=c99", "-Werror", *warnings, "-c", f"{name}.c"], cwd=export.folder, check=True
            )


def test_raw_counts_hold_the_calibration_windows_with_headroom():
    windows = np.zeros((2, SPEC.window, 6))
    windows[0, 0, 1], windows[1, 3, 5] = -1.59, 1.7  # times 1.25: below 2, above 2
    counts = fit_counts(SPEC, windows)
    assert counts.shifts == (14, 14, 14, 13, 13, 13)
    assert fit_counts(SPEC, windows, {"acc": 16, "wrist.gyr": 34.9}).shifts == (11, 11, 11, 9, 9, 9)
    values = np.array([[1.0, -1.59, 2.5, 0.5, -9.0, 3e-5]])
    assert counts.of(values).tolist() == [[16384, -26051, 32767, 4096, -32768, 0]]


def test_the_command_writes_and_says_what(bundles, tmp_path, capsys):
    arguments = ["export", str(bundles / "bare"), "--to", "c", "--int8", "--out", str(tmp_path / "out"), "--json"]
    np.savez(tmp_path / "windows.npz", windows=draw_windows(40))
    assert main([*arguments, "--calibrate", str(tmp_path / "windows.npz"), "--full-scale", "acc=16"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["calibration_windows"] == 40
    assert said["name"] == "gru_4"
    assert "#define GRU_4_SHIFT_WRIST_ACC_X (11)" in (tmp_path / "out" / "gru_4.h").read_text()
    assert main([*arguments[:-3], "--out", str(tmp_path / "float")]) == 2  # no calibration windows in this bundle


def refused(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_what_cannot_be_exported_is_one_sentence(bundles, tmp_path):
    (tmp_path / "there").mkdir()
    gru = bundles / "gru"
    assert "exists already" in refused(lambda: export_c(gru, tmp_path / "there"))
    assert "no calibration windows" in refused(lambda: export_c(bundles / "bare", tmp_path / "a", int8=True))
    few = draw_windows(19)
    assert "there are 19 calibration" in refused(lambda: export_c(gru, tmp_path / "a", int8=True, calibration=few))
    wrong = np.zeros((30, 24, 5))
    assert "(windows, 24, 6)" in refused(lambda: export_c(gru, tmp_path / "a", int8=True, calibration=wrong))
    assert "Valid: acc, gyr" in refused(lambda: export_c(gru, tmp_path / "a", full_scale={"mag": 1}))
    assert "above 0" in refused(lambda: export_c(gru, tmp_path / "a", full_scale={"acc": -1}))
    assert not (tmp_path / "a").exists()
    assert "no array of windows" in refused(lambda: read_calibration(tmp_path / "none.npy", Bundle.open(gru)))
    assert "Unknown data set" in refused(lambda: read_calibration("nothing-like-it", Bundle.open(gru)))


def test_a_damaged_bundle_is_refused(bundles, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(bundles / "gru", copy)
    content = bytearray((copy / "calibration.npz").read_bytes())
    content[60] ^= 1
    (copy / "calibration.npz").write_bytes(content)
    assert "calibration.npz is not the file that was bundled" in refused(lambda: export_c(copy, tmp_path / "out"))


def test_a_lambda_is_refused_before_anything_of_it_runs(bundles, tmp_path, monkeypatch):
    """A model that somebody put into a bundle whose checksums fit."""
    copy = tmp_path / "copy"
    shutil.copytree(bundles / "bare", copy)
    inputs = keras.Input((SPEC.window, 6))
    doubled = keras.layers.Lambda(lambda each: each * 2, name="doubled")(inputs)
    outputs = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(doubled))
    keras.Model(inputs, outputs).save(copy / "model.keras")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["sha256"]["model.keras"] = hashlib.sha256((copy / "model.keras").read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("the model was loaded"))
    message = refused(lambda: export_c(copy, tmp_path / "out"))
    assert message.startswith("doubled (Lambda) cannot run on a device")


LAYERS = {
    "LayerNormalization": lambda x: keras.layers.LayerNormalization()(x),
    "MultiHeadAttention": lambda x: keras.layers.MultiHeadAttention(2, 3)(x, x),
    "SimpleRNN": lambda x: keras.layers.SimpleRNN(3)(x),
    "reset_after": lambda x: keras.layers.GRU(3, reset_after=False)(x),
    "tanh and sigmoid": lambda x: keras.layers.LSTM(3, activation="relu")(x),
    "in reverse": lambda x: keras.layers.GRU(3, return_sequences=True, go_backwards=True)(x),
    "gelu": lambda x: keras.layers.Dense(3, activation="gelu")(x),
    "Matmul": lambda x: keras.ops.matmul(x, np.ones((6, 2), "float32")),
    "BatchNormalization to scale": lambda x: keras.ops.multiply(x, 2.0),
    "axis=-1": lambda x: keras.layers.BatchNormalization(axis=1)(x),
}


@pytest.mark.parametrize("named", LAYERS)
def test_a_layer_without_a_c_form_is_named_with_what_to_use(named):
    inputs = keras.Input((SPEC.window, 6))
    with drawn_by_numpy():
        x = keras.layers.Flatten()(LAYERS[named](inputs))
        model = keras.Model(inputs, keras.layers.Dense(4, name="logits")(x))
    message = refused(lambda: read_program(model))
    assert named in message
    assert "cannot run on a device as C: " in message


def test_limits_join_the_layer_before_only_where_nothing_else_reads_it():
    """Two taps of one convolution: one is limited, the other is not."""
    inputs = keras.Input((SPEC.window, 6))
    with drawn_by_numpy():
        x = keras.layers.Dense(4)(inputs)
        plain, tapped = keras.layers.Identity(name="a")(x), keras.layers.Identity(name="b")(x)
        both = keras.layers.Concatenate()([keras.layers.ReLU()(tapped), plain])
        model = keras.Model(inputs, keras.layers.Flatten()(both))
    windows = draw_windows(3)
    kernel, bias = (np.asarray(weight) for weight in model.layers[1].weights)
    logits = windows @ kernel + bias
    expected = np.concatenate([np.maximum(logits, 0), logits], axis=2).reshape(3, -1)
    assert np.abs(read_program(model).run(windows) - expected).max() < 1e-5


def test_a_model_without_a_normaliser_takes_raw_counts_too(tmp_path):
    inputs = keras.Input((SPEC.window, 6))
    with drawn_by_numpy():
        outputs = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(inputs))
        bundle = Bundle.save(tmp_path / "b", keras.Model(inputs, outputs), SPEC, calibration=draw_windows(30))
    export = export_c(bundle, tmp_path / "out", int8=True)
    assert export.agreement > 0.9
    assert export.program.signal.dtype == "int16"


def test_names_that_c_cannot_tell_apart_get_numbers(tmp_path):
    classes = ("sit-down", "sit down", "日", "本")
    spec = replace(SPEC, classes=classes)
    model = build_network("gru-4", spec)
    export = export_c(Bundle.save(tmp_path / "b", model, spec), tmp_path / "out", full_scale={"acc": 8, "gyr": 8})
    header = (export.folder / f"{export.name}.h").read_text()
    for place, name in enumerate(("SIT_DOWN", "SIT_DOWN_2", "M", "M_2")):
        assert f"#define GRU_4_CLASS_{name} {place}\n" in header
    gcc(export.folder, *STRICT, "-O0", "-c", f"{export.name}.c")


def test_c_rejects_as_the_answer_that_it_gives_and_its_example_says_so(bundles, tmp_path):
    """``push`` waits for two windows, as in Python; nothing is sure enough for the example, a window alone."""
    thresholds = {"alone": 1.0, "0": 0.6, "2": 0.9}
    decoder = fit_decoder("duration", SPEC.classes, [0, 0, 1, 1, 2, 2, 3, 3], hop=SPEC.hop / SPEC.rate, lag=2)
    bundle = replace(Bundle.open(bundles / "bare"), decoder=replace(decoder, thresholds=thresholds))
    export = export_c(bundle, tmp_path / "c", name="sure")
    assert export.decoder.limit == round(-64 * np.log(0.9))
    assert export.answer.startswith("unknown ")
    header = (tmp_path / "c" / "sure.h").read_text()
    assert "#define SURE_UNKNOWN (-2)" in header
    assert "#define SURE_LAG 2 " in header
    gcc(tmp_path / "c", *STRICT, "sure.c", "sure_example.c", "-o", "example")
    printed = subprocess.run([tmp_path / "c" / "example"], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == export.answer
