"""Evidence from emulated microcontrollers, and the harness for a real board."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle, read_evidence
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.deploy import export_c
from stillmotion.deploy.emulator import MACHINES, Entry, measure, measure_export, write_harness
from stillmotion.deploy.emulator.measure import COMPILER, EMULATOR
from stillmotion.deploy.emulator.stack import find_most_stack
from stillmotion.errors import UnknownName, UserError
from stillmotion.features import FeatureSet, LinearArrays
from tests.conftest import unavailable

WINDOW = 16
#: A sum of counts, which needs memory of its own, marks two blocks and calls a function of the compiler's library.
SUM_H = "#include <stdint.h>\nvoid sum(const int16_t *x, int32_t *y);\n"
SUM_C = """#include "sum.h"
#ifndef SUM_MARK
#define SUM_MARK(block) ((void)0)
#endif
static const int16_t weights[100] = {3, 1, 4, 1, 5, 9, 2, 6};
int32_t kept[25];
void sum(const int16_t *x, int32_t *y)
{
    int i;
    SUM_MARK(0);
    for (i = 0; i < 4; i++)
        kept[i] = x[i] * weights[x[i] & 7];
    SUM_MARK(1);
    *y = 0;
    for (i = 0; i < 4; i++)
        *y += kept[i] / (x[3] | 1);
}
"""


def require_tools():
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            unavailable(
                f"{tool} is not installed (apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm)"
            )


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "sum.h").write_text(SUM_H)
    (tmp_path / "sum.c").write_text(SUM_C)
    return Entry((tmp_path / "sum.c",), "sum.h", "sum(window, output);", 4, "SUM_MARK", ("products", "total"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, wrist):
    """A regression on a few features of short windows, with calibration windows."""
    spec = wrist.with_window(WINDOW)
    features = FeatureSet.of(spec, groups=("axes", "time"), compressed=True)
    random, count = np.random.default_rng(0), len(features.names)
    weights = random.normal(size=(count, len(spec.classes)))
    linear = LinearArrays(features, weights, np.zeros(len(spec.classes)), np.zeros(count), np.ones(count), 5.0)
    windows = random.normal(size=(30, WINDOW, 3)).astype(np.float32)
    labels = np.repeat(np.arange(len(spec.classes)), 6)
    decoder = fit_decoder("duration", spec.classes, labels, hop=spec.hop / spec.rate)
    folder = tmp_path_factory.mktemp("bundle") / "watch"
    return Bundle.save(folder, linear, spec, calibration=windows, decoder=decoder)


def test_flash_memory_stack_and_instructions_of_a_function_are_counted(entry):
    require_tools()
    windows = np.array([[3, 4, 5, 1], [300, 40, 5, 2], [7, 7, 7, 7]], np.int16)
    weights = (3, 1, 4, 1, 5, 9, 2, 6)
    wanted = [sum(int(x) * weights[x & 7] // (int(row[3]) | 1) for x in row) for row in windows]
    evidence = measure(entry, windows, np.array(wanted, np.int32))
    assert (evidence.windows, evidence.equal, evidence.is_equal) == (3, 3, True)
    assert evidence.constants == 200
    assert evidence.ram == 100
    assert 64 < evidence.code < 1000
    assert evidence.code + evidence.constants == evidence.flash
    assert 16 <= evidence.stack_bound <= 64 == evidence.stack  # what is seen is 64 bytes at least
    assert list(evidence.blocks) == ["products", "total", "other"]
    # Four multiplications are less than four divisions without an instruction for them.
    assert 16 < evidence.blocks["products"] < evidence.blocks["total"] < evidence.instructions < 2000
    assert "instructions a window" in str(evidence)
    assert "no time" in evidence.to_dict()["scope"]
    wrong = measure(entry, windows, np.array([*wanted[:2], 99], np.int32))
    assert (wrong.equal, wrong.is_equal) == (2, False)
    assert "only 2 equal" in str(wrong)


#: Frames of 8 + 4 + 16, 24 and 12 bytes, a call in a loop, a last call, and a function that nobody calls.
LISTING = """
00000000 <main>:
   0:\tpush\t{r4, lr}
   2:\tbl\t20 <deep>
   6:\tbl\t40 <wide.part.0>
   a:\tbl\t20 <deep>
   e:\tpop\t{r4, pc}
00000020 <deep>:
  20:\tpush\t{r3, lr}
  22:\tstr.w\tr0, [sp, #-4]!
  24:\tvpush\t{d8-d9}
  26:\tbne.n\t24 <deep+0x4>
  28:\tb.w\t60 <last>\t@ a comment
00000040 <wide.part.0>:
  40:\tsub\tsp, #24
  42:\tbx\tlr
00000060 <last>:
  60:\tstmdb\tsp!, {r4, r5, lr}
  62:\tadd\tsp, #12
  64:\tbx\tlr
00000080 <other>:
  80:\tsub\tsp, #400
  82:\tbl\t80 <other>
"""


def test_the_most_stack_is_that_of_the_deepest_path_of_calls():
    assert find_most_stack(LISTING, "main") == 8 + 4 + 16 + 12
    assert find_most_stack(LISTING, "deep") == 12
    assert find_most_stack(LISTING, "last") == 0
    with pytest.raises(UserError, match="other calls itself"):
        find_most_stack(LISTING.replace("60 <last>", "80 <other>"), "main")
    for data in ("blx\tr3", "sub\tsp, r3", "add\tsp, r7"):
        with pytest.raises(UserError, match="wide.part.0 calls what, or takes as much"):
            find_most_stack(LISTING.replace("sub\tsp, #24", data), "main")


def test_what_cannot_be_measured_is_said_in_a_sentence(entry, monkeypatch):
    windows, wanted = np.zeros((2, 4), np.int16), np.zeros(2, np.int32)
    with pytest.raises(UnknownName, match="cortex-m0"):
        measure(entry, windows, wanted, "cortex-m33")
    require_tools()
    with pytest.raises(UserError, match="2 windows have 1 expected outputs"):
        measure(entry, windows, wanted[:1])
    with pytest.raises(UserError, match="writes 4 bytes, but 8 are expected"):
        measure(entry, windows, wanted.astype(np.int64))
    source = entry.sources[0]
    source.write_text(SUM_C.replace("kept[25]", "kept[25000]"))
    with pytest.raises(UserError, match=r"larger than the emulated board's RAM"):
        measure(entry, windows, wanted)
    source.write_text("#include <nothing.h>")
    with pytest.raises(UserError, match=r"could not compile the program: .*nothing\.h"):
        measure(entry, windows, wanted)
    monkeypatch.setattr("shutil.which", lambda tool: None)
    with pytest.raises(UserError, match=r"arm-none-eabi-gcc is not on this machine.*apt-get install gcc-arm-none-eabi"):
        measure(entry, windows, wanted)


@pytest.mark.slow
def test_the_command_measures_what_it_exports_and_writes_a_harness(bundle, tmp_path, capsys):
    require_tools()
    out = tmp_path / "c"
    options = ["--to", "c", "--int8", "--name", "watch", "--evidence", "--harness", "--json"]
    assert main(["export", str(bundle.path), "--out", str(out), *options]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown["evidence"]) == list(MACHINES)
    for evidence in shown["evidence"].values():
        assert evidence["equal"] == evidence["windows"] == 30
        assert evidence["ram"] >= shown["arena_bytes"] + shown["state_bytes"]
        assert set(evidence["blocks"]) == {"features", "logits", "other"}
    kept = json.loads((out / "evidence.json").read_text())
    assert kept["machines"] == {"c-int8": shown["evidence"]}
    assert kept == read_evidence(Bundle.open(bundle.path))
    assert kept["forms"] == shown["forms"]
    (form,) = (each for each in kept["forms"] if each["form"] == "c-int8")
    assert (form["equal"], form["memory"]) == (30, shown["arena_bytes"] + shown["state_bytes"])
    assert 0 < form["latency"]["p50_microseconds"] <= form["latency"]["p99_microseconds"]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-DHARNESS_PRINT", "-DHARNESS_NO_DWT"]
    subprocess.run(["gcc", *flags, "watch.c", "watch_harness.c", "-o", "harness"], cwd=out, check=True)
    printed = subprocess.run([out / "harness"], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("4 of 4 windows equal")


def test_a_harness_notices_another_model(bundle, tmp_path):
    export = export_c(bundle, tmp_path / "c", int8=True, name="watch")
    other = replace(export.program.steps[-1].block, bias=export.program.steps[-1].block.bias + 1000)
    program = replace(export.program, steps=(export.program.steps[0], replace(export.program.steps[1], block=other)))
    write_harness(replace(export, program=program), bundle.calibration)
    flags = ["-std=c99", "-DHARNESS_PRINT", "-DHARNESS_NO_DWT"]
    subprocess.run(["gcc", *flags, "watch.c", "watch_harness.c", "-o", "harness"], cwd=export.folder, check=True)
    done = subprocess.run([export.folder / "harness"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("0 of 4 windows equal")


def test_windows_of_another_shape_are_refused(bundle, tmp_path):
    export = export_c(bundle, tmp_path / "c", name="watch")
    with pytest.raises(UserError, match=r"windows \(n, 16, 3\), not \(2, 9, 3\)"):
        measure_export(export, np.zeros((2, 9, 3)))
