"""Checkpoints are intact, or their damage is detected."""

from __future__ import annotations

import errno
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import DataWarning, UserError
from stillmotion.training import checkpoint

ARRAYS = {"learners/0": np.arange(6, dtype=np.float32).reshape(2, 3), "outcome/0/state/000": np.array(7, np.uint32)}


def same(found, about):
    assert found is not None
    kept, arrays = found
    assert kept == about
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_what_is_saved_is_loaded_and_nothing_else_lies_about(tmp_path):
    path = tmp_path / "deep" / "fleet.ckpt"
    assert checkpoint.load(path) is None
    for number in range(3):
        checkpoint.save(path, {"number": number, "nan": [0.25, None]}, ARRAYS)
        same(checkpoint.load(path), {"number": number, "nan": [0.25, None]})
    assert sorted(file.name for file in path.parent.iterdir()) == ["fleet.ckpt", "fleet.ckpt.before"]
    checkpoint.remove(path)
    assert list(path.parent.iterdir()) == []


@settings(derandomize=True, max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.sampled_from(["flip", "short", "zero"]))
def test_any_damage_is_found_and_the_one_before_used(share, bit, cut):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.ckpt"
        checkpoint.save(path, {"number": 1}, ARRAYS)
        checkpoint.save(path, {"number": 2}, ARRAYS)
        content = bytearray(path.read_bytes())
        at = int(share * len(content))
        if cut == "flip":
            content[at] ^= 1 << bit
        path.write_bytes({"flip": content, "short": content[:at], "zero": bytes(len(content))}[cut])
        with pytest.warns(DataWarning, match=r"fleet\.ckpt is damaged \(.+\); the previous one is used"):
            same(checkpoint.load(path), {"number": 1})
        # The damaged one is out of the way: the next save keeps the good one, until it is whole itself.
        checkpoint.save(path, {"number": 3}, ARRAYS)
        path.unlink()
        same(checkpoint.load(path), {"number": 1})


def test_two_damaged_checkpoints_give_two_warnings(tmp_path):
    path = tmp_path / "fleet.ckpt"
    for file in (path, tmp_path / "fleet.ckpt.before"):
        file.write_bytes(b"not a checkpoint")
    with pytest.warns(DataWarning) as caught:
        assert checkpoint.load(path) is None
    assert ["the previous one is used" in str(w.message) for w in caught] == [True, False]
    assert "training starts again" in str(caught[1].message)


def test_a_checkpoint_of_another_version_is_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "fleet.ckpt"
    monkeypatch.setattr(checkpoint, "VERSION", 0)
    checkpoint.save(path, {}, ARRAYS)
    monkeypatch.undo()
    with pytest.raises(UserError, match="another version"):
        checkpoint.load(path)
    assert path.exists()


@pytest.mark.parametrize("moment", ["write", "flush", "first rename", "second rename"])
def test_a_full_disk_leaves_the_last_whole_one_and_nothing_half_written(tmp_path, monkeypatch, moment):
    path = tmp_path / "fleet.ckpt"
    checkpoint.save(path, {"number": 1}, ARRAYS)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    renames = []

    def fails(*_):
        raise full

    def rename(self, target, real=Path.replace):
        renames.append(target)
        if len(renames) == ("first rename", "second rename").index(moment) + 1:
            raise full
        return real(self, target)

    if moment == "write":
        monkeypatch.setattr(Path, "open", fails)
    elif moment == "flush":
        monkeypatch.setattr(os, "fsync", fails)
    else:
        monkeypatch.setattr(Path, "replace", rename)
    with pytest.raises(UserError, match=r"fleet\.ckpt cannot be written \(No space left on device\); .*make room"):
        checkpoint.save(path, {"number": 2}, ARRAYS)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(checkpoint.load(path), {"number": 1})
    assert not [file for file in tmp_path.iterdir() if "partial" in file.name]


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "runs").write_text("a file")
    path = tmp_path / "runs" / "fleet.ckpt"
    with pytest.raises(UserError, match=r"runs/fleet\.ckpt cannot be read \(Not a directory\)"):
        checkpoint.load(path)
    with pytest.raises(UserError, match=r"runs/fleet\.ckpt cannot be written"):
        checkpoint.save(path, {}, ARRAYS)
    assert (tmp_path / "runs").read_text() == "a file"
