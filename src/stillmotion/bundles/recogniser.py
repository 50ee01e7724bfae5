"""Recognise activities in a stream of samples: what a device does, in Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..decoding import UNKNOWN, UNKNOWN_NAME, Decoded, DecoderStream
from ..errors import ContractError, UserError
from ..signals import SignalSpec
from .bundle import Bundle
from .recordings import TOLERANCE, choose_decoder, place_channels

Floats = NDArray[np.float32]
#: Stands for logits that are infinite, or NaN (its negative): samples can be as large as float32 allows.
LARGEST = 1e30


@dataclass(frozen=True, eq=False)
class Prediction:
    """The activity of a window in a stream.

    Args:
        start, end: of the window in seconds, on the samples' clock if they have one, else from the first sample.
        label: name of the class, ``unknown`` where the bundle's decoder finds none probable enough.
        probabilities: (C,) of the classes.
    """

    start: float
    end: float
    label: str
    probabilities: NDArray[np.float64]


class Recogniser:
    """Recognise activities sample by sample, with the bundle's hop and decoder, as C on a device does.

    Chunks of any length give the predictions of ``predict_recordings`` on the whole. A value that is NaN or infinite is
    replaced by the last one of its channel (0 at first). Without times, each row is the sample after the one before: a
    sample that the sensor lost must be pushed as a row of NaN. With times, each sample is taken at the nearest tick of
    the contract's rate: missing ticks repeat the sample before, a sample for a tick that is past (late or repeated) is
    left out, and where the clock jumps by more than a window, the stream ends and begins anew.

    Args:
        bundle: the bundle, or its folder.
        spec: the contract of the samples: its channels are taken by their names, others are left out; by default
            samples have the bundle's channels in order, in its units and at its rate.
        lag: windows of future that an answer waits for; ``bundle`` is that of the bundle's decoder, ``alone`` answers
            each window by itself.

    Raises:
        ContractError: the samples lack a channel, or have another rate or unit.
        UserError: the decoder is offline, or there is none and a lag is given.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=1)
        >>> bundle = Bundle.save("best", sm.networks.build_network("mlp-small", data.spec, seed=0), data.spec)
        >>> recogniser = sm.Recogniser(bundle)
        >>> samples = data.recordings[0].samples
        >>> recogniser.push(samples[: data.spec.window - 1])
        []
        >>> [answer] = recogniser.push(samples[data.spec.window - 1])
        >>> answer.end, answer.label in data.spec.classes, answer.probabilities.shape
        (2.56, True, (12,))
    """

    def __init__(
        self, bundle: Bundle | str | Path, spec: SignalSpec | None = None, *, lag: int | str = "bundle"
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.spec = self.bundle.spec
        given = self.spec if spec is None else spec
        if abs(given.rate - self.spec.rate) > TOLERANCE * self.spec.rate:
            raise ContractError(
                f"The stream has {given.rate:g} Hz, the bundle takes {self.spec.rate:g} Hz; resample it."
            )
        self._columns = place_channels(given, self.spec, "The stream")
        self._width = len(given.channels)
        self._decoder = DecoderStream(choose_decoder(self.bundle, lag))
        self.reset()

    def reset(self) -> None:
        """Forget all samples: the next one begins a stream."""
        self._timed: bool | None = None
        self._time = np.nan
        self._begin(0.0)

    def _begin(self, origin: float) -> None:
        channels = len(self.spec.channels)
        self._decoder.reset()
        self._last = np.zeros(channels, np.float32)
        #: Samples of the next window so far, and how many to leave out before it.
        self._samples = np.zeros((0, channels), np.float32)
        self._skip = 0
        self._answered = 0
        #: Seconds of the first sample, and ticks from it to the newest.
        self._origin = origin
        self._tick = -1

    def push(self, samples: ArrayLike, times: ArrayLike | None = None) -> list[Prediction]:
        """Take the next samples.

        Args:
            samples: (n, channels), n from 0, or one sample (channels,).
            times: (n,) seconds on any clock; of all samples of a stream, or of none.

        Returns:
            The predictions that are known now: none where no window ended, or where they wait for the decoder's lag.

        Raises:
            ContractError: the samples have another number of channels.
            UserError: a time is not finite, or only some samples have one.
        """
        values = self._require_samples(samples)
        if times is None:
            seconds = None
        else:
            seconds = np.atleast_1d(np.asarray(times, np.float64))
            if seconds.shape != (len(values),) or not np.isfinite(seconds).all():
                raise UserError(
                    f"The times of {len(values)} samples must be as many finite seconds, not {times!r:.80}."
                )
        if not len(values):
            return []
        if self._timed is not None and self._timed != (seconds is not None):
            raise UserError("Give times with all samples of a stream or with none; reset() begins a new stream.")
        self._timed = seconds is not None
        return self._take(values) if seconds is None else self._take_timed(values, seconds)

    def finish(self) -> list[Prediction]:
        """Return the predictions that wait for the decoder's lag, as at the end of a recording, and reset."""
        answers = self._name(self._decoder.finish())
        self.reset()
        return answers

    def _require_samples(self, samples: ArrayLike) -> Floats:
        """Return samples (n, channels) with the bundle's channels."""
        given = np.asarray(samples)
        rows = given.reshape(-1, self._width) if given.shape in ((0,), (self._width,)) else given
        if rows.ndim != 2 or rows.shape[1] != self._width or rows.dtype.kind not in "fiu":
            raise ContractError(
                f"The stream takes samples of {self._width} channels, one or rows of them, not {given.dtype} "
                f"{given.shape}."
            )
        with np.errstate(over="ignore"):
            return rows[:, self._columns].astype(np.float32)

    def _take_timed(self, values: Floats, seconds: NDArray[np.float64]) -> list[Prediction]:
        """Put samples on the ticks of the contract's rate; where the clock jumps, begin anew."""
        follows = np.abs(np.diff(seconds, prepend=self._time)) <= self.spec.seconds
        jumps = np.flatnonzero(~follows)
        answers = []
        for number, rows in enumerate(np.split(np.arange(len(values)), jumps)):
            if number:
                answers += self._name(self._decoder.finish())
                self._begin(float(seconds[rows[0]]))
            answers += self._take(self._place(values[rows], seconds[rows]))
        self._time = float(seconds[-1])
        return answers

    def _place(self, values: Floats, seconds: NDArray[np.float64]) -> Floats:
        """Return a row for every tick up to the newest sample, of NaN where there is no sample."""
        ticks = np.rint((seconds - self._origin) * self.spec.rate).astype(np.int64)
        newest = np.maximum.accumulate(np.append(self._tick, ticks))
        new = np.diff(newest) > 0
        rows = np.full((newest[-1] - self._tick, values.shape[1]), np.nan, np.float32)
        rows[ticks[new] - self._tick - 1] = values[new]
        self._tick = int(newest[-1])
        return rows

    def _take(self, values: Floats) -> list[Prediction]:
        """Take samples in a row and answer the windows that end with them."""
        spec, rows = self.spec, np.concatenate([self._samples, self._hold(values)])
        rows, self._skip = rows[self._skip :], max(self._skip - len(rows), 0)
        count = max((len(rows) - spec.window) // spec.hop + 1, 0)
        self._samples = rows[count * spec.hop :].copy()
        self._skip += max(count * spec.hop - len(rows), 0)
        if not count:
            return []
        windows = np.lib.stride_tricks.sliding_window_view(rows, spec.window, axis=0)[: count * spec.hop : spec.hop]
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.bundle.logits(windows.swapaxes(1, 2), spec)
        finite = np.nan_to_num(logits, nan=-LARGEST, posinf=LARGEST, neginf=-LARGEST)
        return self._name(self._decoder.push(finite))

    def _hold(self, values: Floats) -> Floats:
        """Replace values that are not finite by the last one of their channel."""
        known = np.concatenate([self._last[None], values])
        places = np.where(np.isfinite(known), np.arange(len(known))[:, None], 0)
        held = np.take_along_axis(known, np.maximum.accumulate(places, axis=0), axis=0)
        self._last = held[-1]
        return held[1:]

    def _name(self, decoded: Decoded) -> list[Prediction]:
        spec, first = self.spec, self._answered
        self._answered += len(decoded.labels)
        starts = self._origin + np.arange(first, self._answered) * spec.hop / spec.rate
        rows = zip(starts.tolist(), decoded.predictions.tolist(), decoded.probabilities, strict=True)
        names = {UNKNOWN: UNKNOWN_NAME, **dict(enumerate(spec.classes))}
        return [Prediction(start, start + spec.seconds, names[label], each) for start, label, each in rows]
