"""A stream of samples, in chunks of any length, gets the answers of whole recordings."""

from dataclasses import replace

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.bundles import Bundle, predict_recordings
from stillmotion.decoding import fit_decoder
from stillmotion.errors import ContractError, UserError
from stillmotion.features import FeatureSet, LinearArrays
from stillmotion.networks import build_network
from stillmotion.signals import Channel

from .test_bundle import SPEC

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
DECODER = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2, 3, 4], 6), hop=16 / 50, lag=2)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A linear classifier of few features."""
    features = FeatureSet.of(SPEC, groups=("axes", "time"), compressed=True)
    count = len(features.names)
    weights = np.random.default_rng(0).normal(size=(count, 5))
    linear = LinearArrays(features, weights, np.zeros(5), np.zeros(count), np.ones(count), 5.0)
    return Bundle.save(tmp_path_factory.mktemp("models") / "best", linear, SPEC, decoder=DECODER)


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(1)
    sizes = np.repeat(random.uniform(0.1, 4, (50, 1)), 20, axis=0)
    return (sizes * random.normal(size=(1000, 3))).astype(np.float32)


def push(recogniser, samples, lengths, times=None):
    """Push chunks of these lengths, again and again, and return all answers, those that wait included."""
    answers, at, turn = [], 0, 0
    while at < len(samples):
        end = at + lengths[turn % len(lengths)]
        chunk = samples[at] if end == at + 1 else samples[at:end]
        answers += recogniser.push(chunk, *([] if times is None else [times[at:end]]))
        at, turn = end, turn + 1
    return answers + recogniser.finish()


def require_same(answers, starts, labels, probabilities):
    np.testing.assert_allclose([each.start for each in answers], starts, atol=1e-9)
    np.testing.assert_allclose([each.end for each in answers], np.asarray(starts) + SPEC.seconds, atol=1e-9)
    assert [each.label for each in answers] == [SPEC.classes[label] for label in labels]
    np.testing.assert_allclose([each.probabilities for each in answers], probabilities, atol=1e-6)
    assert len({each.label for each in answers}) > 1


@pytest.mark.parametrize("lag", ["bundle", 0, 5, "alone"])
@pytest.mark.parametrize("lengths", [(1000,), (1,), (0, 7, 1, 160, 31)])
def test_chunks_of_any_length_get_the_answers_of_the_whole_recording(lag, lengths, bundle, samples):
    data = sm.from_arrays([samples], ["walk"], ["ann"], rate=50, channels=SPEC.channels, classes=SPEC.classes)
    whole = predict_recordings(bundle, data, lag=lag)
    answers = push(sm.Recogniser(bundle.path, lag=lag), samples, lengths)
    require_same(answers, whole.start, whole.labels, whole.probabilities)


def test_a_window_that_no_class_is_probable_enough_for_is_unknown_in_a_stream_too(bundle, samples):
    sure = replace(bundle, decoder=replace(DECODER, thresholds={"2": 0.9}))
    answers = push(sm.Recogniser(sure), samples, (7, 300))
    certain = [answer.probabilities.max() >= 0.9 for answer in answers]
    labels = [SPEC.classes[answer.probabilities.argmax()] for answer in answers]
    wanted = [label if known else "unknown" for label, known in zip(labels, certain, strict=True)]
    assert [answer.label for answer in answers] == wanted
    assert 0 < sum(certain) < len(certain)


def test_a_network_answers_a_stream_as_it_answers_windows(tmp_path, samples):
    bundle = Bundle.save(tmp_path / "network", build_network("mlp-small", SPEC, seed=2), SPEC, decoder=DECODER)
    windows = np.stack([samples[at : at + 32] for at in range(0, 500 - 31, 16)])
    decoded = DECODER.decode(np.asarray(bundle.model(windows)))
    answers = push(sm.Recogniser(bundle), samples[:500], (1, 200, 40))
    np.testing.assert_allclose([each.probabilities for each in answers], decoded.probabilities, atol=1e-5)


@pytest.mark.parametrize("hop", [7, 32, 45])
def test_windows_follow_each_other_at_the_hop_even_where_they_do_not_overlap(hop, bundle, samples):
    spec = replace(SPEC, hop=hop)
    hopped = replace(bundle, spec=spec, decoder=None)
    starts = np.arange(0, 1000 - 31, hop)
    windows = np.stack([samples[at : at + 32] for at in starts])
    chances = hopped.predict(windows, spec)
    for lengths in ((1000,), (13,), (1, 90)):
        answers = push(sm.Recogniser(hopped), samples, lengths)
        require_same(answers, starts / 50, chances.argmax(1), chances)


def test_an_answer_comes_with_the_sample_that_ends_its_window_or_waits_for_the_lag(bundle, samples):
    recogniser = sm.Recogniser(bundle)
    known = [len(recogniser.push(sample)) for sample in samples[:100]]
    # Windows end with samples 31, 47, 63, …; the decoder waits for two more.
    assert np.flatnonzero(known).tolist() == [63, 79, 95]
    assert [answer.start for answer in recogniser.finish()] == [3 * 16 / 50, 4 * 16 / 50]
    alone = sm.Recogniser(bundle, lag=0)
    assert np.flatnonzero([len(alone.push(sample)) for sample in samples[:100]]).tolist() == [31, 47, 63, 79, 95]


def test_a_reset_forgets_everything(bundle, samples):
    recogniser = sm.Recogniser(bundle)
    recogniser.push(samples[500:777])
    recogniser.reset()
    again, fresh = (push(each, samples[:600], (50,)) for each in (recogniser, sm.Recogniser(bundle)))
    require_same(again, *zip(*((a.start, SPEC.classes.index(a.label), a.probabilities) for a in fresh), strict=True))


def test_a_value_that_is_no_number_is_the_last_one_of_its_channel(bundle, samples):
    broken, held = samples.astype(np.float64), samples.copy()
    for row, channel, value in ((0, 1, np.nan), (100, 0, np.inf), (101, 0, -np.inf), (102, 0, 1e300), (500, 2, np.nan)):
        broken[row, channel] = value
        held[row, channel] = held[row - 1, channel] if row else 0
    held[300:303] = held[299]
    broken[300:303] = np.nan  # samples that the sensor lost
    given, wanted = (push(sm.Recogniser(bundle), each, (1, 33)) for each in (broken, held))
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_values_at_the_end_of_float_range_get_an_answer(bundle):
    random = np.random.default_rng(2)
    extreme = random.choice(np.array([3e38, -3e38, 1e-45, 0, np.nan, np.inf]), (200, 3))
    answers = push(sm.Recogniser(bundle), extreme, (17,))
    assert len(answers) == 11
    assert all(np.isfinite(answer.probabilities).all() for answer in answers)


@pytest.mark.parametrize("lengths", [(1000,), (1,), (11, 0, 64)])
def test_times_put_samples_on_ticks_and_a_jump_of_the_clock_begins_anew(lengths, bundle, samples):
    random = np.random.default_rng(3)
    times = 1e9 + np.arange(1000) / 50 + random.uniform(-0.004, 0.004, 1000)
    given, moments = samples.copy(), times.copy()
    given[200], moments[200] = 99, moments[190]  # late: left out, its tick repeats the sample before
    given[400], moments[400] = 99, moments[399] + 0.001  # repeated
    keep = ~np.isin(np.arange(1000), [300, 301, 302])  # lost
    moments[600:] += 7.7  # a gap
    moments[800:] -= 50.0  # a clock that was set back
    answers = push(sm.Recogniser(bundle), given[keep], lengths, moments[keep])
    held = samples.copy()
    for row in (200, 300, 301, 302, 400):
        held[row] = held[row - 1]
    wanted, starts = [], []
    for begin, end in ((0, 600), (600, 800), (800, 1000)):
        part = push(sm.Recogniser(bundle), held[begin:end], (1000,))
        wanted += part
        starts += [moments[begin] + answer.start for answer in part]
    labels = [SPEC.classes.index(answer.label) for answer in wanted]
    np.testing.assert_allclose([each.start for each in answers], starts, atol=1e-6)
    assert [SPEC.classes.index(each.label) for each in answers] == labels
    np.testing.assert_allclose([a.probabilities for a in answers], [w.probabilities for w in wanted], atol=1e-12)


def test_channels_are_taken_by_their_names(bundle, samples):
    order = (2, 0, 1)
    channels = (Channel("gyr", "x", "rad/s", "wrist"), *(SPEC.channels[at] for at in order))
    spec = replace(SPEC, channels=channels, rate=50.2, window=99)
    wide = np.column_stack([np.full(1000, 9.0), samples[:, order]])
    given, wanted = push(sm.Recogniser(bundle, spec), wide, (70,)), push(sm.Recogniser(bundle), samples, (70,))
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_what_does_not_fit_is_one_sentence(bundle, samples):
    inches = tuple(replace(channel, unit="g") for channel in SPEC.channels)
    for spec, says in (
        (replace(SPEC, rate=100.0), "has 100 Hz, the bundle takes 50 Hz"),
        (replace(SPEC, channels=SPEC.channels[:2]), "lacks the channels wrist.acc.z"),
        (replace(SPEC, channels=inches), "in g, the bundle takes m/s2"),
    ):
        with pytest.raises(ContractError, match=says):
            sm.Recogniser(bundle, spec)
    with pytest.raises(UserError, match="needs the whole recording; give it a lag"):
        sm.Recogniser(replace(bundle, decoder=DECODER.with_lag(None)))
    with pytest.raises(UserError, match="has no decoder"):
        sm.Recogniser(replace(bundle, decoder=None), lag=1)
    recogniser = sm.Recogniser(bundle)
    for wrong in (samples[:, :2], samples[:1].astype(str), samples[None], 3.0, np.zeros(4)):
        with pytest.raises(ContractError, match="takes samples of 3 channels"):
            recogniser.push(wrong)
    recogniser.push(samples[:5])
    wrong_times = (([0.0], "times of 5 samples must be as many"), ([0, 1, 2, 3, np.nan], "finite"), (range(5), "none"))
    for times, says in wrong_times:
        with pytest.raises(UserError, match=says):
            recogniser.push(samples[:5], times)
