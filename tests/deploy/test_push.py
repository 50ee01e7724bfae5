"""Samples one by one: the answers of ``predict`` at every hop, and no sample that upsets the device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle, Recogniser
from stillmotion.decoding import UNKNOWN, IntegerDecoder, fit_decoder
from stillmotion.deploy.decoder import decide_alone, decode_stream
from stillmotion.deploy.header import Target
from stillmotion.deploy.writer import write_c
from tests.deploy.compiling import Compiled
from tests.deploy.nets import SPEC, draw_windows

NOT_YET = -1
#: A chain that stays: one network here changes its mind at every second window.
BOUTS = [0] * 9 + [1] * 5 + [2] * 7 + [3] * 9
CHAIN = fit_decoder("duration", SPEC.classes, BOUTS, hop=8 / 25)
DECODER = IntegerDecoder.of(CHAIN)
#: The same that rejects, at once or late, and one that only rejects.
SURE = fit_decoder("duration", SPEC.classes, BOUTS, hop=8 / 25, thresholds={"0": 0.95, "alone": 0.8}, temperature=0.5)
SURE, SURE_LATE = IntegerDecoder.of(SURE), IntegerDecoder.of(SURE.with_lag(2))
SURE_ALONE = IntegerDecoder.of(
    fit_decoder("none", SPEC.classes, BOUTS, hop=8 / 25, thresholds={"alone": 0.8}, temperature=0.5)
)


#: What is compiled: a network, its hop, its decoder, and its forms in float32 and in integers.
STREAMS = {
    "short": ("planes", 8, None, "fq"),
    "whole": ("planes", 24, None, "q"),
    "long": ("planes", 31, None, "q"),
    "decoded": ("activations", 8, DECODER, "fq"),
    "late": ("activations", 8, replace(DECODER, lag=1), "q"),
    "later": ("merges", 8, replace(DECODER, lag=3), "fq"),
    "sure": ("activations", 8, SURE, "fq"),
    "surelate": ("activations", 8, SURE_LATE, "fq"),
    "surealone": ("activations", 8, SURE_ALONE, "fq"),
    "lstms": ("lstms", 8, None, "fq"),
    "fastgrnns": ("fastgrnns", 8, None, "q"),
    "features": ("features", 8, None, "fq"),
}
NAMES = [(name, suffix) for name, (*_, forms) in STREAMS.items() for suffix in forms]


@pytest.fixture(scope="module")
def streams(cases, tmp_path_factory):
    """Networks with every kind of hop, compiled with sanitizers that end the program at the first fault."""
    models = []
    for name, suffix in NAMES:
        network, hop, decoder, _ = STREAMS[name]
        case = cases[network]
        program = case.integers if suffix == "q" else case.exact
        target = Target(f"{name}_{suffix}", program, replace(SPEC, hop=hop), case.counts, [], {}, decoder)
        models.append((target.name, suffix == "q", write_c(target).files))
    flags = ("-O0", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
    return Compiled(tmp_path_factory.mktemp("push"), models, *flags)


def require_answers(compiled, name, case, samples, hop, *, given=None):
    """What ``push`` must return and know: the window that ends with each sample, if one does.

    ``given`` is pushed where it differs from the samples that count.
    """
    starts = np.arange(0, len(samples) - 23, hop)
    windows = samples[starts[:, None] + np.arange(24)]
    if name.endswith("q"):
        out = case.integers.run(case.counts.of(windows))
        tensor = case.integers.logits
        expected = (out.astype(np.float32) - np.float32(tensor.zero_point)) * np.float32(tensor.step)
    else:
        out = expected = case.exact.run(windows)
    logits, answers = compiled.push(name, samples if given is None else given, out.shape[1])
    assert np.array_equal(logits[starts + 23], expected)
    assert np.array_equal(answers[starts + 23], out.argmax(1))
    assert (np.delete(answers, starts + 23) == NOT_YET).all()
    assert len(np.unique(expected, axis=0)) == len(starts)


@pytest.mark.parametrize(("name", "suffix"), [each for each in NAMES if each[0] in ("short", "whole", "long")])
def test_push_answers_at_every_hop_as_predict_does(name, suffix, streams, cases):
    samples = np.concatenate(draw_windows(9, 24, seed=3))
    require_answers(streams, f"{name}_{suffix}", cases["planes"], samples, STREAMS[name][1])


@pytest.mark.parametrize("suffix", ["f", "q"])
def test_a_value_that_is_no_number_is_the_last_one_of_its_channel(suffix, streams, cases):
    samples = np.concatenate(draw_windows(5, 24, seed=4))
    broken, held = samples.copy(), samples.copy()
    for row, channel, value in ((0, 1, np.nan), (30, 0, np.inf), (31, 0, -np.inf), (70, 5, np.nan), (119, 2, np.inf)):
        broken[row, channel] = value
        held[row, channel] = held[row - 1, channel] if row else 0
    require_answers(streams, f"short_{suffix}", cases["planes"], held, 8, given=broken)


@pytest.mark.parametrize(("name", "suffix"), [each for each in NAMES if each[0] in ("decoded", "late", "later")])
def test_push_decodes_windows_in_a_row_as_the_integer_decoder_does(name, suffix, streams, cases):
    network, _, decoder, _ = STREAMS[name]
    case = cases[network]
    samples = np.concatenate(draw_windows(40, 24, seed=5))
    starts = np.arange(0, len(samples) - 23, 8)
    windows = samples[starts[:, None] + np.arange(24)]
    program = case.integers if suffix == "q" else case.exact
    logits = program.run(case.counts.of(windows) if suffix == "q" else windows)
    expected = decode_stream(decoder, logits, program.logits)
    _, answers = streams.push(f"{name}_{suffix}", samples, len(SPEC.classes))
    answers = answers[starts + 23]
    assert np.array_equal(answers[: decoder.lag], [NOT_YET] * decoder.lag)
    assert np.array_equal(answers[decoder.lag :], expected)
    assert (expected != logits[: len(expected)].argmax(1)).any()
    assert len(set(expected)) > 1
    if decoder.lag:
        causal = decode_stream(replace(decoder, lag=0), logits, program.logits)
        assert (expected != causal[: len(expected)]).any()


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # Keras saves
def test_a_stream_in_python_gets_the_answers_of_push(streams, cases, tmp_path):
    """The same network with its decoder: in floating point in Python, in float32 and whole numbers in C."""
    spec = replace(SPEC, hop=8)
    decoder = CHAIN.with_lag(3)
    bundle = Bundle.save(tmp_path / "merges", cases["merges"].model, spec, decoder=decoder)
    samples = np.concatenate(draw_windows(40, 24, seed=5))
    samples[[100, 101, 400], [0, 0, 3]] = np.nan
    recogniser = Recogniser(bundle)
    _, answers = streams.push("later_f", samples, len(SPEC.classes))
    for begin, end in ((0, 1), (1, 50), (50, 50), (50, 73), (73, 960)):
        known = [SPEC.classes.index(answer.label) for answer in recogniser.push(samples[begin:end])]
        assert known == answers[begin:end][answers[begin:end] != NOT_YET].tolist()
    assert len(recogniser.finish()) == 3


@pytest.mark.parametrize("suffix", ["f", "q"])
@pytest.mark.parametrize(("name", "decoder"), [("sure", SURE), ("surelate", SURE_LATE), ("surealone", SURE_ALONE)])
def test_a_window_that_no_class_is_probable_enough_for_is_unknown(name, decoder, suffix, streams, cases):
    case = cases["activations"]
    samples = np.concatenate(draw_windows(60, 24, seed=5))
    starts = np.arange(0, len(samples) - 23, 8)
    windows = samples[starts[:, None] + np.arange(24)]
    program = case.integers if suffix == "q" else case.exact
    given = case.counts.of(windows) if suffix == "q" else windows.astype(np.float32)
    logits = program.run(given)
    _, pushed = streams.push(f"{name}_{suffix}", samples, len(SPEC.classes))
    expected = decode_stream(decoder, logits, program.logits)
    assert np.array_equal(pushed[starts + 23][decoder.lag :], expected)
    assert 0.02 < np.mean(expected == UNKNOWN) < 0.98
    written, answers = streams.predict(f"{name}_{suffix}", given, len(SPEC.classes))
    assert np.array_equal(written, logits)
    alone = decide_alone(decoder, logits, program.logits)
    assert np.array_equal(answers, alone)
    assert 0.02 < np.mean(alone == UNKNOWN) < 0.98
    known = alone != UNKNOWN
    assert np.array_equal(alone[known], logits.argmax(1)[known])


EXTREMES = np.array(
    [0, -0.0, 1e-45, -1e-38, 1e30, -1e30, 3.4e38, -3.4e38, np.nan, np.inf, -np.inf, 7.99, 1], np.float32
)


@pytest.mark.parametrize(("name", "suffix"), [each for each in NAMES if STREAMS[each[0]][1] == 8])
def test_extreme_samples_give_a_class_and_no_fault(name, suffix, streams):
    random = np.random.default_rng(9)
    samples = random.choice(EXTREMES, (400, 6))
    samples[200:] = np.where(random.random((200, 6)) < 0.5, samples[200:], random.normal(size=(200, 6)))
    _, answers = streams.push(f"{name}_{suffix}", samples, len(SPEC.classes))
    lag = 0 if STREAMS[name][2] is None else STREAMS[name][2].lag
    known = answers[23 + 8 * lag :: 8]
    assert ((known >= 0) | ((known == UNKNOWN) & name.startswith("sure"))).all()
    assert (answers[23::8] < len(SPEC.classes)).all()
    assert (np.delete(answers, np.arange(23 + 8 * lag, 400, 8)) == NOT_YET).all()
