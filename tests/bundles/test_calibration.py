"""Calibration windows of a bundle are read as its other arrays are: within a limit, without objects."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stillmotion.bundles.calibration import pack_windows, unpack_windows
from stillmotion.errors import UserError
from stillmotion.signals import Channel, SignalSpec

SPEC = SignalSpec(20.0, tuple(Channel("acc", axis, "g") for axis in "xyz"), ("a", "b"), window=5, hop=5)
FILE = Path("calibration.npz")


def npz(**arrays):
    np.savez(buffer := io.BytesIO(), **arrays)
    return buffer.getvalue()


def claiming(size):
    """Return an archive whose directory says that its array takes ``size`` bytes."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("windows.npy", b"\0" * 1000)
    content = bytearray(buffer.getvalue())
    place = content.rindex(b"PK\1\2") + 24
    content[place : place + 4] = size.to_bytes(4, "little")
    return bytes(content)


def test_what_is_packed_comes_back():
    windows = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(unpack_windows(pack_windows(windows), SPEC, FILE), windows)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "holds no calibration windows"),
        (npz(others=np.zeros((2, 5, 3))), "holds no calibration windows"),
        (npz(windows=np.array([{}], object)), "Python objects"),
        (claiming(2**31), "more than 1024 MiB"),
        (npz(windows=np.zeros((2, 4, 3))), "must hold numbers"),
        (npz(windows=np.full((2, 5, 3), np.nan)), "NaN or infinite"),
    ],
    ids=["no archive", "other name", "objects", "too large", "shape", "nan"],
)
def test_a_hostile_file_is_one_sentence(content, reason):
    with pytest.raises(UserError, match=reason) as caught:
        unpack_windows(content, SPEC, FILE)
    assert str(FILE) in str(caught.value)
