"""The rows of `python benchmarks/run.py host`, and the tables in the guide."""

from __future__ import annotations

import csv
from importlib import import_module

import numpy as np
import pytest

from benchmarks import host
from benchmarks.device_networks import SHAPES
from stillmotion.bundles import Bundle
from stillmotion.deploy.litert.running import PYTHON, find_python
from stillmotion.networks import build_network
from tests.conftest import ROOT
from tests.deploy.litert_python import use_interpreters
from tests.deploy.nets import SPEC, draw_weights, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    model = build_network("mlp-small", SPEC)
    draw_weights(model)
    return Bundle.save(tmp_path_factory.mktemp("bundles") / "watch", model, SPEC, calibration=draw_windows(30))


def test_every_contender_has_a_row(bundle, tmp_path, monkeypatch):
    use_interpreters(monkeypatch, "tflite-micro", "litert")
    monkeypatch.setattr(host, "TURNS", 1)
    shared = {"shape": "wisdm", "network": "mlp-small", "windows": 10}
    rows = {row["contender"]: row for row in host.compare(shared, bundle, draw_windows(10), tmp_path, integers=True)}
    find_python.cache_clear()
    assert list(rows) == ["stillmotion-int8", "litert-int8", "tflite-micro-int8"]
    assert all(tuple(row) == host.COLUMNS and not row["note"] for row in rows.values())
    assert rows["stillmotion-int8"]["equal"] == rows["tflite-micro-int8"]["equal"] == 10
    assert rows["stillmotion-int8"]["ratio"] == 1
    ours, theirs = (rows[name]["microseconds"] for name in ("stillmotion-int8", "litert-int8"))
    assert rows["litert-int8"]["ratio"] == pytest.approx(theirs / ours, abs=0.02 + 0.02 * theirs / ours)
    assert rows["tflite-micro-int8"]["microseconds"] is None
    assert rows["tflite-micro-int8"]["memory"] > rows["stillmotion-int8"]["memory"] > 0


def test_what_is_missing_is_a_note(bundle, tmp_path, monkeypatch):
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr("sys.executable", "/bin/false")
    find_python.cache_clear()
    rows = list(host.compare({"windows": 5}, bundle, draw_windows(5), tmp_path, integers=True))
    find_python.cache_clear()
    assert ["is not installed" in row["note"] for row in rows] == [False, True, True]
    assert rows[1]["microseconds"] is rows[2]["equal"] is None


def test_the_stored_tables_are_whole_and_the_guide_shows_them(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    with (ROOT / "results" / "host" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == host.COLUMNS
    assert {(row["shape"], row["network"]) for row in rows} == {(a, b) for a in SHAPES for b in host.NETWORKS}
    own = [row for row in rows if row["contender"].startswith(("stillmotion", "tflite-micro-int8"))]
    assert all(row["equal"] == row["windows"] for row in own)
    text = (ROOT / "docs" / "guides" / "litert.md").read_text(encoding="utf-8")
    assert import_module("write_figures").fill(text) == text


def test_the_summary_is_that_of_the_table_of_int8_students():
    from benchmarks.int8_students import SUMMARY, summarise

    folder = ROOT / "results" / "int8-students"
    with (folder / "table.csv").open(newline="") as file:
        rows = [row | {name: float(row[name]) for name in ("difference", "agreement")} for row in csv.DictReader(file)]
    with (folder / "summary.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    for stored, computed in zip(kept, summarise(rows), strict=True):
        assert [stored[name] for name in SUMMARY[:3]] == [str(computed[name]) for name in SUMMARY[:3]]
        np.testing.assert_allclose(
            [float(stored[name]) for name in SUMMARY[3:]], [computed[name] for name in SUMMARY[3:]]
        )
