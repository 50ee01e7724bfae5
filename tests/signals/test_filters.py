import numpy as np
import pytest
from scipy.signal import butter, lfilter, medfilt

from stillmotion.errors import UserError
from stillmotion.signals import make_uci_har_signals, resample, separate_gravity
from stillmotion.signals.filters import filter_low_pass

from .subjects import SPEC, dataset, recording


def test_published_signals_equal_textbook_filters():
    random = np.random.default_rng(1)
    acc, gyro = random.normal(0, 1, (2, 400, 3)) + [[[0.1, 0.9, 0.2]], [[0, 0, 0.1]]]

    def passed(values, order, cutoff):
        return lfilter(*butter(order, cutoff / 25), values)

    made = make_uci_har_signals(acc, gyro)
    for axis in range(3):
        total, turned = (passed(medfilt(raw[:, axis], 3), 10, 20.0) for raw in (acc, gyro))
        np.testing.assert_allclose(made[0][:, axis], total, atol=1e-7)
        np.testing.assert_allclose(made[1][:, axis], total - passed(total, 3, 0.3), atol=1e-7)
        np.testing.assert_allclose(made[2][:, axis], turned - passed(turned, 2, 0.1), atol=1e-7)


def test_gravity_and_motion_add_up_and_stillness_is_all_gravity():
    still = recording(labels=np.zeros(500, int))
    still.samples[:] = [0.1, 0.2, 0.95, 0, 0, 0]
    parts = separate_gravity(dataset(still, recording("2")))
    assert parts.spec.groups == ("wrist.gravity", "wrist.body-acc", "wrist.gyr")
    np.testing.assert_allclose(parts.recordings[0].samples[:, :3], still.samples[:, :3], atol=1e-6)
    np.testing.assert_allclose(parts.recordings[0].samples[:, 3:6], 0, atol=1e-6)
    other = parts.recordings[1].samples
    np.testing.assert_allclose(other[:, :3] + other[:, 3:6], recording("2").samples[:, :3], atol=1e-6)


def test_gravity_needs_an_accelerometer_even_time_and_a_possible_cutoff():
    timed = dataset(recording(times=np.arange(500) / 50))
    with pytest.raises(UserError, match="resample it before gravity"):
        separate_gravity(timed)
    assert separate_gravity(resample(timed, 50.0)).spec.groups[0] == "wrist.gravity"
    with pytest.raises(UserError, match="half the rate, 25 Hz"):
        filter_low_pass(np.zeros((9, 1)), 25.0, rate=SPEC.rate)
    parts = separate_gravity(dataset(recording()))
    with pytest.raises(UserError, match="has no accelerometer"):
        separate_gravity(parts)
