"""Recordings that a command reads for a bundle: a data set, or a table whose columns are named as the contract's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError

if TYPE_CHECKING:
    from ..signals import Dataset, SignalSpec


def load_recordings(
    file: str,
    spec: SignalSpec,
    flags: Mapping[str, Any],
    *,
    mapping: Path | None = None,
    data: Path | None = None,
    rate: float | None = None,
) -> Dataset:
    """Load recordings; the columns of a table without a mapping have the names of the contract's channels.

    Args:
        file: a table, or the name of a data set.
        spec: the contract.
        flags: values of a mapping (``read_table_flags``), which go before those of files.
        mapping: a TOML file; by default that of the table's name, where there is one.
        data: the folder of data sets.
        rate: of a table without a column ``time``; by default such a table is refused.
    """
    from ..errors import ProposedMappingWarning
    from ..signals import load
    from ..signals.catalog import ALIASES, MODULES
    from ..signals.tables.mapping import read_toml

    if file in MODULES or file in ALIASES:
        return load(file, data=data)
    path = Path(file)
    if not path.exists():
        raise UserError(f"{path} is not there.")
    values = dict(flags)
    if mapping:
        values = read_toml(mapping) | values
    elif path.with_suffix(".toml").is_file() and "sensors" not in values:
        values = read_toml(path.with_suffix(".toml")) | values
    if "sensors" not in values:
        values = {**values, "sensors": _sensors_of(spec)}
    values = {"time": _find_clock(path), **values} if "rate" not in values else values
    if not values.get("time") and "rate" not in values:
        if rate is None:
            raise UserError(f"{path} has no column time; name its clock with --time (and --time-unit), or give --hz.")
        values = {key: value for key, value in values.items() if key != "time"} | {"rate": rate}
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
