"""Load recordings for a bundle: a table's columns are called as the contract's channels, or named by flags."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .table_flags import read_table_flags

if TYPE_CHECKING:
    from ..signals import Dataset, SignalSpec


def load_fitting(file: str, options: argparse.Namespace, spec: SignalSpec) -> Dataset:
    """Load recordings of a data set, or of a table whose columns are called as the contract's channels or mapped.

    Args:
        file: the table, or the name of a data set.
        options: of a command, with or without the flags of tables.
        spec: the contract.
    """
    from ..bundles.tables import load_table
    from ..signals import load

    if is_data_set(file):
        return load(file, data=options.data)
    mapping = read_mapping(options) if hasattr(options, "mapping") else {}
    return load_table(Path(file), spec, mapping)


def is_data_set(name: str) -> bool:
    """Return whether this is the name of a data set."""
    from ..signals.catalog import ALIASES, MODULES

    return name in MODULES or name in ALIASES


def read_mapping(options: argparse.Namespace, folder: Path | None = None) -> dict[str, Any]:
    """Return the values of a mapping: flags, before those of the TOML that is named or lies in the folder of tables."""
    from ..signals.tables.mapping import read_toml
    from ..signals.tables.propose import FOLDER_MAPPING

    values, file = read_table_flags(options), options.mapping
    if file is None and folder is not None and (folder / FOLDER_MAPPING).is_file():
        file = folder / FOLDER_MAPPING
    return (read_toml(file) if file else {}) | values
