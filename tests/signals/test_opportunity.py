"""Opportunity from files of 250 columns."""

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import load
from stillmotion.signals.missing import FILLED_PERIODS
from stillmotion.signals.sets import opportunity
from tests.publishers.write_opportunity import write_opportunity


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opportunity")
    return folder, write_opportunity(folder / "opportunity", subjects=2, minutes=3.0)


def read(folder, name="opportunity", **more):
    with pytest.warns(DataWarning, match="of 24 files, . of 4 subjects"):
        return load(name, data=folder, **more)


def noted(data):
    return {note.kind: note.count for note in data.notes if note.kind != "part of the set"}


def test_every_sample_comes_back_row_for_row_and_losses_are_counted(written):
    folder, expected = written
    data = read(folder)
    assert noted(data) == noted(expected)
    assert data.spec == expected.spec
    assert len(data) == len(expected)
    for a, b in zip(data.recordings, expected.recordings, strict=True):
        assert (a.subject, a.session, a.source, a.offset) == (b.subject, b.session, b.source, b.offset)
        assert a.labels.tobytes() == b.labels.tobytes()
        bridged = np.zeros(len(a), bool)
        if a.offset == 2:
            bridged[298:301] = True
        assert a.samples[~bridged].tobytes() == b.samples[~bridged].tobytes()
        assert np.isfinite(a.samples).all()
    wrist = [number for number, name in enumerate(data.spec.groups) if name.startswith("right-wrist")]
    assert len(wrist) == 3


def test_only_the_unit_that_was_lost_is_bridged(written):
    folder, expected = written
    data, true = read(folder).recordings[0], expected.recordings[0]
    columns = np.flatnonzero((data.samples != true.samples).any(axis=0))
    assert set(columns.tolist()) <= set(range(18, 27))
    np.testing.assert_allclose(data.samples, true.samples, atol=1.5)


def test_locomotion_comes_from_the_same_files_and_wrist_means_both_lower_arms(written):
    folder, _ = written
    data = read(folder, "opportunity-locomotion", sensors="wrist.acc,wrist.gyr")
    assert data.spec.groups == ("right-wrist.acc", "left-wrist.acc", "right-wrist.gyr", "left-wrist.gyr")
    assert data.spec.classes == ("stand", "walk", "sit", "lie")
    assert {-1, 0, 1, 2, 3} >= set(data.labels.tolist()) >= {-1, 0, 1, 2}


def test_the_published_window_is_one_second_of_45_channels_and_17_gestures():
    spec = opportunity.CARD.spec
    assert (spec.window, len(spec.channels), len(spec.classes)) == (30, 45, 17)


def rows(count=60):
    table = np.zeros((count, 250))
    table[:, 0] = np.rint(np.arange(count) * 1000 / 30)
    table[:, 249] = 406516
    return table


def put(folder, table, name="S1-Drill.dat"):
    place = folder / "opportunity"
    place.mkdir(exist_ok=True)
    np.savetxt(place / name, table, fmt="%g")
    return folder


@pytest.mark.parametrize(
    ("lost", "left"), [(FILLED_PERIODS, [60]), (FILLED_PERIODS + 1, [20, 60 - 20 - FILLED_PERIODS - 1])]
)
def test_losses_are_bridged_up_to_five_samples_and_end_a_recording_beyond(tmp_path, lost, left):
    table = rows()
    table[20 : 20 + lost, 40] = np.nan
    assert [len(recording) for recording in read(put(tmp_path, table)).recordings] == left


def test_a_pause_ends_a_recording_and_a_clock_set_back_starts_a_session(tmp_path):
    table = rows()
    table[20:, 0] += 1000
    table[40:, 0] -= 10_000
    data = read(put(tmp_path, table))
    assert [(len(r), r.session) for r in data.recordings] == [(20, "Drill"), (20, "Drill"), (20, "Drill (2)")]
    assert noted(data)["gaps in a clock, each ending a recording"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("406516", "406599", 1), "row 1: label 406599 in column 250 is not one of 0, 4065"),
        (lambda text: text.replace(" 406516\n", "\n", 1), "row 1: 249 cells where 250"),
        (lambda text: text[: len(text) - 300], "row 60: .* cells where 250 .* may have been cut"),
        (lambda text: "x" + text, "row 1: column 1 is 'x0', not a number"),
        (lambda text: "", "is empty"),
    ],
    ids=["label", "column", "cut", "word", "empty"],
)
def test_bad_files_are_named_with_their_row(tmp_path, change, message):
    path = put(tmp_path, rows()) / "opportunity" / "S1-Drill.dat"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=f"S1-Drill.dat.*{message}"):
        load("opportunity", data=tmp_path)


def test_a_folder_without_the_files_and_files_without_a_whole_sample_are_errors(tmp_path):
    table = rows()
    table[:, 40] = np.nan
    with pytest.raises(UserError, match="every sample of every file has a missing value"):
        load("opportunity", data=put(tmp_path, table))
    (tmp_path / "opportunity" / "S1-Drill.dat").unlink()
    with pytest.raises(UserError, match="holds no S1-ADL1.dat"):
        load("opportunity", data=tmp_path)
