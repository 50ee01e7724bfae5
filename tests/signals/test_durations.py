"""The window that fits the classes."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import fit_window, inspect, load, read_length
from stillmotion.signals.durations import measure_durations, propose_window

from .subjects import dataset, recording
from .tables_with_faults import CLASSES, MAPPING, Table


def stretches(*lengths: int) -> np.ndarray:
    """Labels 0, 1, 0, … of stretches of these lengths."""
    return np.repeat(np.arange(len(lengths)) % 2, lengths).astype(np.int16)


def test_a_stretch_ends_where_its_label_or_its_recording_does():
    labels = stretches(40, 60, 50, 60)
    durations = measure_durations(labels, np.array([0, 70]), ("a", "b"), 10.0)
    # The second stretch is cut in two by the recording that begins at row 70: 30 and 30 rows.
    assert [(each.name, each.stretches, each.median, each.total) for each in durations] == [
        ("a", 2, 4.5, 9.0),
        ("b", 3, 3.0, 12.0),
    ]


@pytest.mark.parametrize(
    ("lengths", "rate", "expected"),
    [
        ((500, 500), 50.0, (128, 64)),  # 10 s: the longest window, 2.56 s
        ((60, 500), 50.0, (60, 30)),  # the shorter class decides: 1.2 s
        ((64, 500), 50.0, (60, 30)),  # down to a tenth of a second
        ((5, 500), 50.0, (128, 64)),  # a class of 1 % of the time does not decide
        ((10, 200), 50.0, (20, 10)),  # not below 0.4 s
        ((3, 4), 5.0, (8, 4)),  # not below 8 samples
        ((2, 2), 1.0, (3, 2)),  # but not above 2.56 s either
    ],
)
def test_the_longest_window_that_fits_is_proposed(lengths, rate, expected):
    labels = stretches(*lengths * 5)
    assert propose_window(measure_durations(labels, np.array([0]), ("a", "b"), rate), rate) == expected


def test_inspect_names_the_classes_that_a_window_swallows():
    short = np.tile(stretches(35, 45), 6)[:480]
    quality = inspect(dataset(recording("1", 480, labels=short), recording("2", 480, labels=short)))
    (finding,) = [each for each in quality.findings if each.kind == "window"]
    assert finding.severity == "warning"
    assert "walk (median 0.7 s)" in finding.text
    assert "sit (median 0.9 s)" in finding.text
    assert "take a window of 0.7 s (35 samples) with a hop of 0.36 s (18 samples)" in finding.text
    assert quality.fit == fit_window(dataset(recording("1", 480, labels=short), recording("2", 480, labels=short)))


def test_a_table_takes_the_proposal_unless_its_mapping_sets_a_window(tmp_path):
    table = Table.sound()
    table.add("activity", [CLASSES[row // 50 % 2] for row in range(len(table.columns["t"]))])
    path = table.write(tmp_path)
    assert load(path, mapping=MAPPING, cache=False).spec.describe_window() == "1 s (50 samples), hop 0.5 s (25 samples)"
    assert load(path, mapping=MAPPING | {"window": 2}, cache=False).spec.window == 100


@pytest.mark.parametrize(
    ("text", "samples"), [("128", 128), (128, 128), ("2s", 100), (" 2.56 s ", 128), ("500ms", 25), (".5s", 25)]
)
def test_a_length_has_a_unit_or_is_samples(text, samples):
    assert read_length(text, 50.0) == samples


@pytest.mark.parametrize("text", ["", "2.5", "0", "-1s", "2m", "s", "nan", "1e3s"])
def test_a_length_without_sense_is_refused(text):
    with pytest.raises(UserError, match="window must be a number of samples or seconds above 0"):
        read_length(text, 50.0)
