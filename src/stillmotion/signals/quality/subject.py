"""The recordings of one subject, and the measurements of them that a quality report shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding, Severity
from ..recording import Dataset, Floats, Labels, Recording


@dataclass(frozen=True)
class SubjectQuality:
    """Measurements of one subject's recordings.

    Args:
        subject: name.
        sessions, recordings: how many.
        seconds: recorded.
        rate, jitter: of the clock in Hz, and standard deviation of its steps over their median.
        gaps: in the clock.
        missing, repeated: samples that are NaN, and timestamps that do not advance.
        gravity: median norm of each accelerometer.
        labelled: seconds of each class, and of ``(none)``.
        lost: rows that were dropped when the recordings were read, by reason.
        short: samples in recordings that are shorter than a window.
    """

    subject: str
    sessions: int
    recordings: int
    seconds: float
    rate: float
    jitter: float
    gaps: int
    missing: int
    repeated: int
    gravity: dict[str, float]
    labelled: dict[str, float]
    lost: dict[str, int] = field(default_factory=dict)
    short: int = 0

    @property
    def lost_rows(self) -> int:
        """Number of rows that were dropped."""
        return sum(self.lost.values())


@dataclass(frozen=True, eq=False)
class SubjectRecordings:
    """The recordings of one subject."""

    dataset: Dataset
    name: str
    recordings: tuple[Recording, ...]

    @cached_property
    def samples(self) -> Floats:
        """(N, D), all recordings one after the other."""
        parts = [recording.samples for recording in self.recordings]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @cached_property
    def labels(self) -> Labels:
        """(N,)."""
        return np.concatenate([recording.labels for recording in self.recordings])

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """(N, D), which values are NaN or infinite."""
        return ~np.isfinite(self.samples)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Last row of each recording."""
        return np.cumsum([len(recording) for recording in self.recordings]) - 1

    @property
    def files(self) -> str:
        """The file that the recordings come from; empty if there are several."""
        sources = {recording.source for recording in self.recordings}
        return sources.pop() if len(sources) == 1 else ""

    def find(self, severity: Severity, kind: str, text: str, *, column: str = "", count: int = 0) -> Finding:
        """Return a finding about this subject."""
        return Finding(severity, kind, f"subject {self.name}: {text}", self.name, self.files, column, count)
