"""Load recordings for a bundle: a table's columns are called as the contract's channels, or named by flags."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .table_flags import read_table_flags

if TYPE_CHECKING:
    from ..signals import Dataset, SignalSpec


def load_fitting(file: str, options: argparse.Namespace, spec: SignalSpec) -> Dataset:
    """Load recordings; the columns of a table without a mapping have the names of the contract's channels."""
    from ..errors import ProposedMappingWarning
    from ..signals import load
    from ..signals.catalog import ALIASES, MODULES
    from ..signals.tables.mapping import read_toml

    if file in MODULES or file in ALIASES:
        return load(file, data=options.data)
    path = Path(file)
    if not path.exists():
        raise UserError(f"{path} is not there.")
    values = read_table_flags(options)
    if options.mapping:
        values = read_toml(options.mapping) | values
    elif path.with_suffix(".toml").is_file() and "sensors" not in values:
        values = read_toml(path.with_suffix(".toml")) | values
    if "sensors" not in values:
        values = {**values, "sensors": _sensors_of(spec)}
    values = {"time": _find_clock(path), **values} if "rate" not in values else values
    if not values.get("time") and "rate" not in values:
        raise UserError(f"{path} has no column time; name its clock with --time (and --time-unit), or give --hz.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProposedMappingWarning)
        return load(str(path), mapping={"files": path.name, **values}, cache=False)


def _sensors_of(spec: SignalSpec) -> dict[str, Any]:
    """Return the sensors of a mapping in which columns are called as the contract's channels."""
    sensors: dict[str, Any] = {}
    for channel in spec.channels:
        sensor = sensors.setdefault(channel.group, {"columns": {}})
        sensor["columns"][channel.axis] = channel.name
        if channel.unit:
            sensor["unit"] = channel.unit
    return sensors


def _find_clock(path: Path) -> str:
    """Return ``time`` where a table has such a column."""
    from pyarrow import parquet

    if path.suffix == ".parquet":
        names = parquet.read_schema(path).names
    else:
        with path.open(encoding="utf-8", errors="replace") as file:
            heading = file.readline().replace(";", ",").replace("\t", ",")
        names = [name.strip().strip('"') for name in heading.split(",")]
    return "time" if "time" in names else ""
