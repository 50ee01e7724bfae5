"""The rows that `python benchmarks/run.py device` makes, and the tables in the guide; nothing is compiled here."""

from __future__ import annotations

import csv
from importlib import import_module

import numpy as np
import pytest

from benchmarks import device, device_equality, device_peers
from benchmarks.device_networks import COLUMNS, NETWORKS, SHAPES, measure_form
from stillmotion.bundles import Bundle
from stillmotion.deploy.emulator import MACHINES, Evidence
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, LinearArrays
from tests.conftest import ROOT

SHARED = {"shape": "hapt", "network": "linear", "parameters": 7, "contender": "ours"}
#: Sums of two columns that no other two have.
MEASURED = {"flash_constants": "1200", "flash_code": "34", "ram": "5600", "stack": "78", "instructions": "90123"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, wrist):
    spec = wrist.with_window(16)
    random = np.random.default_rng(0)
    features = FeatureSet.of(spec, groups=("axes", "time"), compressed=True)
    count, classes = len(features.names), len(spec.classes)
    weights = random.normal(size=(count, classes))
    linear = LinearArrays(features, weights, np.zeros(classes), np.zeros(count), np.ones(count), 5.0)
    folder = tmp_path_factory.mktemp("bundle") / "watch"
    return Bundle.save(folder, linear, spec, calibration=random.normal(size=(30, 16, 3)).astype(np.float32))


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return import_module("write_figures")


def evidence_of(export, windows, machine):
    """Numbers that all differ; the M0 has no room for float32."""
    if machine == "cortex-m0" and not export.integers:
        raise UserError("The program is 5 bytes larger than the emulated board's RAM.")
    return Evidence(
        machine, "board", "gcc", "-Os", 1234, 1200, 5600, 78, 90, 0, len(windows), len(windows) - 1, 90123, {}
    )


@pytest.mark.parametrize("integers", [True, False])
def test_a_form_has_a_row_for_each_machine(bundle, tmp_path, integers):
    windows = bundle.calibration
    rows = list(measure_form(SHARED, bundle, windows, tmp_path / "c", integers=integers, measure=evidence_of))
    assert [row["machine"] for row in rows] == list(MACHINES)
    assert all(tuple(row) == COLUMNS for row in rows)
    assert all(SHARED.items() <= row.items() for row in rows)
    numbers = {name: int(value) for name, value in MEASURED.items()} | {"windows": 4, "equal": 3, "note": ""}
    assert numbers.items() <= rows[1].items()
    if integers:
        assert numbers.items() <= rows[0].items()
    else:
        assert rows[0]["note"] == "The program is 5 bytes larger than the emulated board's RAM."
        assert rows[0]["instructions"] is rows[0]["equal"] is None


def test_what_cannot_be_exported_has_rows_with_the_reason(bundle, tmp_path):
    (tmp_path / "c").mkdir()
    rows = list(measure_form(SHARED, bundle, bundle.calibration, tmp_path / "c", integers=True, measure=evidence_of))
    assert len(rows) == len(MACHINES)
    assert all("exists already" in row["note"] and row["instructions"] is None for row in rows)


def test_peers_without_emlearn_have_rows_with_the_reason(monkeypatch):
    monkeypatch.setattr(device_peers, "interpreter", lambda libraries: None)
    entry = device_peers.emlearn_code("mlp", {}, None, 3)
    case = device_peers.Case("wisdm", "mlp-small", 9, "emlearn", entry, [], [])
    monkeypatch.setattr(device_peers, "mlps", lambda folder: [case])
    monkeypatch.setattr(device_peers, "forests", lambda folder: [])
    rows = list(device.part("peers"))
    assert [tuple(row) for row in rows] == [COLUMNS] * len(MACHINES)
    assert all(row["note"] == device_peers.MISSING and row["network"] == "mlp-small" for row in rows)


def row_of(network, contender, machine, *, missing="", **values):
    numbers = {} if missing else MEASURED | {"windows": "4", "equal": "3"}
    named = {"shape": "hapt", "network": network, "parameters": "1500", "contender": contender, "machine": machine}
    return dict.fromkeys(COLUMNS, "") | named | numbers | {"note": missing} | values


def test_the_table_has_sums_amounts_and_reasons(figures):
    rows = [row_of("gru-8", "stillmotion-int8", machine) for machine in MACHINES]
    rows[1]["instructions"] = "456"
    rows += [
        row_of("lm", "stillmotion-int8", "cortex-m0", missing="It is too large."),
        row_of("lm", "stillmotion-int8", "cortex-m4"),
        row_of("gru-8", "stillmotion-float32", "cortex-m4", equal="4"),
        *(row_of("mlp", contender, machine) for contender in ("stillmotion-int8", "emlearn") for machine in MACHINES),
    ]
    lines = figures.device(rows).splitlines()
    assert lines[2] == "| hapt | `gru-8` | 1,500 | 1,234 | 5,678 | 90.1 k | 1,234 | 5,678 | 456 |"
    assert lines[3] == "| hapt | `lm` | 1,500 | – | – | – | 1,234 | 5,678 | 90.1 k |"
    assert lines[5].startswith("13 of 16 windows")
    assert lines[7] == "Not measured: lm at hapt, stillmotion-int8, M0: It is too large."
    assert len(lines) == 8
    peers = figures.device_peers(rows).splitlines()
    assert [line.split(" | ")[2] for line in peers[2:]] == ["stillmotion-int8", "emlearn"]
    assert peers[3].endswith("| emlearn | 3 of 4 | 1,234 | 5,678 | 90.1 k | 1,234 | 5,678 | 90.1 k |")


def test_counts_are_those_that_are_asked_for(bundle, tmp_path):
    ask = {"integers": False, "counts": (9, 5), "measure": lambda export, windows, machine: evidence(windows, machine)}

    def evidence(windows, machine):
        return Evidence(machine, "board", "gcc", "-Os", 1, 1, 1, 1, 1, 0, len(windows), len(windows), 1, {})

    rows = {row["machine"]: row for row in measure_form(SHARED, bundle, bundle.calibration, tmp_path / "c", **ask)}
    assert (rows["cortex-m0"]["windows"], rows["cortex-m4"]["windows"]) == (5, 9)


def test_emulated_machines_gave_the_reference_on_fifty_real_windows_of_every_network_that_fits():
    with (ROOT / "results" / "device" / "hapt" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        few = row["machine"] == "cortex-m0" and row["contender"] == "stillmotion-float32"
        count = device_equality.SLOW_WINDOWS if few else device_equality.WINDOWS
        assert (row["equal"], row["windows"]) == (str(count), str(count)) or "than the emulated board's" in row["note"]
    assert set(NETWORKS) <= {row["network"] for row in rows}


def test_the_stored_table_is_whole_and_the_guide_shows_it(figures):
    with (ROOT / "results" / "device" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {(shape, network) for shape in SHAPES for network in NETWORKS} <= {figures.place(row) for row in rows}
    for page in ("device", "decoding"):
        text = (ROOT / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8")
        assert "<!-- figures: " in text
        assert figures.fill(text) == text
