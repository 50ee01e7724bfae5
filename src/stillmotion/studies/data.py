"""The data of a study: windows, folds and statistics."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataWarning, UserError
from ..features.window_features import extract_features
from ..signals import load, resample, select_classes
from ..signals.recording import Dataset
from ..windows import Fold, Splits, Statistics, Windows, audit_splits, cut, fit_statistics, make_splits, split_segments
from ..windows.augment import Places, sensor_places
from .privileged import pair_windows
from .runs import Run
from .sections import Data
from .spec import Study


@dataclass(frozen=True, eq=False)
class StudyData:
    """Windows, folds and statistics of a study.

    Args:
        windows: all windows.
        splits: the folds that the study runs.
        statistics: mean and standard deviation of the training subjects of each fold.
        leaks: findings of the audit, a sentence each; empty if the protocol has no leak.
        teachers: the data that privileged teachers see, a window for each of ``windows``; None without them.
    """

    windows: Windows
    splits: Splits
    statistics: tuple[Statistics, ...]
    leaks: tuple[str, ...]
    teachers: StudyData | None = None

    def of(self, run: Run) -> StudyData:
        """Return the data that a run sees."""
        return self if self.teachers is None or not run.privileged else self.teachers

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """All windows as an array (N, T, D)."""
        return np.ascontiguousarray(self.windows.values(), np.float32)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(N, F) standard features of each window, for baselines."""
        return extract_features(self.windows).values

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class numbers (N,)."""
        return np.asarray(self.windows.labels, np.int64)

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds that run."""
        return self.splits.folds

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.windows.spec.classes)

    @property
    def places(self) -> Places:
        """Sensors by position on the body."""
        return sensor_places(self.windows.spec)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the signal, the windows and the signal specification."""
        digest = hashlib.sha256(self.windows.fingerprint.encode())
        digest.update(np.ascontiguousarray(self.windows.signal).data)
        digest.update(repr(self.windows.spec.to_dict()).encode())
        return digest.hexdigest()

    def subjects(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the subject of each of these windows."""
        subjects = self.windows.subjects
        return [subjects[number] for number in self.windows.subject_codes[rows]]


def load_study_data(study: Study, *, data: Path | None = None) -> StudyData:
    """Load, resample, cut, split and audit the data of a study."""
    section, privileged = study.data, study.privileged
    dataset = _load_recordings(section, data)
    spec = dataset.spec
    if section.window or section.hop:
        window = section.window or spec.window
        spec = spec.with_window(window, section.hop) if section.hop else spec.with_window(window)
    last: Literal["drop", "keep"] = "drop" if section.cut == "labelled-segments" else "keep"
    windows, teacher_windows = cut(dataset, spec=spec, missing="drop", last=last), None
    if privileged:
        sensors, rate = privileged.sensors or section.sensors, privileged.rate or windows.spec.rate
        recordings = _load_recordings(replace(section, sensors=sensors, rate=rate), data)
        windows, teacher_windows = pair_windows(windows, recordings, privileged)
    splits = make_splits(windows, study.split.protocol, seed=study.split.seed, validation=study.split.validation)
    splits = _first_folds(splits, study.split.folds)
    for number, fold in enumerate(splits.folds):
        if not len(fold.validation):
            raise UserError(
                f"Fold {number} has no validation windows, which selection needs; raise validation in [split]."
            )
    statistics = _statistics(windows, splits)
    audit = audit_splits(windows, splits, statistics=statistics)
    leaks = (
        ()
        if audit.clean
        else tuple(dict.fromkeys(each.evidence for each in audit.findings if each.severity == "error"))
    )
    if leaks:
        warnings.warn(
            f"The protocol {study.split.protocol} leaks ({len(leaks)} findings; `still audit` lists them): its scores "
            f"say little about new subjects.",
            DataWarning,
            stacklevel=2,
        )
    teachers = None
    if teacher_windows is not None:
        teachers = StudyData(teacher_windows, splits, _statistics(teacher_windows, splits), leaks)
    return StudyData(windows, splits, statistics, leaks, teachers)


def _load_recordings(section: Data, data: Path | None) -> Dataset:
    """Load the recordings with the sensors, classes and rate of ``[data]``, evenly sampled."""
    dataset = load(section.name, data=data, sensors=section.sensors or None)
    if section.classes:
        dataset = select_classes(dataset, section.classes)
    if section.cut == "labelled-segments":
        dataset = split_segments(dataset)
    if section.rate or dataset.times is not None:
        dataset = resample(dataset, section.rate or dataset.spec.rate)
    return dataset


def _statistics(windows: Windows, splits: Splits) -> tuple[Statistics, ...]:
    return tuple(fit_statistics(windows, fold.train) for fold in splits.folds)


def _first_folds(splits: Splits, count: int) -> Splits:
    if not count:
        return splits
    if count > len(splits.folds):
        raise UserError(
            f"folds in [split] is {count}, but there are only {len(splits.folds)} folds in {splits.protocol}."
        )
    return replace(splits, folds=splits.folds[:count])
