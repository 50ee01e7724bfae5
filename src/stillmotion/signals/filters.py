"""Filters: the preprocessing of UCI HAR, and the separation of gravity from body acceleration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .recording import Dataset, Recording
from .spec import Channel

Values = NDArray[np.float64]


def make_uci_har_signals(acc: Values, gyro: Values, *, rate: float = 50.0) -> tuple[Values, Values, Values]:
    """Compute UCI HAR's signals from one raw recording: total_acc, body_acc (both g) and body_gyro (rad/s).

    Each axis passes a median filter of three samples and a Butterworth low-pass (order 10, 20 Hz). body_acc is
    total_acc minus its low-pass (order 3, 0.3 Hz), body_gyro the angular velocity minus its low-pass (order 2, 0.1 Hz).
    Every filter runs forward only, from zero state at the first sample of the recording (Anguita et al., ESANN 2013;
    orders and initial state were inferred from the published signals, which they reproduce to 5e-7).

    Args:
        acc: (T, 3) acceleration in g, a whole recording from its first sample.
        gyro: (T, 3) angular velocity in rad/s.
        rate: in Hz.

    Returns:
        total_acc, body_acc and body_gyro, (T, 3) each.

    Example:
        >>> import numpy as np
        >>> from stillmotion.signals import make_uci_har_signals
        >>> still = np.tile([0.0, 0.0, 1.0], (500, 1))
        >>> total_acc, body_acc, body_gyro = make_uci_har_signals(still, 0 * still)
        >>> np.round(total_acc[-1], 3), bool(np.abs(body_acc[-1]).max() < 1e-3)
        (array([0., 0., 1.]), True)
    """
    total_acc, smooth_gyro = _denoise(acc, rate), _denoise(gyro, rate)
    body_acc = total_acc - filter_low_pass(total_acc, 0.3, rate=rate, order=3)
    body_gyro = smooth_gyro - filter_low_pass(smooth_gyro, 0.1, rate=rate, order=2)
    return total_acc, body_acc, body_gyro


def _denoise(values: Values, rate: float) -> Values:
    from scipy.ndimage import median_filter

    median = median_filter(values.astype(np.float64), size=(3, 1), mode="constant", cval=0.0)
    return filter_low_pass(median, 20.0, rate=rate, order=10)


def filter_low_pass(values: Values, cutoff: float, *, rate: float, order: int = 3, settled: bool = False) -> Values:
    """Apply a Butterworth low-pass along time, forward only, as a device can do it.

    Args:
        values: (T, channels).
        cutoff: cutoff frequency in Hz, below half the rate.
        rate: sampling rate in Hz.
        order: order of the filter.
        settled: start from the steady state of the first sample instead of from zero.
    """
    from scipy.signal import butter, sosfilt, sosfilt_zi

    if not 0 < cutoff < rate / 2:
        raise UserError(f"The cutoff must lie between 0 and half the rate, {rate / 2:g} Hz, not {cutoff:g} Hz.")
    sections = butter(order, cutoff, fs=rate, output="sos")
    if not settled:
        return np.asarray(sosfilt(sections, values, axis=0), np.float64)
    start = sosfilt_zi(sections)[:, :, None] * values[0]
    return np.asarray(sosfilt(sections, values, axis=0, zi=start)[0], np.float64)


def separate_gravity(dataset: Dataset, *, cutoff: float = 0.3, order: int = 3) -> Dataset:
    """Split every accelerometer into ``gravity`` (low-pass) and ``body-acc`` (the rest), in place of ``acc``.

    The filter starts from the steady state of each recording's first sample. Samples must be evenly spaced.

    Args:
        dataset: evenly timed recordings with an accelerometer.
        cutoff: cutoff frequency of the low-pass in Hz.
        order: order of the Butterworth filter.

    Returns:
        The recordings with the gravity and body-acc channels first.

    Raises:
        UserError: the recordings carry timestamps, or there is no accelerometer.

    Example:
        >>> from stillmotion.signals import select_sensors, separate_gravity
        >>> from stillmotion.signals.simulated import generate
        >>> data = select_sensors(generate(subjects=1, minutes=1), "wrist.acc")
        >>> separate_gravity(data).spec.groups
        ('wrist.gravity', 'wrist.body-acc')
    """
    if dataset.times is not None:
        raise UserError(f"{dataset.name} has uneven timestamps; resample it before gravity is separated (sm.resample).")
    acc = [number for number, channel in enumerate(dataset.spec.channels) if channel.sensor == "acc"]
    if not acc:
        raise UserError(f"{dataset.name} has no accelerometer (acc) among {', '.join(dataset.spec.groups)}.")
    rest = [number for number in range(len(dataset.spec.channels)) if number not in acc]

    def split(recording: Recording) -> Recording:
        total = recording.samples[:, acc].astype(np.float64)
        gravity = filter_low_pass(total, cutoff, rate=dataset.spec.rate, order=order, settled=True)
        parts = [gravity.astype(np.float32), (total - gravity).astype(np.float32), recording.samples[:, rest]]
        return replace(recording, samples=np.concatenate(parts, axis=1))

    def channels_of(sensor: str) -> list[Channel]:
        return [replace(dataset.spec.channels[number], sensor=sensor) for number in acc]

    channels = (*channels_of("gravity"), *channels_of("body-acc"), *(dataset.spec.channels[number] for number in rest))
    spec = replace(dataset.spec, channels=channels)
    return dataset.rebuilt(map(split, dataset.recordings), spec=spec, raw=dataset.raw)
