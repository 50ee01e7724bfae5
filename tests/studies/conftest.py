"""Subjects who do not exist, in HAPT's format, and studies small enough to train in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.signals import Channel, SignalSpec
from stillmotion.studies import Data, Networks, Runner, Split, Study, Teaching, Training
from stillmotion.studies.index import WindowIndex
from stillmotion.studies.jobs import FleetJob
from stillmotion.studies.runs import TrainedFleet
from stillmotion.windows import Fold

#: Keras copies its variables in a way that NumPy 2 deprecates.
COPIES = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(COPIES))
            item.add_marker(pytest.mark.filterwarnings("ignore:hapt. part of the set"))
            item.add_marker(pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning"))


#: Dense networks compile in a second; the teacher is the larger of two.
SMALL = Study(
    name="small",
    variants=("lm", "rb-kd"),
    compare=("rb-kd", "lm"),
    seeds=2,
    controls=False,
    baselines=(),
    data=Data("hapt", rate=12.5, window=20, hop=20, classes=("WALKING", "SITTING", "STANDING", "LAYING")),
    split=Split("subjects:3", folds=1),
    networks=Networks("mlp-small", ("mlp",)),
    training=Training(batch=32, epochs=3, patience=3, learning_rate=3e-3),
    teaching=Teaching(training=Training(epochs=4, patience=4, learning_rate=1e-3)),
    ship=False,
)


@pytest.fixture
def runner(recordings: Path, tmp_path: Path) -> Callable[..., Runner]:
    """Makes a runner of the small study, changed, in a folder of the test's own."""

    def make(folder: str = "study", **changes: Any) -> Runner:
        return Runner(replace(SMALL, **changes), tmp_path / folder, data=recordings, quiet=True)

    return make


def small_index(fingerprint: str = "fingerprint") -> WindowIndex:
    """An index of eight windows of four subjects, two of whom are tested; there are no recordings."""
    codes = np.arange(8) // 2
    return WindowIndex(
        fingerprint=fingerprint,
        spec=SignalSpec(25.0, (Channel.of("acc.x"),), ("sit", "walk"), window=4, hop=4),
        subjects=("ann", "bob", "cem", "dan"),
        subject_codes=codes,
        labels=np.array([0, 1] * 4),
        recording=codes,
        seconds=np.zeros(8),
        folds=(Fold(np.arange(2), np.arange(2, 4), np.arange(4, 8), ("ann",), ("bob",), ("cem", "dan")),),
        leaks=(),
        example=2,
        example_values=np.zeros((4, 1), np.float32),
    )


def leave_networks_out(patch: pytest.MonkeyPatch) -> None:
    """Let every fleet of networks fail at once; feature classifiers are fitted."""
    patch.setattr(FleetJob, "train", lambda self, **_: TrainedFleet(self.plan, reason="left out"))
