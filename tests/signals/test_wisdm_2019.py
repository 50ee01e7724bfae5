import numpy as np
import pyarrow.parquet as pq
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import inspect, load, resample, select_classes
from stillmotion.signals.sets import wisdm_2019


@pytest.mark.real
def test_recordings_equal_the_source_row_for_row(real, recordings_folder):
    with pytest.warns(DataWarning, match="32 of 51 subjects, 6 of 18 activities, 1 of 2 devices"):
        data = load("wisdm-2019", data=real("wisdm-2019"))
    table = pq.read_table(recordings_folder / "wisdm2019" / "watch_6.parquet")
    column = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    values = np.stack([column[name] for name in table.column_names[3:]], axis=1)
    letters = np.array(list(wisdm_2019.LETTERS))
    for subject in data.subjects:
        rows = column["subject"] == int(subject)
        mine = [recording for recording in data.recordings if recording.subject == subject]
        np.testing.assert_array_equal(np.concatenate([r.samples for r in mine]), values[rows])
        np.testing.assert_array_equal(letters[np.concatenate([r.labels for r in mine])], column["activity"][rows])
        np.testing.assert_array_equal(
            np.concatenate([r.times for r in mine if r.times is not None]), column["timestamp_ns"][rows] * 1e-9
        )
    assert len(data.subjects) == 32
    assert len(data.samples) == 453_453


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_no_recording_straddles_a_gap_or_runs_backwards_and_the_true_rate_is_reported(real):
    data = load("wisdm-2019", data=real("wisdm-2019"))
    steps = [np.diff(recording.times) for recording in data.recordings if recording.times is not None]
    assert min(step.min(initial=1) for step in steps) > 0
    assert max(step.max(initial=0) for step in steps) <= 5 / 20
    quality = inspect(data)
    rates = [subject.rate for subject in quality.subjects]
    assert 18 < min(rates) < max(rates) < 26
    assert any(finding.kind == "rate" and "where the signal has 20 Hz" in finding.text for finding in quality.findings)
    even = resample(select_classes(data), 20)
    assert even.times is None
    assert len(even.spec.classes) == 6
    assert abs(len(even.samples) / 20 - sum(step.sum() for step in steps)) < len(data)


ROW = "{subject},{letter},{time},{x},0.5,9.5;\n"


def small(folder, accel=None, gyro=None, subject=1600, kind="watch"):
    """One subject; two activities of four seconds, the second on a clock that was set back."""
    default = [("A", 10**12 + n * 50_000_000) for n in range(80)] + [("B", 10**11 + n * 50_000_000) for n in range(80)]
    for sensor, rows in (("accel", accel or default), ("gyro", gyro or default)):
        place = folder / "wisdm-2019" / "raw" / kind / sensor
        place.mkdir(parents=True, exist_ok=True)
        text = "".join(
            ROW.format(subject=subject, letter=letter, time=time, x=time % 10**12 * 1e-9) for letter, time in rows
        )
        (place / f"data_{subject}_{sensor}_{kind}.txt").write_text(text)
    return folder


def read(folder, **more):
    with pytest.warns(DataWarning, match="part of the set"):
        return load("wisdm-2019", data=folder, **more)


def noted(data):
    return {note.kind: note.count for note in data.notes}


def test_a_backward_jump_between_activities_starts_a_new_session(tmp_path):
    data = read(small(tmp_path))
    assert [(r.session, len(r), set(r.labels)) for r in data.recordings] == [("1", 80, {0}), ("2", 80, {1})]
    assert noted(data)["backward jumps of a clock, each a new session"] == 2, "one in each sensor"


def test_the_gyroscope_is_brought_onto_the_accelerometers_clock(tmp_path):
    accel = [("A", 10**12 + n * 50_000_000) for n in range(100)]
    gyro = [("A", 10**12 + 12_000_000 + n * 40_000_000) for n in range(100)]
    (recording,) = read(small(tmp_path, accel, gyro)).recordings
    # x is the time itself, so the interpolated value must be the accelerometer's time.
    np.testing.assert_allclose(recording.samples[:, 3], recording.samples[:, 0], atol=1e-6)
    assert len(recording) == 79, "from 0.05 s, the first inside the gyroscope's 0.012 to 3.972 s, to 3.95 s"


def test_gaps_repeats_and_late_samples_are_worked_around_and_counted(tmp_path):
    times = [10**12 + n * 50_000_000 for n in range(100)]
    del times[40:50]
    times[20] = times[19]
    times[30] = times[28] - 10_000_000
    rows = [("A", time) for time in times]
    data = read(small(tmp_path, rows, rows))
    assert [len(recording) for recording in data.recordings] == [38, 50]
    assert [recording.offset for recording in data.recordings] == [0, 40], "rows of the file"
    assert noted(data)["repeated timestamps dropped"] == 2
    assert noted(data)["late samples dropped"] == 2
    assert noted(data)["gaps in a clock, each ending a recording"] == 2


def test_the_phone_is_read_when_a_pocket_sensor_is_asked_for(tmp_path):
    small(tmp_path)
    small(tmp_path, kind="phone", subject=1601)
    assert read(tmp_path).spec.groups == ("wrist.acc", "wrist.gyr")
    pocket = read(tmp_path, sensors="pocket.acc")
    assert pocket.spec.groups == ("pocket.acc",)
    assert pocket.subjects == ("1601",)
    with pytest.raises(UserError, match="separate clocks on pocket and wrist"):
        load("wisdm-2019", data=tmp_path, sensors="pocket.acc,wrist.acc")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1600,A,", "1600,N,", "row 1: activity 'N' is not one of A, B"),
        ("1600,A,", "1601,A,", "row 1: subject 1601 in the file of subject 1600"),
        ("0.5,9.5;", "0.5;", "row 1: 5 cells where 6"),
        ("0.5,9.5;", ",9.5;", "row 1: y is '', not a number"),
    ],
)
def test_bad_rows_are_named(tmp_path, old, new, message):
    small(tmp_path)
    path = tmp_path / "wisdm-2019" / "raw" / "watch" / "gyro" / "data_1600_gyro_watch.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=f"data_1600_gyro_watch.txt, {message}"):
        load("wisdm-2019", data=tmp_path)


def test_a_subject_without_both_sensors_and_sensors_that_never_meet_are_errors(tmp_path):
    gyro = [("A", 5 * 10**12 + n * 50_000_000) for n in range(80)]
    with pytest.raises(UserError, match="never overlap in time"):
        load("wisdm-2019", data=small(tmp_path, gyro=gyro))
    (tmp_path / "wisdm-2019" / "raw" / "watch" / "gyro" / "data_1600_gyro_watch.txt").unlink()
    with pytest.raises(UserError, match="holds no data_16NN_gyro_watch.txt"):
        load("wisdm-2019", data=tmp_path)
