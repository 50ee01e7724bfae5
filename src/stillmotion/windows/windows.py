"""Windows as positions in a signal, copied only on request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import UserError
from ..signals.recording import Dataset, Floats, Labels, Note
from ..signals.spec import SignalSpec
from .stretches import Codes, Rows, Stretches

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Windows of a data set, which overlap in memory as they do in time. Made by ``cut``.

    They are read as an array (n, T, D) would be, each time a copy: ``windows[3]``, ``windows[rows]``,
    ``np.asarray(windows)``.

    Args:
        dataset: the data set's name.
        spec: the signal contract, with window, hop and label policy.
        signal: (N, D) float32, all samples of the data set, shared with it.
        starts: (n,) row of ``signal`` at which each window begins.
        labels: (n,) class of each window, -1 for none.
        recording: (n,) number of the recording that each window lies in.
        extents: subject, source and raw rows of each window.
        recordings: subject, source and raw rows of each recording.
        recording_start: (recordings,) row of ``signal`` at which each recording begins.
        sessions: session of each recording.
        short: how many recordings are shorter than a window.
        notes: windows and recordings left out, with counts.
        official_test: subjects that the publisher tests on.
        same_subjects_as: data sets recorded from the same subjects.
        raw: the raw recordings, if the signal was resampled.
    """

    dataset: str
    spec: SignalSpec
    signal: Floats
    starts: Rows
    labels: Labels
    recording: Codes
    extents: Stretches
    recordings: Stretches
    recording_start: Rows
    sessions: tuple[str, ...]
    short: int = 0
    notes: tuple[Note, ...] = ()
    official_test: tuple[str, ...] = ()
    same_subjects_as: tuple[str, ...] = ()
    raw: Dataset | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Windows, samples in each, channels."""
        return len(self), self.spec.window, self.signal.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the samples and of the windows' positions, which is what the windows take in memory."""
        return int(self.signal.nbytes + self.starts.nbytes)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> Floats:
        """Copy windows out, as from an array (n, T, D)."""
        # One gather of a strided view is a memory copy per window. Measured on two cores, HAPT: within 15 % of a
        # plain copy of the same bytes; np.take copies the whole view first, two threads are 1.5 times slower.
        values: Floats = self._at[self.starts[index]]
        return values

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Windows overlap in memory: their values can only be copied.")
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return (
            f"<Windows of {self.dataset}: {len(self):,} of {self.spec.window} samples ({self.spec.seconds:.2f} s), one "
            f"every {self.spec.hop}, {len(self.subjects)} subjects, {len(self.spec.classes)} classes>"
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the data set's subjects; ``subject_codes`` are indices into them."""
        return self.extents.subjects

    @property
    def subject_codes(self) -> Codes:
        """(n,) subject of each window, as indices into ``subjects``."""
        return self.extents.subject

    def values(self, index: ArrayLike | None = None) -> Floats:
        """Copy windows out: (n, T, D) float32, contiguous.

        Args:
            index: numbers of windows, in the order wanted, or a mask; all of them by default.
        """
        return self[self.numbers(index)]

    def take(self, index: ArrayLike) -> Windows:
        """Select windows by numbers or a mask."""
        rows = self.numbers(index)
        extents = replace(
            self.extents,
            source=self.extents.source[rows],
            subject=self.extents.subject[rows],
            begin=self.extents.begin[rows],
            end=self.extents.end[rows],
        )
        return replace(
            self,
            starts=self.starts[rows],
            labels=self.labels[rows],
            recording=self.recording[rows],
            extents=extents,
        )

    def numbers(self, index: ArrayLike | None = None) -> Rows:
        """Return the numbers of the windows that numbers, a mask, or None (all) selects."""
        if index is None:
            return np.arange(len(self))
        chosen = np.asarray(index)
        return np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64).ravel()

    def of(self, recording: int) -> Floats:
        """Return all windows of a recording, dropped ones too, as a read-only view: (m, T, D), nothing copied."""
        if not 0 <= recording < len(self.recordings):
            raise UserError(f"{self.dataset} has no recording {recording}; it has 0 to {len(self.recordings) - 1}.")
        begin = int(self.recording_start[recording])
        length = int(self.recordings.end[recording] - self.recordings.begin[recording])
        if length < self.spec.window:
            return np.empty((0, self.spec.window, self.signal.shape[1]), np.float32)
        return self._at[begin : begin + length - self.spec.window + 1 : self.spec.hop]

    @property
    def _at(self) -> Floats:
        """(N - T + 1, T, D): the window that begins at each row, a view."""
        return sliding_window_view(self.signal, self.spec.window, axis=0).transpose(0, 2, 1)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of data set, subjects, sources, raw rows and labels.

        Values are not part of it: the same windows of a filtered signal or of other channels may share splits.
        """
        extents = self.extents
        digest = hashlib.blake2b(digest_size=16)
        names = [self.dataset, *self.spec.classes, "", *extents.subjects, "", *extents.sources]
        digest.update("\0".join(names).encode())
        columns: tuple[tuple[np.ndarray[tuple[int, ...], np.dtype[np.generic]], str], ...] = (
            (extents.subject, "<i4"),
            (extents.source, "<i4"),
            (extents.begin, "<i8"),
            (extents.end, "<i8"),
            (self.labels, "<i2"),
        )
        for column, kind in columns:
            digest.update(np.ascontiguousarray(column, kind).tobytes())
        return digest.hexdigest()
