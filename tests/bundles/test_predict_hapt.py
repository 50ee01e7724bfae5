"""`still predict` on a real recording with a gap and unlabelled stretches: bouts where its labels have them."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder, order_windows, read_grammar
from stillmotion.features import FeatureSet, extract_features, fit_classifier
from stillmotion.signals import load
from stillmotion.windows import cut

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore:hapt. part of the set")]
TRAINED_ON, ASKED = ("2", "3", "5", "6", "7", "8"), "1"
#: Seconds that the sensor lost, while the subject lay.
GAP = (60.0, 64.0)


@pytest.fixture(scope="module")
def some(real, tmp_path_factory):
    """HAPT of seven subjects."""
    whole, folder = real("hapt") / "hapt", tmp_path_factory.mktemp("data") / "hapt"
    (folder / "RawData").mkdir(parents=True)
    (folder / "activity_labels.txt").symlink_to(whole / "activity_labels.txt")
    (folder / "RawData" / "labels.txt").symlink_to(whole / "RawData" / "labels.txt")
    for subject in (*TRAINED_ON, ASKED):
        for file in whole.glob(f"RawData/*_user{int(subject):02d}.txt"):
            (folder / "RawData" / file.name).symlink_to(file)
    return load("hapt", data=folder.parent)


@pytest.fixture(scope="module")
def bundle(some, tmp_path_factory):
    """A softmax regression on features of six subjects, with the grammar of postures."""
    windows = cut(some)
    rows = np.flatnonzero(np.isin(np.asarray(windows.subjects)[windows.subject_codes], TRAINED_ON))
    labels = np.asarray(windows.labels)[rows]
    table = extract_features(windows, rows).values
    fitted = fit_classifier("logistic-regression", table, labels, 12, features=FeatureSet.of(windows.spec))
    spec = windows.spec
    seconds = (windows.starts[rows] - windows.recording_start[windows.recording[rows]]) / spec.rate
    order, gaps = order_windows(windows.recording[rows], seconds, spec.hop / spec.rate)
    decoder = fit_decoder(
        "grammar", spec.classes, labels[order], hop=spec.hop / spec.rate, gaps=gaps,
        grammar=read_grammar("hapt-postures"), lag=2, temperature=2.0,
    )  # fmt: skip
    return Bundle.save(tmp_path_factory.mktemp("models") / "best", fitted.arrays, spec, decoder=decoder)


def test_bouts_lie_where_a_person_would_draw_them(some, bundle, real, tmp_path, capsys):
    recording = some.recordings[0]
    assert recording.subject == ASKED
    time = np.arange(len(recording.samples)) / 50
    kept = (time < GAP[0]) | (time >= GAP[1])
    table = np.column_stack([time, recording.samples])[kept]
    heading = ",".join(["time", *some.spec.channel_names])
    np.savetxt(tmp_path / "day.csv", table, "%.6f", ",", header=heading, comments="")
    assert main(["predict", str(bundle.path), str(tmp_path / "day.csv"), "--to-labels", "--json"]) == 0
    bouts = json.loads(capsys.readouterr().out)["rows"]
    # They tile the recording, but for the gap, which none crosses.
    assert bouts[0]["start"] == 0
    assert bouts[-1]["end"] > time[-1] - 1.28
    breaks = [(one["end"], other["start"]) for one, other in pairwise(bouts) if one["end"] != other["start"]]
    ((end, start),) = breaks
    assert GAP[0] - 1.28 < end <= GAP[0]
    assert start == pytest.approx(GAP[1])
    # The publisher's labels: experiment, subject, activity, first and last sample from 1.
    labels = np.loadtxt(real("hapt") / "hapt" / "RawData" / "labels.txt", dtype=int)
    segments = [(each[2] - 1, (each[3] - 1) / 50, each[4] / 50) for each in labels if each[0] == 1]
    long = [each for each in segments if each[2] - each[1] >= 5]
    assert len(long) > 10
    right, edges = [], []
    for activity, begin, finish in long:
        name = some.spec.classes[activity]
        over = [max(0, min(row["end"], finish) - max(row["start"], begin)) * (row["label"] == name) for row in bouts]
        whole = finish - begin - max(0, min(finish, GAP[1]) - max(begin, GAP[0]))
        right.append(sum(over) / whole)
        edges += [abs(bouts[int(np.argmax(over))]["start"] - begin)]
    assert np.mean(right) > 0.85
    assert np.mean(np.array(right) > 0.7) > 0.85
    assert np.median(edges) < 1.28
    # Unlabelled stretches are answered too: people stand and walk there.
    gaps = [(one[2], other[1]) for one, other in pairwise(segments) if other[1] - one[2] > 8]
    assert gaps
    for begin, finish in gaps:
        inside = [row for row in bouts if row["start"] < finish and row["end"] > begin]
        assert inside[0]["start"] <= begin
        assert inside[-1]["end"] >= finish
        assert {row["label"] for row in inside} & {"STANDING", "WALKING"}
