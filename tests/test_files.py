"""Files are there whole or not at all, whoever else writes them and however they end."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stillmotion.errors import UserError
from stillmotion.files import BLANK, SEAL, atomic_folder, atomic_path, atomic_write, is_sealed, seal, sweep_drafts

from .damage import full_disk, listing


def test_many_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path, faults = tmp_path / "study.toml", []

    def work(letter: str) -> None:
        try:
            for _ in range(50):
                atomic_write(path, letter * 10_000)
        except UserError as fault:
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


@pytest.mark.parametrize("room", [0, 1, 4096, 99_999])
@pytest.mark.parametrize("before", [None, "before"])
def test_a_full_disk_leaves_no_empty_half_or_hidden_file(tmp_path: Path, room: int, before: str | None) -> None:
    path = tmp_path / "sub" / "a.csv"
    if before is not None:
        atomic_write(path, before)
    with full_disk(room), pytest.raises(UserError, match=r"sub/a\.csv cannot be written .*make room"):
        atomic_write(path, "x" * 100_000)
    assert listing(tmp_path) == ({"sub"} if before is None else {"sub", "sub/a.csv"})
    assert before is None or path.read_text() == before


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.csv", Path("/proc/nobody/a.csv"), tmp_path / ("n" * 300), tmp_path):
        with pytest.raises(UserError, match="cannot be written"):
            atomic_write(path, "text")
    with pytest.raises(UserError, match="cannot be written"), atomic_folder(tmp_path / "file" / "models"):
        pass
    assert listing(tmp_path) == {"file"}


WRITER = """
import sys
from pathlib import Path
from stillmotion.files import atomic_folder, atomic_path

folder = Path(sys.argv[1])
with atomic_folder(folder / "models") as models, atomic_path(folder / "a.csv") as path:
    (models / "model.keras").write_text("half")
    path.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_half_written_is_swept_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        return process

    killed = start()
    killed.kill()
    killed.communicate()
    left = listing(tmp_path)
    assert len(left) == 3, "two drafts, one of them a folder with a file"
    living = start()
    both = listing(tmp_path)
    assert not left & both, "the next writer in this folder swept them"
    sweep_drafts(tmp_path, tmp_path / "not there")
    assert listing(tmp_path) == both
    living.communicate("")
    assert living.returncode == 0
    assert listing(tmp_path) == {"models", "models/model.keras", "a.csv"}


def test_a_folder_that_is_replaced_is_there_at_every_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, there = tmp_path / "best", []
    for number in range(2):
        with atomic_folder(path, replace=True) as draft:
            (draft / "number").write_text(str(number))
        # From now on every step that gives anything another name is looked at.
        for name in ("rename", "replace", "rmdir"):

            def step(self: Path, *more: Path, real: object = getattr(Path, name)) -> object:
                done = real(self, *more)  # type: ignore[operator]
                there.append((path / "number").is_file())
                return done

            monkeypatch.setattr(Path, name, step)
    monkeypatch.undo()
    assert all(there)
    assert (path / "number").read_text() == "1"
    assert listing(tmp_path) == {"best", "best/number"}


def test_where_names_cannot_be_exchanged_a_folder_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillmotion.files._exchange", lambda one, other: False)
    for number in range(2):
        with atomic_folder(tmp_path / "best", replace=True) as draft:
            (draft / "number").write_text(str(number))
    assert (tmp_path / "best" / "number").read_text() == "1"
    assert listing(tmp_path) == {"best", "best/number"}


def test_a_folder_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "mine").write_text("mine")
    with pytest.raises(UserError, match="best cannot be written"), atomic_folder(tmp_path / "best") as draft:
        (draft / "other").write_text("other")
    assert listing(tmp_path) == {"best", "best/mine"}


def test_no_flipped_bit_of_a_sealed_file_goes_unnoticed_but_in_the_name_of_its_seal() -> None:
    content = seal(f'{{"a": 1, "{SEAL}": "{BLANK}"}}'.encode())
    assert is_sealed(content)
    name = range(8 * content.index(SEAL.encode()), 8 * (content.index(SEAL.encode()) + len(SEAL)))
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        if bit in name:
            assert not is_sealed(bytes(changed)), "as of another program, and unchanged but for the name"
        else:
            with pytest.raises(ValueError, match="checksum differs"):
                is_sealed(bytes(changed))
    assert not is_sealed(b"of another program")
