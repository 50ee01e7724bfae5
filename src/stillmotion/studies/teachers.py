"""What teachers say: the answers of trained teachers, of several together, of somebody else's model in a file."""

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
#: Taps of a teacher, and what is made of them: methods that agree in both hear the same answers.
TeacherTaps = tuple[tuple[str, ...], View | None]


@dataclass
class TeacherCache:
    """The teachers of a study; what each says to all windows is computed once."""

    planner: Planner
    store: Store
    scores: NDArray[np.float32] | None = None
    _said: dict[tuple[str, TeacherTaps], TapValues] = field(default_factory=dict, init=False)
    _networks: dict[tuple[str, str, str, bool, TeacherTaps], Functional] = field(default_factory=dict, init=False)

    def teacher(self, way: str, runs: Sequence[Run], *, live: bool = False) -> Teacher:
        """The teacher that these runs are together; the file of scores where there are none.

        Args:
            way: name of the method that asks.
            runs: all trained.
            live: a network that answers inside the step, not answers.
        """
        if not runs:
            if self.scores is None:
                raise UserError(f"{way} needs a teacher, and the study names none.")
            return Teacher(outputs={"logits": self.scores}, name=str(self.planner.study.scores))
        name = " and ".join(dict.fromkeys(run.network for run in runs)) + f" of fold {runs[0].fold}"
        if live:
            if len(runs) > 1:
                raise UserError(
                    "With augmentation, or where both learn, the teacher answers at every step, which one network can "
                    "do, not the mean of several: leave augmentation out, or take one teacher and in-sample targets."
                )
            network = self.network(runs[0], way)
            weights, state = self.store.weights(runs[0].id)
            return Teacher(network, weights, state, name=name)
        classifier = None
        if len(runs) == 1 and get_method(way).classifier is not None:
            classifier = self.network(runs[0], way).classifier_of(self.store.weights(runs[0].id)[0])
        return Teacher(outputs=self._together(way, runs), classifier=classifier, name=name)

    def logits(self, runs: Sequence[Run]) -> NDArray[np.float32]:
        """(N, C) what these runs say together, or the file of scores."""
        if not runs and self.scores is not None:
            return self.scores
        return self._together("rb-kd", runs)["logits"]

    def _together(self, way: str, runs: Sequence[Run]) -> TapValues:
        """The mean of what several say; of logits the logarithm of the mean probability."""
        said = [(run, self._answers(run, way)) for run in runs]
        if len(said) == 1:
            return said[0][1]
        found: TapValues = {}
        for tap in said[0][1]:
            shapes = {answers[tap].shape for _, answers in said if tap in answers}
            if len(shapes) > 1 or any(tap not in answers for _, answers in said):
                names = " and ".join(dict.fromkeys(run.network for run, _ in said))
                raise UserError(f"The mean of {names} has no {tap}: theirs are of unequal shapes {sorted(shapes)}.")
            values = np.stack([_probabilities(a[tap]) if tap == "logits" else a[tap] for _, a in said])
            mean = self._mean(values, [run.group for run, _ in said], runs[0].fold)
            found[tap] = np.log(np.maximum(mean, 1e-12)) if tap == "logits" else mean
        return found

    def _mean(self, values: NDArray[np.float32], groups: list[int], fold: int) -> NDArray[np.float32]:
        """Mean over teachers (axis 0); a training subject's windows only by teachers that did not train on them."""
        if max(groups) < 0:
            return np.asarray(values.mean(0), np.float32)
        group = self.planner.group_of(fold)
        teachers_of_students = np.array([(group == own) | (group < 0) for own in groups], np.float32)  # (teachers, N)
        teachers_of_students /= teachers_of_students.sum(0)
        return np.asarray(np.einsum("tn...,tn->n...", values, teachers_of_students), np.float32)

    def _answers(self, run: Run, way: str) -> TapValues:
        wanted = _looks(way)
        if (run.id, wanted) not in self._said:
            weights, state = self.store.weights(run.id)
            values = self.planner.study_data.of(run).values
            self._said[run.id, wanted] = self.network(run, way).answers(weights, state, values)
        said: TapValues = self._said[run.id, wanted]
        return said

    def network(self, run: Run, way: str) -> Functional:
        """A run's network with the taps that a method wants of a teacher."""
        key = (run.network, run.attention, run.recurrence, run.privileged, _looks(way))
        if key not in self._networks:
            self._networks[key] = teacher_network(model_of(run, self.planner.study_data), get_method(way))
        return self._networks[key]


def _looks(way: str) -> TeacherTaps:
    return get_method(way).teacher_taps, get_method(way).view


def model_of(run: Run, study_data: StudyData) -> keras.Model:
    """The network of a run, with its first weights."""
    return build_network(run.network, study_data.of(run).windows.spec, seed=run.seed, **run.options_of_network)


def read_scores(path: Path, study_data: StudyData) -> tuple[NDArray[np.float32], str]:
    """Somebody's scores for every window, as logits, and the file's checksum.

    Args:
        path: Parquet or CSV with the columns ``window`` (number among the study's windows) or ``subject`` and ``time``
            (first sample's time in seconds in the subject's recordings, one after the other), and one column a class:
            ``score_0`` … or the classes' names. Scores that are not negative and sum to 1 are probabilities.
        ground: the study's windows.
    """
    import pyarrow as pa

    if not path.is_file():
        raise UserError(f"There is no file of scores {path}.")
    try:
        if path.suffix == ".csv":
            from pyarrow import csv

            table = csv.read_csv(path)
        else:
            from pyarrow import parquet

            table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(f"{path} is not a table of scores: {problem}.") from None
    classes = study_data.windows.spec.classes
    columns = [f"score_{number}" for number in range(len(classes))]
    if not set(columns) <= set(table.column_names):
        columns = list(classes)
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(table.column_names)}.")
    values = np.stack([np.asarray(table[name], np.float64) for name in columns], axis=1)
    rows = _places(path, table, study_data)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise UserError(f"{path}: row {bad + 1} holds a score that is not a finite number.")
    values = as_logits(values)
    found = np.full((len(study_data.windows), len(classes)), np.nan)
    found[rows] = values
    without = int(np.isnan(found).any(1).sum())
    if without:
        at = int(np.flatnonzero(np.isnan(found).any(1))[0])
        raise UserError(f"{path} has no scores for {without} of {len(found)} windows, the first of them window {at}.")
    return found.astype(np.float32), hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _places(path: Path, table: Any, study_data: StudyData) -> NDArray[np.int64]:
    """The study's window for each row of a table."""
    windows = study_data.windows
    if "window" in table.column_names:
        rows = np.asarray(table["window"], np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(windows):
            raise UserError(f"{path} names windows outside 0 … {len(windows) - 1}.")
    elif {"subject", "time"} <= set(table.column_names):
        known = {key: number for number, key in enumerate(window_times(study_data))}
        keys = zip(map(str, table["subject"].to_pylist()), table["time"].to_pylist(), strict=True)
        found = [known.get((subject, round(float(time), 3)), -1) for subject, time in keys]
        rows = np.array(found, np.int64)
        if (rows < 0).any():
            at = int(np.flatnonzero(rows < 0)[0])
            raise UserError(f"{path}: row {at + 1} names no window of the study (subject and time in seconds).")
    else:
        raise UserError(f"{path} must say which window each row is about: window, or subject and time.")
    twice = len(rows) - len(np.unique(rows))
    if twice:
        raise UserError(f"{path} names {twice} windows more than once.")
    return rows


def window_times(study_data: StudyData) -> list[tuple[str, float]]:
    """(subject, seconds) of each window: its first sample in the subject's recordings, one after the other."""
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
