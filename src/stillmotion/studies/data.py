"""What a study trains on: windows, folds and statistics, loaded once."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataWarning, UserError
from ..features.window_features import extract_features
from ..signals import load, resample, select_classes
from ..signals.recording import Dataset
from ..windows import Fold, Splits, Statistics, Windows, audit_splits, cut, fit_statistics, make_splits
from ..windows.augment import Places, sensor_places
from .privileged import see
from .runs import Run
from .sections import Data
from .spec import Study


@dataclass(frozen=True, eq=False)
class StudyData:
    """The windows of a study.

    Args:
        windows: as they were cut.
        splits: the folds that the study runs.
        statistics: of each fold's training subjects.
        leaks: what the audit found, a sentence each; nothing for an honest protocol.
        teachers: the same as teachers see it, a window for each of these; None where they see what students see.
    """

    windows: Windows
    splits: Splits
    statistics: tuple[Statistics, ...]
    leaks: tuple[str, ...]
    teachers: StudyData | None = None

    def of(self, run: Run) -> StudyData:
        """What a run sees."""
        return self if self.teachers is None or not run.privileged else self.teachers

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """(N, T, D), copied out."""
        return np.ascontiguousarray(self.windows.values(), np.float32)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(N, F) standard features of each window, for baselines."""
        return extract_features(self.windows).values

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) classes."""
        return np.asarray(self.windows.labels, np.int64)

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds that run."""
        return self.splits.folds

    @property
    def classes(self) -> int:
        """How many classes."""
        return len(self.windows.spec.classes)

    @property
    def places(self) -> Places:
        """Sensors by place on the body."""
        return sensor_places(self.windows.spec)

    @cached_property
    def fingerprint(self) -> str:
        """Of the signal itself, the windows in it and the contract."""
        digest = hashlib.sha256(self.windows.fingerprint.encode())
        digest.update(np.ascontiguousarray(self.windows.signal).data)
        digest.update(repr(self.windows.spec.to_dict()).encode())
        return digest.hexdigest()

    def subjects(self, rows: NDArray[np.int64]) -> list[str]:
        """Whose windows these are."""
        subjects = self.windows.subjects
        return [subjects[number] for number in self.windows.subject_codes[rows]]


def load_study_data(study: Study, *, data: Path | None = None) -> StudyData:
    """Load, resample, cut, split and audit what a study names."""
    said, more = study.data, study.privileged
    dataset = _recordings(said, data)
    spec = dataset.spec
    if said.window or said.hop:
        window = said.window or spec.window
        spec = spec.with_window(window, said.hop) if said.hop else spec.with_window(window)
    windows, seen = cut(dataset, spec=spec, missing="drop"), None
    if more:
        seen_by = replace(said, sensors=more.sensors or said.sensors, rate=more.rate or windows.spec.rate)
        windows, seen = see(windows, _recordings(seen_by, data), more)
    made = make_splits(windows, study.split.protocol, seed=study.split.seed, validation=study.split.validation)
    made = _first_folds(made, study.split.folds)
    for number, fold in enumerate(made.folds):
        if not len(fold.validation):
            raise UserError(f"Fold {number} has no validation windows: every choice is made on them; raise validation.")
    statistics = _statistics(windows, made)
    found = audit_splits(windows, made, statistics=statistics)
    leaks = (
        ()
        if found.clean
        else tuple(dict.fromkeys(each.evidence for each in found.findings if each.severity == "error"))
    )
    if leaks:
        warnings.warn(
            f"The protocol {study.split.protocol} leaks ({len(leaks)} findings; `still audit` shows them): its scores "
            f"say little about new subjects.",
            DataWarning,
            stacklevel=2,
        )
    teachers = None if seen is None else StudyData(seen, made, _statistics(seen, made), leaks)
    return StudyData(windows, made, statistics, leaks, teachers)


def _recordings(said: Data, data: Path | None) -> Dataset:
    """What is said of sensors, classes and rate, evenly timed."""
    dataset = load(said.name, data=data, sensors=said.sensors or None)
    if said.classes:
        dataset = select_classes(dataset, said.classes)
    if said.rate or dataset.times is not None:
        dataset = resample(dataset, said.rate or dataset.spec.rate)
    return dataset


def _statistics(windows: Windows, made: Splits) -> tuple[Statistics, ...]:
    return tuple(fit_statistics(windows, fold.train) for fold in made.folds)


def _first_folds(made: Splits, count: int) -> Splits:
    if not count:
        return made
    if count > len(made.folds):
        raise UserError(f"folds in [split] asks for {count} of the {len(made.folds)} folds of {made.protocol}.")
    return replace(made, folds=made.folds[:count])
