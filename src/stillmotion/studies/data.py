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
from ..signals import inspect, load, merge_classes, read_length, resample, select_classes, select_sensors
from ..signals.recording import NULL, Dataset
from ..windows import Splits, Statistics, Windows, audit_splits, cut, fit_statistics, make_splits, split_segments
from ..windows.augment import Places, sensor_places
from .index import WindowIndex
from .privileged import pair_windows
from .runs import Run
from .sections import Data
from .spec import Study
from .teacher_scores import read_scores


@dataclass(frozen=True, eq=False)
class StudyData:
    """What training needs: windows with their values, and statistics of each fold.

    Args:
        index: everything but the values.
        windows: all windows.
        statistics: mean and standard deviation of the training subjects of each fold.
        privileged: windows and statistics that privileged teachers see, a window for each of ``windows``.
        scores: (N, C) logits from the file of scores that replaces a teacher network.
    """

    index: WindowIndex
    windows: Windows
    statistics: tuple[Statistics, ...]
    privileged: StudyData | None = None
    scores: NDArray[np.float32] | None = None

    def of(self, run: Run) -> StudyData:
        """Return the data that a run sees."""
        return self if self.privileged is None or not run.privileged else self.privileged

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(N, F) standard features of each window, for feature classifiers."""
        return extract_features(self.windows).values

    @property
    def places(self) -> Places:
        """Sensors by position on the body."""
        return sensor_places(self.windows.spec)


def load_study_data(study: Study, *, data: Path | Dataset | None = None) -> StudyData:
    """Load, resample, cut, split and audit the data of a study.

    Args:
        study: the specification.
        data: the folder that holds recordings, or the recordings themselves.

    Returns:
        Windows, folds and statistics.

    Raises:
        UserError: there are no such recordings, or they do not fit the specification.

    Example:
        >>> from stillmotion.studies import load_study_data, read_study
        >>> data = load_study_data(read_study("first-look"))
        >>> len(data.index.folds), data.index.spec.window
        (1, 128)
    """
    section, privileged = study.data, study.privileged
    dataset, findings = _load_recordings(section, data)
    spec = dataset.spec
    if section.window or section.hop:
        window = read_length(section.window, spec.rate) if section.window else spec.window
        spec = spec.with_window(window, read_length(section.hop, spec.rate, "hop") if section.hop else None)
    last: Literal["drop", "keep"] = "drop" if section.cut == "labelled-segments" else "keep"
    null: Literal["drop", "keep"] = "keep" if study.decoding else "drop"
    windows, teacher_windows = cut(dataset, spec=spec, null=null, missing="drop", last=last), None
    if privileged:
        sensors, rate = privileged.sensors or section.sensors, privileged.rate or windows.spec.rate
        recordings, _ = _load_recordings(replace(section, sensors=sensors, rate=rate), data)
        windows, teacher_windows = pair_windows(windows, recordings, privileged)
    # Windows without a class come last: the numbers of the others, and so all runs, are the same with and without.
    every = windows.take(np.argsort(windows.labels == NULL, kind="stable"))
    windows = every.take(every.labels != NULL)
    _warn_of_absent(windows)
    splits = make_splits(windows, study.split.protocol, seed=study.split.seed, validation=study.split.validation)
    splits = _first_folds(splits, study.split.folds)
    for number, fold in enumerate(splits.folds):
        if not len(fold.validation):
            raise UserError(
                f"Fold {number} has no validation windows, which selection needs; raise validation in [split]."
            )
    statistics = _statistics(windows, splits)
    audit = audit_splits(windows, splits, statistics=statistics)
    leaks = dict.fromkeys(each.evidence for each in audit.findings if each.severity == "error" and not audit.clean)
    if leaks:
        warnings.warn(
            f"The protocol {study.split.protocol} leaks ({len(leaks)} findings; `still audit` lists them): its scores "
            f"say little about new subjects.",
            DataWarning,
            stacklevel=2,
        )
    index = replace(WindowIndex.of(every, splits.folds, tuple(leaks), fingerprint(windows)), findings=findings)
    if teacher_windows is not None:
        index = replace(index, teacher_spec=teacher_windows.spec, teacher_fingerprint=fingerprint(teacher_windows))
    scores = None
    if study.scores is not None:
        scores, checksum = read_scores(study.scores, windows)
        index = replace(index, scores=checksum)
    teachers = None
    if teacher_windows is not None:
        teachers = StudyData(index, teacher_windows, _statistics(teacher_windows, splits))
    return StudyData(index, every, statistics, teachers, scores)


def fingerprint(windows: Windows) -> str:
    """Return the SHA-256 of the signal, the windows and the signal contract."""
    digest = hashlib.sha256(windows.fingerprint.encode())
    digest.update(np.ascontiguousarray(windows.signal).data)
    digest.update(repr(windows.spec.to_dict()).encode())
    return digest.hexdigest()


def _warn_of_absent(windows: Windows) -> None:
    """Warn of classes without a window: networks keep an output for each, and macro-F1 counts them as 0."""
    classes = windows.spec.classes
    counts = np.bincount(windows.labels, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        warnings.warn(
            f"{len(absent)} of {len(classes)} classes have no window: {', '.join(absent)}. Each counts as an F1 of 0; "
            f"name the others in classes of [data] to leave them out.",
            DataWarning,
            stacklevel=3,
        )


def _load_recordings(section: Data, data: Path | Dataset | None) -> tuple[Dataset, tuple[str, ...]]:
    """Load the recordings with the sensors, classes and rate of ``[data]``, evenly sampled, and what is wrong in them.

    Raises:
        UserError: there are errors in them that ``[data]`` does not accept.
    """
    if isinstance(data, Dataset):
        dataset = select_sensors(data, section.sensors) if section.sensors else data
    else:
        dataset = load(section.name, data=data, sensors=section.sensors or None)
    if section.merge:
        dataset = merge_classes(dataset, section.merge)
    if section.classes:
        dataset = select_classes(dataset, section.classes)
    findings = _require_usable(dataset, accept=section.accept_findings)
    if section.cut == "labelled-segments":
        dataset = split_segments(dataset)
    if section.rate or dataset.times is not None:
        dataset = resample(dataset, section.rate or dataset.spec.rate)
    return dataset, findings


def _require_usable(dataset: Dataset, *, accept: bool) -> tuple[str, ...]:
    """Return the errors and warnings about recordings, a sentence each; raise for errors unless they are accepted."""
    problems = inspect(dataset).problems
    errors = [each for each in problems if each.severity == "error"]
    if errors and not accept:
        more = f" ({len(errors) - 1} more: still inspect lists them)" if len(errors) > 1 else ""
        raise UserError(
            f"{dataset.name} is not fit to train on: {errors[0].text}{more}; correct it, or train all the same with "
            f"--accept-findings (accept-findings = true in [data])."
        )
    return tuple(f"{each.severity}: {each.text}" for each in problems)


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
