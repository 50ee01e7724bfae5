"""Archives that mean harm or cannot be opened: one sentence, nothing outside the folder, no more than fits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from stillmotion.errors import UserError
from stillmotion.files import name_write_errors
from stillmotion.signals import fetch
from stillmotion.signals.fetching import unpack as unpacking
from stillmotion.signals.fetching.unpack import DamagedArchive, unpack

from ..damage import full_disk, listing

#: Bytes that an archive of a test may hold, whatever its size.
LEAST = 300_000
NAMES = {
    "climbs": "../out.txt",
    "climbs later": "a/../../out.txt",
    "climbs as Windows does": "..\\out.txt",
    "absolute": "/tmp/stillmotion-out.txt",
    "of a drive": "C:\\out.txt",
    "of a drive, relative": "C:out.txt",
    "of a share": "\\\\host\\share\\out.txt",
    "NUL": "a\0b.txt",
    "newline": "a\nb.txt",
    "terminal escape": "a\x1b[2Jb.txt",
    "right to left": "a\u202eb.txt",
}


def zipped(path: Path, *members: tuple[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", way) as archive:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = way
            archive.writestr(info, content)


def tarred(path: Path, *members: tuple[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def linked(path: Path, kind: bytes, target: str) -> None:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, target
        archive.addfile(info)


def patched(path: Path, offset: int, fields: str, *values: int) -> None:
    """A zip of one file with values written into its record and into its directory, ``offset`` counting from there."""
    zipped(path, ("a.txt", b"text" * 100))
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    struct.pack_into(fields, content, offset - 2, *values)
    struct.pack_into(fields, content, directory + offset, *values)
    path.write_bytes(content)


def zip_link(path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")


def bomb(inner: int = 0) -> bytes:
    """A zip of zeros a thousand times its size, or a zip of such zips."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(
                f"{number}.zip" if inner else f"{number}.txt", bomb(inner - 1) if inner else bytes(100_000)
            )
    return out.getvalue()


def long_header(path: Path) -> None:
    """A tar whose extended header says that it is a megabyte long, packed to a thousandth."""
    with gzip.open(path, "wb") as file:
        info = tarfile.TarInfo("x")
        info.type, info.size = tarfile.XHDTYPE, 10 * LEAST
        file.write(info.tobuf())
        file.write(bytes(10 * LEAST))


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.txt", "two")


HOSTILE: dict[str, tuple[str, Callable[[Path], object]]] = {
    **{f"zip name {k}": (".zip", lambda path, name=name: zipped(path, (name, b"x"))) for k, name in NAMES.items()},
    **{
        f"tar name {kind}": (".tar", lambda path, name=name: tarred(path, (name, b"x")))
        for kind, name in NAMES.items()
        if kind != "NUL"
    },
    "zip link": (".zip", zip_link),
    "tar link inside": (".tar", lambda path: linked(path, tarfile.SYMTYPE, "a.txt")),
    "tar link outside": (".tar", lambda path: linked(path, tarfile.SYMTYPE, "/etc/passwd")),
    "tar hard link": (".tar", lambda path: linked(path, tarfile.LNKTYPE, "../../etc/passwd")),
    "tar device": (".tar", lambda path: linked(path, tarfile.CHRTYPE, "")),
    "tar pipe": (".tar", lambda path: linked(path, tarfile.FIFOTYPE, "")),
    "encrypted": (".zip", lambda path: patched(path, 8, "<H", 1)),
    "strongly encrypted": (".zip", lambda path: patched(path, 8, "<H", 0x41)),
    "patched data": (".zip", lambda path: patched(path, 8, "<H", 0x20)),
    **{
        f"packed in way {way}": (".zip", lambda path, way=way: patched(path, 10, "<H", way))
        for way in (1, 6, 9, 93, 95, 97, 98, 99, 65535)
    },
    "another way than its own": (".zip", lambda path: patched(path, 10, "<H", zipfile.ZIP_BZIP2)),
    "checksum differs": (".zip", lambda path: patched(path, 16, "<L", 12345)),
    "declared huge": (".zip", lambda path: patched(path, 24, "<L", 0xFFFFFFF0)),
    "declared short": (".zip", lambda path: patched(path, 24, "<L", 3)),
    "version from the future": (".zip", lambda path: patched(path, 6, "<H", 99)),
    "zip with a name twice": (".zip", twice),
    "tar with a name twice": (".tar", lambda path: tarred(path, ("a", b"1"), ("a", b"2"))),
    "flat bomb": (".zip", lambda path: path.write_bytes(bomb())),
    "nested bomb": (".zip", lambda path: path.write_bytes(bomb(1))),
    "twice nested bomb": (".zip", lambda path: path.write_bytes(bomb(2))),
    "bomb as tar.gz": (".tgz", lambda path: tarred(path, ("a", bytes(2 * LEAST)), mode="w:gz")),
    "bomb as tar.bz2": (".bz2", lambda path: tarred(path, ("a", bytes(2 * LEAST)), mode="w:bz2")),
    "bomb as tar.xz": (".xz", lambda path: tarred(path, ("a", bytes(2 * LEAST)), mode="w:xz")),
    "bomb in a header": (".tgz", long_header),
    "many files": (".zip", lambda path: zipped(path, *((f"{number}", b"") for number in range(60)))),
    "name too long": (".tar", lambda path: tarred(path, ("n" * 300, b"x"))),
    "file and folder of one name": (".zip", lambda path: zipped(path, ("a", b"x"), ("a/b", b"x"))),
    "gzip alone": (".gz", lambda path: path.write_bytes(gzip.compress(b"text" * 100))),
    "bzip2 alone": (".bz2", lambda path: path.write_bytes(bz2.compress(b"text" * 100))),
    "xz alone": (".xz", lambda path: path.write_bytes(lzma.compress(b"text" * 100))),
    "gzip and nothing": (".tgz", lambda path: path.write_bytes(b"\x1f\x8b")),
    "bzip2 and nothing": (".bz2", lambda path: path.write_bytes(b"BZh9xxxxxxxxx")),
    "xz and nothing": (".xz", lambda path: path.write_bytes(b"\xfd7zXZ\0\0\0")),
    "empty": (".zip", lambda path: path.write_bytes(b"")),
    "no archive": (".zip", lambda path: path.write_bytes(b"text" * 100)),
    "directory without files": (".zip", lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs of a megabyte are large enough."""
    monkeypatch.setattr(unpacking, "LEAST", LEAST)
    monkeypatch.setattr(unpacking, "MOST_FILES", 50)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_one_sentence_and_writes_nothing_outside(tmp_path: Path, kind: str) -> None:
    ending, make = HOSTILE[kind]
    archive, to = tmp_path / f"given{ending}", tmp_path / "a" / "b" / "to"
    make(archive)
    to.mkdir(parents=True)
    # As ``fetch`` does, which gives what is wrong with the disk its own sentence.
    with pytest.raises(UserError) as caught, name_write_errors(to):
        unpack(archive, to, {})
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert {name for name in listing(tmp_path) if not name.startswith("a/b/to/")} == {
        archive.name, "a", "a/b", "a/b/to"
    }  # fmt: skip
    assert not Path("/tmp/stillmotion-out.txt").exists()
    assert sum(path.stat().st_size for path in to.rglob("*") if path.is_file()) <= 2 * LEAST


@pytest.mark.parametrize(
    "kind", [k for k in HOSTILE if k in ("zip name climbs", "flat bomb", "name too long", "encrypted")]
)
def test_fetch_of_a_hostile_archive_leaves_nothing(tmp_path: Path, kind: str) -> None:
    ending, make = HOSTILE[kind]
    make(tmp_path / f"given{ending}")
    with pytest.raises(UserError):
        fetch("hapt", source=tmp_path / f"given{ending}", to=tmp_path / "data")
    assert listing(tmp_path / "data") == set()


@pytest.mark.parametrize("count", [40, pytest.param(1500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz"])
def test_no_damaged_archive_ends_in_a_traceback(tmp_path: Path, ending: str, count: int) -> None:
    """Bytes are changed, cut or repeated at random places: it opens, or it is a sentence."""
    archive, members = tmp_path / f"given{ending}", [(f"d/{n}.txt", bytes(range(200)) * n) for n in range(1, 6)]
    if ending == ".zip":
        zipped(archive, *members)
    else:
        tarred(archive, *members, mode="w" if ending == ".tar" else "w:gz")
    content, draw = archive.read_bytes(), random.Random(1)
    for number in range(count):
        changed, place = bytearray(content), draw.randrange(len(content))
        if number % 4 == 0:
            del changed[place:]
        elif number % 4 == 1:
            changed[place : place + 4] = draw.randbytes(4)
        elif number % 4 == 2:
            changed[place] ^= 1 << draw.randrange(8)
        else:
            changed[place:place] = content[place : place + draw.randrange(64)]
        archive.write_bytes(changed)
        # As ``fetch`` does, which gives what is wrong with the disk its own sentence.
        with suppress(UserError), name_write_errors(tmp_path / "to"):
            unpack(archive, tmp_path / "to" / str(number), {})
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "to"}


def test_a_bomb_is_told_from_a_data_set_by_what_its_files_are_known_to_have(tmp_path: Path) -> None:
    zipped(tmp_path / "given.zip", ("a.txt", bytes(3 * LEAST)))
    with pytest.raises(UserError, match=f"more than {LEAST:,} bytes .*name the folder with --from"):
        unpack(tmp_path / "given.zip", tmp_path / "bomb", {})
    unpack(tmp_path / "given.zip", tmp_path / "known", {}, known=2 * LEAST)
    assert (tmp_path / "known" / "a.txt").stat().st_size == 3 * LEAST


def test_an_archive_that_does_not_fit_on_the_disk_says_so_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "given.zip", ("a.txt", bytes(1000)))
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 999}))
    with pytest.raises(UserError, match="unpacks to 1,000 bytes or more, and 999 are free; make room"):
        unpack(tmp_path / "given.zip", tmp_path / "to", {})
    assert listing(tmp_path / "to") == set()


def test_a_full_disk_does_not_cost_the_archive_and_is_not_called_damage(tmp_path: Path) -> None:
    zipped(tmp_path / "given.zip", ("RawData/labels.txt", b"1 1 5 250 1232\n" * 1000))
    with full_disk(2000), pytest.raises(UserError, match=r"data/hapt cannot be written .*make room") as caught:
        fetch("hapt", source=tmp_path / "given.zip", to=tmp_path / "data")
    assert not isinstance(caught.value, DamagedArchive)
    assert listing(tmp_path / "data") == set()
    assert (tmp_path / "given.zip").exists()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('dd if=/dev/zero of="$4a" bs=1000 count=2000 2>/dev/null; exec sleep 60', "unpacks to more than"),
        ('ln -s /etc/passwd "$4link"', "'link', which is a link"),
        ("echo broken; exit 3", "bsdtar: broken"),
    ],
)
def test_what_another_program_unpacks_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    program = tmp_path / "bin" / "bsdtar"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "given.rar").write_bytes(b"Rar!")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(UserError, match=says):
        unpack(tmp_path / "given.rar", tmp_path / "to", {})
