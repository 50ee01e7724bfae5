"""Warm-up: a recogniser that is switched on in the middle of a recording, compared with one that was always on."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest

from stillmotion.bundles import Bundle, measure_warm_up, predict_recordings
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.errors import UserError
from stillmotion.networks import build_network
from stillmotion.signals import load

from .test_bundle import SPEC
from .test_recordings import NAMES, signal, write

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
BOUTS = np.repeat([0, 1, 2, 3, 4], [12, 4, 9, 30, 7])
DECODERS = {lag: fit_decoder("duration", SPEC.classes, BOUTS, hop=16 / 50, lag=lag, temperature=3.0) for lag in (0, 2)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A recurrent network, whose state begins with every window."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # see test_bundle.py
        path = tmp_path_factory.mktemp("models") / "best"
        return Bundle.save(path, build_network("gru-8", SPEC, seed=2), SPEC, decoder=DECODERS[0])


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A recording of 60 windows, as it is and from a later sample on."""
    path = tmp_path_factory.mktemp("day") / "day.csv"
    write(path, signal(16 * 59 + 32))
    mapping = {"files": "day.csv", "rate": 50.0, "sensors": {"wrist.acc": {"columns": list(NAMES), "unit": "m/s2"}}}
    return load(str(path), mapping=mapping)


@pytest.mark.parametrize("lag", [0, 2])
def test_it_is_measured_as_by_starting_anew_at_each_window(bundle, day, lag):
    recogniser = dataclasses.replace(bundle, decoder=DECODERS[lag])
    whole = predict_recordings(recogniser, day).labels
    assert len(whole) == 60
    logits = bundle.logits(day_windows(day), SPEC)
    expected = []
    for start in range(10, 50, 7):
        again = DECODERS[lag].decode(logits[start:]).labels
        compared = len(again) - lag
        wrong = [at + 1 for at in range(compared) if again[at] != whole[start + at]]
        expected.append(max(wrong, default=0))
    measured = measure_warm_up(recogniser, day)
    assert measured.windows.tolist() == expected
    assert max(expected) > 0
    ordered = sorted(expected)
    assert measured.samples(1.0) == 32 + 16 * (ordered[-1] + lag)
    assert measured.samples(0.5) == 32 + 16 * (ordered[(len(ordered) - 1) // 2] + lag)


def day_windows(day):
    values = np.asarray(day.recordings[0].samples)
    return np.stack([values[at : at + 32] for at in range(0, len(values) - 31, 16)])


def test_a_window_by_itself_needs_no_more_than_its_samples(bundle, day):
    alone = dataclasses.replace(bundle, decoder=None)
    measured = measure_warm_up(alone, day)
    assert measured.to_dict()["samples"] == {"half": 32, "most": 32, "all": 32}
    # A recurrent network too begins each window anew: cut before it, its logits are the same.
    windows = day_windows(day)
    np.testing.assert_allclose(bundle.logits(windows[20:], SPEC), bundle.logits(windows, SPEC)[20:], atol=1e-6)


def test_the_command_prints_it(bundle, tmp_path, capsys):
    write(tmp_path / "day.csv", signal(16 * 59 + 32))
    given = ["predict", str(bundle.path), str(tmp_path / "day.csv"), "--warm-up"]
    assert main([*given, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["starts"] == 6
    assert main(given) == 0
    assert f"all after {values['samples']['all']} samples" in capsys.readouterr().out


def test_offline_decoders_and_short_recordings_are_refused(bundle, day, tmp_path, capsys):
    with pytest.raises(UserError, match="is offline and waits for the end"):
        measure_warm_up(dataclasses.replace(bundle, decoder=DECODERS[0].with_lag(None)), day)
    write(tmp_path / "day.csv", signal(200))
    assert main(["predict", str(bundle.path), str(tmp_path / "day.csv"), "--warm-up"]) == 2
    assert "no recording of more than 20 windows" in capsys.readouterr().err
