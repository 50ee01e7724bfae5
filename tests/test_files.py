"""Files are there whole or not at all, whoever else writes them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stillmotion.files import atomic_path, atomic_write


def test_many_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path, faults = tmp_path / "study.toml", []

    def work(letter: str) -> None:
        try:
            for _ in range(50):
                atomic_write(path, letter * 10_000)
        except OSError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert path.read_text() in {letter * 10_000 for letter in "abcd"}
    assert [each.name for each in tmp_path.iterdir()] == ["study.toml"]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    atomic_write(path, "before")

    def half() -> None:
        with atomic_path(path) as own:
            own.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
