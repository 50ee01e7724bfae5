"""Load a table whose columns are called as a contract's channels, or are named by a mapping."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ProposedMappingWarning, UserError
from ..signals import Dataset, SignalSpec, load
from ..signals.tables.mapping import read_toml


def load_table(path: Path, spec: SignalSpec, mapping: Mapping[str, Any]) -> Dataset:
    """Load the recordings of one table.

    Args:
        path: CSV, text or Parquet.
        spec: the contract that names the columns where no mapping does.
        mapping: values of a mapping, which go before those of the TOML of the table's name.

    Raises:
        UserError: there is no such file, or it has no clock and no rate is given, or it does not fit its mapping.
    """
    if not path.is_file():
        raise UserError(f"{path} is not there.")
    values = dict(mapping)
    if path.with_suffix(".toml").is_file() and "sensors" not in values:
        values = read_toml(path.with_suffix(".toml")) | values
    if "sensors" not in values:
        values["sensors"] = _sensors_of(spec)
    if "rate" not in values:
        values = {"time": _find_clock(path), **values}
        if not values["time"]:
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
