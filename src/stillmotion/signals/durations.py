"""How long each class lasts, and the window that fits it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .recording import Dataset, Labels

#: Longest window that is proposed, in seconds, and its overlap: long enough for steps and gestures alike.
WINDOW_SECONDS, OVERLAP = 2.56, 0.5
#: Shortest window that is proposed: in seconds, and in samples.
SHORTEST_SECONDS, SHORTEST = 0.4, 8
#: A window fits a class if at least this share of its stretches are as long as the window.
FITTING = 0.5
#: Proposed windows are multiples of this many seconds, and of this many samples where the rate allows it.
STEP_SECONDS = 0.1
#: Classes with less than this share of the labelled time do not decide on the window.
RARE = 0.01


@dataclass(frozen=True)
class ClassDuration:
    """How long the stretches of a class last.

    Args:
        name: of the class.
        stretches: number of stretches, each with one label and without a gap.
        median, shortest, longest: in seconds; ``shortest`` is the 10th percentile, ``longest`` the 90th.
        total: seconds of all of them.
    """

    name: str
    stretches: int
    median: float
    shortest: float
    longest: float
    total: float


@dataclass(frozen=True)
class WindowFit:
    """The window of a data set against its classes, and the proposed one.

    Args:
        rate: of the samples, in Hz.
        window, hop: of the data set, in samples.
        classes: durations of the classes that occur.
        proposed_window, proposed_hop: in samples.
    """

    rate: float
    window: int
    hop: int
    classes: tuple[ClassDuration, ...]
    proposed_window: int
    proposed_hop: int

    @property
    def swallowed(self) -> tuple[ClassDuration, ...]:
        """The classes of which more than half of the stretches are shorter than the window."""
        # A window of the size of a stretch fits it; a sample of tolerance for rounding.
        return tuple(each for each in self.classes if each.median * self.rate < self.window - 1)


def measure_durations(
    labels: Labels, starts: NDArray[np.int64], classes: tuple[str, ...], rate: float
) -> list[ClassDuration]:
    """Measure the stretches of each class.

    Args:
        labels: (T,) of all recordings, one after the other.
        starts: first row of each recording, where a stretch ends.
        classes: names.
        rate: in Hz.
    """
    if not len(labels):
        return []
    ends_before = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    bounds = np.unique(np.concatenate([[0], ends_before, starts, [len(labels)]]))
    lengths, codes = np.diff(bounds) / rate, labels[bounds[:-1]]
    durations = []
    for number, name in enumerate(classes):
        own = lengths[codes == number]
        if len(own):
            shortest, median, longest = (float(np.quantile(own, share)) for share in (0.1, 0.5, 0.9))
            durations.append(ClassDuration(name, len(own), median, shortest, longest, float(own.sum())))
    return durations


def propose_window(durations: list[ClassDuration], rate: float) -> tuple[int, int]:
    """Propose window and hop in samples: the longest window that fits every class, up to ``WINDOW_SECONDS``.

    A window fits a class if at least half of its stretches are as long. Rare classes do not decide.

    Args:
        durations: of the classes.
        rate: in Hz.

    Returns:
        Window and hop, half the window.
    """
    total = sum(each.total for each in durations)
    medians = [each.median for each in durations if each.total >= RARE * total]
    window = max(1, round(WINDOW_SECONDS * rate))
    if medians and min(medians) < WINDOW_SECONDS:
        # Downwards to a multiple of a tenth of a second, so that a window does not outlast its stretch.
        seconds = max(SHORTEST_SECONDS, np.floor(min(medians) / STEP_SECONDS + 1e-6) * STEP_SECONDS)
        window = min(window, max(SHORTEST, round(seconds * rate)))
    return window, max(1, round(window * (1 - OVERLAP)))


def fit_window(dataset: Dataset) -> WindowFit:
    """Compare the window of a data set with the durations of its classes, and propose one.

    Args:
        dataset: labelled recordings.

    Returns:
        Durations of the classes, and window and hop that fit them.

    Example:
        >>> from stillmotion.signals import fit_window
        >>> from stillmotion.signals.simulated import generate
        >>> fit = fit_window(generate(subjects=2, minutes=2))
        >>> fit.window, fit.proposed_window, fit.proposed_hop
        (128, 128, 64)
    """
    spec = dataset.spec
    starts = np.array([row["start"] for row in dataset.index], np.int64)
    durations = measure_durations(dataset.labels, starts, spec.classes, spec.rate)
    window, hop = propose_window(durations, spec.rate)
    if window >= spec.window:
        window, hop = spec.window, spec.hop  # A shorter window than the longest that fits is a choice.
    return WindowFit(spec.rate, spec.window, spec.hop, tuple(durations), window, hop)
