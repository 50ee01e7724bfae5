"""Recordings (continuous stretches of one subject) and data sets, which hold them as views of shared arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..names import require_name, require_text
from .findings import LISTED, list_names
from .spec import SignalSpec

Floats = NDArray[np.float32]
Labels = NDArray[np.int16]
Times = NDArray[np.float64]

#: Characters of a note that a summary shows.
LONGEST_LINE = 160
NULL = -1  #: label of a sample without a class


@dataclass(frozen=True, eq=False)
class Recording:
    """Hold one continuous stretch of one subject; a gap or a change of session ends it.

    Args:
        subject: name of the subject, the same in every recording of a data set.
        session: name of the session, that is, of one mounting of the device.
        samples: (T, D) float32, one row for each sample, one column for each channel.
        labels: (T,) int16, index into the classes of the data set, -1 for no class.
        times: (T,) seconds on the device's own clock, or None if the samples are evenly spaced.
        source: the raw data that it was taken from; two recordings of one source may overlap.
        offset: row of the source at which it starts.
    """

    subject: str
    session: str
    samples: Floats
    labels: Labels
    times: Times | None = None
    source: str = ""
    offset: int = 0

    def __post_init__(self) -> None:
        where = f"Recording {self.source or self.session!r} of {self.subject!r}"
        if self.samples.ndim != 2:
            raise UserError(f"{where}: samples must be (time, channel), not {self.samples.shape}.")
        if len(self.samples) == 0:
            raise UserError(f"{where} is empty.")
        for column_name, column in (("labels", self.labels), ("times", self.times)):
            if column is not None and column.shape != self.samples.shape[:1]:
                raise UserError(f"{where}: {len(self.samples)} samples but {column_name} of shape {column.shape}.")

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Note:
    """An irregularity that a loader handled.

    Args:
        kind: what it is, in a few words.
        count: how often it occurred.
        text: one sentence.
        where: where it first occurred.
        repaired: whether it was a fault that the loader repaired.
        lost: rows that were dropped for it, by subject.
    """

    kind: str
    count: int
    text: str
    where: str = ""
    repaired: bool = False
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Hold recordings that share one signal contract.

    The samples of all recordings lie in one array, so that windows are views and a cache can be memory-mapped. Build a
    data set with ``Dataset.of(name, spec, recordings)``. After resampling, ``raw`` holds the recordings before it; the
    search for duplicates uses them.
    """

    name: str
    spec: SignalSpec
    samples: Floats
    labels: Labels
    times: Times | None
    index: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...] = ()
    official_test: tuple[str, ...] = ()
    same_subjects_as: tuple[str, ...] = ()
    fingerprint: str = field(default="", compare=False)
    raw: Dataset | None = None

    @classmethod
    def of(
        cls,
        name: str,
        spec: SignalSpec,
        recordings: Iterable[Recording],
        *,
        notes: Sequence[Note] = (),
        official_test: Sequence[str] = (),
        same_subjects_as: Sequence[str] = (),
        fingerprint: str = "",
    ) -> Dataset:
        """Make a data set from recordings; raise if a recording does not fit ``spec``."""
        recordings = list(recordings)
        if not recordings:
            raise UserError(f"{name}: there are no recordings.")
        require_name(name, "data set")
        for subject in {recording.subject for recording in recordings}:
            require_name(subject, "subject")
        for part in {text for recording in recordings for text in (recording.session, recording.source)}:
            require_text(part, "session")
        for recording in recordings:
            if recording.samples.shape[1] != len(spec.channels):
                raise UserError(
                    f"{name}: recording {recording.source!r} of {recording.subject!r} has "
                    f"{recording.samples.shape[1]} channels, its signal contract {len(spec.channels)}."
                )
            highest = int(recording.labels.max(initial=NULL))
            if highest >= len(spec.classes) or int(recording.labels.min(initial=0)) < NULL:
                raise UserError(
                    f"{name}: recording {recording.source!r} of {recording.subject!r} has a label outside "
                    f"-1 … {len(spec.classes) - 1}."
                )
        timed = [recording.times is not None for recording in recordings]
        if any(timed) != all(timed):
            raise UserError(f"{name}: some recordings carry timestamps and some do not.")
        stop = np.cumsum([len(recording) for recording in recordings])
        index = tuple(
            {
                "subject": recording.subject,
                "session": recording.session,
                "source": recording.source or f"{name}:{number}",
                "offset": recording.offset,
                "start": int(end) - len(recording),
                "stop": int(end),
            }
            for number, (recording, end) in enumerate(zip(recordings, stop, strict=True))
        )
        return cls(
            name=name,
            spec=spec,
            samples=_concatenate([recording.samples for recording in recordings]).astype(np.float32, copy=False),
            labels=_concatenate([recording.labels for recording in recordings]).astype(np.int16, copy=False),
            times=_concatenate([r.times for r in recordings if r.times is not None]) if all(timed) else None,
            index=index,
            notes=tuple(notes),
            official_test=tuple(official_test),
            same_subjects_as=tuple(same_subjects_as),
            fingerprint=fingerprint,
        )

    @cached_property
    def recordings(self) -> tuple[Recording, ...]:
        """The recordings, as views of the arrays."""
        return tuple(
            Recording(
                subject=row["subject"],
                session=row["session"],
                samples=self.samples[row["start"] : row["stop"]],
                labels=self.labels[row["start"] : row["stop"]],
                times=None if self.times is None else self.times[row["start"] : row["stop"]],
                source=row["source"],
                offset=row["offset"],
            )
            for row in self.index
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects in natural order (2 before 10)."""
        return tuple(sorted({row["subject"] for row in self.index}, key=_natural))

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        minutes = len(self.samples) / self.spec.rate / 60
        return (
            f"<Dataset {self.name}: {len(self.subjects)} subjects, {len(self)} recordings, {minutes:,.1f} minutes at "
            f"{self.spec.rate:g} Hz, {len(self.spec.channels)} channels, {len(self.spec.classes)} classes>"
        )

    def __str__(self) -> str:
        """Return a summary that fits a screen: subjects, channels, classes with their minutes, window, notes."""
        rate = self.spec.rate
        counts = np.bincount(np.asarray(self.labels).astype(np.int64) + 1, minlength=len(self.spec.classes) + 1)
        order = np.argsort(-counts[1:], kind="stable")[:LISTED]
        classes = [f"{self.spec.classes[code]} {counts[code + 1] / rate / 60:.1f}" for code in order.tolist()]
        units = [
            f"{group} ({unit})" if unit else group
            for group, unit in {channel.group: channel.unit for channel in self.spec.channels}.items()
        ]
        lines = [
            repr(self)[1:-1],
            f"subjects: {list_names(self.subjects)}",
            f"sensors: {list_names(units)}",
            f"minutes: {list_names(classes)}"
            + (f" and {len(self.spec.classes) - LISTED} classes more" if len(self.spec.classes) > LISTED else "")
            + f", (none) {counts[0] / rate / 60:.1f}",
            f"window: {self.spec.describe_window()}",
            *(f"note: {note.text}"[:LONGEST_LINE] for note in self.notes[:LISTED]),
        ]
        return "\n".join(lines)

    def having(self, subjects: Iterable[str]) -> Dataset:
        """Return the recordings of some subjects only."""
        wanted = set(subjects)
        unknown = sorted(wanted - set(self.subjects), key=_natural)
        if unknown:
            raise UserError(f"{self.name} has no subject {', '.join(unknown)}. It has {', '.join(self.subjects)}.")
        raw = None if self.raw is None else self.raw.having(wanted)
        return self.rebuilt([r for r in self.recordings if r.subject in wanted], raw=raw)

    def rebuilt(
        self,
        recordings: Iterable[Recording],
        *,
        spec: SignalSpec | None = None,
        notes: Sequence[Note] = (),
        raw: Dataset | None = None,
    ) -> Dataset:
        """Return the data set with other recordings and, optionally, another spec; its fingerprint is cleared."""
        new = Dataset.of(
            self.name,
            self.spec if spec is None else spec,
            recordings,
            notes=(*self.notes, *notes),
            official_test=self.official_test,
            same_subjects_as=self.same_subjects_as,
        )
        return replace(new, fingerprint="", raw=raw)


def _natural(name: str) -> tuple[int, int | str, str]:
    return (0, int(name), name) if name.isdecimal() else (1, name, name)


def _concatenate(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate the parts; without a copy if they are consecutive views that cover one array."""
    base = parts[0].base
    if isinstance(base, np.ndarray) and base.flags.c_contiguous and base.dtype == parts[0].dtype:
        address = base.ctypes.data
        for part in parts:
            if part.base is not base or part.ctypes.data != address or not part.flags.c_contiguous:
                break
            address += part.nbytes
        else:
            if address == base.ctypes.data + base.nbytes and base.shape[1:] == parts[0].shape[1:]:
                return base
    return np.concatenate(parts)
