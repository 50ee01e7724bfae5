"""Trainings that never leave the majority class: models that predict one class, whatever they are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .runs import Run
from .state import StudyState

if TYPE_CHECKING:
    import keras

#: Windows on which a model that is about to be shipped is looked at.
LOOKED_AT = 256
#: The baseline that predicts one class by design.
MAJORITY = "majority"


def has_collapsed(state: StudyState, run: Run) -> bool:
    """Return whether a run predicts one class for all validation windows, where there are several classes.

    Args:
        state: of the study.
        run: with predictions; without any it has not collapsed.
    """
    counts = state.counts([run], "validation")
    if counts is None:
        return False
    matrix = counts.sum(axis=0)  # (true, predicted)
    return int((matrix.sum(axis=0) > 0).sum()) == 1 < int((matrix.sum(axis=1) > 0).sum())


def predicts_one_class(model: keras.Model, windows: ArrayLike, labels: ArrayLike) -> bool:
    """Return whether a network predicts one class for all windows, where there are several classes.

    Args:
        model: from windows to logits.
        windows: (n, T, D).
        labels: (n,) their classes.
    """
    logits = np.asarray(model.predict(np.asarray(windows), verbose=0))
    return len(np.unique(logits.argmax(axis=1))) == 1 < len(np.unique(np.asarray(labels)))


def count_collapsed(state: StudyState, runs: Iterable[Sequence[Run]]) -> int:
    """Count the runs that predict one class only."""
    return sum(has_collapsed(state, run) for each in runs for run in each)
