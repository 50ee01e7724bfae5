"""Labelled segments as recordings of their own, counted by a plain loop and by a published benchmark."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UnknownName, UserError
from stillmotion.signals import load, resample
from stillmotion.signals.recording import Dataset, Recording
from stillmotion.studies.data import load_study_data
from stillmotion.studies.sections import Data
from stillmotion.studies.spec import read_study
from stillmotion.windows import audit_splits, cut, make_splits, split_segments

runs = st.lists(st.tuples(st.integers(-1, 2), st.integers(1, 30)), min_size=1, max_size=12)


def segments_of(labels):
    """Walk along the labels: class, start and length of every run that has a class."""
    found, start = [], 0
    for place in range(1, len(labels) + 1):
        if place == len(labels) or labels[place] != labels[start]:
            if labels[start] >= 0:
                found.append((labels[start], start, place - start))
            start = place
    return found


@settings(derandomize=True, max_examples=100, deadline=None)
@given(recordings=st.lists(runs, min_size=1, max_size=3), window=st.integers(1, 20), hop=st.integers(1, 20))
def test_windows_are_those_of_each_segment_but_for_one_that_ends_with_it(
    subjects, signal_spec, recordings, window, hop
):
    columns = [[label for label, length in each for _ in range(length)] for each in recordings]
    spec = signal_spec(window, hop)
    data = subjects([[len(column)] for column in columns], spec=spec, labels=lambda p, r, n: columns[p])
    whole = [(number, *segment) for number, column in enumerate(columns) for segment in segments_of(column)]
    expected = [
        (str(number + 1), f"p{number + 1}r0", label, start + at)
        for number, label, start, length in whole
        for at in range(0, length, hop)
        if at + window < length
    ]
    if not whole:
        with pytest.raises(UserError, match="no sample has a class"):
            split_segments(data)
        return
    segments = split_segments(data)
    assert [(len(r), r.offset, set(r.labels)) for r in segments.recordings] == [(n, at, {c}) for _, c, at, n in whole]
    if not expected:
        with pytest.raises(UserError, match="no recording is longer than a window"):
            cut(segments, last="drop")
        return
    windows = cut(segments, last="drop")
    extents = windows.extents
    received = zip(extents.subject, extents.source, windows.labels, extents.begin, strict=True)
    assert [(windows.subjects[s], extents.sources[o], c, at) for s, o, c, at in received] == expected
    for number, (subject, _, _, at) in enumerate(expected):
        original = data.recordings[int(subject) - 1].samples
        np.testing.assert_array_equal(windows.values([number])[0], original[at : at + window])


def test_segments_keep_times_and_place_and_are_resampled_one_by_one(subjects):
    data = subjects([[100]], labels=lambda p, r, n: [0] * 40 + [-1] * 20 + [1] * 40)
    (recording,) = data.recordings
    timed = Recording("1", "a", recording.samples, recording.labels, np.arange(100) / 50 + 7, "src", 5)
    segments = split_segments(Dataset.of("timed", data.spec, [timed]))
    first, second = segments.recordings
    assert (first.offset, second.offset, second.source, second.session) == (5, 65, "src", "a")
    np.testing.assert_allclose(second.times, np.arange(60, 100) / 50 + 7)
    slow = resample(segments, 25)
    assert [len(each) for each in slow.recordings] == [20, 20]
    # A window of 10 samples starts at 0, 5 and 10; the last would end with its segment.
    assert cut(slow, spec=slow.spec.with_window(10, 5), last="drop").starts.tolist() == [0, 5, 20, 25]
    with pytest.raises(UserError, match="were resampled; split them into segments before"):
        split_segments(slow)
    with pytest.raises(UnknownName, match="rule for last windows"):
        cut(slow, last="never")


def test_segments_of_one_subject_are_audited_by_their_raw_rows(subjects):
    data = subjects([[300]] * 6, labels=lambda p, r, n: np.arange(n) // 100)
    windows = cut(split_segments(data), last="drop")
    assert audit_splits(windows, make_splits(windows, "loso")).clean
    assert not audit_splits(windows, make_splits(windows, "random")).clean


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_a_study_asks_for_them_by_name(tmp_path, recordings):
    with pytest.raises(UnknownName, match="Unknown cut 'segments'.*recordings, labelled-segments"):
        Data(cut="segments")
    text = (
        'name = "own"\n[data]\nname = "hapt"\ncut = "labelled-segments"\nrate = 25\n[split]\nprotocol = "subjects:3"\n'
    )
    (tmp_path / "own.toml").write_text(text)
    windows = load_study_data(read_study(tmp_path / "own.toml"), data=recordings).windows
    lengths = [
        -(-length // 2)  # at 25 Hz
        for recording in load("hapt", data=recordings).recordings
        for _, _, length in segments_of(recording.labels.tolist())
    ]
    assert len(windows) == sum(len(range(0, length - 64, 32)) for length in lengths)
    assert (windows.spec.window, windows.spec.hop) == (64, 32)


@pytest.mark.real
def test_hapt_has_the_windows_that_a_published_benchmark_counts(real):
    windows = cut(split_segments(load("hapt", data=real("hapt"))), last="drop")
    counts = np.bincount(windows.labels).tolist()
    assert counts == [1720, 1542, 1406, 1797, 1977, 1957, 70, 32, 106, 82, 136, 83]
    assert len(windows) == 10_908
    # SIT_TO_STAND: of 22 subjects.
    assert len(np.unique(windows.subject_codes[windows.labels == 7])) == 22
    # Another seed groups the subjects otherwise: five groupings of ten.
    folds = [make_splits(windows, "subjects:10", seed=seed).folds for seed in range(5)]
    groupings = {frozenset(fold.test_subjects for fold in grouping) for grouping in folds}
    assert len(groupings) == 5
    for grouping in folds:
        assert sorted(int(s) for fold in grouping for s in fold.test_subjects) == list(range(1, 31))
        assert all(len(fold.test_subjects) == 3 for fold in grouping)
