"""Lookup of the mapping that belongs to a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UserError
from .columnar import COLUMNAR
from .folders import propose_folder
from .mapping import TableMap, read_toml
from .propose import FOLDER_MAPPING, Proposal, propose_mapping

#: Extensions of tables and of mappings.
TABLES = (".csv", ".tsv", ".txt", ".dat", ".gz", ".bz2", *COLUMNAR, ".toml")


def is_table(name: str | Path, data: str | Path | None = None) -> bool:
    """Return whether a name is the path of a table or a mapping, not the name of a data set."""
    path = Path(name)
    return path.suffix.lower() in TABLES or len(path.parts) > 1 or resolve_path(path, data).exists()


def find_mapping(
    name: str | Path, given: TableMap | Mapping[str, Any] | str | Path | None = None, *, data: str | Path | None = None
) -> TableMap:
    """Find the mapping for the table at a path.

    Args:
        name: a table, a folder of tables, or a mapping's TOML.
        given: a mapping, its values, or the path of its TOML; by default the TOML of the same name in the table's
            folder, or ``mapping.toml`` in a folder of tables.
        data: folder to search if the path does not exist.

    Raises:
        UserError: there is no mapping; see ``propose_if_unmapped``.
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
        default = path / FOLDER_MAPPING if path.is_dir() else path.with_suffix(".toml")
        if not default.is_file():
            raise UserError(
                f"{path} needs a mapping that names its columns, in {default} or mapping=; `still inspect` of one of "
                f"its tables proposes one."
            )
        source, given = str(default), read_toml(default)
    if path.suffix == ".toml":
        return TableMap.of(given, path.parent, source=source)
    if path.is_dir():
        return TableMap.of(given, path, source=source)
    # A pattern may match further files; a plain name is replaced by this table's.
    several = any(mark in str(given.get("files", "")) for mark in "{*")
    values = given if several else {**given, "files": path.name}
    return TableMap.of(values, path.parent, source=source)


def propose_if_unmapped(
    name: str | Path, known: Mapping[str, Any] | None = None, *, data: str | Path | None = None
) -> Proposal | None:
    """Propose a mapping for a table or a folder of tables that has none; return None for anything else.

    Args:
        name: path of a table or a folder.
        known: given values of the mapping.
        data: folder to search if the path does not exist.
    """
    path = resolve_path(Path(name), data)
    if path.suffix == ".toml" or not path.exists():
        return None
    if path.is_dir():
        return None if (path / FOLDER_MAPPING).is_file() else propose_folder(path, known or {})
    return None if path.with_suffix(".toml").is_file() else propose_mapping(path, known)


def resolve_path(path: Path, data: str | Path | None) -> Path:
    """Return the path, or the path below ``data`` if it does not exist."""
    path = path.expanduser()
    if data is not None and not path.is_absolute() and not path.exists():
        return Path(data).expanduser() / path
    return path
