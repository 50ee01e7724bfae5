"""Resampling with an anti-aliasing filter, also of recordings with uneven timestamps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .interpolate import interpolate
from .recording import Dataset, Floats, Note, Recording

#: Largest ratio of the new to the old rate, or of the old to the new.
MOST = 1000


def resample(dataset: Dataset, rate: float) -> Dataset:
    """Resample every recording to ``rate``, evenly spaced.

    Evenly spaced recordings pass a zero-phase polyphase filter (``scipy.signal.resample_poly``), which removes
    frequencies above half the new rate. Recordings with timestamps are first interpolated (modified Akima) onto a grid
    at a multiple of ``rate`` that is at least twice as fine as their clock, then filtered in the same way. Each label
    is that of the nearest sample. Recordings of fewer than two samples are left out and counted in ``notes``. The
    original recordings stay available as ``raw``.

    Args:
        dataset: recordings, with or without timestamps.
        rate: new sampling rate in Hz.

    Returns:
        The same recordings without timestamps; window and hop keep their duration.

    Raises:
        UserError: the rate is out of range, or no recording is long enough.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=1)
        >>> slower = sm.resample(data, 25)
        >>> data.samples.shape, slower.samples.shape, slower.spec.window
        ((3000, 18), (1500, 18), 64)
    """
    if not dataset.spec.rate / MOST <= rate <= dataset.spec.rate * MOST:
        raise UserError(
            f"{dataset.name}: a sampling rate must be above 0 Hz and within a factor of {MOST:,} of the recordings' "
            f"{dataset.spec.rate:g} Hz, not {rate:g}."
        )
    if dataset.times is None and rate == dataset.spec.rate:
        return dataset
    recordings, short = [], 0
    for recording in dataset.recordings:
        if len(recording) < 2:
            short += 1
            continue
        recordings.append(
            _resample_uneven(recording, rate)
            if recording.times is not None
            else _resample_even(recording, dataset, rate)
        )
    if not recordings:
        raise UserError(f"{dataset.name}: no recording is long enough to be resampled to {rate:g} Hz.")
    notes = [Note("too short to resample", short, f"{short} recordings of one sample left out")] if short else []
    scale = rate / dataset.spec.rate
    spec = replace(
        dataset.spec,
        rate=float(rate),
        window=max(1, round(dataset.spec.window * scale)),
        hop=max(1, round(dataset.spec.hop * scale)),
    )
    return dataset.rebuilt(recordings, spec=spec, notes=notes, raw=dataset if dataset.raw is None else dataset.raw)


def _resample_uneven(recording: Recording, rate: float) -> Recording:
    """Interpolate onto a fine even grid, then decimate with an anti-aliasing filter."""
    times = recording.times
    assert times is not None
    period = float(np.median(np.diff(times)))
    finer = max(1, int(np.ceil(2.0 / (period * rate)))) if period > 0 else 1
    span = float(times[-1] - times[0])
    count = int(np.floor(span * rate + 1e-9)) + 1
    fine = times[0] + np.arange((count - 1) * finer + 1) / (rate * finer)
    values = interpolate(times, recording.samples, fine)
    samples = _polyphase(values, 1, finer)[:count]
    moments = times[0] + np.arange(count) / rate
    after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    nearest = after - (moments - times[after - 1] < times[after] - moments)
    return replace(recording, samples=samples, labels=recording.labels[nearest], times=None)


def _resample_even(recording: Recording, dataset: Dataset, rate: float) -> Recording:
    ratio = Fraction(rate / dataset.spec.rate).limit_denominator(1000)
    samples = _polyphase(recording.samples.astype(np.float64), ratio.numerator, ratio.denominator)
    nearest = np.rint(np.arange(len(samples)) / float(ratio)).astype(np.int64)
    labels = recording.labels[np.minimum(nearest, len(recording) - 1)]
    return replace(recording, samples=samples, labels=labels)


def _polyphase(values: NDArray[np.float64], up: int, down: int) -> Floats:
    if up == down:
        return values.astype(np.float32)
    from scipy.signal import resample_poly

    # Padding with zeros would pull gravity towards 0 at both ends.
    resampled: NDArray[np.float64] = resample_poly(values, up, down, axis=0, padtype="line")
    return resampled.astype(np.float32)
