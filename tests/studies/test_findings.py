"""What is wrong in the recordings stops a study, or stands in its results; trainings that collapse are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import Dataset, Recording
from stillmotion.signals.simulated import generate
from stillmotion.studies import Split, load_study_data, read_study
from stillmotion.studies.collapsed import has_collapsed
from stillmotion.studies.index import WindowIndex
from stillmotion.studies.sections import Data


@pytest.fixture(scope="module")
def simulated() -> Dataset:
    return generate(subjects=4, minutes=1)


def spoilt(dataset: Dataset) -> Dataset:
    """The data with the first subject's wrist in m/s², as if it were g."""

    def change(recording: Recording) -> Recording:
        samples = recording.samples.copy()
        if recording.subject == "1":
            samples[:, :3] *= 9.81
        return replace(recording, samples=samples)

    return dataset.rebuilt([change(recording) for recording in dataset.recordings])


def study(**data):
    return replace(read_study("first-look"), split=Split("subjects:2", folds=1), data=Data(**data))


def test_unfit_recordings_are_refused_unless_accepted(simulated):
    data = spoilt(simulated)
    with pytest.raises(UserError, match="simulated is not fit to train on: .*wrist.acc.*--accept-findings"):
        load_study_data(study(), data=data)
    index = load_study_data(study(accept_findings=True), data=data).index
    assert any("error: subject 1: wrist.acc has a median norm" in text for text in index.findings)
    assert WindowIndex.from_bytes(index.to_bytes()).findings == index.findings


@pytest.mark.parametrize(
    ("window", "hop", "expected"), [("1s", "500ms", (50, 25)), (64, 0, (64, 32)), ("100", "0.5s", (100, 25))]
)
def test_windows_of_a_study_are_given_in_samples_or_seconds(simulated, window, hop, expected):
    spec = load_study_data(study(window=window, hop=hop), data=simulated).index.spec
    assert (spec.window, spec.hop) == expected


def test_classes_of_a_study_are_merged(simulated):
    names = simulated.spec.classes
    moving = ("walking", "upstairs", "downstairs", "jogging")
    spec = load_study_data(study(merge={"moving": moving, "other": ("*",)}), data=simulated).index.spec
    assert set(spec.classes) == {"moving", "other"}
    with pytest.raises(UserError, match="swimming"):
        load_study_data(study(merge={"moving": ("swimming",)}), data=simulated)
    assert len(names) == 12


class State:
    """The confusion matrices (subjects, true, predicted) of one run."""

    def __init__(self, counts):
        self.matrices = counts

    def counts(self, runs, split):
        assert split == "validation"
        return self.matrices


@pytest.mark.parametrize(
    ("matrix", "collapsed"),
    [
        ([[[5, 0], [4, 0]], [[1, 0], [2, 0]]], True),
        ([[[5, 0], [4, 0]], [[1, 0], [2, 1]]], False),
        ([[[5, 0], [0, 0]], [[1, 0], [0, 0]]], False),  # one class is all there is
        (None, False),
    ],
)
def test_a_run_that_predicts_one_class_has_collapsed(matrix, collapsed):
    state = State(None if matrix is None else np.array(matrix))
    assert has_collapsed(state, None) == collapsed
