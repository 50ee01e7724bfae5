"""Scores of the runs that are reported: answers to validation and test windows, counted subject by subject."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from numpy.typing import NDArray

from ..evaluation import Reliability, confidence_sums, confusion_matrix
from ..training.functional import Functional
from .classical import answers
from .data import StudyData
from .plan import Planner
from .runs import Run
from .store import Store
from .teachers import model_of

Counts = NDArray[np.int64]
#: What one of each row of kept ``confidence_sums`` is counted in.
UNITS = np.array([[1.0], [1.0], [1e6]])


class Evaluator:
    """Answers of trained runs; one compiled function for all runs of a network."""

    def __init__(self, planner: Planner, store: Store) -> None:
        self.planner, self.store = planner, store
        self._networks: dict[tuple[str, str, str, bool], Functional] = {}

    def logits(self, run: Run, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, C) answers of a run to these windows; of a baseline, windows that its fold chooses or tests on."""
        if run.classical:
            return answers(run, self.store, rows)
        key = (run.network, run.attention, run.recurrence, run.privileged)
        if key not in self._networks:
            self._networks[key] = Functional(model_of(run, self.planner.study_data), ["logits"])
        weights, state = self.store.weights(run.id)
        return self._networks[key].answers(weights, state, self.planner.study_data.of(run).values[rows])["logits"]

    def model(self, run: Run) -> keras.Model:
        """The network of a run with its best weights."""
        network = Functional(model_of(run, self.planner.study_data), ["logits"])
        network.put(*self.store.weights(run.id))
        return network.model

    def count(self, runs: Iterable[Run], side: str) -> None:
        """Keep confusion counts of the runs that lack them, on the subjects of ``validation`` or ``test``.

        How far their confidence held goes with them, under ``validation-confidence`` or ``test-confidence``.
        """
        there = self.store.counts(side)
        fresh: dict[str, dict[str, Counts]] = {}
        sure: dict[str, dict[str, Counts]] = {}
        study_data = self.planner.study_data
        for run in dict.fromkeys(runs):
            if run.id not in there:
                rows = study_data.folds[run.fold].side(side)
                logits = self.logits(run, rows)
                fresh[run.id] = by_subject(study_data.labels, logits, rows, study_data)
                sure[run.id] = confidence_by_subject(study_data.labels, logits, rows, study_data)
        if fresh:
            # Counts come last: a run that has them is not looked at again.
            self.store.add_counts(f"{side}-confidence", sure)
            self.store.add_counts(side, fresh)


def by_subject(
    labels: NDArray[np.int64], logits: NDArray[np.float32], rows: NDArray[np.int64], study_data: StudyData
) -> dict[str, Counts]:
    """Confusion counts of each subject among windows ``rows``, which ``logits`` (n, C) answer.

    Where an answer is not a finite number, the largest finite one counts.
    """
    guess = np.where(np.isfinite(logits), logits, -np.inf).argmax(1)
    codes = study_data.windows.subject_codes[rows]
    subjects = study_data.windows.subjects
    return {
        subjects[subject]: confusion_matrix(labels[rows][codes == subject], guess[codes == subject], study_data.classes)
        for subject in np.unique(codes)
    }


def confidence_by_subject(
    labels: NDArray[np.int64], logits: NDArray[np.float32], rows: NDArray[np.int64], study_data: StudyData
) -> dict[str, Counts]:
    """(3, bins) ``confidence_sums`` of each subject, the confidence in millionths: the store keeps whole numbers."""
    finite = np.where(np.isfinite(logits), logits, -1e9).astype(np.float64)
    powers = np.exp(finite - finite.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    codes = study_data.windows.subject_codes[rows]
    return {
        study_data.windows.subjects[subject]: np.rint(
            confidence_sums(labels[rows][codes == subject], shares[codes == subject]) * UNITS
        ).astype(np.int64)
        for subject in np.unique(codes)
    }


def pooled_reliability(tables: Iterable[Counts]) -> Reliability:
    """Of subjects and runs together, from what ``confidence_by_subject`` keeps of them."""
    return Reliability.of(np.sum(list(tables), axis=0) / UNITS)
