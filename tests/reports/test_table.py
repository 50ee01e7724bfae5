"""Tables: the same number in the same form wherever it is shown."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from stillmotion.evaluation import Interval
from stillmotion.formatting import format_amount, format_duration, format_interval, format_list, format_points
from stillmotion.reports import results_table, show_results, tabulate, to_latex, to_markdown, write_results
from stillmotion.reports.results import SHORT
from stillmotion.reports.table import Table, make_gain, make_interval, make_text
from stillmotion.studies import Results, Row

#: Scores whose rounding, signs and missing ends tell apart every way to write them.
SCORES = (
    (Interval(0.73151, 0.6344, 0.8096, 9, 0.95), None),
    (Interval(0.05, 0.0, 0.1, 9, 0.95), Interval(-0.68151, -0.7, -0.60049, 9, 0.95)),
    (Interval(0.8, None, None, 1, 0.95), Interval(0.06849, -0.0004, 0.12, 9, 0.95)),
    (None, None),
)
#: By hand: what a person reads.
SHOWN = (
    ("73.2 [63.4, 81.0]", "–"),
    ("5.0 [0.0, 10.0]", "−68.2 [−70.0, −60.0]"),
    ("80.0", "+6.8 [−0.0, +12.0]"),
    ("–", "–"),
)


@pytest.fixture
def results() -> Results:
    rows = tuple(
        Row(
            variant=f"v{number}",
            title="title",
            kind="reference" if number == 0 else "variant",
            trials=3,
            seeds=2,
            parameters=1_065_972,
            flops=44_070_123,
            bytes=4_263_888,
            validation=0.71239,
            macro_f1=score,
            accuracy=0.8,
            seed_std=0.0125,
            gain=gain,
            p=0.00041,
            verdict="",
            settings=("alpha 1", "alpha 2"),
            epochs=10,
            seconds=1.25,
            failed=0,
        )
        for number, (score, gain) in enumerate(SCORES)
    )
    return Results("x", "hapt", "v0", "loso", False, 9, (), (), rows, None, 1, True, 60.0)


class Cells(HTMLParser):
    """The text of each row's cells, and their sort keys."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.keys: list[list[str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
            self.keys.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.keys[-1].append(dict(attrs).get("data-key"))

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def from_terminal(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(("┃", "│"))]
    return [[cell.strip() for cell in re.split("[┃│]", line)[1:-1]] for line in lines]


def from_markdown(text: str) -> list[list[str]]:
    html = MarkdownIt("commonmark").enable("table").render(text).partition("</table>")[0]
    return [[cell.strip() for cell in row] for row in Cells(html).rows]


def from_latex(text: str) -> list[list[str]]:
    lines = [line.removesuffix(" \\\\") for line in text.splitlines() if line.endswith(" \\\\")]
    plain = [line.replace("\\textminus{}", "−").replace("--", "–").replace("{[}", "[") for line in lines]
    return [[cell.replace("\\%", "%").replace("$\\pm$", "±") for cell in line.split(" & ")] for line in plain]


def test_screen_markdown_latex_and_html_show_the_same_cells(
    results: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    show_results(results)
    screen = from_terminal(capsys.readouterr().out)
    assert [tuple(row[1:3]) for row in screen[1:]] == list(SHOWN)
    heading, first = screen[:2]
    assert dict(zip(heading, first, strict=True)) == {
        "variant": "v0",
        "macro-F1, %": "73.2 [63.4, 81.0]",
        "gain, points": "–",
        "p adjusted": "0.00041",
        "verdict": "",
        "parameters": "1,065,972",
        "KiB": "4,164.0",
        "kFLOPs": "44,070",
        "trials": "3",
        "validation, %": "71.2",
        "± seeds": "1.2",
        "description": "title",
    }
    assert from_markdown(to_markdown(results)) == screen
    assert from_latex(to_latex(results)) == screen
    assert Cells(results_table(results).select(*SHORT).to_html()).rows == screen


def test_files_hold_the_plain_numbers_under_the_same_keys(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path)
    stored = json.loads((tmp_path / "results.json").read_text())
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [list(row) for row in stored["rows"]]
    for text, plain, (score, gain) in zip(rows, stored["rows"], SCORES, strict=True):
        assert text == {key: "" if value is None else str(value) for key, value in plain.items()}
        wanted = [None if each is None else (each.score, each.low, each.high) for each in (score, gain)]
        keys = (("macro_f1", "low", "high"), ("gain", "gain_low", "gain_high"))
        assert [tuple(plain[key] for key in each) for each in keys] == [each or (None, None, None) for each in wanted]
    assert stored["rows"][0]["settings"] == "alpha 1; alpha 2"
    assert (stored["recommended"], stored["confusion"]) == (None, None)


def test_html_sorts_by_the_number_and_not_by_its_text(results: Results) -> None:
    page = Cells(results_table(results).to_html())
    at = page.rows[0].index("macro-F1, %")
    assert [keys[at] for keys in page.keys[1:]] == ["0.73151", "0.05", "0.8", None]
    assert page.keys[1][page.rows[0].index("parameters")] == "1065972"
    assert {keys[0] for keys in page.keys} == {None}


def test_csv_has_the_ends_of_an_interval_beside_its_score() -> None:
    table = Table(
        "t",
        [
            make_text("name", lambda row: row[0]),
            make_interval("score", lambda row: row[1], "score, %"),
            make_gain("gain", lambda row: row[2], "gain, points"),
        ],
        [("=a", *SCORES[0]), ("b", *SCORES[1])],
    )
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[0] == ["name", "score", "score_low", "score_high", "gain", "gain_low", "gain_high"]
    assert rows[1] == ["'=a", "0.73151", "0.6344", "0.8096", "", "", ""]
    assert rows[2][4:] == ["-0.68151", "-0.7", "-0.60049"]
    assert table.select("gain", "name").cells()[1] == ["−68.2 [−70.0, −60.0]", "b"]


def test_groups_are_separated_on_the_screen_and_in_latex() -> None:
    rows = [{"name": name} for name in ("a1", "a2", "b1")]
    made = tabulate("t", rows)
    table = Table("t", made.columns, rows, group=lambda row: row["name"][0])
    assert table.to_latex("a b").split("\\midrule")[1:] == [
        "\na1 \\\\\na2 \\\\\n",
        "\nb1 \\\\\n\\bottomrule\n\\end{tabular}}\n\\end{table}\n",
    ]
    assert [row.end_section for row in table.to_terminal().rows] == [False, True, False]
    assert "\\label{tab:ab}" in table.to_latex("a b")


def test_named_values_are_shown_by_their_type() -> None:
    table = tabulate("t", [{"a_b": 12345, "c": 0.123456}, {"a_b": -1, "d": "x"}, {"c": 12345.6, "d": True}])
    assert [column.heading for column in table.columns] == ["a b", "c", "d"]
    assert table.cells() == [["12,345", "0.1235", "–"], ["−1", "–", "x"], ["–", "12,346", "True"]]
    assert [column.text for column in table.columns] == [False, False, True]


def test_sentences_have_the_unit_between_score_and_interval() -> None:
    score, gain = SCORES[1]
    assert format_points(gain) == "−68.2 points [−70.0, −60.0]"
    assert format_interval(score, unit="%") == "5.0 % [0.0, 10.0]"
    assert str(score) == "5.0 [0.0, 10.0]"
    assert [format_amount(number) for number in (950, 104_832, 23_600_000, 2e9)] == ["950", "105 k", "23.6 M", "2 G"]
    assert [format_duration(seconds) for seconds in (89, 90, 5400)] == ["89 s", "2 min", "1.5 h"]
    assert [format_list("abc"[:number]) for number in range(4)] == ["none", "a", "a and b", "a, b and c"]
    assert format_points(Interval(float(np.float64(0.012)), -0.003, 0.027, 9, 0.95)) == "+1.2 points [−0.3, +2.7]"
