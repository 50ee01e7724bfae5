"""What the terminal shows: whole when piped, in parts where lines are short, and never a broken number."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from stillmotion.cli import main
from stillmotion.evaluation import Interval, Predictions, write_predictions
from stillmotion.reports.results import show_results
from stillmotion.reports.screen import RULE, console, parts
from stillmotion.studies import Results, Row

NAME = "a-variant-whose-name-is-rather-long"
BORDERS = "│┃━┏┓┗┛┡┩╇┳┻├┤┼─└┘┴┬"


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def cells(text: str) -> list[str]:
    """Every cell of the tables in a text, and the words between them."""
    return [" ".join(cell.split()) for line in text.splitlines() for cell in re.split(f"[{BORDERS}]", line)]


def results(rows: int = 6) -> Results:
    score = Interval(0.731, 0.634, 0.808, 9, 0.95)
    gain = Interval(-0.0123, -0.1034, 0.0507, 9, 0.95)
    made = [
        Row(
            variant=f"{NAME}-{number}",
            title="distillation of what a much larger network says",
            kind="variant",
            trials=12,
            seeds=3,
            parameters=1_065_972,
            flops=44_070_123,
            bytes=4_263_888,
            validation=0.7123,
            macro_f1=score,
            accuracy=0.8,
            seed_std=0.012,
            gain=gain,
            p=0.04,
            verdict="not distinguishable",
            settings=(),
            epochs=10,
            seconds=1.0,
            failed=0,
        )
        for number in range(rows)
    ]
    return Results("x", "hapt", NAME, "loso", False, 9, (), (), tuple(made), None, 1, True, 60.0)


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    show_results(results())
    return capsys.readouterr().out


def test_piped_output_is_not_cut_at_120_columns(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys)
    lines = out.splitlines()
    assert max(map(len, lines)) > 150
    row = next(line for line in lines if f"{NAME}-3" in line)
    for cell in (
        "distillation of what a much larger network says",
        "1,065,972",
        "73.1 [63.4, 80.8]",
        "distinguishable",
    ):
        assert cell in row
    assert "…" not in out


@pytest.mark.parametrize("width", [40, 60, 80, 100, 124, 160])
def test_a_narrow_table_comes_in_parts_and_no_number_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    whole = {cell for cell in cells(printed(capsys)) if re.search(r"\d", cell) and NAME not in cell}
    monkeypatch.setenv("COLUMNS", str(width))
    out = printed(capsys)
    assert max(map(len, out.splitlines())) <= width
    table = {cell for cell in whole if not cell.startswith("Macro-F1")}
    assert {"1,065,972", "44,070", "73.1 [63.4, 80.8]", "−1.2 [−10.3, +5.1]"} <= table
    assert table <= set(cells(out))
    assert "…" not in out


def test_each_part_begins_with_the_names_and_loses_no_column() -> None:
    table = Table("name", title="title", caption="caption")
    for heading in "abcdef":
        table.add_column(heading, justify="right")
    table.add_row("one", *(f"{number:,}" for number in 10 ** np.arange(4, 10)))
    narrow = Console(width=40, file=io.StringIO())
    made = parts(table, narrow)
    assert [column.header for part in made for column in part.columns if column.header != "name"] == list("abcdef")
    assert {part.columns[0].header for part in made} == {"name"}
    assert [part.title for part in made] == ["title", *[None] * (len(made) - 1)]
    assert [part.caption for part in made] == [*[None] * (len(made) - 1), "caption"]
    assert parts(table, Console(width=200)) == [table]


def test_piped_commands_are_as_wide_as_they_need(tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    at = np.arange(60)
    columns = {"subject": at % 5, "fold": at % 5, "seed": 0, "y": at % 2}
    for number in range(2):
        said = np.where(at % (7 + number) == 0, 1 - at % 2, at % 2)
        write_predictions(
            tmp_path / f"{number}.csv", Predictions.of(f"{NAME}-{number}" * 2, **columns, prediction=said)
        )
    arguments = ["compare", *map(str, sorted(tmp_path.glob("*.csv")))]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if f"{NAME}-1" in line and "distinguishable" in line)
    assert len(row) > 120
    monkeypatch.setenv("COLUMNS", "70")
    assert main(arguments) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 70


@pytest.mark.parametrize("arguments", [["datasets"], ["cost", "deepconvlstm-lm", "--window", "20", "--channels", "3"]])
@pytest.mark.parametrize("width", [60, 90])
def test_no_command_prints_a_line_longer_than_asked_nor_a_broken_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], width: int
) -> None:
    arguments = [*arguments, "--classes", "4"] if arguments[0] == "cost" else arguments
    assert main(arguments) == 0
    wide = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(arguments) == 0
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= width
    hyperparameters = {cell for cell in cells(wide) if re.fullmatch(r"[\d,.]+", cell)}
    assert hyperparameters <= set(cells(narrow))


@pytest.mark.parametrize("asked", ["0", "wide", "-5", ""])
def test_columns_that_are_no_width_are_ignored(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("COLUMNS", asked)
    assert console().width > 1000


def test_colours_go_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Window(io.StringIO):
        def isatty(self) -> bool:
            return True

    def colours(stream: io.StringIO) -> bool:
        monkeypatch.setattr(sys, "stdout", stream)
        console().print("no", style="red")
        return "\x1b[31m" in stream.getvalue()

    monkeypatch.setenv("TERM", "xterm-256color")
    assert colours(Window())
    assert not colours(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours(Window())


def test_a_rule_is_as_long_as_a_line_usually_is(capsys: pytest.CaptureFixture[str]) -> None:
    console().rule("What came out")
    assert len(capsys.readouterr().out.rstrip("\n")) == RULE
