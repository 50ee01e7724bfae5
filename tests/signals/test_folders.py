"""Folders of tables, labels in files of their own, classes that are merged: read as people keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.signals import inspect, load
from stillmotion.signals.tables import propose_if_unmapped

from .tables_with_faults import MAPPING, SUBJECTS, Table

START = 1_772_359_200  # 2026-03-01T10:00:00Z


def write_each(folder: Path, name: str, *leave_out: str) -> None:
    """Write a table for each subject and class, without some columns; ``name`` has fields."""
    table = Table.sound()
    rows = range(len(table.columns["t"]))
    for number, subject in enumerate(SUBJECTS, 1):
        for label in ("brushing", "walking"):
            own = [r for r in rows if table.columns["subject"][r] == subject and table.columns["activity"][r] == label]
            names = [each for each in table.columns if each not in leave_out]
            lines = [",".join(names), *(",".join(table.columns[each][r] for each in names) for r in own)]
            path = folder / name.format(subject=subject, number=number, label=label)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "pattern", "subjects"),
    [
        ("{label}/{subject}.csv", "{label}/{subject}.csv", SUBJECTS),
        ("p{number:02d}_{label}.csv", "{subject}_{label}.csv", tuple(f"p{n:02d}" for n in range(1, 6))),
        ("S{number}/{label}/rec.csv", "{subject}/{label}/rec.csv", tuple(f"S{n}" for n in range(1, 6))),
    ],
)
def test_names_of_files_tell_subject_and_label(name, pattern, subjects, tmp_path):
    write_each(tmp_path, name, "subject", "activity")
    (tmp_path / "README.txt").write_text("how this was recorded")
    proposal = propose_if_unmapped(tmp_path)
    assert proposal is not None
    assert proposal.values["files"] == pattern
    assert not any("looks like" in remark for remark in proposal.remarks)
    data = load(tmp_path, mapping=proposal.mapping(), cache=False)
    assert (data.subjects, data.spec.classes) == (subjects, ("brushing", "walking"))
    assert len(data.samples) == 2000


def test_a_folder_is_inspected_saved_and_read_back(tmp_path, capsys):
    write_each(tmp_path / "data", "{subject}_{label}.csv", "subject", "activity")
    assert main(["inspect", str(tmp_path / "data")]) == 0
    assert 'files = "{subject}_{label}.csv"' in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "data"), "--save", str(tmp_path / "data" / "mapping.toml")]) == 0
    assert len(load(tmp_path / "data", cache=False).subjects) == 5
    assert main(["inspect", str(tmp_path / "data"), "--save", str(tmp_path / "elsewhere.toml")]) == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["inspect", str(empty)]) == 2
    assert "holds no table" in capsys.readouterr().err


def test_a_file_with_other_columns_is_named(tmp_path):
    write_each(tmp_path, "{subject}_{label}.csv", "subject", "activity")
    (tmp_path / "ann_brushing.csv").write_text("t,ax\n0,1\n1,2\n")
    proposal = propose_if_unmapped(tmp_path)
    assert proposal is not None
    # The first file is the odd one here: what it holds decides, and the others are named where they lack a column.
    assert any("files are read as" in remark for remark in proposal.remarks)


def without_labels(folder: Path) -> Path:
    """Write the table without labels, with a clock since 1970; each subject starts an hour later."""
    table = Table.sound()
    table.columns["t"] = [
        f"{START + 3600 * SUBJECTS.index(subject) + float(t):.2f}"
        for t, subject in zip(table.columns["t"], table.columns["subject"], strict=True)
    ]
    del table.columns["activity"]
    return table.write(folder)


def mapping(**intervals: object) -> dict[str, object]:
    return {key: value for key, value in MAPPING.items() if key != "label"} | {"intervals": intervals}


INTERVALS = {
    "a CSV from the start": ("begin,end,label\n0,4,brushing\n4,8,walking\n", "labels.csv", {}),
    "Audacity": ("0.000\t4.000\tbrushing\n4.000\t8.000\twalking\n", "labels.txt", {}),
    "ELAN": (
        "tier\t\t00:00:00.000\t00:00:04.000\t00:00:04.000\tbrushing\ntier\t\t00:00:04.000\t00:00:08.000\t00:00:04.000\twalking\n",
        "labels.txt",
        {},
    ),
    "dates of each subject": (
        "subject,start,stop,activity\n"
        + "".join(
            f"{subject},2026-03-01T{11 + n}:00:00,2026-03-01T{11 + n}:00:04,brushing\n"
            f"{subject},2026-03-01T{11 + n}:00:04,2026-03-01T{11 + n}:00:08,walking\n"
            for n, subject in enumerate(SUBJECTS)
        ),
        "labels.csv",
        {"time_zone": "Europe/Berlin"},
    ),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_labels_of_intervals_are_those_of_a_column(name, tmp_path):
    text, file, more = INTERVALS[name]
    (tmp_path / file).write_text(text)
    path = without_labels(tmp_path)
    data = load(path, mapping=mapping(files=file, **more), cache=False)
    whole = Table.sound().write(tmp_path)
    expected = load(whole, mapping=MAPPING, cache=False)
    assert data.spec.classes == expected.spec.classes
    # A sample at the very border of two intervals may fall on either side.
    assert (data.labels != expected.labels).sum() <= len(SUBJECTS)
    assert inspect(data).usable


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("begin,end,label\n100,104,brushing\n", {}, "none of 1 intervals .100 to 104 s. covers a sample"),
        ("begin,end,label\n4,0,brushing\n", {}, "row 2: the interval ends before it starts"),
        ("begin,label\n4,brushing\n", {}, "no column for the end of an interval"),
        ("begin,end,label\nsoon,4,brushing\n", {}, "row 2: 'soon' is no time"),
        ("begin,end,label\n0,4,brushing\n", {"time_zon": "CET"}, "unknown key time_zon"),
        (
            "begin,end,label\n2026-03-01T10:00:00,2026-03-01T10:00:04,x\n",
            {"time_zone": "Mars/Base"},
            "time_zone .* not known",
        ),
    ],
)
def test_intervals_that_cannot_be_used_are_refused(text, more, message, tmp_path):
    (tmp_path / "labels.csv").write_text(text)
    path = without_labels(tmp_path)
    with pytest.raises(UserError, match=message):
        load(path, mapping=mapping(files="labels.csv", **more), cache=False)


def test_classes_are_merged_and_the_rest_gathered(tmp_path):
    path = Table.sound().write(tmp_path)
    data = load(path, mapping=MAPPING | {"merge": {"other": ["*"], "brushing": ["brushing"]}}, cache=False)
    assert data.spec.classes == ("brushing", "other")
    assert np.bincount(data.labels).tolist() == [1000, 1000]
    with pytest.raises(UserError, match="merge names labels that do not occur: swimming"):
        load(path, mapping=MAPPING | {"merge": {"other": ["swimming"]}}, cache=False)
