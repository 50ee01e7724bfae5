"""An attack on tables and mappings: each ends well, or in one sentence that names the file, whatever is in it."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.signals import load

WHO = ("a", "b", "c", "d")
ROWS = 150
HEADING = "who,what,t,ax,ay,az"
FLAGS = ["--subject", "who", "--label", "what", "--time", "t", "--channel", "acc=ax,ay,az"]
Make = Callable[[Path], str]


def text(rows=ROWS, who=WHO, heading=HEADING, clock="{s:.3f}", cell=None, sep=",", end="\n"):
    """A table of subjects who walk and sit; ``cell`` changes the cells of a row, given its subject and number."""
    random = np.random.default_rng(0)
    lines = [heading]
    for subject in who:
        for row, values in enumerate(random.normal(0, 1, (rows, 3))):
            time = clock(row) if callable(clock) else clock.format(s=row / 50)
            cells = [subject, ("walk", "sit")[row // 50 % 2], time, *(f"{value:.4f}" for value in values)]
            lines.append(sep.join(cells if cell is None else cell(subject, row, cells)))
    return end.join(lines) + end


def put(content, name="own.csv") -> Make:
    """A file of text or bytes, made when it is needed."""

    def make(folder: Path) -> str:
        made = content()
        (folder / name).write_bytes(made if isinstance(made, bytes) else made.encode())
        return name

    return make


def one_cell(column, word):
    return lambda subject, row, cells: (
        [*cells[:column], word, *cells[column + 1 :]] if (subject, row) == ("b", 77) else cells
    )


def every_cell(column, word):
    return lambda subject, row, cells: [
        *cells[:column],
        word(row) if callable(word) else word,
        *cells[column + 1 :],
    ]


def parquet(**changed) -> Make:
    def make(folder: Path) -> str:
        count = ROWS * len(WHO)
        random = np.random.default_rng(0)
        columns = {
            "who": pa.array(np.repeat(WHO, ROWS)),
            "what": pa.array(np.tile(np.repeat(["walk", "sit", "walk"], 50), len(WHO))),
            "t": pa.array(np.tile(np.arange(ROWS) / 50, len(WHO))),
            **{axis: pa.array(random.normal(size=count)) for axis in ("ax", "ay", "az")},
        }
        pq.write_table(pa.table(columns | {name: column(count) for name, column in changed.items()}), folder / "own.pq")
        (folder / "own.pq").rename(folder / "own.parquet")
        return "own.parquet"

    return make


CASES: dict[str, Make] = {}

# Clocks and dates.
for name, clock in {
    "iso T": "2026-03-01T10:00:{s:06.3f}",
    "iso with a blank": "2026-03-01 10:00:{s:06.3f}",
    "iso in UTC": "2026-03-01T10:00:{s:06.3f}Z",
    "iso with an offset": "2026-03-01T10:00:{s:06.3f}+01:00",
    "American": "03/01/2026 10:00:{s:06.3f}",
    "German": "01.03.2026 10:00:{s:06.3f}",
    "without a day": "10:00:{s:06.3f}",
    "in year 9999": "9999-03-01T10:00:{s:06.3f}",
    "in year 1": "0001-03-01T10:00:{s:06.3f}",
    "on 30 February": "2026-02-30T10:00:{s:06.3f}",
    "without a time": "2026-03-01",
    "in several zones": lambda row: f"2026-03-01T10:00:{row / 50:06.3f}{('Z', '+01:00', '')[row % 3]}",
    "among numbers": lambda row: f"2026-03-01T10:00:{row / 50:06.3f}" if row % 2 else str(row / 50),
}.items():
    CASES[f"dates {name}"] = put(lambda clock=clock: text(clock=clock))
for name, clock in {
    "negative": lambda row: str(row / 50 - 1000),
    "of nanoseconds": lambda row: str(10**18 + row * 20_000_000),
    "beyond 64 bits": lambda row: str(10**25 + row * 20),
    "beyond floats": lambda row: f"{1e300 * (row + 1)}",
    "infinite": lambda row: "inf",
    "infinite once": lambda row: "-inf" if row == 5 else str(row / 50),
    "cut to whole seconds": lambda row: str(row // 50),
    "cut to ten seconds": lambda row: str(row // 50 * 10),
    "backwards": lambda row: str(10 - row / 50),
    "still": lambda row: "1",
    "absent": lambda row: "nan",
    "hexadecimal": lambda row: hex(row),
    "of picoseconds": lambda row: f"{row * 1e-12}",
    "with thousands": lambda row: f'"{row},000"',
    "unsigned": lambda row: str(2**64 - 10**6 + row * 20),
    "with a pause": lambda row: str(row / 50 + 7 * (row > 100)),
}.items():
    CASES[f"a clock {name}"] = put(lambda clock=clock: text(clock=clock))

# Cells.
for word in (
    "inf", "-Infinity", "nan", "1e400", "9" * 400, "up", "1,5", '"1,5"', '"1\n2"', "1\0", "  ", "+1.5", "0x1A", "١٢",
    "−1.5", "50%", "True", "1_000",
):  # fmt: skip
    CASES[f"a cell {word[:8]!r}"] = put(lambda word=word: text(cell=one_cell(3, word)))
    CASES[f"all cells {word[:8]!r}"] = put(lambda word=word: text(cell=every_cell(3, word)))
CASES |= {
    "cells at the end of 32 bits": put(lambda: text(cell=every_cell(3, lambda row: f"{(-1) ** row * 3e38}"))),
    "cells beyond 32 bits": put(lambda: text(cell=every_cell(3, lambda row: f"{(-1) ** row * 3e39}"))),
    "columns without a number": put(lambda: text(cell=lambda subject, row, cells: [*cells[:3], "", "", ""])),
    "a gap": put(lambda: text(cell=every_cell(4, lambda row: "" if 50 < row < 90 else "0.5"))),
    "long labels": put(lambda: text(20, cell=every_cell(1, "x" * 50_000))),
    "a label each": put(lambda: text(400, cell=lambda subject, row, cells: [cells[0], f"{subject}{row}", *cells[2:]])),
    "no labels": put(lambda: text(cell=every_cell(1, ""))),
    "labels on two lines": put(lambda: text(cell=every_cell(1, '"wa\nlk"'))),
    "a quote left open": put(lambda: text(cell=one_cell(1, '"walk'))),
}

# Shapes and headings.
CASES |= {
    "one subject": put(lambda: text(who=("a",))),
    "one row": put(lambda: text(1, who=("a",))),
    "a row each": put(lambda: text(1)),
    "a heading": put(lambda: HEADING + "\n"),
    "a heading without an end": put(lambda: HEADING),
    "nothing": put(lambda: ""),
    "empty lines": put(lambda: "\n\r\n\n"),
    "one byte": put(lambda: b"\xff"),
    "a name twice": put(lambda: text(heading="who,what,t,ax,ax,az")),
    "one name": put(lambda: text(heading="a,a,a,a,a,a")),
    "names of another case": put(lambda: text(heading="who,what,t,ax,AX,az")),
    "no names": put(lambda: text(heading=",,,,,")),
    "a name that stands for none": put(lambda: text(heading="column 2,,t,ax,ay,az")),
    "a long name": put(lambda: text(heading="who,what,t,ax,ay," + "z" * 400_000)),
    "a name on two lines": put(lambda: text(heading='who,what,"t\n(s)",ax,ay,az')),
    "no heading": put(lambda: text().split("\n", 1)[1]),
    "a remark": put(lambda: "# by an app\n" + text()),
    "many columns": put(lambda: "\n".join([",".join(f"c{n}" for n in range(3000)), *[",".join("1" * 3000)] * 5])),
    "a long line": put(lambda: text() + "x" * 5_000_000 + "\n"),
    "one long line": put(lambda: "a," * 1_000_000),
    "rows of two lengths": put(lambda: text(cell=lambda subject, row, cells: cells if row % 7 else cells[:-1])),
    "a row too long": put(lambda: text(cell=lambda subject, row, cells: cells if row != 7 else [*cells, "1"])),
    "a comma behind each row": put(lambda: text(cell=lambda subject, row, cells: [*cells, ""])),
}

# Encodings, ends of lines, delimiters.
for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp037"):
    CASES[f"text in {encoding}"] = put(lambda encoding=encoding: text().replace("walk", "wälk").encode(encoding))
for sep in ";\t| ":
    CASES[f"cells between {sep!r}"] = put(lambda sep=sep: text(sep=sep))
CASES |= {
    "two marks of order": put(lambda: b"\xef\xbb\xbf" * 2 + text().encode()),
    "half a character": put(lambda: text().encode("utf-16")[:-1]),
    "zeros in the middle": put(lambda: text(2000).encode()[:300_000] + b"\0\0" + text().encode()),
    "zeros": put(lambda: b"\0" * 100),
    "noise": put(lambda: np.random.default_rng(1).bytes(50_000)),
    "ends of Windows": put(lambda: text(end="\r\n")),
    "ends of old": put(lambda: text(end="\r")),
    "mixed ends": put(lambda: text().replace("\n", "\r\n", 50).replace("\r\n", "\r", 20)),
    "decimal commas": put(lambda: text(sep=";").replace(".", ",")),
    "mixed decimals": put(
        lambda: text(
            sep=";",
            cell=lambda subject, row, cells: [cell.replace(".", ",") if row % 2 else cell for cell in cells],
        )
    ),
    "decimal commas at the end": put(
        lambda: text(
            sep=";",
            cell=lambda subject, row, cells: [cell.replace(".", ",") if subject == "d" else cell for cell in cells],
        )
    ),
}


def made(name: str, make: Callable[[Path], object]) -> Make:
    """A path that something else is done to."""

    def run(folder: Path) -> str:
        make(folder / name)
        return name

    return run


def small_feather(path: Path) -> None:
    feather.write_feather(pa.table({"t": [0.0, 1.0], "ax": [1.0, 2.0]}), str(path))


def damaged(path: Path) -> None:
    parquet()(path.parent)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)


# Files that are something else.
CASES |= {
    "packed without saying so": put(lambda: gzip.compress(text().encode())),
    "an archive": put(lambda: b"PK\x03\x04" + bytes(5000)),
    "Excel": put(lambda: b"PK\x03\x04" + bytes(5000), "own.xlsx"),
    "old Excel": put(lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000)),
    "text that says it is packed": put(text, "own.csv.gz"),
    "text that says it is packed otherwise": put(text, "own.csv.bz2"),
    "an archive cut short": put(lambda: gzip.compress(text().encode())[:-50], "own.csv.gz"),
    "an empty archive": put(lambda: gzip.compress(b""), "own.csv.gz"),
    "text that says it is Parquet": put(text, "own.parquet"),
    "text that shouts": put(text, "own.CSV"),
    "nothing that says it is Parquet": put(lambda: b"", "own.parquet"),
    "only the marks of Parquet": put(lambda: b"PAR1PAR1", "own.parquet"),
    "damaged Parquet": made("own.parquet", damaged),
    "Feather": made("own.feather", small_feather),
    "Feather that says it is Parquet": made("own.parquet", small_feather),
    "Feather that says it is text": made("own.csv", small_feather),
    "Parquet that says it is text": lambda folder: (folder / parquet()(folder)).rename(folder / "own.csv").name,
    "JSON": put(lambda: json.dumps([{"a": 1}] * 100, indent=1)),
    "a page": put(lambda: "<html><body>\n<table>\n</table></html>\n"),
    "a folder": made("own.csv", Path.mkdir),
    "a pipe": made("own.csv", os.mkfifo),
    "a pipe that says it is Parquet": made("own.parquet", os.mkfifo),
    "no file": made("own.csv", lambda path: None),
    "a link to nothing": made("own.csv", lambda path: path.symlink_to("nowhere")),
    "a link to itself": made("own.csv", lambda path: path.symlink_to("own.csv")),
    "a device": made("own.csv", lambda path: path.symlink_to("/dev/zero")),
}

# Columns of Parquet.
STRANGE = {
    "structs": lambda n: pa.array([{"x": 1.0}] * n),
    "lists": lambda n: pa.array([[1.0, 2.0]] * n),
    "maps": lambda n: pa.array([[("k", 1.0)]] * n, pa.map_(pa.string(), pa.float64())),
    "bytes": lambda n: pa.array([b"\xff\x00"] * n),
    "durations": lambda n: pa.array([datetime.timedelta(milliseconds=20 * (i % ROWS)) for i in range(n)]),
    "times of day": lambda n: pa.array([20 * (i % ROWS) for i in range(n)], pa.time32("ms")),
    "days": lambda n: pa.array([datetime.date(2026, 1, 1)] * n),
    "moments": lambda n: pa.array(
        [datetime.datetime(2026, 1, 1) + datetime.timedelta(milliseconds=20 * (i % ROWS)) for i in range(n)]
    ),
    "decimals": lambda n: pa.array([decimal.Decimal("1.50")] * n),
    "codes": lambda n: pa.array([str(i % ROWS / 50) for i in range(n)]).dictionary_encode(),
    "numbers as words": lambda n: pa.array([str(i % ROWS / 50) for i in range(n)]),
    "words": lambda n: pa.array(["up"] * n),
    "truths": lambda n: pa.array([True, False] * (n // 2)),
    "nothing": lambda n: pa.nulls(n),
    "halves": lambda n: pa.array(np.zeros(n, np.float16)),
    "floats that are no numbers": lambda n: pa.array(np.tile([1.0, np.nan, np.inf], n // 3)),
    "large floats": lambda n: pa.array(np.tile([1e300, 2.5, 3.0], n // 3)),
    "large integers": lambda n: pa.array(np.full(n, 2**64 - 1, dtype=np.uint64)),
}
for kind, column in STRANGE.items():
    for place in ("who", "what", "t", "ax"):
        CASES[f"{kind} in {place}"] = parquet(**{place: column})
CASES |= {
    "Parquet": parquet(),
    "a column that is not used": parquet(extra=STRANGE["structs"]),
    "Parquet without rows": made(
        "own.parquet", lambda p: pq.write_table(pa.table({"t": pa.array([], pa.float64())}), p)
    ),
    "Parquet without columns": made("own.parquet", lambda p: pq.write_table(pa.table({}), p)),
    "a name twice in Parquet": made(
        "own.parquet", lambda p: pq.write_table(pa.table([pa.array([1.0, 2.0])] * 2, names=["t", "t"]), p)
    ),
}

# Mappings.
MAPPING = 'subject = "who"\nlabel = "what"\ntime = "t"\n[sensors."wrist.acc"]\ncolumns = ["ax", "ay", "az"]\n'


def mapped(toml: str | Callable[[Path], object]) -> Make:
    def make(folder: Path) -> str:
        own = folder / "own"
        own.mkdir()
        for number in range(2):
            (own / f"s{number}.csv").write_text(text(who=(f"p{number}", *"qrs")))
        (folder / "outside.csv").write_text(text())
        if callable(toml):
            toml(own / "mapping.toml")
        else:
            (own / "mapping.toml").write_text(toml)
        return "own"

    return make


for pattern in (
    "s0.csv", "*.csv", "[.csv", "s[0-9].csv", "[!a]*.csv", "?0.csv", "**", "**/*.csv", "***", "*" * 200,
    "../outside.csv", "../*.csv", "/etc/passwd", "/*", "//s0.csv", "~/x.csv", "{subject}.csv",
    "{session}.csv", "{label}.csv", "{subject", "{}", "{nope}.csv", "{subject}{session}.csv", "{subject}_{subject}.csv",
    "{subject}/x.csv", "nothing.csv", "nothing*.csv", "", " ", ".", "..", "a/../s0.csv", "*/../*.csv", "./*.csv",
    "s0.csv/", "s" * 300,
    "s0\\u0000.csv", "s0\\n.csv", "mapping.toml", "C:\\\\x.csv",
):  # fmt: skip
    CASES[f"files {pattern[:24]!r}"] = mapped(f'files = "{pattern}"\n' + MAPPING)
for line in (
    "files = ", "files = 5", 'files = ["a", "b"]', 'where = "x"', 'rename = "x"', 'devices = "x"', "devices = [1]",
    'heading = "abc"', "heading = 5", "heading = []", "no_label = 5", "window = nan", "window = inf", "window = 0",
    "window = 1e9", 'window = "x"', "window = 2026-01-01", "overlap = nan", "overlap = 1", "rate = nan", "rate = inf",
    "rate = 1e-300", "rate = 1e300", "rate = -1", "rate = true", "offset = nan", "offset = inf", 'delimiter = ""',
    'delimiter = ",,"', 'delimiter = "\\n"', 'delimiter = "ä"', 'decimal = "xx"', 'decimal = ","',
    'encoding = "klingon"', 'encoding = "rot13"', 'encoding = "undefined"', 'encoding = "utf-16"',
    'unit_of_time = "h"', 'name = ""', "name = 7", "unknown = 1", 'session = ["a"]', 'session = "t"',
    'device = { a = 1 }',
):  # fmt: skip
    several = "" if line.startswith("files") else 'files = "s0.csv"\n'
    CASES[f"mapping with {line}"] = mapped(f"{several}{line}\n{MAPPING}")
for sensors in (
    'sensors = "x"', "sensors = [1]", "sensors = {}", "[sensors.acc]\ncolumns = 5", '[sensors.acc]\ncolumns = [["ax"]]',
    '[sensors.acc]\ncolumns = ["ax"]\nunit = 5', '[sensors.acc.columns]\nx = "ax"\ny = "ax"',
    '[sensors.""]\ncolumns = ["ax"]',
    '[sensors.acc]\ncolumns = ["t"]', '[sensors."a..b."]\ncolumns = ["ax"]', '[sensors.acc.columns]\nx = { y = 1 }',
    '[sensors.acc]\ncolumns = ["ax"]\n[where]\nwho = "nobody"', '[sensors.acc]\ncolumns = ["ax"]\n[devices]\nb = "x"',
    '[sensors.acc]\ncolumns = ["ax"]\n[devices.b]\nfiles = "nothing.csv"\n[devices.b.sensors.gyr]\ncolumns = ["ay"]',
):  # fmt: skip
    CASES[f"mapping with {sensors}"] = mapped(f'files = "s0.csv"\nsubject = "who"\ntime = "t"\n{sensors}\n')
CASES |= {
    "a mapping that is no text": mapped(lambda path: path.write_bytes(b'name = "\xff"')),
    "a mapping that is a pipe": mapped(os.mkfifo),
    "a mapping that is a folder": mapped(Path.mkdir),
    "a folder without a mapping": mapped(lambda path: None),
}


def attack(make: Make, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = make(folder)
    path = folder / name
    dates = ["--time-unit", "iso"] if "2026-" in (path.read_text(errors="ignore") if path.is_file() else "") else []
    flags = [] if name == "own" else [*FLAGS, *dates]
    for command in (
        ["inspect", str(path)],
        ["inspect", str(path), "--json"],
        ["audit", str(path), "--protocol", "subjects:2", "--json", *flags],
    ):
        code = main(command)
        out, error_text = capsys.readouterr()
        lines = [line for line in error_text.splitlines() if not line.startswith("note: ")]
        assert len(error_text) < 12_000
        if code == 2:
            assert len(lines) == 1, error_text
            # The file, its folder or the data set's name, or (of a split) the subjects in it.
            assert any(word in error_text for word in ("own", "s0", "subjects", "mapping")), error_text
        else:
            assert code in (0, 1)
            assert lines == []
            if "--json" in command:
                json.loads(out)
    with contextlib.suppress(UserError):
        load(path, mapping=None if name == "own" else {"subject": "who", "time": "t", "sensors": {"acc": ["ax"]}})


def test_the_attack_has_enough_cases():
    assert len(CASES) >= 250


@pytest.mark.parametrize("case", list(CASES)[::17])
def test_a_hostile_table_ends_well_or_in_one_sentence(case, tmp_path, capsys):
    attack(CASES[case], tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_hostile_table_ends_well_or_in_one_sentence(case, tmp_path, capsys):
    attack(CASES[case], tmp_path, capsys)


# The faults one by one.


def at(tmp_path, case):
    return tmp_path / CASES[case](tmp_path)


@pytest.mark.parametrize("case", ["a gap", "a clock with a pause"])
def test_inspect_as_json_with_a_gap_is_json(case, tmp_path, capsys):
    # A gap or a pause leaves recordings that are shorter than a window.
    assert main(["inspect", str(at(tmp_path, case)), "--json"]) == 1
    subjects = json.loads(capsys.readouterr().out)["subjects"]
    assert sum(subject["gaps"] for subject in subjects) == len(WHO)


def test_a_clock_cut_to_whole_seconds_is_audited_without_an_index_error(tmp_path, capsys):
    path = at(tmp_path, "a clock cut to whole seconds")
    flags = [*FLAGS, "--time-unit", "s"]  # Whole numbers that rise by one could be a counter: it is asked.
    assert main(["audit", str(path), "--protocol", "subjects:2", *flags]) == 1, capsys.readouterr().err


@pytest.mark.parametrize("kind", ["structs", "lists", "maps", "bytes"])
@pytest.mark.parametrize("place", ["who", "t", "ax"])
def test_a_nested_or_binary_column_of_parquet_is_named_with_its_file(kind, place, tmp_path):
    mapping = {"subject": "who", "time": "t", "sensors": {"acc": ["ax", "ay", "az"]}}
    with pytest.raises(UserError, match=rf"own\.parquet, from row 1 on: {place} holds "):
        load(at(tmp_path, f"{kind} in {place}"), mapping=mapping)


def test_durations_and_times_of_day_are_clocks(tmp_path):
    mapping = {"subject": "who", "time": "t", "sensors": {"acc": ["ax", "ay", "az"]}}
    for case in ("durations in t", "times of day in t", "moments in t", "Parquet"):
        data = load(at(tmp_path, case), mapping=mapping)
        assert data.spec.rate == 50
        assert len(data.samples) == ROWS * len(WHO)


def test_brackets_in_a_pattern_stand_for_themselves_and_stars_do_not_cross_folders(tmp_path):
    values = {"time": "t", "label": "what", "sensors": {"acc": ["ax"]}}
    (tmp_path / "deep").mkdir()
    for name in ("s[1].csv", "s1.csv", "deep/s[2].csv"):
        (tmp_path / name).write_text(text(who=("a",)))
    assert load(tmp_path, mapping=values | {"files": "s[{subject}].csv"}).subjects == ("1",)
    assert load(tmp_path, mapping=values | {"files": "s{subject}.csv"}).subjects == ("1", "[1]")
    assert load(tmp_path, mapping=values | {"files": "{session}/s[{subject}].csv"}).subjects == ("2",)


@pytest.mark.parametrize("pattern", ["**", "**/*.csv", "/etc/*", "/etc/passwd", "s0\n.csv", "{subject}_{subject}.csv"])
def test_a_pattern_that_cannot_be_is_named_with_its_folder(pattern, tmp_path):
    folder = at(tmp_path, "a folder without a mapping")
    mapping = {"files": pattern, "subject": "who", "time": "t", "sensors": {"acc": ["ax"]}}
    with pytest.raises(UserError, match=r"own: files = |U\+000A"):
        load(folder, mapping=mapping)


def test_a_file_without_permission_says_so(tmp_path, monkeypatch):
    path = at(tmp_path, "Parquet")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match=r"own\.parquet cannot be read; change its permissions"):
        load(path, mapping={"subject": "who", "time": "t", "sensors": {"acc": ["ax"]}})


@pytest.mark.parametrize("rate", ["nan", "inf", "1e-300", "1e300", "0", "-5"])
def test_a_rate_that_nothing_can_be_resampled_to_is_refused(rate, tmp_path, capsys):
    path = at(tmp_path, "Parquet")
    assert main(["audit", str(path), "--protocol", "subjects:2", f"--rate={rate}", *FLAGS]) == 2
    assert "own: a sampling rate must be" in capsys.readouterr().err


def test_an_exact_copy_in_a_table_with_an_uneven_clock_is_no_longer_clean(tmp_path, capsys):
    """4,000 rows pasted from one subject to another, found before and beside, though tables are resampled."""
    random = np.random.default_rng(3)
    steps = {who: random.uniform(0.012, 0.028, 5000) for who in WHO}
    values = {who: random.normal(0, 1, (5000, 3)) for who in WHO}
    steps["c"][500:4500], values["c"][500:4500] = steps["a"][200:4200], values["a"][200:4200]

    def write(name, subjects):
        rows = [
            f"{who},walk,{time:.4f},{x:.4f},{y:.4f},{z:.4f}"
            for who in subjects
            for time, (x, y, z) in zip(np.cumsum(steps[who]).tolist(), values[who].tolist(), strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join([HEADING, *rows]) + "\n")
        (tmp_path / f"{name}.toml").write_text(f'files = "{name}.csv"\n{MAPPING}')
        return str(tmp_path / f"{name}.csv")

    both, second, third = write("both", "abcd"), write("second", "cd"), write("third", "abd")
    assert main(["audit", both, "--protocol", "subjects:2", "--json"]) == 1
    errors = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["severity"] == "error"]
    assert {each["kind"] for each in errors} == {"duplicate"}
    assert max(each["count"] for each in errors) > 3900
    assert main(["audit", third, "--protocol", "loso", "--json", "--beside", second, "--rate", "25"]) == 1
    errors = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["severity"] == "error"]
    # Subject d is in both tables.
    assert [each["count"] for each in errors if "in third and in second" in each["evidence"]] == [9000]
