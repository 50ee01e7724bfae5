"""Bundles that are damaged, hostile, or replaced while they are read."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.bundles import Bundle
from stillmotion.errors import UserError
from stillmotion.files import atomic_folder
from stillmotion.networks import build_network

from ..damage import flips, full_disk, listing
from .test_bundle import SCORES, SPEC

#: Keras copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
PAPERS = ("signal.json", "scores.json", "provenance.json")
FILES = ("model.keras", "golden.npz", "README.md", "manifest.json", *PAPERS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "best"
    return Bundle.save(path, build_network("mlp-small", SPEC, seed=2), SPEC, scores=SCORES, provenance={"seed": 3}).path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "models" / "best"))


def seen(path: Path) -> tuple[Any, ...]:
    bundle = Bundle.open(path)
    return bundle.spec, bundle.scores, bundle.provenance, bundle.sha256


def list_anew(path: Path) -> None:
    """Make the manifest fit whatever is there, as whoever means harm would."""
    sums = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.iterdir()
        if file.name != "manifest.json"
    }
    (path / "manifest.json").write_text(json.dumps({"sha256": sums}))


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_of_a_bundle_gives_another_bundle(copy: Path, name: str, count: int) -> None:
    whole = seen(copy)
    for bit in flips(copy / name, count):
        with suppress(UserError):
            assert seen(copy) == whole, bit
    assert seen(copy) == whole


def test_classes_in_another_order_are_refused(copy: Path) -> None:
    signal = json.loads((copy / "signal.json").read_text())
    signal["classes"].reverse()
    (copy / "signal.json").write_text(json.dumps(signal, indent=2))
    with pytest.raises(UserError, match=r"signal\.json is not the file that was bundled"):
        Bundle.open(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_of_a_bundle_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        Bundle.open(copy)


def test_a_file_that_was_added_to_a_bundle_is_named(copy: Path) -> None:
    (copy / "more.py").write_text("")
    with pytest.raises(UserError, match=r"more\.py is not part of the bundle"):
        Bundle.open(copy)


def test_a_bundle_without_a_manifest_is_refused_and_says_what_to_do(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"lacks manifest\.json.*save the bundle again"):
        Bundle.open(copy)


DEEP = 100_000
#: What stands in place of one paper, or of one key of the contract.
HOSTILE = {
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "a text": b'"text"',
    "an empty object": b"{}",
    "cut short": b'{"rate": 50',
    "NaN": b'{"subject": NaN}',
    "infinite": b'[{"subject": "1", "f1": -Infinity}]',
    "deep": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a huge number": b'{"rate": ' + b"9" * 5000 + b"}",
    "not UTF-8": b'{"rate": "\xff\xfe"}',
    "UTF-16": '{"rate": 50}'.encode("utf-16"),
    "a list of numbers": b"[1, 2, 3]",
}
VALUES: dict[str, tuple[Any, ...]] = {
    "rate": (None, "50", True, [50], 0, -1, 10**400, 1e300),
    "window": (None, "32", 32.5, True, 0, -4, 10**30, []),
    "hop": (None, 0, {"a": 1}),
    "classes": (None, "walk", 5, [1, 2], [["walk"]], ["walk", "walk"], {"walk": 0}),
    "channels": (None, [], [[]], ["acc"], [{}], [{"sensor": "acc"}], [{"sensor": 1, "axis": "x"}], [None],
                 [{"sensor": "acc", "axis": "x", "more": 1}], "xyz"),
    "label_policy": (None, 3, "loudest", ["majority"]),
    "label_share": (None, "half", 7, -1),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", [*PAPERS, "manifest.json"])
def test_papers_that_hold_something_else_are_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    if name != "manifest.json":
        list_anew(copy)
    if (name, content) in (("scores.json", b"[]"), ("provenance.json", b"{}")):
        Bundle.open(copy)
        return
    with pytest.raises(UserError, match=name):
        Bundle.open(copy)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALUES.items() for value in values])
def test_a_contract_with_a_wrong_value_is_named(copy: Path, key: str, value: Any) -> None:
    signal = json.loads((copy / "signal.json").read_text())
    (copy / "signal.json").write_text(json.dumps({**signal, key: value}))
    list_anew(copy)
    with pytest.raises(UserError, match=r"signal\.json"):
        Bundle.open(copy)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18])
def test_a_model_that_keras_did_not_write_is_named(copy: Path, content: bytes) -> None:
    (copy / "model.keras").write_bytes(content)
    list_anew(copy)
    with pytest.raises(UserError, match=r"model\.keras cannot be loaded"):
        _ = Bundle.open(copy).model


def test_a_model_that_was_replaced_since_the_bundle_was_opened_is_not_used_with_its_contract(copy: Path) -> None:
    bundle = Bundle.open(copy)
    (copy / "model.keras").write_bytes(b"another")
    with pytest.raises(UserError, match=r"model\.keras .*replaced since; open the bundle again"):
        _ = bundle.model


@pytest.mark.parametrize("turns", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_whoever_reads_a_bundle_while_it_is_replaced_finds_the_old_one_or_the_new(
    saved: Path, copy: Path, tmp_path: Path, turns: int
) -> None:
    other = Path(shutil.copytree(saved, tmp_path / "other"))
    (other / "README.md").write_text("another card")
    (other / "scores.json").write_text("[]")
    list_anew(other)
    expected, enough = (seen(saved), seen(other)), threading.Event()
    faults: list[BaseException] = []

    def write() -> None:
        number = 0
        try:
            while not enough.is_set():
                number += 1
                with atomic_folder(copy, replace=True) as draft:
                    shutil.copytree((saved, other)[number % 2], draft, dirs_exist_ok=True)
        except BaseException as fault:
            faults.append(fault)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(seen(copy) in expected for _ in range(turns))
    finally:
        enough.set()
        writer.join()
    assert not faults
    assert listing(copy.parent) == {"best", *(f"best/{name}" for name in FILES)}


@pytest.mark.parametrize("room", [0, 100, 3000])
def test_a_full_disk_leaves_no_half_written_model(tmp_path: Path, copy: Path, room: int) -> None:
    model, before = build_network("mlp-small", SPEC, seed=2), seen(copy)
    for path, replace in ((tmp_path / "new", False), (copy, True)):
        with full_disk(room), pytest.raises(UserError, match=f"{path.name} cannot be written .*make room"):
            Bundle.save(path, model, SPEC, replace=replace)
    assert {path.name for path in tmp_path.iterdir()} == {"models"}
    assert {path.name for path in copy.parent.iterdir()} == {"best"}
    assert seen(copy) == before


def test_scores_that_are_no_numbers_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    model, rows = build_network("mlp-small", SPEC, seed=2), [{"subject": "ann", "macro_f1": float("nan")}]
    with pytest.raises(UserError, match=r"scores\.json of a bundle cannot hold NaN"):
        Bundle.save(tmp_path / "b", model, SPEC, scores=rows)
    assert not list(tmp_path.iterdir())
