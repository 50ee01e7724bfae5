"""What motion looks like in numbers: the figures by which the model is held to real recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stillmotion.signals.simulated.rotation import Array

SECONDS = 2.56  #: length of the windows that the figures are taken in; they overlap by half


class Size(NamedTuple):
    """Of each window: SD of |acc| in its unit, RMS of angular velocity in its unit, spectral peak of |acc| in Hz."""

    acc_sd: Array
    gyr_rms: Array
    peak: Array


def sizes(stretches: Iterable[Array], rate: float) -> Size:
    """Figures of one unit's (T, 6) stretches. The peak is sought above 0.5 Hz, in a Hann window."""
    length = round(SECONDS * rate)
    cut = [
        np.lib.stride_tricks.sliding_window_view(np.asarray(x, float), length, axis=0)[:: length // 2]
        for x in stretches
        if len(x) >= length
    ]
    if not cut:
        return Size(*np.zeros((3, 0)))
    windows = np.concatenate(cut)  # (window, channel, time)
    norm = np.linalg.norm(windows[:, :3], axis=1)
    centred = (norm - norm.mean(1, keepdims=True)) * np.hanning(length)
    power = np.abs(np.fft.rfft(centred, 8 * length, axis=1)) ** 2
    frequency = np.fft.rfftfreq(8 * length, 1 / rate)
    power[:, frequency < 0.5] = 0
    gyr = np.sqrt((windows[:, 3:] ** 2).sum(1).mean(1))
    return Size(norm.std(1), gyr, frequency[power.argmax(1)])


def between_subjects(subjects: Sequence[Array]) -> tuple[float, float]:
    """5th and 95th percentile of the subjects' medians. ``subjects`` holds each subject's windows."""
    low, high = np.percentile([np.median(windows) for windows in subjects], [5, 95])
    return float(low), float(high)


def share_of_subject(subjects: Sequence[Array]) -> float:
    """Share of the variance of the logarithm that lies between subjects (weighted by their windows), 0 to 1."""
    logs = [np.log(windows) for windows in subjects]
    everything = np.concatenate(logs)
    within = sum(((log - log.mean()) ** 2).sum() for log in logs)
    return float(1 - within / ((everything - everything.mean()) ** 2).sum())


def off_the_mean(directions: Array) -> Array:
    """Angle in degrees of each direction (N, 3) from the mean direction."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    mean = unit.mean(0) / np.linalg.norm(unit.mean(0))
    angle: Array = np.degrees(np.arccos(np.clip(unit @ mean, -1, 1)))
    return angle


def rotation_agreement(
    signal: Array, stretches: Iterable[slice], rate: float, *, below: float = 1.0
) -> tuple[Array, Array]:
    """dĝ/dt and −ω × ĝ of a unit's signal (T, 6), both filtered below ``below`` Hz, within ``stretches``.

    If accelerometer and gyroscope belong to one rotation, the two are the same (gravity stands still in the
    world). Returns both flattened, so that those of several recordings can be joined and correlated.
    """
    from scipy.signal import butter, sosfiltfilt

    slow = sosfiltfilt(butter(2, below, fs=rate, output="sos"), np.asarray(signal, float), axis=0)
    down = slow[:, :3] / np.linalg.norm(slow[:, :3], axis=1, keepdims=True)
    seen = np.gradient(down, 1 / rate, axis=0)
    told = -np.cross(slow[:, 3:], down)
    spans = list(stretches)
    if not spans:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([seen[s].ravel() for s in spans]), np.concatenate([told[s].ravel() for s in spans])
