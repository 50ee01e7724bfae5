"""Fetch a data set from its publisher, a folder or an archive, and verify it before it appears in its place."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlparse

from ...errors import DataWarning, UserError
from ...files import scratch_folder, sweep_drafts
from ...names import make_file_name
from ..catalog import EMBEDDED, Reader, find_packaged, get_reader, load, read_folder
from ..recording import Dataset
from .checksums import Checksum, Record, hash_files, known_sums
from .download import Progress, download
from .unpack import DamagedArchive, is_archive, unpack

#: Depth of the search for the folder that has the data set's layout.
DEPTH = 4


@dataclass(frozen=True)
class Fetched:
    """Result of ``fetch``: folder, number of files, bytes, counts, verified files and remarks."""

    name: str
    folder: Path
    files: int
    size: int
    counts: Mapping[str, int]
    verified: int
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.__dict__, "folder": str(self.folder), "remarks": list(self.remarks)}


def fetch(
    name: str,
    *,
    source: str | Path | None = None,
    to: str | Path | None = None,
    accept: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Fetched:
    """Fetch a data set into ``to/NAME``, verify it and convert it to the cache.

    A folder that exists already is only verified. Counts must equal those on the card. Checksums are compared with
    public copies; differences are remarks. The checksums of the first fetch are recorded, and later calls compare with
    them.

    Args:
        name: name of the data set.
        source: a folder, an archive or an address to use instead of the publisher's address or package.
        to: folder that will hold ``NAME/``; ``STILLMOTION_DATA`` by default.
        accept: accept and record counts and contents that differ from the published or recorded ones.
        progress: called with the bytes received and the total bytes.
        say: called with a line about each step.

    Returns:
        The folder, its counts and remarks.

    Raises:
        UserError: counts differ from the card, files have changed since they were fetched, or the source cannot be
            read. Nothing is put in place then.

    Example:
        >>> from stillmotion.signals import fetch, load
        >>> fetched = fetch("spar", to="recordings")
        >>> str(fetched.folder), fetched.counts["subjects"], fetched.counts["recordings"]
        ('recordings/spar', 10, 140)
        >>> len(load("spar", data="recordings").recordings)
        140
    """
    module = get_reader(name)
    card = module.CARD
    if card.name == EMBEDDED:
        raise UserError(f"{card.name} is built in: there is nothing to fetch.")
    root = to or os.environ.get("STILLMOTION_DATA")
    if not root:
        raise UserError(f"No folder given for {card.name}/: use --to DIR (to= in Python) or STILLMOTION_DATA.")
    target = Path(root).expanduser() / (card.folder or card.name)
    notify = say or (lambda text: None)
    if target.exists():
        if source is not None:
            raise UserError(f"{target} is there already; remove it first, or fetch to another folder with --to.")
        notify(f"{target} is there already: verifying it")
        sweep_drafts(target.parent)
        record = Record.of(target)
        fields, now = _verify(module, target, record, accept=accept, source=record.source if record else str(target))
        if record is None or accept:
            now.write(target)
        elif _is_address(record.source):
            # A process that was killed after moving the files into place left the archive behind.
            shutil.rmtree(_archive_path(target.parent, record.source).parent, ignore_errors=True)
    else:
        with scratch_folder(target) as scratch:
            opened: dict[str, Checksum] = {}
            staged, archive = _stage(module, target.parent, scratch, source, opened, progress, notify)
            notify("verifying")
            origin = str(source or card.download or card.package)
            fields, now = _verify(module, staged, None, accept=accept, source=origin, opened=opened)
            now.write(staged)
            staged.rename(target)
        if archive is not None:
            shutil.rmtree(archive.parent, ignore_errors=True)
    notify("converting")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        load(card.name, data=target.parent)
    return Fetched(folder=target, **fields)


def _stage(
    module: Reader,
    root: Path,
    scratch: Path,
    source: str | Path | None,
    opened: dict[str, Checksum],
    progress: Progress | None,
    notify: Callable[[str], None],
) -> tuple[Path, Path | None]:
    """Collect the needed files in a scratch folder; return it and the downloaded archive, if any.

    ``opened`` receives the checksums of the archives that were unpacked.
    """
    card = module.CARD
    address = card.download if source is None else str(source)
    archive = None
    if _is_address(address):
        place = archive = _archive_path(root, address)
        if not archive.exists():
            notify(f"downloading {address}")
            download(address, archive, progress=progress)
    elif not address and card.package:
        place = find_packaged(card)
    elif not address:
        raise UserError(f"{card.name} has no address to fetch from; name a folder or an archive with --from.")
    else:
        place = Path(address).expanduser()
        if not place.exists():
            raise UserError(f"{place} is not there.")
    if place.is_file() and is_archive(place):
        notify(f"unpacking {place.name}")
        try:
            size = sum(checksum.size for checksum in known_sums(card.folder or card.name).values())
            unpack(place, scratch / "unpacked", opened, known=size)
        except DamagedArchive:
            if archive is not None:
                archive.unlink()
            raise
        place = scratch / "unpacked"
    elif place.is_file():
        (scratch / "unpacked").mkdir()
        shutil.copy2(place, scratch / "unpacked")
        place = scratch / "unpacked"
    root_folder, listed = _find_layout(module, place)
    staged = scratch / "staged"
    for path in listed:
        goal = staged / path.relative_to(root_folder)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if scratch in path.parents:
            path.rename(goal)
        else:
            shutil.copy2(path, goal)
    return staged, archive


def _is_address(source: str) -> bool:
    return urlparse(source).scheme in ("http", "https")


def _archive_path(root: Path, address: str) -> Path:
    """Return the path for a downloaded archive; the digest keeps addresses with the same file name apart."""
    mark = hashlib.sha256(address.encode()).hexdigest()[:8]
    return root / ".downloads" / mark / make_file_name(Path(unquote(urlparse(address).path)).name, "archive")


def _find_layout(module: Reader, place: Path) -> tuple[Path, list[Path]]:
    """Find the folder that has the publisher's layout; return it and the files of all devices."""
    level = [place]
    for _ in range(DEPTH):
        for folder in level:
            if listed := _all_files(module, folder):
                return folder, listed
        level = sorted(inner for folder in level for inner in folder.iterdir() if inner.is_dir())
    raise UserError(f"{place} does not hold {module.CARD.name}: no {module.CARD.layout[0]} in it.")


def _all_files(module: Reader, folder: Path) -> list[Path]:
    paths: dict[Path, None] = {}
    for device in module.CARD.devices or ("",):
        try:
            paths |= dict.fromkeys(module.files(folder, device))
        except UserError:
            continue
    return [path for path in paths if path.is_file()]


def _verify(
    module: Reader,
    folder: Path,
    record: Record | None,
    *,
    accept: bool,
    source: str,
    opened: Mapping[str, Checksum] = MappingProxyType({}),
) -> tuple[dict[str, Any], Record]:
    """Compare checksums and counts; return the fields of ``Fetched`` and the record to keep."""
    card = module.CARD
    listed = _all_files(module, folder)
    if not listed:
        # Raises an error that names the missing files.
        module.files(folder, card.devices[0] if card.devices else "")
    now = hash_files(folder, listed)
    remarks, verified = _compare_public(card.folder or card.name, {**opened, **now})
    if record is not None and not accept:
        _require_unchanged(folder, record.files, now)
    counts = module.counts(folder, _read(module, folder))
    wanted = {key: count for key, count in card.counts.items() if key in counts}
    if record is not None:
        wanted |= record.accepted
    wrong = {key: count for key, count in wanted.items() if counts[key] != count}
    if wrong and not accept:
        differences = "; ".join(f"{key} {counts[key]:,} here, {count:,} expected" for key, count in wrong.items())
        raise UserError(
            f"{card.name} from {source} differs from the published data set: {differences}. Fetch it again, or accept "
            f"it with --accept."
        )
    remarks += [f"accepted: {key} {counts[key]:,} here, {count:,} expected" for key, count in wrong.items()]
    accepted = {key: counts[key] for key, count in card.counts.items() if counts.get(key, count) != count}
    fields = {
        "name": card.name,
        "files": len(listed),
        "size": sum(checksum.size for checksum in now.values()),
        "counts": counts,
        "verified": verified,
        "remarks": tuple(remarks),
    }
    archives = opened or (record.archives if record else {})
    return fields, Record(source, now, accepted, archives)


def _read(module: Reader, folder: Path) -> Dataset:
    """Read the first device whose files exist."""
    *others, last = module.CARD.devices or ("",)
    for device in others:
        try:
            return read_folder(module, folder, device)
        except UserError:
            continue
    return read_folder(module, folder, last)


def _compare_public(name: str, now: Mapping[str, Checksum]) -> tuple[list[str], int]:
    """Return remarks on differences from public copies, and the number of equal files."""
    public = known_sums(name)
    expected = {path: public[Path(path).name] for path in now if Path(path).name in public}
    different = [path for path, checksum in expected.items() if checksum != now[path]]
    remarks = [
        f"{path} differs from the known public copies: {now[path].size:,} bytes and SHA-256 {now[path].sha256[:12]}… "
        f"here, {expected[path].size:,} bytes and {expected[path].sha256[:12]}… there"
        for path in different
    ]
    return remarks, len(expected) - len(different)


def _require_unchanged(folder: Path, before: Mapping[str, Checksum], now: Mapping[str, Checksum]) -> None:
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            change = "is gone" if path not in now else "is new" if path not in before else "has changed"
            raise UserError(
                f"{folder / path} {change} since it was fetched; remove {folder} and fetch it again, or accept it "
                f"with --accept."
            )
