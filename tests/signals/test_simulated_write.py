"""Simulated subjects in the publishers' own formats come back from bytes as they were."""

import numpy as np
import pytest

from stillmotion.signals.sets import hapt, uci_har, wisdm_2019
from tests.publishers.write import write_hapt, write_uci_har, write_wisdm_2019


def test_hapt_comes_back_row_for_row(tmp_path):
    written = write_hapt(tmp_path, subjects=2, minutes=5.0)
    read = hapt.read(tmp_path)
    assert read.spec == written.spec
    assert len(read) == len(written) == 4
    for a, b in zip(read.recordings, written.recordings, strict=True):
        assert (a.subject, a.session, a.source) == (b.subject, b.session, b.source)
        assert a.samples.tobytes() == b.samples.tobytes()
        assert a.labels.tobytes() == b.labels.tobytes()
    assert (tmp_path / "activity_labels.txt").read_text().splitlines()[11] == "12 LIE_TO_STAND"


def test_hapts_labels_hold_postures_and_the_changes_between_them(tmp_path):
    written = write_hapt(tmp_path, subjects=3, minutes=8.0)
    present = set(written.labels.tolist())
    assert {-1, 0, 1, 2, 3, 4, 5} <= present
    assert len(present & set(range(6, 12))) >= 5
    lengths = [length for _, label, length in hapt.list_segments(written) if label >= 6]
    assert 100 <= min(lengths) <= max(lengths) <= 350  # 2 to 7 s at 50 Hz


def test_uci_har_comes_back_window_for_window(tmp_path):
    written = write_uci_har(tmp_path, subjects=2, minutes=5.0)
    read = uci_har.read(tmp_path)
    assert read.spec == written.spec
    assert {r.source.split(":")[0] for r in read.recordings} == {"train", "test"}  # subject 2 is a test subject
    windows = {}
    for name, data in (("read", read), ("written", written)):
        windows[name] = [
            (recording.subject, int(recording.labels[0]), recording.samples[at : at + 128].tobytes())
            for recording in data.recordings
            for at in range(0, len(recording) - 127, 64)
        ]
    assert windows["read"] == windows["written"]
    lines = (tmp_path / "train" / "Inertial Signals" / "total_acc_x_train.txt").read_text().splitlines()
    assert len(lines) + len((tmp_path / "test" / "y_test.txt").read_text().splitlines()) == len(windows["read"])
    assert all(len(line) == 128 * 16 - 1 for line in lines)  # %15.7e, a blank between


def test_uci_hars_body_acceleration_holds_no_gravity(tmp_path):
    written = write_uci_har(tmp_path, subjects=1, minutes=5.0)
    sitting = np.concatenate([r.samples for r in written.recordings if r.labels[0] == 3])
    assert np.linalg.norm(sitting[:, :3], axis=1).mean() == pytest.approx(1.0, abs=0.05)
    assert abs(sitting[:, 3:6].mean(0)).max() < 0.05


def test_wisdm_comes_back_row_for_row_in_metres_per_second_squared(tmp_path):
    written = write_wisdm_2019(tmp_path, subjects=2, minutes=6.0)
    read = wisdm_2019.read(tmp_path)
    assert read.spec == written.spec
    assert read.subjects == written.subjects == ("1600", "1601")
    assert len(read) == len(written)
    for a, b in zip(read.recordings, written.recordings, strict=True):
        assert (a.subject, a.session, a.source, a.offset) == (b.subject, b.session, b.source, b.offset)
        assert a.samples.tobytes() == b.samples.tobytes()
        assert a.labels.tobytes() == b.labels.tobytes()
        assert a.times == pytest.approx(b.times, abs=1e-9)
    sitting = np.concatenate([r.samples for r in read.recordings if r.labels[0] == 3])
    assert np.median(np.linalg.norm(sitting[:, :3], axis=1)) == pytest.approx(9.81, rel=0.05)
    assert {r.session for r in read.recordings} == {"1", "2"}


def test_wisdms_two_clocks_are_joined_to_within_what_they_are_apart(tmp_path):
    written = write_wisdm_2019(tmp_path, subjects=1, minutes=6.0, jitter=0.002, offset=0.01)
    read = wisdm_2019.read(tmp_path)
    assert len(read) == len(written)
    a, b = read.recordings[0], written.recordings[0]
    rows = slice(a.offset - b.offset, a.offset - b.offset + len(a))
    assert a.samples[:, :3].tobytes() == np.ascontiguousarray(b.samples[rows, :3]).tobytes()
    assert abs(a.samples[:, 3:] - b.samples[rows, 3:]).max() > 0
    assert len(a) >= len(b) - 2
