import numpy as np
import pyarrow.parquet as pq
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import load, make_uci_har_signals
from stillmotion.signals.sets import uci_har


@pytest.fixture(scope="module")
def source(recordings_folder):
    """Columns of the rebuilt recordings: the samples, and the windows that lie in them."""
    tables = [pq.read_table(recordings_folder / "uci_har" / f"{name}.parquet") for name in ("samples", "windows")]
    return tuple({name: table[name].to_numpy() for name in table.column_names} for table in tables)


@pytest.mark.real
def test_stitched_recordings_cut_into_the_publishers_windows_row_for_row(real, source):
    samples, windows = source
    data = load("uci-har", data=real("uci-har"))
    signals = np.stack([samples[name] for name in list(samples)[2:]], axis=1)
    for part in uci_har.PARTS:
        rows = np.flatnonzero(windows["split"] == part)
        rows = rows[np.argsort(windows["window"][rows])]
        recordings = [recording for recording in data.recordings if recording.source.startswith(part)]
        starts = [(recording, begin) for recording in recordings for begin in range(0, len(recording) - 127, 64)]
        assert len(starts) == len(rows) == uci_har.CARD.counts[f"{part} windows"]
        for (recording, begin), row in zip(starts, rows, strict=True):
            offset = windows["offset"][row]
            # The text files hold eight significant digits.
            np.testing.assert_allclose(
                recording.samples[begin : begin + 128], signals[offset : offset + 128], rtol=1e-6, atol=1e-12
            )
            assert recording.subject == str(windows["subject"][row])
            assert set(recording.labels[begin : begin + 128]) == {windows["activity"][row] - 1}
    counted = np.bincount(windows["activity"], minlength=7)[1:].tolist()
    assert counted == [uci_har.CARD.counts[name] for name in uci_har.CLASSES]


@pytest.mark.real
def test_the_publishers_filters_turn_hapt_into_these_signals(real, source):
    samples, _ = source
    hapt = load("hapt", data=real("hapt"))
    worst = 0.0
    for recording in hapt.recordings:
        rows = samples["experiment"] == int(recording.session)
        made = np.concatenate(make_uci_har_signals(recording.samples[:, :3], recording.samples[:, 3:]), axis=1)
        published = np.stack([samples[name][rows] for name in list(samples)[2:]], axis=1)
        if rows.any():
            worst = max(worst, float(np.abs(made[samples["sample"][rows]] - published).max()))
    assert 0 < worst < 1e-6


def small(folder, windows=4, subjects=(1, 1, 1, 2), activities=(1, 1, 2, 2)):
    """One walk of subject 1 that changes activity, and one window of subject 2, as both parts."""
    random = np.random.default_rng(0)
    stream = random.normal(0, 1, (9, 64 * (windows + 1)))
    for part in uci_har.PARTS:
        place = folder / "uci-har" / part / "Inertial Signals"
        place.mkdir(parents=True)
        names = [f"{name}_{axis}" for name, _, _ in uci_har.SIGNALS for axis in "xyz"]
        for name, signal in zip(names, stream, strict=True):
            cut = np.lib.stride_tricks.sliding_window_view(signal, 128)[::64]
            np.savetxt(place / f"{name}_{part}.txt", cut, fmt="%15.7e")
        np.savetxt(folder / "uci-har" / part / f"y_{part}.txt", activities, fmt="%d")
        np.savetxt(folder / "uci-har" / part / f"subject_{part}.txt", subjects, fmt="%d")
    return folder


def test_a_stretch_goes_on_through_a_change_of_activity_and_ends_with_its_subject(tmp_path):
    with pytest.warns(DataWarning, match="train: 4 of 7352 windows"):
        data = load("uci-har", data=small(tmp_path))
    train = [recording for recording in data.recordings if recording.source.startswith("train")]
    assert [(r.source, r.offset, len(r), r.subject, set(r.labels)) for r in train] == [
        ("train:0", 0, 192, "1", {0}),
        ("train:0", 128, 128, "1", {1}),
        ("train:3", 0, 128, "2", {1}),
    ]


def test_cut_and_wrong_files_are_named(tmp_path):
    small(tmp_path)
    path = tmp_path / "uci-har" / "test" / "y_test.txt"
    path.write_text("1\n7\n2\n2\n")
    with pytest.raises(UserError, match=r"y_test.txt, row 2: activity 7 is not one of 1 … 6"):
        load("uci-har", data=tmp_path)
    path.write_text("1\n1\n2\n")
    with pytest.raises(UserError, match="has 4 rows and y_test.txt 3; one was cut short"):
        load("uci-har", data=tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="y_test.txt is not there; the whole set has 22 files"):
        load("uci-har", data=tmp_path)
