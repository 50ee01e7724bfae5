import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UserError
from stillmotion.signals import Recording, resample

from .subjects import SPEC, dataset


def wave(seconds, hz, phase=0.0):
    return np.repeat(np.sin(2 * np.pi * hz * seconds + phase)[:, None], 6, axis=1).astype(np.float32)


def worn(samples, times=None, labels=None):
    labels = np.zeros(len(samples), np.int16) if labels is None else labels
    return dataset(Recording("1", "1", samples, labels, times))


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    rate=st.sampled_from([20.0, 25.0, 30.0, 40.0, 64.0, 100.0]), hz=st.floats(0.2, 7.0), phase=st.floats(0, 2 * np.pi)
)
def test_a_sine_below_the_new_limit_keeps_its_frequency_size_and_phase(rate, hz, phase):
    data = resample(worn(wave(np.arange(1000) / 50, hz, phase)), rate)
    (recording,) = data.recordings
    inner = slice(int(rate), -int(rate))
    expected = wave(np.arange(len(recording)) / rate, hz, phase)
    np.testing.assert_allclose(recording.samples[inner], expected[inner], atol=0.02)
    assert abs(len(recording) / rate - 20) < 0.1
    assert data.spec.rate == rate
    assert data.spec.window == round(50 * rate / 50)


def test_what_the_new_rate_cannot_carry_is_removed_not_folded_down():
    (recording,) = resample(worn(wave(np.arange(2000) / 50, 18.0)), 20.0).recordings
    assert np.abs(recording.samples[20:-20]).max() < 0.02
    folded = wave(np.arange(2000) / 50, 18.0)[::5]  # what taking every fifth sample would give at 10 Hz
    assert np.abs(folded).max() > 0.9


@settings(derandomize=True, deadline=None, max_examples=25)
@given(hz=st.floats(0.3, 4.0), seed=st.integers(0, 100))
def test_an_uneven_clock_becomes_even_and_keeps_the_sine(hz, seed):
    random = np.random.default_rng(seed)
    times = 1e4 + np.cumsum(random.uniform(0.028, 0.052, 800))
    (recording,) = resample(worn(wave(times - times[0], hz), times), 20.0).recordings
    assert recording.times is None
    assert len(recording) == int((times[-1] - times[0]) * 20) + 1
    expected = wave(np.arange(len(recording)) / 20, hz)
    assert np.sqrt(np.mean((recording.samples - expected)[20:-20] ** 2)) < 0.03


def test_labels_are_those_of_the_nearest_sample():
    labels = np.repeat([0, 1], 50).astype(np.int16)
    (even,) = resample(worn(np.zeros((100, 6), np.float32), labels=labels), 10.0).recordings
    assert even.labels.tolist() == [0] * 10 + [1] * 10
    (uneven,) = resample(worn(np.zeros((100, 6), np.float32), np.arange(100) / 50, labels), 10.0).recordings
    assert uneven.labels.tolist() == [0] * 10 + [1] * 10


def test_gravity_is_not_pulled_down_at_the_ends():
    data = worn(np.ones((500, 6), np.float32))
    (recording,) = resample(data, 30.0).recordings
    np.testing.assert_allclose(recording.samples, 1, atol=0.01)


def test_the_same_rate_changes_nothing():
    data = worn(wave(np.arange(100) / 50, 1.0))
    assert resample(data, SPEC.rate) is data


def test_senseless_rates_are_refused_and_single_samples_are_counted():
    one = Recording("1", "1", np.zeros((1, 6), np.float32), np.zeros(1, np.int16), np.zeros(1))
    two = Recording("2", "1", np.zeros((2, 6), np.float32), np.zeros(2, np.int16), np.array([0.0, 1.0]))
    with pytest.raises(UserError, match="above 0 Hz"):
        resample(dataset(one), 0)
    with pytest.raises(UserError, match="no recording is long enough"):
        resample(dataset(one), 20)
    assert resample(dataset(one, two), 20).notes[0].count == 1
