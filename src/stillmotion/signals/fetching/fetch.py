"""A data set brought to its place: from its publisher, a folder or an archive; checked before it appears."""

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
from ..catalog import EMBEDDED, Reader, get_reader, load, read_folder
from ..recording import Dataset
from .checksums import Record, Sum, known, sums
from .download import Progress, download
from .unpack import DamagedArchive, is_archive, unpack

#: Folders that deep are looked into for a data set's layout.
DEPTH = 4


@dataclass(frozen=True)
class Fetched:
    """What was found: where it is, how many files and bytes, what was counted, and what is worth a look."""

    name: str
    folder: Path
    files: int
    size: int
    counts: Mapping[str, int]
    verified: int
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
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
    """Bring a data set to ``to/NAME``, verify it and convert it to the cache; what is there already is only verified.

    Args:
        name: of the data set.
        source: a folder or an archive in place of its publisher's address; another address works too.
        to: folder that takes ``NAME/``; ``STILLMOTION_DATA`` by default.
        accept: take counts and contents that differ from what was published or recorded, and record them.
        progress: told how many bytes of how many are there.
        say: told what is being done.

    Counts that differ from the card's are an error that shows both, before anything is put in its place. Checksums of
    public copies are compared and shown; those of the first sight are recorded and must hold from then on.
    """
    module = get_reader(name)
    card = module.CARD
    if card.name == EMBEDDED:
        raise UserError(f"{card.name} is built in: there is nothing to fetch.")
    root = to or os.environ.get("STILLMOTION_DATA")
    if not root:
        raise UserError(f"Say where {card.name}/ shall be, with --to DIR (to= in Python) or STILLMOTION_DATA.")
    target = Path(root).expanduser() / (card.folder or card.name)
    tell = say or (lambda text: None)
    if target.exists():
        if source is not None:
            raise UserError(f"{target} is there already; remove it first, or fetch to another folder with --to.")
        tell(f"{target} is there already: verifying it")
        sweep_drafts(target.parent)
        record = Record.of(target)
        found, now = _verified(module, target, record, accept=accept, source=record.source if record else str(target))
        if record is None or accept:
            now.write(target)
        elif _is_address(record.source):
            # A process that was killed after it had put the files in place has left their archive.
            shutil.rmtree(_downloaded(target.parent, record.source).parent, ignore_errors=True)
    else:
        with scratch_folder(target) as scratch:
            opened: dict[str, Sum] = {}
            staged, archive = _staged(module, target.parent, scratch, source, opened, progress, tell)
            tell("verifying")
            whence = str(source or card.download)
            found, now = _verified(module, staged, None, accept=accept, source=whence, opened=opened)
            now.write(staged)
            staged.rename(target)
        if archive is not None:
            shutil.rmtree(archive.parent, ignore_errors=True)
    tell("converting")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        load(card.name, data=target.parent)
    return Fetched(folder=target, **found)


def _staged(
    module: Reader,
    root: Path,
    scratch: Path,
    source: str | Path | None,
    opened: dict[str, Sum],
    progress: Progress | None,
    tell: Callable[[str], None],
) -> tuple[Path, Path | None]:
    """The files that are needed, alone in a folder of their own; and the archive that was downloaded for it.

    ``opened`` takes the sums of the archives that were unpacked.
    """
    card = module.CARD
    address = card.download if source is None else str(source)
    archive = None
    if _is_address(address):
        place = archive = _downloaded(root, address)
        if not archive.exists():
            tell(f"downloading {address}")
            download(address, archive, progress=progress)
    elif not address:
        raise UserError(f"{card.name} has no address to fetch from; name a folder or an archive with --from.")
    else:
        place = Path(address).expanduser()
        if not place.exists():
            raise UserError(f"{place} is not there.")
    if place.is_file() and is_archive(place):
        tell(f"unpacking {place.name}")
        try:
            size = sum(each.size for each in known(card.folder or card.name).values())
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
    where, listed = _layout(module, place)
    staged = scratch / "staged"
    for path in listed:
        goal = staged / path.relative_to(where)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if scratch in path.parents:
            path.rename(goal)
        else:
            shutil.copy2(path, goal)
    return staged, archive


def _is_address(source: str) -> bool:
    return urlparse(source).scheme in ("http", "https")


def _downloaded(root: Path, address: str) -> Path:
    """Where the archive of an address lies until it is unpacked; another address is another file of the same name."""
    mark = hashlib.sha256(address.encode()).hexdigest()[:8]
    return root / ".downloads" / mark / make_file_name(Path(unquote(urlparse(address).path)).name, "archive")


def _layout(module: Reader, place: Path) -> tuple[Path, list[Path]]:
    """The folder in which the files lie as the publisher lays them out, and the files of all devices."""
    level = [place]
    for _ in range(DEPTH):
        for folder in level:
            if listed := _all_files(module, folder):
                return folder, listed
        level = sorted(inner for folder in level for inner in folder.iterdir() if inner.is_dir())
    raise UserError(f"{place} does not hold {module.CARD.name}: nothing in it is laid out as {module.CARD.layout[0]}.")


def _all_files(module: Reader, folder: Path) -> list[Path]:
    found: dict[Path, None] = {}
    for device in module.CARD.devices or ("",):
        try:
            found |= dict.fromkeys(module.files(folder, device))
        except UserError:
            continue
    return [path for path in found if path.is_file()]


def _verified(
    module: Reader,
    folder: Path,
    record: Record | None,
    *,
    accept: bool,
    source: str,
    opened: Mapping[str, Sum] = MappingProxyType({}),
) -> tuple[dict[str, Any], Record]:
    """Compare sums and counts; what was found, and the record to keep."""
    card = module.CARD
    listed = _all_files(module, folder)
    if not listed:
        # The reader says what is missing.
        module.files(folder, card.devices[0] if card.devices else "")
    now = sums(folder, listed)
    remarks, verified = _compared(card.folder or card.name, {**opened, **now})
    if record is not None and not accept:
        _unchanged(folder, record.files, now)
    counts = module.counts(folder, _read(module, folder))
    wanted = {key: count for key, count in card.counts.items() if key in counts}
    if record is not None:
        wanted |= record.accepted
    wrong = {key: count for key, count in wanted.items() if counts[key] != count}
    if wrong and not accept:
        shown = "; ".join(f"{key} {counts[key]:,} here, {count:,} expected" for key, count in wrong.items())
        raise UserError(
            f"{card.name} from {source} is not what was published: {shown}. Get it again, or take it as it is "
            f"with --accept."
        )
    remarks += [f"accepted: {key} {counts[key]:,} here, {count:,} expected" for key, count in wrong.items()]
    accepted = {key: counts[key] for key, count in card.counts.items() if counts.get(key, count) != count}
    found = {
        "name": card.name,
        "files": len(listed),
        "size": sum(each.size for each in now.values()),
        "counts": counts,
        "verified": verified,
        "remarks": tuple(remarks),
    }
    archives = opened or (record.archives if record else {})
    return found, Record(source, now, accepted, archives)


def _read(module: Reader, folder: Path) -> Dataset:
    """The first device that is there."""
    *others, last = module.CARD.devices or ("",)
    for device in others:
        try:
            return read_folder(module, folder, device)
        except UserError:
            continue
    return read_folder(module, folder, last)


def _compared(name: str, now: Mapping[str, Sum]) -> tuple[list[str], int]:
    """Differences from public copies, in words, and how many files were the same."""
    public = known(name)
    seen = {path: public[Path(path).name] for path in now if Path(path).name in public}
    other = [path for path, each in seen.items() if each != now[path]]
    remarks = [
        f"{path} differs from the public copies that are known: {now[path].size:,} bytes and {now[path].sha256[:12]}… "
        f"here, {seen[path].size:,} and {seen[path].sha256[:12]}… there"
        for path in other
    ]
    return remarks, len(seen) - len(other)


def _unchanged(folder: Path, before: Mapping[str, Sum], now: Mapping[str, Sum]) -> None:
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            what = "is gone" if path not in now else "is new" if path not in before else "is not what it was"
            raise UserError(
                f"{folder / path} {what} since it was fetched; remove {folder} and fetch it again, or take it as it is "
                f"with --accept."
            )
