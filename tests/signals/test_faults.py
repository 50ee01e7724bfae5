"""Faults of tables as people have them: each is refused in a sentence, repaired with a count, or warned about."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import inspect, load, propose_mapping
from stillmotion.signals.findings import Finding

from .tables_with_faults import ACC, CLASSES, GYR, MAPPING, RATE, ROWS, SUBJECTS, Table

G = 9.80665
EACH = len(SUBJECTS) * 2 * ROWS


@dataclass
class Refused:
    """One sentence that names the file."""

    match: str


@dataclass
class Told:
    """A finding: refused by studies (error), warned, or repaired with a count (note)."""

    severity: str
    kind: str
    subject: str | None = None
    column: str | None = None
    count: int | None = None


@dataclass
class Remark:
    """A sentence of the proposed mapping."""

    match: str


Write = Callable[[Path], Path]
FAULTS: dict[str, tuple[Any, Any, dict[str, Any] | None]] = {}


def fault(name: str, made: Callable[[Table], Any], expected: Any, **mapping: Any) -> None:
    """Add a fault: ``made`` spoils a table, or returns text or bytes; with a mapping, it is not proposed."""
    FAULTS[name] = made, expected, mapping or None


def with_unit(**units: str) -> dict[str, Any]:
    """Return the mapping with other units of acc and gyr."""
    sensors = {
        f"wrist.{kind}": {"columns": list(columns)} | ({"unit": units[kind]} if units.get(kind) else {})
        for kind, columns in (("acc", ACC), ("gyr", GYR))
    }
    return MAPPING | {"sensors": sensors}


def clock(table: Table, change: Callable[[np.ndarray], np.ndarray], subject: str | None = None) -> Table:
    """Change the clock of each subject, or of one."""
    for name in SUBJECTS if subject is None else (subject,):
        table.spoil("t", change, name)
    return table


def within(table: Table, order: Callable[[np.ndarray], np.ndarray], names: tuple[str, ...] = SUBJECTS) -> Table:
    """Put the rows of some subjects in another order."""
    rows = [np.array(table.rows(name)) for name in SUBJECTS]
    return table.reorder(
        np.concatenate([order(own) if name in names else own for name, own in zip(SUBJECTS, rows, strict=True)])
    )


def jitter(seconds: np.ndarray) -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).exponential(0.02, len(seconds)))


# Units.
fault(
    "m/s² declared as g",
    lambda t: t.spoil_all(ACC, lambda v: v * G),
    Told("error", "unit", "bob", "wrist.acc"),
    **MAPPING,
)
fault(
    "mg declared as g",
    lambda t: t.spoil_all(ACC, lambda v: v * 1000),
    Told("error", "unit", "bob", "wrist.acc"),
    **MAPPING,
)
fault(
    "g declared as m/s²", lambda t: t, Told("error", "unit", "cem", "wrist.acc"), **with_unit(acc="m/s2", gyr="rad/s")
)
fault(
    "one subject in m/s²",
    lambda t: t.spoil_all(ACC, lambda v: v * G, "cem"),
    Told("error", "mixed units", "cem", "wrist.acc"),
    **with_unit(),
)
fault(
    "one subject in mg",
    lambda t: t.spoil_all(ACC, lambda v: v * 1000, "eva"),
    Told("error", "mixed units", "eva", "wrist.acc"),
    **with_unit(),
)
fault(
    "gravity subtracted",
    lambda t: t.spoil_all(ACC, lambda v: (v - v.mean()) * 0.1),
    Told("warning", "gravity", "ann", "wrist.acc"),
    **MAPPING,
)
fault(
    "gravity subtracted for one subject",
    lambda t: t.spoil_all(ACC, lambda v: (v - v.mean()) * 0.1, "dan"),
    Told("warning", "gravity", "dan", "wrist.acc"),
    **with_unit(),
)
fault(
    "deg/s declared as rad/s",
    lambda t: t.spoil_all(GYR, lambda v: v * 57.3),
    Told("error", "unit", "ann", "wrist.gyr"),
    **MAPPING,
)
fault(
    "deg/s without a unit",
    lambda t: t.spoil_all(GYR, lambda v: v * 57.3),
    Told("warning", "unit", "ann", "wrist.gyr"),
    **with_unit(acc="g"),
)
fault("deg/s, proposed", lambda t: t.spoil_all(GYR, lambda v: v * 57.3), Remark("gyr is taken as deg/s"))
fault(
    "one gyroscope in deg/s",
    lambda t: t.spoil_all(GYR, lambda v: v * 57.3, "bob"),
    Told("error", "mixed units", "bob", "wrist.gyr"),
    **with_unit(acc="g"),
)

# Clocks.
fault("a jittery clock", lambda t: clock(t, jitter), Told("note", "jitter", count=5), **MAPPING)
fault("a clock reversed", lambda t: within(t, lambda rows: rows[::-1]), Refused("runs backwards"), **MAPPING)
fault(
    "a clock shuffled",
    lambda t: within(t, np.random.default_rng(0).permutation),
    Refused("sort them by subject and time"),
    **MAPPING,
)
fault(
    "one clock reversed",
    lambda t: within(t, lambda rows: rows[::-1], ("dan",)),
    Told("error", "lost rows", "dan"),
    **MAPPING,
)
fault(
    "a clock rounded to tenths",
    lambda t: clock(t, lambda s: np.round(s, 1)),
    Told("error", "lost rows", "ann"),
    **MAPPING,
)
fault("a clock rounded to seconds", lambda t: clock(t, np.floor), Told("error", "lost rows", "ann"), **MAPPING)
fault(
    "one clock in milliseconds",
    lambda t: clock(t, lambda s: s * 1000, "cem"),
    Told("error", "short recordings", "cem"),
    **MAPPING,
)
fault(
    "one clock in seconds",
    lambda t: clock(clock(t, lambda s: s * 1000), lambda s: s / 1000, "cem"),
    Told("error", "rate", "cem"),
    **MAPPING | {"unit_of_time": "ms"},
)
fault(
    "one clock at half the rate",
    lambda t: clock(t, lambda s: s * 2, "eva"),
    Told("warning", "rate", "eva"),
    **MAPPING,
)
fault(
    "four repeated timestamps",
    lambda t: clock(t, lambda s: np.where((s > 1.01) & (s < 1.1), 1.0, s), "bob"),
    Told("note", "lost rows", "bob", count=4),
    **MAPPING,
)
fault(
    "two late samples",
    lambda t: within(t, lambda rows: np.r_[rows[:98], rows[100], rows[98:100], rows[101:]], ("bob",)),
    Told("note", "lost rows", "bob", count=2),
    **MAPPING,
)
fault(
    "a gap of three seconds",
    lambda t: clock(t, lambda s: s + 3 * (s > 4), "ann"),
    Told("note", "gaps in a clock, each ending a recording", count=1),
    **MAPPING,
)
fault(
    "a clock set back by a minute",
    lambda t: clock(t, lambda s: s + 100 - 60 * (s > 4), "ann"),
    Told("note", "backward jumps of a clock, each a new session", count=1),
    **MAPPING,
)
fault("a time left out", lambda t: t.put(77, "t", ""), Refused("row 79: no time in t"), **MAPPING)
fault("a clock that stands still", lambda t: t.spoil("t", "1"), Refused("constant; set rate"), **MAPPING)
fault("a counter as a clock", lambda t: clock(t, lambda s: np.round(s * 50)), Refused("t counts 1, 2, 3"))
fault(
    "a zone that is not known",
    lambda t: clock_text(t, lambda s: f"2026-03-01 10:00:{s:06.3f} XST"),
    Refused("time zone 'XST', which is not known"),
    **MAPPING | {"unit_of_time": "iso"},
)
fault(
    "dates of another order",
    lambda t: clock_text(t, lambda s: f"03/01/2026 10:00:{s:06.3f}"),
    Refused("t is not a date"),
    **MAPPING | {"unit_of_time": "iso"},
)
fault("no clock", lambda t: drop(t, "t"), Refused("no column looks like a time"))


def clock_text(table: Table, write: Callable[[float], str]) -> Table:
    table.columns["t"] = [write(float(cell)) for cell in table.columns["t"]]
    return table


def drop(table: Table, name: str) -> Table:
    del table.columns[name]
    return table


# Encodings.
fault("latin-1", lambda t: t.spoil("activity", "zähne", "bob").text().encode("latin-1"), Refused("not UTF-8.*latin-1"))
fault("UTF-16", lambda t: t.text().encode("utf-16"), Remark("the text is UTF-16"))
fault("zero bytes", lambda t: t.text().encode().replace(b"walking", b"walk\0ng"), Refused("holds zero bytes"))
fault(
    "a terminal escape in a subject", lambda t: t.spoil("subject", "a\x1b[31m", "bob"), Refused("U\\+001B"), **MAPPING
)
fault(
    "another alphabet's numbers",
    lambda t: t.put(300, "ax", "١٫٢"),
    Refused("row 302: ax is '١٫٢', not a number"),
    **MAPPING,
)

# Separators and rows.
fault(
    "semicolons and decimal commas",
    lambda t: t.text().replace(",", ";").replace(".", ","),
    Remark("numbers have decimal commas"),
)
fault(
    "decimal commas between commas",
    lambda t: t.text().replace("subject,t,activity", "subject,t,activity").replace(".", ","),
    Refused("are there decimal commas"),
    **MAPPING,
)
fault("another delimiter given", lambda t: t, Refused("'subject'|is not a heading"), **MAPPING, delimiter="|")
fault(
    "lines above the heading",
    lambda t: "Recorder 2.1\nfirmware: 7\n" + t.text(),
    Told("note", "lines above a heading, skipped", count=2),
    **MAPPING,
)
fault(
    "remarks above the heading",
    lambda t: "# by an app, version 2\n# on a watch\n" + t.text(),
    Told("note", "lines above a heading, skipped", count=2),
    **MAPPING,
)
fault(
    "a row of units",
    lambda t: t.text().replace("gz\n", "gz\n,s,,g,g,g,rad/s,rad/s,rad/s\n", 1),
    Told("note", "rows of units, skipped", count=1),
    **MAPPING,
)
fault(
    "a heading in the middle",
    lambda t: insert_line(t, 500, ",".join(t.columns)),
    Told("note", "headings in the middle of a table, dropped", count=1),
    **MAPPING,
)
fault("a cell too many", lambda t: t.put(500, "ax", "1,2"), Refused("row 502: 10 cells where 9"), **MAPPING)
fault("a row that is cut", lambda t: insert_line(t, 700, "bob,3.2"), Refused("row 701: 2 cells where 9"), **MAPPING)
fault(
    "no heading", lambda t: t.text().split("\n", 1)[1].replace("ann,", "1,").replace("brushing", "1"), Refused("row 1")
)
fault("a doubled column", lambda t: t.text().replace("ay", "ax", 1), Refused("'ax' is the name of columns 4 and 5"))
fault("a column that is missing", lambda t: drop(t, "az"), Refused("'az'. Valid"), **MAPPING)
fault("a word for a number", lambda t: t.put(600, "ay", "up"), Refused("row 602: ay is 'up', not a number"), **MAPPING)
fault("a line break in a label", lambda t: t.spoil("activity", '"wal\nking"', "bob"), Refused("U\\+000A"), **MAPPING)


def insert_line(table: Table, at: int, line: str) -> str:
    lines = table.text().split("\n")
    return "\n".join([*lines[:at], line, *lines[at:]])


# Labels.
fault(
    "labels in capitals",
    lambda t: t.put(10, "activity", "Brushing").put(11, "activity", "BRUSHING "),
    Told("note", "labels mended in case or blanks", count=2),
    **MAPPING,
)
fault(
    "labels with other separators",
    lambda t: relabel(relabel(t, {"brushing": "brushing teeth"}), {"brushing teeth": "brushing_teeth"}, "cem"),
    Told("warning", "spelling", "cem", "brushing_teeth"),
    **MAPPING,
)
fault(
    "a label misspelt once",
    lambda t: t.put(250, "activity", "wlaking").put(251, "activity", "wlaking"),
    Told("warning", "spelling", "ann", "wlaking"),
    **MAPPING,
)
fault(
    "a label misspelt by one person",
    lambda t: relabel(t, {"walking": "walkin"}, "dan"),
    Told("warning", "spelling", "dan", "walkin"),
    **MAPPING,
)
fault("a single class", lambda t: t.spoil("activity", "walking"), Told("error", "class"), **MAPPING)
fault(
    "a class of one person",
    lambda t: relabel(t, {"walking": "swimming"}, "eva"),
    Told("warning", "class", "eva"),
    **MAPPING,
)
fault(
    "a person without labels", lambda t: t.spoil("activity", "", "eva"), Told("warning", "unlabelled", "eva"), **MAPPING
)
fault(
    "numbers as labels",
    lambda t: t.add("activity", [f"{n * 0.37:.2f}" for n in range(EACH)]),
    Refused("more than 1,000 different labels"),
    **MAPPING,
)
fault("no label column", lambda t: drop(t, "activity"), Remark("no column looks like a label"))
fault(
    "actions shorter than the window",
    lambda t: t.add("activity", [CLASSES[n // 35 % 2] for n in range(EACH)]),
    Told("warning", "window"),
    **MAPPING,
    window=2.56,
)


def relabel(table: Table, names: dict[str, str], subject: str | None = None) -> Table:
    for row in table.rows(subject):
        table.columns["activity"][row] = names.get(table.columns["activity"][row], table.columns["activity"][row])
    return table


# Subjects.
fault(
    "1 and 01",
    lambda t: t.spoil("subject", "1", "ann").spoil("subject", "01", "bob"),
    Told("warning", "subjects", "01"),
    **MAPPING,
)
fault(
    "p01 and P01",
    lambda t: t.spoil("subject", "p01", "ann").spoil("subject", "P01", "bob"),
    Told("warning", "subjects"),
    **MAPPING,
)
fault(
    "p1 and p-01",
    lambda t: t.spoil("subject", "p1", "ann").spoil("subject", "p-01", "bob"),
    Told("warning", "subjects"),
    **MAPPING,
)
fault("a row without a subject", lambda t: t.put(5, "subject", ""), Refused("subject is empty"), **MAPPING)
fault("no subject column", lambda t: drop(t, "subject"), Remark("no column looks like a subject"))
fault(
    "subjects who alternate without a clock",
    lambda t: t.reorder(np.arange(EACH).reshape(5, -1).T.ravel()),
    Refused("alternate every few rows"),
    **{key: value for key, value in MAPPING.items() if key not in ("time", "unit_of_time")},
    rate=50,
)

# Columns that are no sensor.
for name, cells in {
    "activity number": [CLASSES.index(name) for _ in SUBJECTS for name in CLASSES for _ in range(ROWS)],
    "n": list(range(EACH)),
    "since start": [row / RATE for _ in SUBJECTS for row in range(2 * ROWS)],
    "battery": [f"{97 - n / 900:.0f}" for n in range(EACH)],
    "charge left": [f"{97 - n / 90:.0f}" for n in range(EACH)],
    "age": [30 + 7 * n for n in range(5) for _ in range(2 * ROWS)],
    "size": [170 + 3 * n for n in range(5) for _ in range(2 * ROWS)],
    "Unnamed: 0": list(range(EACH)),
    "version": [3] * EACH,
}.items():
    fault(
        f"a column {name}",
        lambda t, name=name, cells=cells: t.add(name, cells),
        Remark(f"not used, since it .*: {name}"),
    )
fault(
    "a height that is mapped",
    lambda t: t.add("height", [170 + 3 * n for n in range(5) for _ in range(2 * ROWS)]),
    Told("warning", "no sensor", column="height"),
    **MAPPING | {"sensors": MAPPING["sensors"] | {"height": ["height"]}},
)
fault(
    "a counter that is mapped",
    lambda t: t.add("n", [n % (2 * ROWS) for n in range(EACH)]),
    Told("warning", "no sensor", column="n"),
    **MAPPING | {"sensors": MAPPING["sensors"] | {"n": ["n"]}},
)


# Devices and sensors.
def two_devices(table: Table, column: str, names: tuple[str, str]) -> Table:
    """Return the table with each row of two devices, one after the other."""
    table.reorder(np.repeat(np.arange(EACH), 2))
    table.add(column, [names[n % 2] for n in range(2 * EACH)])
    for name in ACC:
        table.columns[name] = [f"{float(x) * (1 - 0.1 * (n % 2)):.5f}" for n, x in enumerate(table.columns[name])]
    return table


fault(
    "two devices in one table",
    lambda t: two_devices(t, "device", ("watch", "phone")),
    Remark("device tells 2 devices apart"),
)
fault(
    "two devices that nothing names",
    lambda t: two_devices(t, "n2", ("7", "8")),
    Told("error", "lost rows", "ann", count=2 * ROWS),
    **MAPPING,
)
fault(
    "a device that never runs with the other",
    lambda t: shift_device(two_devices(t, "device", ("watch", "phone"))),
    Refused("never runs at the same time"),
)
fault(
    "an axis that is stuck",
    lambda t: t.spoil("ay", "0.125", "cem"),
    Told("warning", "stuck", "cem", "wrist.acc.y"),
    **MAPPING,
)
fault(
    "a gyroscope that is stuck",
    lambda t: t.spoil_all(GYR, lambda v: np.where(np.arange(len(v)) < 100, 0.5, v), "cem"),
    Told("warning", "stuck", "cem", "wrist.gyr"),
    **MAPPING,
)
fault(
    "axes that are swapped",
    lambda t: swap(t, "ax", "az", "dan"),
    Told("warning", "axes", "dan", "wrist.acc"),
    **MAPPING,
)
fault(
    "axes that are negated",
    lambda t: t.spoil_all(ACC, lambda v: -v, "bob"),
    Told("warning", "axes", "bob", "wrist.acc"),
    **MAPPING,
)
fault(
    "a range that is too small",
    lambda t: t.spoil_all(ACC, lambda v: np.clip(v, -0.9, 0.9), "eva"),
    Told("warning", "saturated", "eva", "wrist.acc"),
    **MAPPING,
)
fault(
    "-9999",
    lambda t: t.put(430, "gx", "-9999").put(440, "gx", "-9999"),
    Told("error", "mark", "bob", "wrist.gyr.x", 2),
    **MAPPING,
)
fault("1e30", lambda t: t.put(430, "ax", "1e30"), Told("error", "mark", "bob", "wrist.acc.x", 1), **MAPPING)
fault(
    "-9999 that is known",
    lambda t: t.put(430, "gx", "-9999").put(440, "gx", "-9999"),
    Told("note", "short losses bridged", count=2),
    **MAPPING,
    missing=[-9999],
)
fault(
    "three cells left out",
    lambda t: t.put(30, "ax", "").put(31, "ax", "").put(32, "ax", ""),
    Told("note", "short losses bridged", count=3),
    **MAPPING,
)
fault(
    "a sensor silent for a second",
    lambda t: silence(t, "bob", 50),
    Told("warning", "lost rows", "bob", count=50),
    **MAPPING,
)
fault(
    "a sensor silent for half",
    lambda t: silence(t, "bob", 200),
    Told("error", "lost rows", "bob", count=200),
    **MAPPING,
)


def shift_device(table: Table) -> Table:
    table.columns["t"] = [
        f"{float(t) + 1000 * (d == 'phone'):.2f}"
        for t, d in zip(table.columns["t"], table.columns["device"], strict=True)
    ]
    return table


def swap(table: Table, one: str, other: str, subject: str) -> Table:
    for row in table.rows(subject):
        table.columns[one][row], table.columns[other][row] = table.columns[other][row], table.columns[one][row]
    return table


def silence(table: Table, subject: str, count: int) -> Table:
    for row in list(table.rows(subject))[40 : 40 + count]:
        table.columns["gx"][row] = ""
    return table


# Damage and limits.
fault("an empty file", lambda t: "", Refused("is empty"), **MAPPING)
fault("empty lines", lambda t: "\n\n\n", Refused("only empty lines"), **MAPPING)
fault("a heading alone", lambda t: ",".join(t.columns) + "\n", Refused("a heading but no rows"), **MAPPING)
fault(
    "an archive cut short",
    lambda t: ("own.csv.gz", gzip.compress(t.text().encode())[:2000]),
    Refused("cannot be unpacked|cut short"),
)
fault("no archive", lambda t: ("own.csv.gz", b"\x1f\x8bnot an archive"), Refused("cannot be unpacked: it is not .gz"))
fault(
    "Parquet cut short", lambda t: ("own.parquet", parquet(t)[:-50]), Refused("not a Parquet file, or it was cut short")
)
fault("a table that is not Parquet", lambda t: ("own.parquet", t.text().encode()), Refused("not a Parquet file"))
fault(
    "too many columns",
    lambda t: ",".join(f"c{n}" for n in range(6000)) + "\n" + ",".join("1" * 6000) + "\n",
    Refused("6,000 columns, more than"),
)
fault(
    "a label of a whole book",
    lambda t: t.spoil("activity", "x" * 5000, "bob"),
    Refused("own.*5000 characters"),
    **MAPPING,
)
fault(
    "a number beyond floats",
    lambda t: t.put(30, "ax", "1e400"),
    Told("note", "short losses bridged", count=1),
    **MAPPING,
)
fault("a window of a minute", lambda t: t, Told("error", "short recordings", "ann"), **MAPPING, window=60)
fault("a rate of a gigahertz", lambda t: t, Refused("rate must be"), **MAPPING | {"rate": 1e9})


def parquet(table: Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(table.columns), buffer)
    return buffer.getvalue()


def read(folder: Path, name: str) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings and the remarks of the proposal, if there is no mapping."""
    made, _, mapping = FAULTS[name]
    content = made(Table.sound())
    file = "own.csv"
    if isinstance(content, tuple):
        file, content = content
    if isinstance(content, Table):
        content = content.text()
    path = folder / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    remarks: tuple[str, ...] = ()
    if mapping is None:
        proposal = propose_mapping(path)
        remarks, mapping = proposal.remarks, dict(proposal.mapping().values)
    return inspect(load(path, mapping=mapping | {"files": file}, cache=False)).findings, remarks


def test_a_sound_table_has_no_finding(tmp_path):
    path = Table.sound().write(tmp_path)
    assert inspect(load(path, mapping=MAPPING, cache=False)).findings == ()
    assert propose_mapping(path).remarks == (
        "t is taken as s, which gives 50 Hz",
        "acc is taken as g, since its median norm is then about one g",
        "the unit of gyr is not known; set it (unit = 'g') if you know it",
    )


def test_there_are_many_faults():
    assert len(FAULTS) >= 60


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_refused_repaired_with_a_count_or_warned_about(name, tmp_path):
    expected = FAULTS[name][1]
    if isinstance(expected, Refused):
        with pytest.raises(UserError) as refusal:
            read(tmp_path, name)
        message = str(refusal.value)
        assert re.search(expected.match, message), message
        assert "own" in message or "the mapping" in message, "the file is named"
        assert "\n" not in message, "one sentence"
        assert message.endswith((".", "?")), "one sentence"
        return
    findings, remarks = read(tmp_path, name)
    if isinstance(expected, Remark):
        assert any(re.search(expected.match, remark) for remark in remarks), remarks
        return
    told = [each for each in findings if each.kind == expected.kind and each.severity == expected.severity]
    if expected.subject is not None:
        told = [each for each in told if each.subject == expected.subject]
    if expected.column is not None:
        told = [each for each in told if each.column == expected.column]
    assert told, [(each.severity, each.kind, each.subject, each.column, each.text) for each in findings]
    if expected.count is not None:
        assert expected.count in [each.count for each in told]
    if expected.severity == "note":
        assert all(each.count for each in told)
