import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import load
from stillmotion.signals.sets import hapt


@pytest.mark.real
def test_recordings_equal_the_source_row_for_row_and_the_card(real, recordings_folder):
    data = load("hapt", data=real("hapt"))
    source = pq.read_table(recordings_folder / "hapt" / "hapt.parquet")
    column = {name: source[name].to_numpy() for name in source.column_names}
    names = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
    for recording in data.recordings:
        rows = column["experiment"] == int(recording.session)
        assert set(column["subject"][rows]) == {int(recording.subject)}
        np.testing.assert_array_equal(recording.samples, np.stack([column[name][rows] for name in names], 1))
        np.testing.assert_array_equal(recording.labels, column["label"][rows] - 1)
    counts = hapt.CARD.counts
    assert (len(data.subjects), len(data), len(data.samples)) == (
        counts["subjects"],
        counts["recordings"],
        counts["samples"],
    )
    list_segments = hapt.list_segments(data)
    assert len(list_segments) == counts["segments"]
    for number, name in enumerate(hapt.CLASSES):
        assert sum(label == number for _, label, _ in list_segments) == counts[name]
    assert data.notes == ()
    assert set(data.official_test) < set(data.subjects)


@pytest.mark.real
def test_labelled_segments_give_the_windows_that_a_published_benchmark_counts(real):
    # WHAR Arena: starts 0, 64, … with start + 128 < length, each labelled segment a recording of its own.
    data = load("hapt", data=real("hapt"))
    windows = np.zeros(12, int)
    for _, label, length in hapt.list_segments(data):
        windows[label] += max(0, (length - 1 - 128) // 64 + 1)
    assert windows.tolist() == [1720, 1542, 1406, 1797, 1977, 1957, 70, 32, 106, 82, 136, 83]


def small(folder, lengths=((1, 1, 60), (2, 1, 50), (3, 2, 40))):
    """Three experiments of two subjects, in the publisher's layout."""
    raw = folder / "hapt" / "RawData"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for experiment, user, length in lengths:
        for sensor in ("acc", "gyro"):
            np.savetxt(raw / f"{sensor}_exp{experiment:02d}_user{user:02d}.txt", random.normal(0, 1, (length, 3)))
    (raw / "labels.txt").write_text("1 1 5 1 10\n1 1 7 11 60\n2 1 1 3 3\n3 2 12 40 40\n")
    return folder


def test_labels_count_from_one_and_include_their_last_sample(tmp_path):
    with pytest.warns(DataWarning, match="part of the set: 3 of 61 recordings, 2 of 30 subjects"):
        data = load("hapt", data=small(tmp_path))
    first, second, third = data.recordings
    assert first.labels.tolist() == [4] * 10 + [6] * 50
    assert second.labels.tolist() == [-1, -1, 0] + [-1] * 47
    assert third.labels.tolist() == [-1] * 39 + [11]


def broken(folder, name, change):
    path = folder / "hapt" / "RawData" / name
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("acc_exp02_user01.txt", lambda text: text[: len(text) // 2].rsplit("\n", 1)[0] + "\n", "has .* rows and gyro"),
        ("acc_exp02_user01.txt", lambda text: text.replace("\n", " 7\n", 1), "acc_exp02_user01.txt, row 1: 4 cells"),
        ("gyro_exp03_user02.txt", lambda text: "abc 1 2\n" + text, "gyro_exp03_user02.txt, row 1: c0 is 'abc'"),
        ("labels.txt", lambda text: text + "1 1 13 1 2\n", "labels.txt, row 5: activity 13 is not one of 1 … 12"),
        ("labels.txt", lambda text: text + "2 1 3 40 51\n", "row 5: samples 40 … 51 do not lie in .* has 50 samples"),
        ("labels.txt", lambda text: text + "2 1 3 9 8\n", "row 5: samples 9 … 8 do not lie in"),
        ("labels.txt", lambda text: text + "1 1 3 10 11\n", "row 5: samples 10 … 11 already have an activity"),
        ("labels.txt", lambda text: text + "1 2 3 10 11\n", "row 5: experiment 1 does not belong to subject 2"),
        ("acc_exp02_user01.txt", lambda text: "", "acc_exp02_user01.txt is empty"),
    ],
)
@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_bad_files_end_in_one_sentence_with_file_and_row_and_leave_nothing(tmp_path, own_cache, name, change, message):
    small(tmp_path)
    broken(tmp_path, name, change)
    with pytest.raises(UserError, match=message) as refusal:
        load("hapt", data=tmp_path)
    assert "\n" not in str(refusal.value)
    assert not list((own_cache / "recordings").glob("*"))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="hapt is not there; .* must hold hapt/"):
        load("hapt", data=tmp_path)
    with pytest.raises(UserError, match="--data .* or STILLMOTION_DATA"):
        load("hapt")
    small(tmp_path)
    (tmp_path / "hapt" / "RawData" / "gyro_exp02_user01.txt").unlink()
    with pytest.raises(UserError, match="has acc_exp02_user01.txt but not the gyro file"):
        load("hapt", data=tmp_path)
    shutil.rmtree(tmp_path / "hapt" / "RawData")
    with pytest.raises(UserError, match="holds no RawData folder"):
        load("hapt", data=tmp_path)


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_labels_of_absent_recordings_are_counted(tmp_path):
    small(tmp_path)
    broken(tmp_path, "labels.txt", lambda text: text + "9 4 1 1 5\n10 5 1 1 5\n")
    data = load("hapt", data=tmp_path)
    assert {note.kind: note.count for note in data.notes}["labels without recording"] == 2
