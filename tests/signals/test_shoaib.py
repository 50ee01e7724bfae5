"""Shoaib's spreadsheets."""

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import load
from stillmotion.signals.sets import shoaib
from tests.publishers.write_shoaib import write_shoaib


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shoaib")
    return folder, write_shoaib(folder / "shoaib", subjects=2, minutes=6.0)


def read(folder, name="shoaib", **more):
    with pytest.warns(DataWarning, match="of 10 subjects"):
        return load(name, data=folder, **more)


def noted(data):
    return {note.kind: note.count for note in data.notes if note.kind != "part of the set"}


def test_every_sample_comes_back_row_for_row_and_quirks_are_counted(written):
    folder, expected = written
    data = read(folder)
    assert noted(data) == noted(expected)
    assert set(noted(data)) == {
        "time stamps rounded away, samples taken as even",
        "labels mended in spelling",
        "short losses bridged",
    }
    assert data.spec == expected.spec
    assert len(data) == len(expected)
    for a, b in zip(data.recordings, expected.recordings, strict=True):
        assert (a.subject, a.source, a.offset) == (b.subject, b.source, b.offset)
        assert a.labels.tobytes() == b.labels.tobytes()
        kept = np.ones(len(a), bool)
        if a.offset == 0:
            kept[10:13] = False
        assert a.samples[kept].tobytes() == b.samples[kept].tobytes()
        assert np.isfinite(a.samples).all()


def test_papers_call_it_sensors_and_a_position_without_its_side_means_both(written):
    folder, _ = written
    data = read(folder, "sensors", sensors="pocket.acc,belt.gyr")
    assert data.name == "shoaib"
    assert data.spec.groups == ("left-pocket.acc", "right-pocket.acc", "belt.gyr")


def test_the_published_window_is_one_second_of_45_channels_and_7_activities():
    spec = shoaib.CARD.spec
    assert (spec.window, len(spec.channels), len(spec.classes)) == (50, 45, 7)


def sheet(stamps=None, activities=None, count=100):
    stamps = ["1.39E+12"] * count if stamps is None else stamps
    activities = ["walking"] * count if activities is None else activities
    names = ",".join([*shoaib.BLOCK, ""] * 5)
    rows = [
        ",".join([",".join([str(stamp), *["0.5"] * 12])] * 5).replace(f",{stamp},", f",,{stamp},") + f",{activity}"
        for stamp, activity in zip(stamps, activities, strict=True)
    ]
    return "\n".join(["Left_pocket" + "," * 69, names, *rows]) + "\n"


def put(folder, text):
    (folder / "shoaib").mkdir(exist_ok=True)
    (folder / "shoaib" / "Participant_1.csv").write_text(text)
    return folder


def test_where_time_stamps_were_not_rounded_a_pause_ends_the_recording(tmp_path):
    stamps = [1_390_000_000_000 + 20 * n + (1000 if n >= 40 else 0) for n in range(100)]
    data = read(put(tmp_path, sheet(stamps)))
    assert [len(recording) for recording in data.recordings] == [40, 60]
    assert noted(data) == {"gaps in a clock, each ending a recording": 1}


def test_spaces_and_case_of_activities_are_mended_and_counted(tmp_path):
    data = read(put(tmp_path, sheet(activities=["walking"] * 50 + [" Sitting "] * 50)))
    assert noted(data)["labels mended in spelling"] == 50
    assert [data.spec.classes[r.labels[0]] for r in data.recordings] == ["walking", "sitting"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("walking", "hopping", 1), "row 3: activity 'hopping' is not one of walking"),
        (lambda text: text.replace("0.5", "o.5", 1), "row 3: left-pocket Ax is 'o.5', not a number"),
        (lambda text: text.replace("Ax", "Gx", 1), "row 2: column 2 is 'Gx' where 'Ax' was expected"),
        (lambda text: text.split("\n", 1)[1], "row 2: column 1 is '1.39E.12' where 'time_stamp' was expected"),
        (lambda text: text.replace(",", ";"), "row 2: column 1 is"),
        (lambda text: text[:-20], "row 102: 6. cells where 70|row 102: .* may have been cut|activity"),
        (lambda text: "\n".join(text.split("\n")[:2]) + "\n", "has a heading but no rows"),
        (lambda text: "", "is empty"),
    ],
    ids=["activity", "word", "column", "heading", "delimiter", "cut", "no rows", "empty"],
)
def test_bad_sheets_are_named_with_their_row(tmp_path, change, message):
    with pytest.raises(UserError, match=f"Participant_1.csv.*({message})"):
        load("shoaib", data=put(tmp_path, change(sheet())))


def test_a_folder_without_sheets_is_an_error(tmp_path):
    (tmp_path / "shoaib").mkdir()
    with pytest.raises(UserError, match="holds no Participant_1.csv"):
        load("shoaib", data=tmp_path)
