"""The rows of the benchmark of dropped features, and their table in the guide; nothing is trained or compiled here."""

from __future__ import annotations

import csv
from importlib import import_module

import numpy as np
import pytest

import stillmotion as sm
from benchmarks import feature_selection
from stillmotion.features import FeatureSet
from stillmotion.studies import load_study_data, read_study
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def data():
    """Three classes of six subjects."""
    random = np.random.default_rng(0)
    labels, subjects = np.tile(np.arange(3), 36), np.repeat(np.arange(6), 18)
    values = random.normal(size=(len(labels), 10, 3)).astype(np.float32)
    channels = [f"wrist.acc.{axis}" for axis in "xyz"]
    recordings = sm.from_arrays(values, labels, subjects, rate=10, channels=channels)
    study = read_study(ROOT / "results" / "students" / "simulated.toml", "split.protocol=subjects:3", "data.sensors=")
    return load_study_data(study, data=recordings)


def test_selections_are_scored_on_the_test_subjects_of_every_fold(data, monkeypatch):
    calls, spec = [], data.windows.spec

    def train(given, text, numbers):
        """Predict all windows of the folds right, but without the spectrum those of the first class wrong."""
        calls.append((text, tuple(numbers)))
        labels = {number: given.index.labels[given.index.folds[number].test] for number in numbers}
        wrong = 0 if "spectrum" not in text.split(",-")[0].split(",") else -1
        return {
            (number, seed): np.where(each == wrong, 1, each)
            for number, each in labels.items()
            for seed in range(feature_selection.SEEDS)
        }

    selected = []

    def select(windows, index, **options):
        selected.append(set(np.unique(windows.subject_codes[index])))
        return feature_selection.FeatureSelection((step("", whole), step("x", whole.without("wrist.acc.x"))), 1)

    def step(dropped, features):
        return sm.training.SelectionStep(dropped, features, 1000 if not dropped else 200, 10, 0.75, 0.3)

    whole = FeatureSet.of(spec, compressed=True)
    monkeypatch.setattr(feature_selection, "train", train)
    monkeypatch.setattr(feature_selection, "measure_one", lambda given, text: dict.fromkeys(NUMBERS, len(text)))
    monkeypatch.setattr(sm, "select_features", select)
    rows = list(feature_selection.rows_of("simulated", data))
    assert [row["selection"] for row in rows] == ["all", "no spectrum", "selected", "quarter"]
    assert [tuple(row) for row in rows] == [feature_selection.COLUMNS] * 4
    assert [row["macro_f1"] for row in rows][::2] == [1.0, 1.0]
    assert rows[1]["macro_f1"] < 1 == rows[3]["macro_f1"]
    assert rows[1]["difference"] == pytest.approx(rows[1]["macro_f1"] - 1, abs=1e-4)
    assert rows[0]["difference"] is None
    assert rows[2]["units"] == "wrist.acc.x:3"
    assert rows[2]["flash"] == len(whole.without("wrist.acc.x").selection)
    for fold, codes in zip(data.index.folds, selected, strict=True):
        assert not codes & set(np.unique(data.index.subject_codes[fold.test]))
    assert {numbers for _, numbers in calls} == {(0, 1, 2)}  # equal selections train as one fleet


NUMBERS = ("features", "parameters", "operations", "flash", "instructions")


def test_the_table_of_the_guide_has_a_row_for_each(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    write = import_module("feature_results").features
    row = dict.fromkeys(feature_selection.COLUMNS, "") | {"data": "hapt", "selection": "selected", "features": "96"}
    row |= {"parameters": "1162", "operations": "97877", "macro_f1": "0.8811"}
    row |= {"difference": "-0.0105", "difference_low": "-0.0202", "difference_high": "0.0008"}
    lines = write([row]).splitlines()
    assert lines[2] == "| hapt | selected | 96 | 1,162 | 97.9 k | – | – | 88.1 | −1.1 [−2.0, +0.1] |"


def test_the_stored_table_has_the_columns_of_the_benchmark():
    with (ROOT / "results" / "features" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == feature_selection.COLUMNS
    sets = dict.fromkeys(row["data"] for row in rows)
    assert {"wisdm-2019", "hapt"} <= {*sets}
    wanted = [(name, selection) for name in sets for selection in ("all", "no spectrum", "selected", "quarter")]
    assert [(row["data"], row["selection"]) for row in rows] == wanted
    for row in rows:
        assert float(row["macro_f1"]) <= 1
        assert int(row["instructions"]) > int(row["flash"]) > 1000
