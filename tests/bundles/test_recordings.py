"""`still predict`: recordings as a table to activities with times, decoded as the bundle says."""

import dataclasses
import json
import warnings
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillmotion.bundles import Bundle, RecordingPredictions, merge_bouts, predict_recordings
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.networks import build_network
from stillmotion.signals import load

from .test_bundle import SPEC

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
HOP = 16 / 50
DECODER = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2, 3, 4], 6), hop=HOP, lag=2)
NAMES = ("wrist.acc.x", "wrist.acc.y", "wrist.acc.z")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # see test_bundle.py
        path = tmp_path_factory.mktemp("models") / "best"
        return Bundle.save(path, build_network("mlp-small", SPEC, seed=2), SPEC, decoder=DECODER)


SURE = dataclasses.replace(DECODER, thresholds={"alone": 0.8, "2": 0.6})


def write(path, samples, *, rate=50.0, names=NAMES, start=100.0, hole=None):
    """Write a table with a clock that begins at ``start``; rows of ``hole`` are missing."""
    keep = [at for at in range(len(samples)) if hole is None or at not in hole]
    lines = [",".join(["time", *names])]
    lines += [",".join([f"{start + at / rate:.3f}", *(f"{value:.4f}" for value in samples[at])]) for at in keep]
    path.write_text("\n".join(lines) + "\n")
    return np.round(samples, 4).astype(np.float32)


def signal(rows=640):
    """Sines of less than 8 Hz that grow and fade: a clock that is made even changes little of them."""
    seconds, rng = np.arange(rows) / 50, np.random.default_rng(0)
    waves = np.sin(2 * np.pi * (rng.uniform(0.2, 8, (12, 3)) * seconds[:, None, None] + rng.random((12, 3)))).sum(1)
    return 4 * waves * (1 + np.sin(seconds))[:, None] + [0, 9.8, 0]


def run(capsys, *arguments):
    assert main([str(each) for each in ("predict", *arguments)]) == 0
    return capsys.readouterr().out


def test_a_table_is_cut_predicted_and_decoded_as_the_contract_says(bundle, tmp_path, capsys):
    samples = write(tmp_path / "day.csv", signal())
    rows = json.loads(run(capsys, bundle.path, tmp_path / "day.csv", "--json"))["rows"]
    starts = np.arange(0, len(samples) - 31, 16)
    windows = np.stack([samples[at : at + 32] for at in starts])
    expected = DECODER.decode(bundle.logits(windows, SPEC))
    assert [row["label"] for row in rows] == [SPEC.classes[label] for label in expected.labels]
    np.testing.assert_allclose([row["start"] for row in rows], 100 + starts / 50, atol=1e-6)
    np.testing.assert_allclose([row["end"] for row in rows], 100 + (starts + 32) / 50, atol=1e-6)
    given = [[row[f"p_{name}"] for name in SPEC.classes] for row in rows]
    np.testing.assert_allclose(given, expected.probabilities, atol=0.05)  # the clock is resampled to an even one
    alone = json.loads(run(capsys, bundle.path, tmp_path / "day.csv", "--json", "--lag", "alone"))["rows"]
    assert [row["label"] for row in alone] == [SPEC.classes[label] for label in bundle.logits(windows, SPEC).argmax(1)]
    assert [row["label"] for row in alone] != [row["label"] for row in rows]


def test_csv_parquet_and_json_hold_the_same(bundle, tmp_path, capsys):
    write(tmp_path / "day.csv", signal(200))
    printed = run(capsys, bundle.path, tmp_path / "day.csv")
    assert run(capsys, bundle.path, tmp_path / "day.csv", "--out", tmp_path / "out.parquet") == ""
    rows = json.loads(run(capsys, bundle.path, tmp_path / "day.csv", "--json", "--out", tmp_path / "out.csv"))["rows"]
    assert (tmp_path / "out.csv").read_text() == printed
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows
    assert printed.splitlines()[0].split(",")[:5] == ["source", "subject", "start", "end", "label"]


def test_a_gap_of_the_clock_begins_a_new_recording_and_no_bout_crosses_it(bundle, tmp_path, capsys):
    write(tmp_path / "day.csv", signal(), hole=range(300, 420))
    windows = json.loads(run(capsys, bundle.path, tmp_path / "day.csv", "--json"))["rows"]
    bouts = json.loads(run(capsys, bundle.path, tmp_path / "day.csv", "--json", "--to-labels"))["rows"]
    for each in (windows, bouts):
        assert all(row["end"] <= 106.0 + 1e-6 or row["start"] >= 108.4 - 1e-6 for row in each)
    assert any(row["start"] == pytest.approx(108.4) for row in windows)
    assert len(bouts) < len(windows)
    for one, other in pairwise(bouts):
        assert one["end"] == pytest.approx(other["start"]) or other["start"] == pytest.approx(108.4)
        assert one["label"] != other["label"] or other["start"] == pytest.approx(108.4)


def test_bouts_touch_in_the_middle_of_windows_and_average_their_probabilities():
    chances = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6]])
    four = RecordingPredictions(
        classes=("a", "b"),
        source=np.full(4, "f"),
        subject=np.full(4, "1"),
        stretch=np.array([0, 0, 0, 1]),
        start=np.array([0.0, 1.0, 2.0, 0.0]),
        end=np.array([2.0, 3.0, 4.0, 2.0]),
        labels=np.array([0, 0, 1, 1]),
        probabilities=chances,
    )
    bouts = merge_bouts(four, 1.0)
    assert bouts.start.tolist() == [0.0, 2.5, 0.0]
    assert bouts.end.tolist() == [2.5, 4.0, 2.0]
    assert bouts.labels.tolist() == [0, 1, 1]
    np.testing.assert_allclose(bouts.probabilities, [[0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])


def test_columns_of_other_names_are_mapped_and_another_rate_is_resampled(bundle, tmp_path, capsys):
    samples = signal(640)
    write(tmp_path / "fast.csv", np.repeat(samples, 2, axis=0), rate=100.0, names=("ax", "ay", "az"))
    named = ("--channel", "wrist.acc=ax,ay,az:m/s2")
    rows = json.loads(run(capsys, bundle.path, tmp_path / "fast.csv", *named, "--resample", "--json"))["rows"]
    assert len(rows) == (640 - 32) // 16 + 1
    data = load(
        str(tmp_path / "fast.csv"),
        mapping={
            "files": "fast.csv",
            "time": "time",
            "sensors": {"wrist.acc": {"columns": ["ax", "ay", "az"], "unit": "m/s2"}},
        },
    )
    again = list(predict_recordings(bundle, data, resampled=True).rows())
    assert [row["label"] for row in again] == [row["label"] for row in rows]


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        ({"names": ("wrist.acc.x", "wrist.acc.y", "other")}, (), "wrist.acc.z"),
        ({"rate": 100.0}, (), "has 100 Hz, the bundle takes 50 Hz; resample it with --resample"),
        ({}, ("--channel", "wrist.acc=wrist.acc.x,wrist.acc.y,wrist.acc.z:g"), "in g, the bundle takes m/s2"),
        ({}, ("--channel", "wrist.acc=wrist.acc.x,wrist.acc.y,wrist.acc.z"), "an unknown unit, the bundle takes m/s2"),
        ({}, ("--channel", "hip.acc=wrist.acc.x,wrist.acc.y,wrist.acc.z:g"), "lacks the channels wrist.acc.x"),
        ({}, ("--lag", "soon"), "--lag must be a whole number"),
        ({}, ("--out", "out.txt"), "must end with .csv or .parquet"),
    ],
)
def test_what_does_not_fit_the_contract_is_named(bundle, tmp_path, capsys, table, options, says):
    write(tmp_path / "day.csv", signal(100), **table)
    assert main(["predict", str(bundle.path), str(tmp_path / "day.csv"), *options]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_a_file_that_is_not_there_or_has_no_clock_is_named(bundle, tmp_path, capsys):
    assert main(["predict", str(bundle.path), str(tmp_path / "none.csv")]) == 2
    assert "none.csv is not there" in capsys.readouterr().err
    path = tmp_path / "bare.csv"
    path.write_text(",".join(NAMES) + "\n" + "0,9.8,0\n" * 64)
    assert main(["predict", str(bundle.path), str(path)]) == 2
    assert "has no column time" in capsys.readouterr().err
    assert len(run(capsys, bundle.path, path, "--hz", "50").splitlines()) == 1 + 3


def test_a_bundle_without_a_decoder_answers_windows_alone(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        plain = Bundle.save(tmp_path / "plain", build_network("mlp-small", SPEC, seed=2), SPEC)
    samples = write(tmp_path / "day.csv", signal(200))
    rows = json.loads(run(capsys, plain.path, tmp_path / "day.csv", "--json"))["rows"]
    windows = np.stack([samples[at : at + 32] for at in range(0, 200 - 31, 16)])
    expected = plain.predict(windows, SPEC)
    np.testing.assert_allclose([[row[f"p_{n}"] for n in SPEC.classes] for row in rows], expected, atol=0.05)
    assert main(["predict", str(plain.path), str(tmp_path / "day.csv"), "--lag", "2"]) == 2
    assert "has no decoder" in capsys.readouterr().err


@pytest.mark.parametrize(("lag", "threshold"), [("2", 0.6), ("alone", 0.8)])
def test_windows_that_no_class_is_probable_enough_for_are_unknown(bundle, tmp_path, lag, threshold):
    sure = dataclasses.replace(bundle, decoder=SURE)
    write(tmp_path / "day.csv", signal())
    sensors = {"wrist.acc": {"columns": list(NAMES), "unit": "m/s2"}}
    data = load(str(tmp_path / "day.csv"), mapping={"files": "day.csv", "time": "time", "sensors": sensors})
    every = predict_recordings(bundle, data, lag=lag if lag == "alone" else 2)
    said = predict_recordings(sure, data, lag=lag if lag == "alone" else 2)
    probabilities = np.array([[row[f"p_{name}"] for name in SPEC.classes] for row in said.rows()])
    unknown = probabilities.max(1) < threshold
    assert 0.05 < unknown.mean() < 0.95
    named = np.array([row["label"] for row in said.rows()])
    assert np.array_equal(named == "unknown", unknown)
    assert np.array_equal(said.labels, np.where(unknown, -2, every.labels))
    bouts = merge_bouts(said, HOP)
    assert (np.diff(bouts.labels) != 0).all()
    assert "unknown" in {row["label"] for row in bouts.rows()}


def test_a_shorter_hop_answers_more_often_with_durations_as_they_are(bundle, tmp_path, capsys):
    samples = write(tmp_path / "day.csv", signal())
    given = (bundle.path, tmp_path / "day.csv", "--hz", "50", "--hop", "8", "--json")
    rows = json.loads(run(capsys, *given))["rows"]
    starts = np.arange(0, len(samples) - 31, 8)
    windows = np.stack([samples[at : at + 32] for at in starts])
    expected = DECODER.with_hop(8 / 50).decode(bundle.logits(windows, SPEC))
    assert [row["label"] for row in rows] == [SPEC.classes[label] for label in expected.labels]
    np.testing.assert_allclose(
        [[row[f"p_{name}"] for name in SPEC.classes] for row in rows], expected.probabilities, atol=1e-4
    )
    bouts = json.loads(run(capsys, *given, "--to-labels"))["rows"]
    assert sum(row["end"] - row["start"] for row in bouts) == pytest.approx((starts[-1] + 32) / 50)
