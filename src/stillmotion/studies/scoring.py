"""Evaluate runs on validation and test windows: confusion matrices and confidence by subject."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from numpy.typing import NDArray

from ..evaluation import Reliability, confidence_sums, confusion_matrix
from ..training.functional import Functional
from .classical import stored_logits
from .data import StudyData
from .plan import Planner
from .runs import Run
from .store import Store
from .teachers import model_of

Counts = NDArray[np.int64]
#: Units in which the rows of ``confidence_sums`` are stored.
UNITS = np.array([[1.0], [1.0], [1e6]])


class Evaluator:
    """Compute logits of trained runs, with one compiled function for all runs of a network."""

    def __init__(self, planner: Planner, store: Store) -> None:
        self.planner, self.store = planner, store
        self._networks: dict[tuple[str, str, str, bool], Functional] = {}

    def logits(self, run: Run, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (n, C) of a run; for a baseline only of validation and test windows of its fold."""
        if run.classical:
            return stored_logits(run, self.store, rows)
        key = (run.network, run.attention, run.recurrence, run.privileged)
        if key not in self._networks:
            self._networks[key] = Functional(model_of(run, self.planner.study_data), ["logits"])
        weights, state = self.store.weights(run.id)
        return self._networks[key].answers(weights, state, self.planner.study_data.of(run).values[rows])["logits"]

    def model(self, run: Run) -> keras.Model:
        """Return the network of a run with its best weights."""
        network = Functional(model_of(run, self.planner.study_data), ["logits"])
        network.put(*self.store.weights(run.id))
        return network.model

    def count(self, runs: Iterable[Run], split: str) -> None:
        """Store missing confusion matrices of runs on the subjects of ``validation`` or ``test``.

        Confidence sums are stored with them, under ``validation-confidence`` or ``test-confidence``.
        """
        counted = self.store.counts(split)
        fresh: dict[str, dict[str, Counts]] = {}
        confidence: dict[str, dict[str, Counts]] = {}
        study_data = self.planner.study_data
        for run in dict.fromkeys(runs):
            if run.id not in counted:
                rows = study_data.folds[run.fold].side(split)
                logits = self.logits(run, rows)
                fresh[run.id] = by_subject(study_data.labels, logits, rows, study_data)
                confidence[run.id] = confidence_by_subject(study_data.labels, logits, rows, study_data)
        if fresh:
            # Counts are written last: a run with counts is skipped from then on.
            self.store.add_counts(f"{split}-confidence", confidence)
            self.store.add_counts(split, fresh)


def by_subject(
    labels: NDArray[np.int64], logits: NDArray[np.float32], rows: NDArray[np.int64], study_data: StudyData
) -> dict[str, Counts]:
    """Count the confusion matrix of each subject in windows ``rows`` from their ``logits`` (n, C).

    Logits that are not finite are ignored.
    """
    predictions = np.where(np.isfinite(logits), logits, -np.inf).argmax(1)
    codes = study_data.windows.subject_codes[rows]
    subjects = study_data.windows.subjects
    return {
        subjects[subject]: confusion_matrix(
            labels[rows][codes == subject], predictions[codes == subject], study_data.classes
        )
        for subject in np.unique(codes)
    }


def confidence_by_subject(
    labels: NDArray[np.int64], logits: NDArray[np.float32], rows: NDArray[np.int64], study_data: StudyData
) -> dict[str, Counts]:
    """Compute ``confidence_sums`` (3, bins) of each subject, confidence in millionths: the store keeps integers."""
    finite = np.where(np.isfinite(logits), logits, -1e9).astype(np.float64)
    powers = np.exp(finite - finite.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    codes = study_data.windows.subject_codes[rows]
    return {
        study_data.windows.subjects[subject]: np.rint(
            confidence_sums(labels[rows][codes == subject], probabilities[codes == subject]) * UNITS
        ).astype(np.int64)
        for subject in np.unique(codes)
    }


def pooled_reliability(tables: Iterable[Counts]) -> Reliability:
    """Pool the results of ``confidence_by_subject`` over subjects and runs."""
    return Reliability.of(np.sum(list(tables), axis=0) / UNITS)
