"""Scores of the runs that are reported: answers to validation and test windows, counted person by person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..evaluation import confusion
from ..training.functional import Functional
from .plan import Planner
from .runs import Run
from .store import Store
from .teachers import model_of

Counts = NDArray[np.int64]


class Examiner:
    """Answers of trained runs; one compiled function for all runs of a network."""

    def __init__(self, planner: Planner, store: Store) -> None:
        self.planner, self.store = planner, store
        self._networks: dict[tuple[str, str, str], Functional] = {}

    def logits(self, run: Run, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, C) answers of a run to these windows."""
        key = (run.network, run.attention, run.recurrence)
        if key not in self._networks:
            self._networks[key] = Functional(model_of(run, self.planner.ground), ["logits"])
        weights, state = self.store.weights(run.id)
        return self._networks[key].answers(weights, state, self.planner.ground.values[rows])["logits"]

    def count(self, runs: Iterable[Run], side: str) -> None:
        """Keep confusion counts of the runs that lack them, on the people of ``validation`` or ``test``."""
        there = self.store.counts(side)
        fresh: dict[str, dict[str, Counts]] = {}
        ground = self.planner.ground
        for run in dict.fromkeys(runs):
            if run.id not in there:
                rows = ground.folds[run.fold].side(side)
                fresh[run.id] = by_person(ground.labels, self.logits(run, rows), ground.windows.subjects, rows, ground)
        if fresh:
            self.store.add_counts(side, fresh)


def by_person(
    labels: NDArray[np.int64], logits: NDArray[np.float32], subjects: NDArray[np.int32], rows: NDArray[np.int64], ground
) -> dict[str, Counts]:
    """Confusion counts of each person among windows ``rows``."""
    guess = logits.argmax(1)
    people = ground.windows.people
    return {
        people[person]: confusion(labels[rows[own]], guess[own], ground.classes)
        for person in np.unique(subjects[rows])
        for own in [subjects[rows] == person]
    }
