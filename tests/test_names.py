"""Names of users as an attack: each is refused in one sentence where it is read, or shown as what it is."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from markdown_it import MarkdownIt
from pyarrow import parquet
from rich.console import Console

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.escaping import escape_csv, escape_html, escape_latex, escape_markdown, unescape_csv, write_csv
from stillmotion.evaluation import (
    Interval,
    Predictions,
    compare_variants,
    count_confusion,
    read_predictions,
    write_predictions,
)
from stillmotion.names import is_text, make_file_name, make_visible, require_file_name, require_name
from stillmotion.signals import Channel, Dataset, Recording, SignalSpec, load, propose_mapping
from stillmotion.studies import Results, Row, Study, Variant, read_study
from stillmotion.studies.teacher_gap import TeacherGap

#: Would leave their folder, cannot be a file on one of the systems, or are taken.
NO_FILES = {
    "up": "../../ESC",
    "dots": "..",
    "dot": ".",
    "absolute": "/tmp/ESC",
    "drive": "C:\\ESC",
    "stream": "lm:x",
    "below": "a/b",
    "backslash": "a\\b",
    "fullwidth-slash": "a／b",
    "nul-byte": "a\0b",
    "line": "a\nb",
    "escape": "a\x1b[31mb",
    "right-to-left": "a\u202eb",
    "zero-width": "a\u200bb",
    "joiner": "a\u200db",
    "filler": "a\u3164b",
    "empty": "",
    "blank": " ",
    "blank-end": "lm ",
    "blank-within": "a b",
    "point-end": "lm.",
    "hidden": ".lm",
    "option": "-rf",
    "underscore-first": "_lm",
    "long": "x" * 65,
    "very-long": "x" * 300,
    "bytes": "🄰" * 64,
    "star": "a*",
    "question": "a?",
    "quote": 'a"b',
    "tick": "a'b",
    "backtick": "`id`",
    "dollar": "$HOME",
    "pipe": "a|b",
    "less": "a<b",
    "percent": "%TEMP%",
    "tilde": "~root",
    "best": "best",
    "best-case": "Best",
    "con": "con",
    "nul": "NUL",
    "com1": "com1",
    "com-raised": "COM¹",
    "lpt9-ending": "lpt9.txt",
    "aux": "aux.study",
}
#: Can be shown, and hold what one of the outputs reads as something else.
ODD = {
    "dollars": "$a_1$ and $b$",
    "broken-formula": r"$\frac{$",
    "bold": "[bold]x[/bold]",
    "closing": "[/]",
    "link-markup": "[link=https://x.org]y[/link]",
    "emoji-code": "a :smile: b",
    "pipe": "a | b",
    "backslash-pipe": "a\\|b",
    "backtick": "`rm`",
    "script": "<script>alert(1)</script>",
    "attribute": "\" onload='x",
    "comment": "<!-- x",
    "cdata": "]]>",
    "entity": "&lt; &#60; AT&T",
    "underscores": "_a_ __b__ snake_case",
    "percent": "100 % %d {x} {0}",
    "braces": "}{",
    "backslash": "back\\slash",
    "backslash-end": "end\\",
    "latex": "\\input{/etc/passwd}",
    "caret": "x^2~y",
    "sum": "=1+1",
    "plus": "+cmd|' /C calc'!A0",
    "minus": "-x",
    "at": "@SUM(A1)",
    "apostrophe": "'=x",
    "hash": "#1b1f24 #3b4450",
    "numbered": "1. x",
    "bullet": "- x",
    "rule": "---",
    "heading": "# x #",
    "link": "[x](javascript:y)",
    "image": "![x](y)",
    "stars": "*a* **b**",
    "row-argument": "[2cm]",
    "namespace": 'x xmlns="y" height="3"',
    "comma": 'a,"b";c',
    "cyrillic": "Ходьба по лестнице",
    "chinese": "散歩",
    "hebrew": "הליכה",
    "emoji": "🚶 🏃\u200d♀️",
}
#: Never pass: they break what they are written to, or rule the terminal, or show another name than there is.
NEVER = {
    "nul": "a\0b",
    "colour": "a\x1b[31mb",
    "title": "a\x1b]0;x\x07b",
    "csi": "a\x9b31mb",
    "backspace": "a\x08b",
    "delete": "a\x7fb",
    "tab": "a\tb",
    "line": "a\nb",
    "return": "a\rb",
    "next-line": "a\x85b",
    "line-separator": "a\u2028b",
    "paragraph-separator": "a\u2029b",
    "override": "a\u202eb",
    "isolate": "a\u2066b",
    "mark": "a\u200fb",
    "zero-width": "a\u200bb",
    "byte-order": "a\ufeffb",
    "no-character": "a\uffffb",
    "tag": "a\U000e0041b",
}
LONE = {"surrogate": "a\ud800b"}
NAMES = tuple(ODD.values())


def each(names: dict[str, str]) -> pytest.MarkDecorator:
    """A case for each name; two of three run with the slow tests."""
    rest = pytest.mark.slow
    cases = [
        pytest.param(name, id=key, marks=rest if number % 3 else ()) for number, (key, name) in enumerate(names.items())
    ]
    return pytest.mark.parametrize("name", cases)


def toml(text: str) -> str:
    """A name as TOML writes it, whatever is in it."""
    return '"' + "".join(f"\\U{ord(mark):08X}" for mark in text) + '"'


def refused(said: str, name: str) -> None:
    """One line, without a character that rules a terminal."""
    assert is_text(said), ascii(said)
    assert "Traceback" not in said


# What becomes a file.


@each(NO_FILES)
def test_a_variant_named_like_a_path_is_refused_when_the_specification_is_read(name: str, tmp_path: Path) -> None:
    spec = tmp_path / "s.toml"
    spec.write_text(f'name = "mine"\nvariants = [{toml(name)}]\n[variant.{toml(name)}]\nmethod = "lm"\n')
    with pytest.raises(UserError) as caught:
        read_study(spec)
    refused(make_visible(str(caught.value)), name)
    with pytest.raises(UserError):
        Study("mine", variants=(name,), compare=(), variant={name: Variant("lm")})
    assert [path.name for path in tmp_path.iterdir()] == ["s.toml"]


@each(NO_FILES | LONE)
def test_a_study_named_like_a_path_is_refused_before_a_folder_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(UserError):
        Study(name)
    if name not in LONE.values():
        Path("s.toml").write_text(f"name = {toml(name)}\n")
        assert main(["study", "s.toml"]) == 2
        refused(capsys.readouterr().err.removesuffix("\n"), name)
    assert {path.name for path in tmp_path.rglob("*")} <= {"inside", "s.toml"}


@pytest.mark.parametrize("name", ["LM", "Rb-KD", "Random-Forest"])
def test_names_that_differ_in_case_alone_are_one_file(name: str) -> None:
    with pytest.raises(UserError, match=f"{name.lower()}.*{name}"):
        Study("mine", variants=(name,), compare=(), variant={name: Variant("lm")})
    with pytest.raises(UserError, match="'one'.*'ONE'"):
        Study("mine", variants=("one", "ONE"), compare=(), variant={"one": Variant("lm"), "ONE": Variant("lm")})


def test_a_variant_named_like_its_teacher_would_share_its_row() -> None:
    with pytest.raises(UserError, match="deepconvlstm-om"):
        Study("mine", variant={"deepconvlstm-om": Variant("lm")})


@pytest.mark.parametrize("name", ["kd-T=4", "rb-kd_2", "v1.2+att", "ходьба", "歩行", "हिन्दी", "Übung", "5"])
def test_plain_names_of_any_script_are_files(name: str, tmp_path: Path) -> None:
    assert require_file_name(name, "variant") == name
    (tmp_path / f"{name}.parquet").touch()
    assert require_file_name(unicodedata.normalize("NFD", name), "variant") == name


def test_one_name_in_two_compositions_is_one_variant() -> None:
    apart, composed = (unicodedata.normalize(form, "übung") for form in ("NFD", "NFC"))
    study = Study(apart, variants=(apart,), compare=(composed, "lm"), variant={apart: Variant("lm")})
    assert study.name == composed
    assert composed in study.all_variants


@each(NO_FILES)
def test_what_is_proposed_instead_is_safe(name: str) -> None:
    plain = make_file_name(name, "archive")
    assert require_file_name(plain, "file") == plain


def test_a_file_that_is_fetched_stays_in_its_folder() -> None:
    assert make_file_name("..", "archive") == "archive"
    assert make_file_name("", "archive") == "archive"
    assert make_file_name("human activity (1).zip", "archive") == "human-activity--1-.zip"
    assert make_file_name("x" * 300 + ".zip").endswith("x.zip")


# What is shown.


@each(NEVER)
@pytest.mark.parametrize("place", ["title", "class", "sensors", "number"])
def test_a_control_character_in_a_specification_is_refused(place: str, name: str, tmp_path: Path) -> None:
    text = {
        "title": f"[variant.mine]\nmethod = 'lm'\ntitle = {toml(name)}",
        "class": f"[data]\nclasses = [{toml(name)}]",
        "sensors": f"[data]\nsensors = {toml(name)}",
        "number": f"[search.grid]\n{toml(name)} = [1.0]",
    }[place]
    spec = tmp_path / "s.toml"
    spec.write_text(f"name = 'mine'\n{text}\n")
    with pytest.raises(UserError, match=re.escape(repr(name)[1:-1])):
        read_study(spec)


def table(folder: Path, *, subject: str = "ann", label: str = "walk", column: str = "ax") -> Path:
    path = folder / "own.csv"
    rows = [["who", "what", "t", column], *([subject, label, n / 10, n % 7] for n in range(40))]
    rows += [["bob", "sit", n / 10, n % 5] for n in range(40)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def mapping(column: str = "ax", sensor: str = "acc") -> dict[str, Any]:
    return {"subject": "who", "label": "what", "time": "t", "sensors": {sensor: {"columns": [column]}}}


#: A text table with these in a cell has other rows or is no text; Parquet takes all.
CELLS = {key: name for key, name in NEVER.items() if key not in ("line", "return", "nul")}


@each(CELLS)
@pytest.mark.parametrize("place", ["subject", "label", "column", "sensor"])
def test_a_control_character_in_a_table_is_refused(place: str, name: str, tmp_path: Path) -> None:
    given = {} if place == "sensor" else {place: name}
    path = table(tmp_path, **given)
    how = mapping(**{place: name}) if place in ("column", "sensor") else mapping()
    with pytest.raises(UserError) as caught:
        load(str(path), mapping=how, cache=False)
    assert repr(name)[1:-1] in str(caught.value)
    refused(str(caught.value), name)


@each(NEVER)
def test_a_control_character_in_a_table_of_parquet_is_refused(name: str, tmp_path: Path) -> None:
    columns = {"who": [name] * 40, "what": ["walk"] * 40, "t": np.arange(40) / 10, "ax": np.arange(40.0)}
    parquet.write_table(pa.table(columns), tmp_path / "own.parquet")
    with pytest.raises(UserError) as caught:
        load(str(tmp_path / "own.parquet"), mapping=mapping(), cache=False)
    assert repr(name)[1:-1] in str(caught.value)


def test_a_column_that_cannot_be_shown_is_not_proposed(tmp_path: Path) -> None:
    found = propose_mapping(table(tmp_path, column="ay\x1b[2J"))
    assert is_text(json.dumps(found.to_dict(), ensure_ascii=False))
    assert any("ay\\u001b[2J" in remark for remark in found.remarks)


@each(ODD)
def test_a_table_takes_any_name_that_can_be_shown(name: str, tmp_path: Path) -> None:
    path = table(tmp_path, subject=name, label=name, column=name)
    data = load(str(path), mapping=mapping(name), cache=False)
    assert name in data.subjects
    assert name in data.spec.classes


def test_one_subject_in_two_compositions_is_one_subject(tmp_path: Path) -> None:
    rows = ["who,what,t,ax"]
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Андрей")
        rows += [f"{name},{name},{n / 10},{n % 7}" for n in range(40)]
    path = tmp_path / "own.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = load(str(path), mapping=mapping(), cache=False)
    assert data.subjects == data.spec.classes == (unicodedata.normalize("NFC", "Андрей"),)


@each(NEVER | LONE)
def test_a_control_character_in_data_of_python_is_refused(name: str) -> None:
    spec = SignalSpec(50.0, (Channel("acc", "x"),), ("walk",), 10, 5)
    samples, labels = np.zeros((20, 1), np.float32), np.zeros(20, np.int16)
    with pytest.raises(UserError):
        Dataset.of("mine", spec, [Recording(name, "1", samples, labels)])
    with pytest.raises(UserError):
        SignalSpec(50.0, (Channel("acc", "x"),), (name,), 10, 5)
    with pytest.raises(UserError):
        SignalSpec(50.0, (Channel(name, "x"),), ("walk",), 10, 5)
    with pytest.raises(UserError):
        require_name(name, "label")


def said(variant: str = "lm", subject: str = "ann", **more: Any) -> Predictions:
    """Twelve windows of two subjects."""
    subjects = np.repeat([subject, "bob"], 6)
    y = np.tile([0, 1, 2], 4)
    return Predictions.of(variant, subject=subjects, fold=subjects, seed=0, y=y, scores=np.eye(3)[y] + 0.1, **more)


@each(NEVER)
@pytest.mark.parametrize("place", ["variant", "subject", "fold", "recording", "stem"])
def test_a_control_character_in_predictions_is_refused(
    place: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns: dict[str, Any] = {"variant": "lm", "subject": "a", "fold": "0", "recording": "1"} | {place: name}
    stem = columns.pop("stem", "plain")
    if place == "stem":
        columns.pop("variant")
    if "\0" in stem:
        return  # no system has a file of this name
    rows = {key: [value] * 3 for key, value in columns.items()}
    rows |= {"seed": [0, 0, 0], "y": [0, 1, 0], "prediction": [0, 1, 1], "time": [0.0, 1.0, 2.0]}
    path = tmp_path / f"{stem}.parquet"
    parquet.write_table(pa.table(rows), path)
    assert main(["compare", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    refused(captured.err.removesuffix("\n"), name)
    assert repr(name)[1:-1] in captured.err


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_predictions_come_back_with_the_names_they_went_with(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"all.{ending}"
    write_predictions(path, *(said(name, name) for name in NAMES))
    back = read_predictions(path)
    assert [one.variant for one in back] == list(NAMES)
    assert all(one.subject.tolist() == [name] * 6 + ["bob"] * 6 for one, name in zip(back, NAMES, strict=True))
    if ending == "csv":
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            assert all(not cell or cell[0] not in "=+-@" for cell in row)


# What is written.


def row(name: str) -> Row:
    score = Interval(0.8, 0.7, 0.9, 9, 0.95)
    numbers: tuple[Any, ...] = (1, 1, 1000, 20000, 4000, 0.8, score, 0.8, 0.01, score, 0.04)
    return Row(name, name, "variant", *numbers, "better", (name,), 3, 1.5, 1)


@pytest.fixture(scope="module")
def results() -> Results:
    lead = TeacherGap("[teacher](x)", Interval(0.1, 0.05, 0.2, 9, 0.95))
    rows = tuple(map(row, NAMES))
    return Results(NAMES[0], NAMES[9], "lm", "loso", False, 9, (lead,), (), rows, None, 1, True, 60.0)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cuts nothing."""
    from stillmotion.reports import compared, plan, protocols, results, screen

    for module in (screen, results, compared, protocols, plan):
        monkeypatch.setattr(module, "console", lambda: screen.Screen(width=2000))


def test_the_terminal_shows_names_as_they_are(results: Results, wide: None, capsys: pytest.CaptureFixture[str]) -> None:
    from stillmotion.reports.compared import show_compared, show_events
    from stillmotion.reports.results import show_results
    from stillmotion.reports.screen import show_rows

    found = compare_variants(count_confusion([said(name, classes=("a", "b", "c")) for name in NAMES]))
    scores = dict.fromkeys(("segment_f1", "onset_delay_s", "missed", "false_transitions_per_hour", "hours"), 1.0)
    for show in (
        lambda: show_results(results),
        lambda: show_rows(NAMES[0], [{"name": name} for name in NAMES]),
        lambda: show_compared(found, {}),
        lambda: show_events(dict.fromkeys(NAMES, scores)),
    ):
        show()
        shown = capsys.readouterr().out
        for name in NAMES:
            assert f" {name} " in shown, name
        assert is_text(shown.replace("\n", ""))


@each(NEVER | LONE)
def test_a_control_character_from_elsewhere_stands_on_the_terminal_as_an_escape(
    name: str, wide: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from stillmotion.reports.screen import console, show_rows, styled

    show_rows(name, [{"path": name}])
    console().print(name)
    console().print(styled("bold", name, name))
    shown = capsys.readouterr().out
    assert is_text(shown.replace("\n", ""))
    assert shown.count(make_visible(name, keep="\n").partition("\n")[0]) >= 5


@each(NEVER | LONE)
def test_a_path_with_a_control_character_is_named_in_an_error_without_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"{tmp_path}/{name}.csv"]) == 2
    refused(capsys.readouterr().err.removesuffix("\n"), name)


class Reader(HTMLParser):
    """Takes the page apart again: elements, and the text of each row's first cell."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[list[str]] = []
        self.variants: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.cells.append([])
            self.variants += [value or "" for name, value in attrs if name == "data-variant"]
        elif tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.cells and self.cells[-1]:
            self.cells[-1][-1] += data


def test_the_page_shows_names_as_they_are(results: Results) -> None:
    from stillmotion.reports import results_table, tabulate

    reader = Reader()
    reader.feed(results_table(results).to_html() + tabulate("rows", [{"variant": name} for name in NAMES]).to_html())
    heading, *rows = reader.cells[: len(NAMES) + 1]
    assert [cells[0] for cells in rows] == list(NAMES)
    assert {len(cells) for cells in rows} == {len(heading)}
    assert reader.variants == [*NAMES, *NAMES]
    assert reader.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "button"}


@each(NEVER)
def test_a_control_character_is_an_escape_in_html_latex_markdown_and_csv(name: str) -> None:
    for escape in (escape_html, escape_latex, escape_markdown, lambda text: write_csv([text], []).removesuffix("\n")):
        assert is_text(escape(name).replace("\n", "").replace("\t", ""))


def test_figures_show_names_as_they_are(tmp_path: Path) -> None:
    from stillmotion.reports.figure import Figure

    def draw(sheet: Any, mark: Any) -> None:
        panel = sheet.subplots()
        for number, name in enumerate(NAMES):
            (line,) = panel.plot([1, 1000], [number, number], label=name)
            mark(line, name, name)
        panel.set_xscale("log")
        panel.set_yticks(range(len(NAMES)), NAMES)
        panel.set_title(NAMES[0])
        panel.text(1, 0, "a\x1b[31mb")

    figure = Figure("odd", " ".join(NAMES), "words", [{"variant": name} for name in NAMES], draw, (6.0, 9.0))
    page = ET.fromstring(figure.save(tmp_path))
    alone = ET.parse(tmp_path / "odd.svg").getroot()
    for root in (page, alone):
        texts = {"".join(node.itertext()) for node in root.iter() if node.tag.rpartition("}")[2] == "text"}
        assert set(NAMES) <= {text.replace("\xa0", " ") for text in texts}
        assert {"10⁰", "10³"} <= texts
        assert "a\\u001b[31mb" in texts
        assert {node.tag.rpartition("}")[2] for node in root.iter()} <= {
            "svg", "title", "desc", "defs", "g", "path", "text", "use", "clipPath", "rect", "tspan",
        }  # fmt: skip
    assert {node.attrib["data-variant"] for node in page.iter() if "data-variant" in node.attrib} == set(NAMES)
    with (tmp_path / "odd.csv").open(newline="", encoding="utf-8") as file:
        assert [unescape_csv(each["variant"]) for each in csv.DictReader(file)] == list(NAMES)


def test_figures_of_classes_show_names_as_they_are(tmp_path: Path) -> None:
    from stillmotion.reports.figures.classes import classes

    names = NAMES[:3]
    counted = count_confusion([said(name, classes=names) for name in names])
    (figure,) = classes(cast(Any, SimpleNamespace(confusion=counted)))
    root = ET.fromstring(figure.save(tmp_path))
    assert set(names) <= {"".join(node.itertext()).replace("\xa0", " ") for node in root.iter("text")}


def unlatex(text: str) -> str:
    """What LaTeX would print; an unescaped special character is an error."""
    words = {"backslash": "\\", "asciitilde": "~", "asciicircum": "^", "less": "<", "greater": ">", "bar": "|"}
    for word, mark in words.items():
        text = text.replace(f"\\text{word}{{}}", f"\0{ord(mark)};")
    text = re.sub(r"\\([&%$#_{}])", lambda match: f"\0{ord(match[1])};", text)
    text = re.sub(r"\{([\[*`])\}", r"\1", text)
    assert not re.search(r"[&%$#_{}~^\\]", text), text
    return re.sub(r"\0(\d+);", lambda match: chr(int(match[1])), text)


def test_latex_shows_names_as_they_are(results: Results) -> None:
    from stillmotion.reports import to_latex
    from stillmotion.reports.results import SHORT

    body = to_latex(results).split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert all(line.endswith(" \\\\") for line in body)
    cells = [re.split(r"(?<!\\) & ", line.removesuffix(" \\\\")) for line in body]
    assert [unlatex(each[0]) for each in cells] == list(NAMES)
    assert {len(each) for each in cells} == {len(SHORT)}
    assert not any(line.startswith(("[", "*")) for line in body), "an argument of the line before"


def rendered(text: str) -> tuple[list[list[str]], set[str]]:
    """Cells of the tables in a Markdown text as GitHub shows them, and the elements that it makes."""
    reader = Reader()
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    reader.feed(html)
    return [[cell.strip() for cell in row] for row in reader.cells], reader.tags


def test_markdown_shows_names_as_they_are(results: Results) -> None:
    from stillmotion.reports import to_markdown
    from stillmotion.reports.results import SHORT

    cells, tags = rendered(to_markdown(results))
    assert [row[0] for row in cells[1:]] == list(NAMES)
    assert {len(row) for row in cells} == {len(SHORT)}
    assert tags <= {"h2", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "p"}


@each(ODD)
def test_markdown_reads_nothing_into_a_name_wherever_it_stands(name: str) -> None:
    shown = escape_markdown(name)
    for before, tags in (("", {"p"}), ("## ", {"h2"}), ("- ", {"ul", "li"}), ("a ", {"p"}), ("a\n", {"p"})):
        html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(before + shown)
        reader = Reader()
        reader.cells = [[""]]
        reader.feed(html)
        assert reader.tags == tags, (before, html)
        assert reader.cells[0][0].strip() == (before.lstrip("#- ") + name).strip()


def test_the_card_of_a_bundle_shows_names_as_they_are() -> None:
    from stillmotion.bundles.card import write_card

    units = ("g|x", "`id`")
    channels = tuple(Channel(name.replace(".", ""), str(n), units[n % 2]) for n, name in enumerate(NAMES[:6]))
    spec = SignalSpec(50.0, channels, NAMES[:4], 32, 16)
    counted = SimpleNamespace(
        network="<b>mine</b>", params=1, flops=1, multiply_adds=1, weight_bytes=1, activation_bytes=1,
        weight_bytes_int8=1, activation_bytes_int8=1, layers=(),
    )  # fmt: skip
    scores = [{"subject": name, "accuracy": 0.5} for name in NAMES]
    text = write_card(cast(Any, counted), spec, scores, {"data": {"name": "<script>"}, "[x](y)": "*a*"})
    front, text = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL).groups()
    assert "<script>" in front, "the front matter of the hub is YAML, not Markdown"
    cells, tags = rendered(text)
    assert [row[0] for row in cells[-len(NAMES) :]] == list(NAMES)
    assert {len(row) for row in cells} == {2}
    assert tags <= {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}


@each(ODD)
def test_csv_is_no_formula_and_comes_back(name: str) -> None:
    ((cell, number),) = csv.reader(io.StringIO(write_csv([name, "-1.5"], [])))
    assert cell[0] not in "=+-@"
    assert unescape_csv(cell) == unescape_csv(escape_csv(name)) == name
    assert number == "-1.5"


def test_results_as_csv_hold_no_formula(results: Results, tmp_path: Path) -> None:
    from stillmotion.reports import write_results

    write_results(results, tmp_path)
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [unescape_csv(each["variant"]) for each in rows] == list(NAMES)
    assert {each["macro_f1"] for each in rows} == {"0.8"}


def test_a_network_named_like_markup_is_shown_as_it_is() -> None:
    from stillmotion.networks import format_cost

    layer = SimpleNamespace(name="[/]", kind="Dense", shape=(1,), params=1, multiply_adds=1, flops=1)
    layer.flops_convolutions = 0
    counted = SimpleNamespace(
        network="[red]x", layers=(layer,), params=1, flops=1, multiply_adds=1, flops_convolutions=0, weight_bytes=1,
        weight_bytes_int8=1, activation_bytes=1, activation_bytes_int8=1, normaliser_flops=0, auxiliary_params=0,
    )  # fmt: skip
    out = Console(width=200, file=io.StringIO())
    out.print(format_cost(cast(Any, counted)))
    shown = cast(io.StringIO, out.file).getvalue()
    assert "[red]x" in shown
    assert "[/]" in shown
