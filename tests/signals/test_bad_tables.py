"""Bad input: one sentence with file and row, or a warning with counts; nothing half-written."""

import gzip
import re

import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from stillmotion.errors import ProposedMappingWarning, UserError
from stillmotion.signals import inspect, load
from stillmotion.signals.tables.dialect import detect_dialect

from .test_tables import ACC, MAPPING, lines, noted, signal, write


@pytest.fixture
def good(tmp_path):
    return write(tmp_path / "own.csv", lines("a", *signal()))


def changed(path, old, new, count=-1):
    path.write_text(path.read_text().replace(old, new, count))


def cell(path, row, column, text):
    """Put text into a cell; row as an editor counts it."""
    rows = path.read_text().split("\n")
    cells = rows[row - 1].split(",")
    cells[column] = text
    rows[row - 1] = ",".join(cells)
    path.write_text("\n".join(rows))


BAD = {
    "a wrong delimiter": (lambda p: None, {"delimiter": ";"}, "has no|column in .*own.csv: 'who'"),
    "decimal commas between commas": (
        lambda p: p.write_text("t,ax\n0,02,1,5\n0,04,1,6\n"),
        {},
        "row 2: 4 cells below a heading of 2; are there decimal commas",
    ),
    "another encoding": (
        lambda p: p.write_bytes(p.read_bytes().replace(b"sit", b"s\xfct")),
        {},
        r"row 152: not UTF-8 \(byte 0xfc\); .*encoding = 'latin-1'",
    ),
    "no text": (lambda p: p.write_bytes(b"\x00\x01" * 500), {}, "holds zero bytes"),
    "a word for a number": (lambda p: cell(p, 200, 4, "up"), {}, "row 200: ay is 'up', not a number"),
    "a decimal comma in quotes": (lambda p: cell(p, 200, 4, '"1,5"'), {}, "row 200: ay is '1,5', .* decimal comma"),
    "a missing cell": (
        lambda p: p.write_text(re.sub(r"\n([^\n]*),[^,\n]*\n$", r"\n\1\n", p.read_text())),
        {},
        "row 301: 5 cells where 6 were expected .who, what, t, ax, ay, az.",
    ),
    "one cell too many": (lambda p: cell(p, 200, 4, "1,2"), {}, "row 200: 7 cells where 6"),
    "a missing column": (lambda p: changed(p, "az", "oz", 1), {}, "'az'. Valid: who, what, t, ax, ay, oz"),
    "a doubled column": (lambda p: changed(p, "az", "ay", 1), {}, "row 1: 'ay' is the name of columns 5 and 6"),
    "no heading": (lambda p: p.write_text("0,1,2\n3,4,5\n"), {}, "row 1: numbers where column names"),
    "a heading alone": (lambda p: p.write_text("who,what,t,ax,ay,az\n"), {}, "has a heading but no rows"),
    "an empty file": (lambda p: p.write_text(""), {}, "own.csv is empty"),
    "empty lines": (lambda p: p.write_text("\n\n"), {}, "only empty lines"),
    "a time without a number": (lambda p: cell(p, 42, 2, ""), {}, "row 42: no time in t"),
    "a clock that stands still": (
        lambda p: p.write_text("who,what,t,ax,ay,az\n" + "a,walk,1,0,0,0\n" * 20),
        {},
        "is constant; set rate",
    ),
    "dates that are none": (lambda p: None, {"unit_of_time": "iso"}, "t is not a date"),
    "no numbers at all": (
        lambda p: p.write_text("who,what,t,ax,ay,az\na,b,0,,,\na,b,1,,,\n"),
        {},
        "every row of own.csv has a missing value",
    ),
    "subjects who alternate without a clock": (
        lambda p: write(p, [f"{'ab'[n % 2]},walk,0,1,2,3" for n in range(300)]),
        {"time": "", "rate": 50},
        "sort the table by subject and session",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_one_sentence_with_file_and_row(good, name, own_cache):
    change, more, message = BAD[name]
    change(good)
    mapping = {key: value for key, value in (MAPPING | more).items() if value != ""}
    with pytest.raises(UserError, match=message) as failed:
        load(good, mapping=mapping)
    assert "own.csv" in str(failed.value) or "alternate" in name
    assert "\n" not in str(failed.value)
    assert not list((own_cache / "recordings").glob("*")), "nothing half-written"


def test_labels_that_are_numbers_are_classes_by_their_text(good):
    data = load(good, mapping=MAPPING | {"label": "ax"})
    cells = [row.split(",")[3] for row in good.read_text().splitlines()[1:]]
    assert data.spec.classes == tuple(sorted(set(cells), key=float))
    assert [data.spec.classes[label] for label in data.recordings[0].labels] == cells


def test_an_empty_cell_of_a_column_that_nobody_asks_for_is_no_fault(good):
    _, values = signal()
    cell(good, 100, 5, "")
    data = load(good, mapping=MAPPING | {"sensors": {"acc": ["ax", "ay"]}})
    assert data.recordings[0].samples.tobytes() == values[:, :2].tobytes()


def test_a_heading_in_the_middle_is_dropped_and_counted(good):
    rows = good.read_text().split("\n")
    rows[100:100] = [rows[0]]
    rows[200:200] = [rows[0]]
    good.write_text("\n".join(rows))
    data = load(good, mapping=MAPPING)
    assert noted(data) == {"headings in the middle of a table, dropped": 2}
    assert len(data.samples) == 300
    cell(good, 250, 3, "oops")
    with pytest.raises(UserError, match="row 250: ax is 'oops'"):
        load(good, mapping=MAPPING)


def test_archives_cut_short_are_named(good, tmp_path):
    packed = tmp_path / "own.csv.gz"
    packed.write_bytes(gzip.compress(good.read_bytes() * 30)[:-4000])
    with pytest.raises(UserError, match=r"own.csv.gz .*cut short"):
        load(packed, mapping=MAPPING)
    parquet = tmp_path / "own.parquet"
    pq.write_table(csv.read_csv(good), parquet)
    parquet.write_bytes(parquet.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"own.parquet is not a Parquet file"):
        load(parquet, mapping=MAPPING)


def test_labels_with_blanks_and_case_are_one_class_and_counted(tmp_path):
    labels = ["Walk"] * 200 + [" walk"] * 40 + ["WALK "] * 30 + ["none"] * 10 + [""] * 10 + ["idle"] * 10
    path = write(tmp_path / "own.csv", lines("a", *signal(), labels))
    data = load(path, mapping=MAPPING | {"no_label": ["Idle"]})
    assert data.spec.classes == ("Walk",)
    assert (data.labels >= 0).sum() == 270
    assert noted(data) == {"labels mended in case or blanks": 70}


def test_a_misspelt_label_is_pointed_out_and_can_be_renamed(tmp_path):
    labels = ["walking"] * 280 + ["wlaking"] * 20
    path = write(tmp_path / "own.csv", lines("a", *signal(), labels))
    texts = [finding.text for finding in inspect(load(path, mapping=MAPPING)).findings if finding.kind == "spelling"]
    (text,) = texts
    assert "class wlaking (0 s)" in text
    assert "walking (6 s)" in text
    assert "rename" in text
    mended = load(path, mapping=MAPPING | {"rename": {"wlaking": "walking"}})
    assert mended.spec.classes == ("walking",)
    with pytest.raises(UserError, match="no label wolking to rename"):
        load(path, mapping=MAPPING | {"rename": {"wolking": "walking"}})


def test_units_that_differ_between_files_are_an_error_of_the_report(tmp_path):
    for number in range(4):
        times, values = signal(seed=number)
        values[:, 2] += 10
        size = 9.81 if number == 2 else 1.0
        write(tmp_path / f"{number}.csv", lines("a", times, values / 10 * size))
    sensors = {"wrist.acc": {"columns": ["ax", "ay", "az"]}}
    quality = inspect(load(tmp_path, mapping={**MAPPING, "files": "{subject}.csv", "subject": "", "sensors": sensors}))
    (found,) = [finding for finding in quality.findings if finding.kind == "mixed units"]
    assert found.severity == "error"
    assert re.search(r"about 9\.\d+ in 1 of 4 sources \(2\.csv 2 1\) and of .* units are mixed", found.text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sensrs": 1}, "unknown key sensrs. Valid: "),
        ({"sensors": {}}, "names no sensors"),
        ({"sensors": {"acc": {"unit": "g"}}}, "sensors.acc names no columns"),
        ({"sensors": {"acc": {"columns": ["ax"], "unit": "mph"}}}, "acc cannot be in 'mph'. Valid: g, m/s2"),
        ({"sensors": {"acc": ["ax", "ax"]}}, "column ax is used twice"),
        (
            {"sensors": {"acc": "ax", "b.acc": "ay"}, "devices": {"b": {"sensors": {"acc": "az"}}}},
            "duplicate channel acc",
        ),
        ({"time": ""}, "neither a time column nor a rate"),
        ({"rate": "fast"}, "rate must be a number, not 'fast'"),
        ({"unit_of_time": "h"}, "Unknown unit of time 'h'"),
        ({"window": 0}, "window must be above 0"),
        ({"devices": {"b": {"sensors": {"b": "az"}, "time": ""}}}, "neither a time column nor a rate"),
        ({"devices": {"b": {"sensors": {"b": "az"}, "colour": 1}}}, "devices.b: unknown key colour"),
    ],
)
def test_a_mapping_with_a_mistake_says_which(good, values, message):
    with pytest.raises(UserError, match=message):
        load(good, mapping=MAPPING | values)


def test_a_mappings_file_with_a_mistake_is_named(good):
    good.with_suffix(".toml").write_text("subject = who")
    with pytest.raises(UserError, match=r"own.toml is not valid TOML: .*line 1"):
        load(good)


def test_a_folder_without_a_mapping_is_read_by_a_proposal_that_says_where_one_belongs(good, tmp_path):
    with pytest.warns(ProposedMappingWarning, match="mapping.toml"):
        assert load(tmp_path).spec.groups == ("acc",)
    (tmp_path / "own.csv").unlink()
    with pytest.raises(UserError, match="holds no table"):
        load(tmp_path)
    with pytest.raises(UserError, match="none.csv is not there"):
        load(tmp_path / "none.csv")


def test_a_folder_needs_a_pattern_and_the_pattern_files_and_subjects(good, tmp_path):
    write(tmp_path / "more.csv", lines("a", *signal()))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="names no files"):
        load(tmp_path, mapping=MAPPING)
    with pytest.raises(UserError, match=r"holds no file like \{subject\}.txt"):
        load(tmp_path, mapping=MAPPING | {"files": "{subject}.txt"})
    with pytest.raises(UserError, match="nothing names their subjects"):
        load(tmp_path, mapping={"files": "*.csv", "time": "t", "sensors": ACC})
    with pytest.raises(UserError, match=r"\{who\} is not one of \{subject\}"):
        load(tmp_path, mapping=MAPPING | {"files": "{who}.csv"})
    with pytest.raises(UserError, match="folder.csv is a folder; name the files in it"):
        load(tmp_path, mapping=MAPPING | {"files": "folder.csv"})


def test_devices_that_never_run_together_are_an_error(tmp_path):
    times, values = signal()
    write(tmp_path / "a.csv", lines("a", times, values))
    write(tmp_path / "b.csv", lines("a", times + 5000, values))
    mapping = MAPPING | {
        "files": "a.csv",
        "devices": {"b": {"files": "b.csv", "sensors": {"b.acc": ["ax", "ay", "az"]}}},
    }
    with pytest.raises(UserError, match="b never runs at the same time as first for .*offset"):
        load(tmp_path, mapping=mapping)


def test_a_line_end_inside_quotes_is_one_cell_whichever_delimiter_is_tried(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("who,what,t,ax\n" + 'a,walk,0.0,"1\n2"\n' * 5)
    dialect = detect_dialect(path)
    assert dialect.delimiter == ","
    assert dialect.rows[0] == ("a", "walk", "0.0", "1\n2")
