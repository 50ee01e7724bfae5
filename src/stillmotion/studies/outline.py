"""The outline of one test recording: what a report draws bouts over, without the recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..signals import Channel
from ..windows import Fold, Windows

#: Most stretches into which a recording is divided: at five inches wide no more can be seen.
STRETCHES = 600


@dataclass(frozen=True, eq=False)
class Outline:
    """Lowest and highest value of the channels of a sensor in equal stretches of a recording.

    Args:
        recording: its number.
        seconds: its length.
        channels: columns of the first sensor, as indices into the contract's channels.
        low, high: (m, channels) in each stretch.
    """

    recording: int
    seconds: float
    channels: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @staticmethod
    def of(windows: Windows, fold: Fold) -> Outline | None:
        """Outline the test recording of a fold that has most classes, the first of equals; None without any.

        Nothing that a model says plays a part in the choice.
        """
        test = windows.take(np.isin(windows.subject_codes, _codes(windows, fold.test_subjects)))
        labelled = test.labels >= 0
        if not labelled.any():
            return None
        pairs = np.unique(np.stack([test.recording[labelled], test.labels[labelled]]), axis=1)
        recordings, classes = np.unique(pairs[0], return_counts=True)
        number = int(recordings[np.argmax(classes)])
        begin = int(windows.recording_start[number])
        length = int(windows.recordings.end[number] - windows.recordings.begin[number])
        channels = _first_sensor(windows.spec.channels)
        signal = windows.signal[begin : begin + length][:, channels]
        edges = np.linspace(0, len(signal), min(STRETCHES, len(signal)) + 1).astype(np.int64)[:-1]
        return Outline(
            number,
            len(signal) / windows.spec.rate,
            channels,
            np.minimum.reduceat(signal, edges, axis=0),
            np.maximum.reduceat(signal, edges, axis=0),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return its values, ready for an archive of arrays."""
        place = np.array([self.recording, self.seconds])
        return {
            "outline": place,
            "outline_channels": self.channels,
            "outline_low": self.low,
            "outline_high": self.high,
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Outline | None:
        """Return the outline in an archive of arrays; None if there is none."""
        if "outline" not in arrays:
            return None
        recording, seconds = arrays["outline"].tolist()
        parts = (arrays[f"outline_{name}"] for name in ("channels", "low", "high"))
        return Outline(int(recording), seconds, *parts)


def _codes(windows: Windows, subjects: tuple[str, ...]) -> list[int]:
    return [windows.subjects.index(subject) for subject in subjects]


def _first_sensor(channels: tuple[Channel, ...]) -> NDArray[np.int64]:
    return np.flatnonzero([channel.group == channels[0].group for channel in channels])
