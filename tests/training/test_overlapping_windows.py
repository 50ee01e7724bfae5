"""Fleets on windows that share their samples: the results of copied windows, in the memory of the recordings."""

from __future__ import annotations

import pickle
from dataclasses import replace

import jax
import numpy as np
import pytest

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.training.shared import Signal

from .small import CHANNELS, CLASSES, TIME, fleet, normed, replica, train


@pytest.fixture(scope="module")
def windows():
    """130 windows of eight samples, one every second sample; samples of three recordings, one of them too short."""
    rng = np.random.default_rng(4)
    lengths = (150, 5, 129)
    signals = [rng.normal(size=(length, CHANNELS)).astype(np.float32) for length in lengths]
    labels = [np.arange(length) // 10 % CLASSES for length in lengths]
    data = sm.from_arrays(signals, labels, ["a", "b", "c"], rate=25, channels=["acc.x", "acc.y"])
    return sm.cut(data, spec=data.spec.with_window(TIME, 2))


def by_hand(windows):
    return np.stack([windows.signal[start : start + TIME] for start in windows.starts])


def test_windows_read_like_an_array(windows):
    copied, rows = by_hand(windows), np.array([7, 0, 7, -1])
    assert windows.shape == copied.shape == (len(windows), TIME, CHANNELS)
    np.testing.assert_array_equal(np.asarray(windows), copied)
    np.testing.assert_array_equal(np.asarray(windows, np.float64), copied.astype(np.float64))
    for index in (3, -2, slice(5, 60, 7), rows, copied[:, 0, 0] > 0):
        np.testing.assert_array_equal(windows[index], copied[index])
    with pytest.raises(IndexError):
        windows[len(windows)]
    with pytest.raises(ValueError, match="copied"):
        np.asarray(windows, copy=False)


def test_a_step_gathers_the_windows_of_its_batch(windows):
    rows = np.array([[9, 0], [len(windows) - 1, 9]])
    for source in (windows, by_hand(windows)):
        signal = Signal.of(source)
        gathered = jax.jit(jax.vmap(lambda some, at: some[at], in_axes=(None, 0)))(signal, rows)
        np.testing.assert_array_equal(gathered, by_hand(windows)[rows])


def test_a_fleet_gives_the_results_of_copied_windows(windows):
    labels = windows.labels.astype(np.int64)
    replicas = [replica(0), replica(3, learning_rate=0.01)]
    overlapping, copied = (train(normed(), replicas, data=(data, labels)) for data in (windows, by_hand(windows)))
    for one, other in zip(overlapping, copied, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
        assert one.history == other.history
        for mine, theirs in zip(one.state, other.state, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_fleet_holds_every_sample_once(windows):
    made = fleet(normed(), [replica()], data=(windows, windows.labels))
    arrays = jax.tree.leaves(made.shared.windows)
    assert sum(array.nbytes for array in arrays) == windows.signal.nbytes + 4 * len(windows)
    assert windows.nbytes < by_hand(windows).nbytes
    # What another process gets is as small.
    assert len(pickle.dumps(windows)) < 3 * windows.nbytes + 20_000


def test_only_samples_inside_windows_have_to_be_finite(windows):
    signal = windows.signal.copy()
    signal[152] = np.nan  # of the recording that is too short
    broken = replace(windows, signal=signal)
    fleet(normed(), [replica()], data=(broken, windows.labels))
    signal[windows.starts[-1] + TIME - 1] = np.inf
    with pytest.raises(UserError, match="NaN or infinite"):
        fleet(normed(), [replica()], data=(broken, windows.labels))


def test_a_fleet_of_other_windows_is_another_plan(windows):
    """Two data sets may hold the same samples and labels, cut differently."""
    shifted = replace(windows, starts=windows.starts - (windows.starts > 0))
    first, second, again = (
        fleet(normed(), [replica()], data=(data, windows.labels))._fingerprint for data in (windows, shifted, windows)
    )
    assert first == again != second


def test_networks_answer_windows_that_overlap_as_copied_ones(windows):
    network = fleet(normed(), [replica()], data=(windows, windows.labels)).student
    vector, state = network.own()
    some = windows.take(np.array([80, 3, 17]))
    for tap, values in network.predict_taps(vector, state, some).items():
        np.testing.assert_array_equal(values, network.predict_taps(vector, state, by_hand(some))[tap])
