"""Outputs of teachers: of one trained network, the mean of several, or scores from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..methods import get_method
from ..methods.method import View
from ..networks import build_network
from ..networks.heads import as_logits
from ..training import Teacher
from ..training.distillation import teacher_network
from ..training.functional import Functional
from .data import StudyData
from .plan import Planner
from .runs import Run
from .store import Store

TapValues = dict[str, NDArray[np.float32]]
#: Taps of a teacher and the view on them; methods that share both share cached outputs.
TeacherTaps = tuple[tuple[str, ...], View | None]


@dataclass
class TeacherCache:
    """The teachers of a study, with cached outputs for all windows."""

    planner: Planner
    store: Store
    scores: NDArray[np.float32] | None = None
    _outputs: dict[tuple[str, TeacherTaps], TapValues] = field(default_factory=dict, init=False)
    _networks: dict[tuple[str, str, str, bool, TeacherTaps], Functional] = field(default_factory=dict, init=False)

    def teacher(self, method: str, runs: Sequence[Run], *, live: bool = False) -> Teacher:
        """Return the teacher made of these runs, or the file of scores without runs.

        Args:
            method: name of the method.
            runs: trained runs.
            live: whether to return a network that runs in every step instead of outputs.
        """
        if not runs:
            if self.scores is None:
                raise UserError(f"{method} needs a teacher, but the study has none; set teacher in [networks].")
            return Teacher(outputs={"logits": self.scores}, name=str(self.planner.study.scores))
        name = " and ".join(dict.fromkeys(run.network for run in runs)) + f" of fold {runs[0].fold}"
        if live:
            if len(runs) > 1:
                raise UserError(
                    "With augmentation or co-training the teacher runs in every step, so it must be a single network, "
                    "not the mean of several: leave augmentation out, or use one teacher with in-sample targets."
                )
            network = self.network(runs[0], method)
            weights, state = self.store.weights(runs[0].id)
            return Teacher(network, weights, state, name=name)
        classifier = None
        if len(runs) == 1 and get_method(method).classifier is not None:
            classifier = self.network(runs[0], method).classifier_of(self.store.weights(runs[0].id)[0])
        return Teacher(outputs=self._mean_outputs(method, runs), classifier=classifier, name=name)

    def logits(self, runs: Sequence[Run]) -> NDArray[np.float32]:
        """Return the mean logits (N, C) of these runs, or the scores from the file."""
        if not runs and self.scores is not None:
            return self.scores
        return self._mean_outputs("rb-kd", runs)["logits"]

    def _mean_outputs(self, method: str, runs: Sequence[Run]) -> TapValues:
        """Average outputs of several runs; for logits the logarithm of the mean probability."""
        outputs = [self._network_outputs(run, method) for run in runs]
        if len(outputs) == 1:
            return outputs[0]
        means: TapValues = {}
        for tap in outputs[0]:
            shapes = {each[tap].shape for each in outputs if tap in each}
            if len(shapes) > 1 or any(tap not in each for each in outputs):
                names = " and ".join(dict.fromkeys(run.network for run in runs))
                raise UserError(f"{tap} of {names} cannot be averaged: their shapes differ {sorted(shapes)}.")
            values = np.stack([_probabilities(each[tap]) if tap == "logits" else each[tap] for each in outputs])
            mean = self._mean(values, [run.group for run in runs], runs[0].fold)
            means[tap] = np.log(np.maximum(mean, 1e-12)) if tap == "logits" else mean
        return means

    def _mean(self, values: NDArray[np.float32], groups: list[int], fold: int) -> NDArray[np.float32]:
        """Average over teachers (axis 0); windows of a training subject only over teachers not trained on it."""
        if max(groups) < 0:
            return np.asarray(values.mean(0), np.float32)
        group = self.planner.group_of(fold)
        weights = np.array([(group == left_out) | (group < 0) for left_out in groups], np.float32)  # (teachers, N)
        weights /= weights.sum(0)
        return np.asarray(np.einsum("tn...,tn->n...", values, weights), np.float32)

    def _network_outputs(self, run: Run, method: str) -> TapValues:
        wanted = _teacher_taps(method)
        if (run.id, wanted) not in self._outputs:
            weights, state = self.store.weights(run.id)
            values = self.planner.study_data.of(run).values
            self._outputs[run.id, wanted] = self.network(run, method).answers(weights, state, values)
        outputs: TapValues = self._outputs[run.id, wanted]
        return outputs

    def network(self, run: Run, method: str) -> Functional:
        """Return the network of a run with the teacher taps of a method."""
        key = (run.network, run.attention, run.recurrence, run.privileged, _teacher_taps(method))
        if key not in self._networks:
            self._networks[key] = teacher_network(model_of(run, self.planner.study_data), get_method(method))
        return self._networks[key]


def _teacher_taps(method: str) -> TeacherTaps:
    return get_method(method).teacher_taps, get_method(method).view


def model_of(run: Run, study_data: StudyData) -> keras.Model:
    """Build the network of a run with its initial weights."""
    return build_network(run.network, study_data.of(run).windows.spec, seed=run.seed, **run.options_of_network)


def read_scores(path: Path, study_data: StudyData) -> tuple[NDArray[np.float32], str]:
    """Read scores for every window from a file; return them as logits, with the checksum of the file.

    Args:
        path: Parquet or CSV with the columns ``window`` (number of the window in the study) or ``subject`` and ``time``
            (start of the window in seconds in the concatenated recordings of the subject), and a column per class:
            ``score_0`` … or the class names. Rows that are not negative and sum to 1 are probabilities, else logits.
        ground: the study's windows.
    """
    import pyarrow as pa

    if not path.is_file():
        raise UserError(f"The file of scores {path} does not exist.")
    try:
        if path.suffix == ".csv":
            from pyarrow import csv

            table = csv.read_csv(path)
        else:
            from pyarrow import parquet

            table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(f"{path} is not a readable table of scores: {problem}.") from None
    classes = study_data.windows.spec.classes
    columns = [f"score_{number}" for number in range(len(classes))]
    if not set(columns) <= set(table.column_names):
        columns = list(classes)
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(table.column_names)}.")
    values = np.stack([np.asarray(table[name], np.float64) for name in columns], axis=1)
    rows = _window_numbers(path, table, study_data)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise UserError(f"{path}: row {bad + 1} holds a score that is not a finite number.")
    values = as_logits(values)
    logits = np.full((len(study_data.windows), len(classes)), np.nan)
    logits[rows] = values
    without = int(np.isnan(logits).any(1).sum())
    if without:
        at = int(np.flatnonzero(np.isnan(logits).any(1))[0])
        raise UserError(
            f"{path} has no scores for {without} of {len(logits)} windows, the first of which is window {at}."
        )
    return logits.astype(np.float32), hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _window_numbers(path: Path, table: Any, study_data: StudyData) -> NDArray[np.int64]:
    """Return the number of the window for each row of a table."""
    windows = study_data.windows
    if "window" in table.column_names:
        rows = np.asarray(table["window"], np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(windows):
            raise UserError(f"{path} has window numbers outside 0 … {len(windows) - 1}.")
    elif {"subject", "time"} <= set(table.column_names):
        known = {key: number for number, key in enumerate(window_times(study_data))}
        keys = zip(map(str, table["subject"].to_pylist()), table["time"].to_pylist(), strict=True)
        numbers = [known.get((subject, round(float(time), 3)), -1) for subject, time in keys]
        rows = np.array(numbers, np.int64)
        if (rows < 0).any():
            at = int(np.flatnonzero(rows < 0)[0])
            raise UserError(f"{path}: row {at + 1} matches no window of the study (by subject and time in seconds).")
    else:
        raise UserError(f"{path} needs the column window, or subject and time.")
    repeated = len(rows) - len(np.unique(rows))
    if repeated:
        raise UserError(f"{path} contains {repeated} windows more than once.")
    return rows


def window_times(study_data: StudyData) -> list[tuple[str, float]]:
    """Return (subject, seconds) of the start of each window in the concatenated recordings of the subject."""
    windows = study_data.windows
    first: dict[int, int] = {}
    for subject, start in zip(windows.subject_codes.tolist(), windows.starts.tolist(), strict=True):
        first[subject] = min(first.get(subject, start), start)
    return [
        (windows.subjects[subject], round((start - first[subject]) / windows.spec.rate, 3))
        for subject, start in zip(windows.subject_codes.tolist(), windows.starts.tolist(), strict=True)
    ]


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
