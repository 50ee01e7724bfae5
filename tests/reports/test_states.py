"""Studies that are not as one wishes: begun, half done, failed, leaky, of one subject, damaged."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from stillmotion.cli import main
from stillmotion.reports import write_report
from stillmotion.studies import Runner
from stillmotion.studies.sections import Split
from stillmotion.studies.store import Store


def words(page: Path) -> str:
    """What a reader sees, without marks."""
    text = re.sub(r"<(style|script|svg).*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.fixture
def copied(dense: Path, tmp_path: Path) -> Path:
    """A copy of the trained study."""
    return Path(shutil.copytree(dense, tmp_path / "copy"))


@pytest.fixture(scope="module")
def reported(dense: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained study with its report."""
    folder = Path(shutil.copytree(dense, tmp_path_factory.mktemp("reported") / "study"))
    write_report(folder)
    return folder


@pytest.fixture
def with_report(reported: Path, tmp_path: Path) -> Path:
    """A copy of the trained study with its report, of the test's own."""
    return Path(shutil.copytree(reported, tmp_path / "copy"))


def change(folder: Path, order: str) -> None:
    """Bring a study to another state, as the store itself would."""
    with closing(Store(folder)) as store, store._file.change(*store._file.tables):
        store._file.execute(order)


def test_before_the_test_subjects_are_scored_it_is_said_and_the_command_writes_the_same(
    with_report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = with_report / "report.html"
    said, before = words(page), page.read_text(encoding="utf-8")
    assert "Test subjects not scored" in said
    assert "validation subjects" in said
    assert "still report … --published" in said
    assert "Opportunity" not in said
    assert "Not finished" not in said
    page.unlink()
    assert main(["report", str(with_report)]) == 0
    assert Path(capsys.readouterr().out.strip()) == page
    assert page.read_text(encoding="utf-8") == before


def test_a_study_that_has_only_begun_says_so(begun: Callable[..., Runner]) -> None:
    said = words(write_report(begun().folder))
    assert "no student has a score" in said
    assert "Not finished" in said
    assert "Not or only partly trained: lm, rb-kd." in said
    assert "Nothing has been trained yet." in said


def test_half_a_study_is_told_as_far_as_it_goes(copied: Path) -> None:
    change(copied, "DELETE FROM predictions WHERE run IN (SELECT id FROM runs WHERE method = 'rb-kd')")
    change(copied, "UPDATE runs SET status = 'planned' WHERE method = 'rb-kd'")
    said = words(write_report(copied))
    assert "lm is the only student with a score" in said
    assert "Not finished" in said
    assert "Not or only partly trained: rb-kd." in said


def test_figures_of_an_earlier_report_go_and_what_others_put_there_stays(with_report: Path) -> None:
    figures, outside = with_report / "figures", with_report / "mine.svg"
    made = {path.name for path in figures.iterdir()}
    assert {"differences.svg", "diagram-rb-kd.csv"} <= made
    for path in (figures / "mine.svg", figures / "diagram-mine.csv", outside):
        path.write_text("mine")
    with (figures / ".made").open("a") as listing:
        listing.write("../mine\n")
    change(with_report, "DELETE FROM predictions WHERE run IN (SELECT id FROM runs WHERE method = 'rb-kd')")
    change(with_report, "UPDATE runs SET status = 'planned' WHERE method = 'rb-kd'")
    write_report(with_report)
    there = {path.name for path in figures.iterdir()}
    assert {"mine.svg", "diagram-mine.csv"} <= there
    assert outside.read_text() == "mine"
    gone = made - there
    assert {f"differences.{end}" for end in ("svg", "png", "csv")} <= gone
    assert "diagram-rb-kd.csv" in gone
    assert "pareto.svg" in there


def test_what_failed_is_told_with_its_reason(copied: Path) -> None:
    change(copied, "UPDATE runs SET status = 'failed', validation = -1, reason = 'the sky fell' WHERE method = 'rb-kd'")
    change(copied, "DELETE FROM predictions WHERE run IN (SELECT id FROM runs WHERE method = 'rb-kd')")
    said = words(write_report(copied))
    assert "Runs failed" in said
    assert "2 runs: the sky fell" in said


def test_a_leaky_protocol_is_marked_in_red(begun: Callable[..., Runner]) -> None:
    page = write_report(begun(split=Split("published")).folder)
    assert '<span class="badge bad">Leaky protocol</span>' in page.read_text(encoding="utf-8")
    said = words(page)
    assert "This protocol leaks" in said
    assert "The protocol leaks: these scores say little about new subjects." in said


def test_one_variant_and_one_subject_have_no_interval_and_it_is_said_why(begun: Callable[..., Runner]) -> None:
    runner = begun(variants=("lm",), compare=(), split=Split("loso", folds=1))
    runner.run(score_test=True)
    said = words(write_report(runner.folder))
    assert "lm is the only student with a score" in said
    assert "Only one subject was scored, so there is no confidence interval" in said
    assert "There is no other variant to compare." in said
    assert not (runner.folder / "figures" / "differences.svg").exists()


@pytest.mark.parametrize("damage", ["garbage", "middle", "history"])
def test_a_damaged_store_is_one_sentence(copied: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = copied / "runs.sqlite"
    if damage == "history":
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE runs SET history = '[{'")
            file.commit()
    else:
        content = bytearray(path.read_bytes())
        for number in range(0 if damage == "garbage" else 4096, len(content)):
            content[number] = 7
        path.write_bytes(content)
        for rest in copied.glob("runs.sqlite-*"):
            rest.unlink()
    assert main(["report", str(copied)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("still report: ")
    assert "is damaged" in said
    assert str(path) in said


def test_a_folder_without_a_study_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "holds no study: it lacks runs.sqlite" in capsys.readouterr().err


def test_a_report_needs_no_recordings_and_changes_nothing_in_the_folder(
    with_report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("recordings were read")

    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(with_report.rglob("*")) if path.is_file()}

    monkeypatch.setattr("stillmotion.studies.data.load", fail)
    own, before = (with_report / "report.html").read_text(encoding="utf-8"), content()
    assert write_report(with_report, tmp_path / "elsewhere").read_text(encoding="utf-8") == own
    assert content() == before
    assert (tmp_path / "elsewhere" / "figures" / "pareto.svg").is_file()
