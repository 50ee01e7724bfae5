"""Data frames are read as tables are, and a data set prints what it holds."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

import stillmotion as sm
from stillmotion.errors import ProposedMappingWarning, UserError
from stillmotion.signals import load
from stillmotion.signals.progress import reporting

from .tables_with_faults import ACC, GYR, MAPPING, Table


def columns() -> dict[str, object]:
    """The table of simulated people as columns, numbers as numbers."""
    table = Table.sound()
    return {name: table.numbers(name) if name in ("t", *ACC, *GYR) else cells for name, cells in table.columns.items()}


class Polars(ModuleType):
    """A frame of a library that hands over Arrow tables."""

    def to_arrow(self) -> pa.Table:
        return pa.table(columns())


@pytest.mark.parametrize("make", [columns, lambda: pa.table(columns()), lambda: Polars("frame")])
def test_a_frame_is_read_as_its_table(make, tmp_path):
    data = sm.from_frame(make(), **MAPPING)
    expected = load(Table.sound().write(tmp_path), mapping=MAPPING, cache=False)
    assert data.spec == expected.spec
    assert data.subjects == expected.subjects
    np.testing.assert_allclose(data.samples, expected.samples, atol=1e-6)
    assert data.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(data.times, expected.times)


def test_what_is_not_given_is_proposed_and_named():
    with pytest.warns(ProposedMappingWarning, match="subject = subject, label = activity, time = t"):
        data = sm.from_frame(columns())
    assert data.spec.groups == ("acc", "gyr")
    assert any(note.kind == "proposed mapping" for note in data.notes)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((3, 3)), "must be a pandas or polars DataFrame.*from_arrays"),
        ({"t": [1, 2], "x": [1]}, "frame cannot be read"),
        ({"t": ["a", "b"], "x": [1, 2]}, "frame"),
    ],
)
def test_what_is_no_frame_is_refused(frame, message):
    with pytest.raises(UserError, match=message):
        sm.from_frame(frame)


def test_a_data_set_prints_on_a_screen():
    data = sm.from_frame(columns(), **MAPPING)
    lines = str(data).splitlines()
    assert lines[0].startswith("Dataset frame: 5 subjects, 5 recordings, 0.7 minutes at 50 Hz, 6 channels, 2 classes")
    assert lines[1:] == [
        "subjects: ann, bob, cem, dan, eva",
        "sensors: wrist.acc (g), wrist.gyr (rad/s)",
        "minutes: brushing 0.3, walking 0.3, (none) 0.0",
        "window: 2.56 s (128 samples), hop 1.28 s (64 samples)",
    ]


def test_windows_are_cut_by_seconds():
    data = sm.resample(sm.from_frame(columns(), **MAPPING), 50)
    windows = sm.cut(data, window=1.0, hop=0.2)
    assert (windows.spec.window, windows.spec.hop) == (50, 10)
    assert sm.cut(data, window=1.0).spec.hop == 25
    assert len(windows) == len(sm.cut(data, spec=data.spec.with_window(50, 10)))
    with pytest.raises(UserError, match="not both"):
        sm.cut(data, spec=data.spec, window=1.0)
    with pytest.raises(UserError, match="window of cut must be a number of seconds above 0"):
        sm.cut(data, window=-1)


def test_reading_reports_its_progress(tmp_path):
    path = Table.sound().write(tmp_path)
    steps: list[tuple[str, int, int]] = []
    with reporting(lambda *step: steps.append(step)):
        load(path, mapping=MAPPING, cache=False)
    size = path.stat().st_size
    assert steps == [("reading own.csv", size, size)]
