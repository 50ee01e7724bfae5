"""The mapping that belongs to a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UserError
from .mapping import TableMap, read_toml
from .propose import Proposal, propose_mapping

#: Endings of files that are tables, or say how to read one.
TABLES = (".csv", ".tsv", ".txt", ".dat", ".gz", ".bz2", ".parquet", ".toml")
#: The mapping of a folder of tables.
FOLDER_MAPPING = "mapping.toml"


def is_table(name: str | Path, data: str | Path | None = None) -> bool:
    """Whether a name is the path of a table (or of a mapping) and not a data set's name."""
    path = Path(name)
    return path.suffix.lower() in TABLES or len(path.parts) > 1 or resolve_path(path, data).exists()


def find_mapping(
    name: str | Path, given: TableMap | Mapping[str, Any] | str | Path | None = None, *, data: str | Path | None = None
) -> TableMap:
    """How to read the table at a path.

    Args:
        name: a table, a folder of tables, or a mapping's TOML.
        given: a mapping, its values, or the path of its TOML; by default the TOML of the same name beside a table, or
            ``mapping.toml`` in a folder.
        data: folder to look in when the path is not there as it is.

    Raises:
        UserError: there is no mapping; see ``proposal_for``.
    """
    path = resolve_path(Path(name), data)
    if isinstance(given, TableMap):
        return given
    if not path.exists():
        raise UserError(f"{path} is not there.")
    source = "the mapping"
    if isinstance(given, str | Path):
        source, given = str(given), read_toml(Path(given))
    elif given is None:
        if path.suffix == ".toml":
            return TableMap.from_toml(path)
        beside = path / FOLDER_MAPPING if path.is_dir() else path.with_suffix(".toml")
        if not beside.is_file():
            raise UserError(
                f"{path} needs a mapping that says which column is what, in {beside} or mapping=; `still inspect` of "
                f"one of its tables proposes the columns."
            )
        source, given = str(beside), read_toml(beside)
    if path.suffix == ".toml":
        return TableMap.of(given, path.parent, source=source)
    if path.is_dir():
        return TableMap.of(given, path, source=source)
    # A pattern takes the files beside it too; a name is that of the table it was written for.
    several = any(mark in str(given.get("files", "")) for mark in "{*")
    values = given if several else {**given, "files": path.name}
    return TableMap.of(values, path.parent, source=source)


def propose_if_unmapped(
    name: str | Path, known: Mapping[str, Any] | None = None, *, data: str | Path | None = None
) -> Proposal | None:
    """Propose how to read a table that has no mapping; None for anything else.

    Args:
        name: a table.
        known: values of a mapping that are given.
        data: folder to look in when the path is not there as it is.
    """
    path = resolve_path(Path(name), data)
    if path.suffix == ".toml" or not path.is_file() or path.with_suffix(".toml").is_file():
        return None
    return propose_mapping(path, known)


def resolve_path(path: Path, data: str | Path | None) -> Path:
    """A path as it is, or below ``data`` when it is not there."""
    path = path.expanduser()
    if data is not None and not path.is_absolute() and not path.exists():
        return Path(data).expanduser() / path
    return path
