"""The C of every network of the registry and of every classifier that a device can run, on real windows of HAPT.

Weights are drawn, statistics and ranges are those of the windows. Networks of more than 100,000 parameters are
teachers: their C is float32, for the host. A network that joins the registry joins these tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.decoding import IntegerDecoder, fit_decoder
from stillmotion.deploy import export, read_classifier, read_program, run_on_host
from stillmotion.deploy.emulator import MACHINES, measure_export
from stillmotion.deploy.emulator.measure import COMPILER, EMULATOR
from stillmotion.deploy.header import Target
from stillmotion.deploy.program import quantise_program
from stillmotion.deploy.signal_counts import fit_counts
from stillmotion.deploy.writer import write_c
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, fit_classifier
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import build_network, list_networks, set_feature_statistics, set_statistics
from stillmotion.networks.normaliser import has_normaliser
from tests.conftest import unavailable
from tests.deploy.compiling import STRICT
from tests.deploy.nets import draw_weights
from tests.deploy.test_equality import same_bits

pytestmark = [pytest.mark.slow, pytest.mark.real]
CLASSIFIERS = ("random-forest", "extra-trees", "logistic-regression")
NAMES = (*(network.name for network in list_networks()), *CLASSIFIERS)
#: Parameters above which a network is a teacher, and the windows that are computed of it and of others.
LARGE, FEW, MANY = 100_000, 20, 1000
#: Windows on an emulated machine; without a floating-point unit float32 takes a hundred times as long.
EMULATED, EMULATED_FLOAT = 50, 3
#: What C may need of a compiler's library: nothing but arithmetic that the processor lacks.
OWN = re.compile(r"mem(cpy|move|set)|__(aeabi|gnu)_\w+|__clz[sd]i2")

CONSTANTS = re.compile(r"static const (\w+) (\w+\[(\d+)\]) = \{.*?\};", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Forms:
    """A model in the forms in which it is exported."""

    exports: dict[str, export.CExport]
    windows: np.ndarray
    large: bool


@pytest.fixture(scope="module")
def hapt(real):
    return sm.cut(sm.load("hapt", data=real("hapt")))


@pytest.fixture(scope="module", params=NAMES)
def forms(request, hapt, tmp_path_factory):
    name, spec = request.param, hapt.spec
    calibration = hapt.values(np.linspace(0, len(hapt) - 1, 200).astype(int))
    windows = hapt.values(np.linspace(5, len(hapt) - 5, MANY).astype(int))
    large = False
    if name in CLASSIFIERS:
        features, rows = FeatureSet.of(spec), np.linspace(1, len(hapt) - 2, 600).astype(int)
        table = compute_feature_table(hapt.values(rows), features)
        given = {} if name == "logistic-regression" else {"n_estimators": 10.0, "max_depth": 6.0}
        labels = np.maximum(hapt.labels[rows], 0)
        arrays = fit_classifier(name, table, labels, len(spec.classes), features=features, hyperparameters=given).arrays
        program = read_classifier(arrays, calibration)
    else:
        model = build_network(name, spec)
        draw_weights(model)
        if has_normaliser(model):
            set_statistics(model, calibration.mean((0, 1)), calibration.std((0, 1)))
        set_feature_statistics(model, calibration)
        large = model.count_params() > LARGE
        program = read_program(model)
    counts = fit_counts(spec, calibration)
    programs = {"float32": program}
    if not large:
        programs["int8"] = quantise_program(program, calibration, counts.scales)
    decoder = fit_decoder(
        "duration", spec.classes, np.repeat(np.arange(len(spec.classes)), 5), hop=spec.hop / spec.rate, lag=1
    )
    exports = {}
    for form, each in programs.items():
        folder = tmp_path_factory.mktemp(f"{name}-{form}")
        target = Target("net", each, spec, counts, [], {}, IntegerDecoder.of(decoder))
        source = write_c(target)
        for file, text in source.files.items():
            (folder / file).write_text(text)
        exports[form] = export.CExport(
            folder=folder,
            name="net",
            integers=form == "int8",
            program=each,
            counts=counts,
            constant_bytes=0,
            arena_bytes=source.arena_bytes,
            state_bytes=source.state_bytes,
            agreement=None,
            windows=len(calibration),
            answer="",
            decoder=target.decoder,
        )
    return Forms(exports, windows[:: MANY // FEW] if large else windows, large)


def gcc(folder, *arguments, compiler="gcc"):
    if shutil.which(compiler) is None:
        unavailable(f"{compiler} is not installed")
    done = subprocess.run([compiler, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return done


def test_c_gives_the_bits_of_numpy_on_real_windows(forms):
    for each in forms.exports.values():
        given = each.counts.of(forms.windows) if each.integers else forms.windows
        expected = each.program.run(given)
        assert same_bits(run_on_host(each, forms.windows), expected)
        assert len(np.unique(expected, axis=0)) > len(expected) // 2


def test_static_analysis_has_nothing_to_say(forms):
    """Whatever the weights are: the analyser takes minutes to follow thousands of values, and is told of none."""
    for each in forms.exports.values():
        source = CONSTANTS.sub(
            lambda array: f"extern const {array[1]} {array[2]};" if int(array[3]) > 200 else array[0],
            (each.folder / "net.c").read_text(),
        )
        (each.folder / "analysed.c").write_text(source)
        gcc(each.folder, *STRICT, "-O2", "-fanalyzer", "-c", "analysed.c")


@pytest.mark.parametrize("compiler", ["gcc", COMPILER])
def test_objects_need_nothing_but_memory_functions_and_arithmetic(compiler, forms):
    machine = [] if compiler == "gcc" else MACHINES["cortex-m0"].flags
    for each in forms.exports.values():
        gcc(each.folder, *machine, *STRICT, "-Os", "-c", "net.c", "-o", "net.o", compiler=compiler)
        symbols = subprocess.run(["nm", "-u", "net.o"], cwd=each.folder, capture_output=True, text=True, check=True)
        undefined = {line.split()[-1] for line in symbols.stdout.splitlines() if line.strip()}
        if compiler == "gcc":
            assert undefined <= {"memcpy", "memmove", "memset"}
        assert {name for name in undefined if not OWN.fullmatch(name)} == set()


#: Calls in every order, before ``init`` too, with values of every size.
FUZZ = """#include <float.h>
#include <stdio.h>
#include "net.h"
static uint32_t seed = 1;
static uint32_t draw(uint32_t most)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % most;
}
static float value(void)
{
    static const float extreme[] = {0.0f, -0.0f, 1e-45f, -1e-38f, FLT_MAX, -FLT_MAX, 1e30f, 32767.5f, -32768.5f};
    float zero = 0.0f;
    switch (draw(8)) {
    case 0:
        return zero / zero;
    case 1:
        return (draw(2) ? 1.0f : -1.0f) / zero;
    case 2:
    case 3:
        return extreme[draw(9)];
    default:
        return (float)draw(65536) / 4096.0f - 8.0f;
    }
}
static float window[NET_WINDOW * NET_CHANNELS];
static int16_t counts[NET_WINDOW * NET_CHANNELS];
int main(void)
{
    long answers = 0;
    int i, n;
    float logits[NET_CLASSES], sample[NET_CHANNELS];
    for (n = 0; n < @STEPS@; n++) {
        int answer = NET_NOT_YET;
        for (i = 0; i < NET_CHANNELS; i++) {
            sample[i] = value();
            counts[i] = (int16_t)((int)draw(65536) - 32768);
        }
        switch (draw(600)) {
        case 0:
            net_init();
            break;
        case 1:
            for (i = 0; i < NET_WINDOW * NET_CHANNELS; i++)
                window[i] = value();
            answer = net_predict(window, logits);
            break;
        case 2:
            net_logits(logits);
            net_probabilities(logits, logits);
            break;
        @RAW@
        default:
            answer = draw(2) ? net_push(sample) : net_push_i16(counts);
        }
        if (answer < NET_NOT_YET || answer >= NET_CLASSES)
            return 1;
        answers += answer >= 0;
    }
    printf("%ld", answers);
    return 0;
}
"""
RAW = """case 3: {
            int8_t integers[NET_CLASSES];
            for (i = 0; i < NET_WINDOW * NET_CHANNELS; i++)
                counts[i] = (int16_t)((int)draw(65536) - 32768);
            answer = net_predict_i16(counts, integers);
            break;
        }"""


def test_no_order_of_calls_and_no_value_upsets_the_sanitizers(forms):
    flags = ("-O1", "-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
    for each in forms.exports.values():
        steps = 2_000 if forms.large else 20_000
        text = FUZZ.replace("@STEPS@", str(steps)).replace("@RAW@", RAW if each.integers else "")
        (each.folder / "fuzz.c").write_text(text)
        gcc(each.folder, "-std=c99", "-ffp-contract=off", *flags, "fuzz.c", "net.c", "-o", "fuzz")
        done = subprocess.run(["./fuzz"], cwd=each.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]
        assert int(done.stdout) > steps // 200


@pytest.mark.parametrize("machine", list(MACHINES))
def test_emulated_machines_give_what_the_host_gives(machine, forms):
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed (apt-get install gcc-arm-none-eabi qemu-system-arm)")
    if forms.large:
        return
    for each in forms.exports.values():
        count = EMULATED if each.integers or machine != "cortex-m0" else EMULATED_FLOAT
        given = forms.windows[:: MANY // count][:count]
        constants = sum(array.bytes for step in each.program.steps for array in step.block.constants)
        if each.arena_bytes + each.state_bytes > MACHINES[machine].ram or constants > MACHINES[machine].flash:
            with pytest.raises(UserError, match="larger than the emulated board's"):
                measure_export(each, given, machine)
        else:
            evidence = measure_export(each, given, machine)
            assert (evidence.equal, evidence.windows) == (count, count)
            assert evidence.stack_bound is not None
            assert evidence.stack <= max(evidence.stack_bound, 64)  # what is seen is 64 bytes at least
