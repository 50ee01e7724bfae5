"""A disk that is full while the command writes: one sentence, exit code 2, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.reports.figure import Figure
from stillmotion.signals import load
from stillmotion.windows.splits import Fold, Splits

from .damage import full_disk, listing


def table(folder: Path, rows: int = 4000) -> Path:
    path = folder / "walk.csv"
    lines = (
        f"{number / 50:.2f},{number % 7},{number % 5},{number % 3},{'ab'[number // 2000]}" for number in range(rows)
    )
    path.write_text("t,ax,ay,az,label\n" + "\n".join(lines) + "\n")
    return path


def test_a_mapping_is_there_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    path, saved = table(tmp_path / "in"), tmp_path / "out" / "walk.toml"
    saved.parent.mkdir()
    call = ["inspect", str(path), "--save", str(saved), "--json"]
    with full_disk(10):
        assert main(call) == 2
    assert f"{saved} cannot be written" in capsys.readouterr().err
    assert listing(saved.parent) == set()
    assert main(call) == 0
    assert listing(saved.parent) == {"walk.toml"}


def test_a_table_that_the_cache_has_no_room_for_is_one_sentence(tmp_path: Path, own_cache: Path) -> None:
    path = table(tmp_path)
    mapping = {"sensors": {"acc": ["ax", "ay", "az"]}, "time": "t", "label": "label"}
    with full_disk(10_000), pytest.raises(UserError, match=f"{own_cache}/.* cannot be written .*make room"):
        load(str(path), mapping=mapping)
    assert not [name for name in listing(own_cache) if name != "contents.json"]


def test_splits_and_figures_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = np.arange(300)
    fold = Fold(rows[:100], rows[100:200], rows[200:], ("a",), ("b",), ("c",))
    made = Splits("walks", "subjects:3", 0, "fingerprint", len(rows), (fold,))
    figure = Figure("curve", "title", "text", [{"a": 1}], lambda sheet, marks: sheet.subplots())
    figure.save(tmp_path / "before")
    with full_disk(100):
        with pytest.raises(UserError, match=r"splits\.npz cannot be written"):
            made.save(tmp_path / "out" / "splits.npz")
        with pytest.raises(UserError, match=r"curve\.svg cannot be written"):
            figure.save(tmp_path / "out")
    assert listing(tmp_path / "out") == set()
    made.save(tmp_path / "out" / "splits.npz")
    assert Splits.load(tmp_path / "out" / "splits.npz").fingerprint == "fingerprint"
