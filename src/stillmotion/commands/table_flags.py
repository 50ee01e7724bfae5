"""Flags of the `still` command for the mapping of a table of your own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..files import atomic_write

if TYPE_CHECKING:
    from ..signals import Dataset, Proposal, TableMap

#: Flag to key of a mapping, and its help text.
FLAGS = {
    "--subject": ("subject", "column with the subject"),
    "--session": ("session", "column with the session"),
    "--label": ("label", "column with the activity"),
    "--time": ("time", "column with the clock"),
    "--time-unit": ("unit_of_time", "unit of the clock: s, ms, us, ns or iso (dates)"),
    "--files": ("files", "pattern of the files in a folder, such as '{subject}_{session}.csv'"),
    "--encoding": ("encoding", "encoding of the text, such as latin-1"),
}


def add_table_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags to a command; the path of a table takes the place of a data set's name."""
    group = command.add_argument_group("a table of your own", "NAME is a CSV or Parquet file, a folder or a TOML")
    group.add_argument(
        "--mapping", type=Path, metavar="TOML", help="mapping of the table (default: the TOML of the same name)"
    )
    for flag, (key, text) in FLAGS.items():
        group.add_argument(flag, dest=f"table_{key}", metavar=key.upper(), help=text)
    group.add_argument("--hz", type=float, metavar="RATE", help="sampling rate, if there is no clock")
    group.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="SENSOR",
        help="such as wrist.acc=ax,ay,az:g; repeat for more sensors",
    )
    group.add_argument("--rename", action="append", default=[], metavar="OLD=NEW", help="rename a label")


def read_table_flags(options: argparse.Namespace) -> dict[str, Any]:
    """Return the flags as values of a mapping."""
    from ..signals.tables.mapping import parse_sensor_flag

    values: dict[str, Any] = {}
    for key, _ in FLAGS.values():
        if (value := getattr(options, f"table_{key}")) is not None:
            values[key] = value
    if options.hz is not None:
        values["rate"] = options.hz
    if options.channel:
        values["sensors"] = dict(parse_sensor_flag(flag) for flag in options.channel)
    for flag in options.rename:
        old, equals, new = flag.partition("=")
        if not equals or not new:
            raise UserError(f"--rename takes OLD=NEW, not {flag!r}.")
        values.setdefault("rename", {})[old] = new
    return values


def load_named(options: argparse.Namespace, mapping: TableMap | None = None) -> Dataset:
    """Load the data set or table that a command names, with ``mapping`` or with the flags' mapping."""
    from ..signals import load

    given = mapping or proposed(options) or _read_mapping(options)
    return load(options.name, data=options.data, sensors=options.sensors, mapping=given)


def proposed(options: argparse.Namespace) -> Proposal | None:
    """Return a proposed mapping for a table that has none; None otherwise."""
    from ..signals.catalog import ALIASES, MODULES
    from ..signals.tables import propose_if_unmapped

    if options.mapping or options.name in MODULES or options.name in ALIASES:
        return None
    return propose_if_unmapped(options.name, read_table_flags(options), data=options.data)


def save(proposal: Proposal | None, options: argparse.Namespace) -> None:
    """Write a proposal to the path of ``--save``; never overwrite."""
    if proposal is None:
        raise UserError(f"--save has nothing to write: {options.name} is a built-in data set or has a mapping already.")
    if options.save.exists():
        raise UserError(f"{options.save} exists already; remove it, or save under another name.")
    if not options.save.parent.is_dir():
        raise UserError(f"The folder {options.save.parent} does not exist; create it first.")
    atomic_write(options.save, proposal.to_toml(options.save.parent))


def _read_mapping(options: argparse.Namespace) -> dict[str, Any] | None:
    from ..signals.tables.find import resolve_path
    from ..signals.tables.mapping import read_toml
    from ..signals.tables.propose import FOLDER_MAPPING

    values = read_table_flags(options)
    if options.mapping:
        return read_toml(options.mapping) | values
    if not values:
        return None
    path = resolve_path(Path(options.name), options.data)
    default = path / FOLDER_MAPPING if path.is_dir() else path.with_suffix(".toml")
    return (read_toml(default) if default.is_file() else {}) | values
