"""Options and steps that several commands share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..names import make_visible
from .table_flags import add_table_flags, load_named

if TYPE_CHECKING:
    from ..signals import Dataset, TableMap


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a data set or a table of the user's."""
    parser.add_argument("name", metavar="NAME", help="a data set (see `still datasets`) or the path of a table")
    add_data(parser)
    parser.add_argument("--sensors", help="sensors to keep, such as wrist.acc,wrist.gyr")
    parser.add_argument("--rate", type=float, help="resample to this rate in Hz")
    add_table_flags(parser)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``."""
    parser.add_argument("--data", type=Path, help="folder that contains NAME/ (default: STILLMOTION_DATA)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def print_json(values: Any) -> None:
    """Print values as JSON, control characters escaped."""
    print(make_visible(json.dumps(values, indent=2, ensure_ascii=False), keep="\n"))


def load_dataset(options: argparse.Namespace, mapping: TableMap | None = None) -> Dataset:
    """Load what ``add_source``'s options name, at the rate that they ask for."""
    from ..signals import resample

    data = load_named(options, mapping)
    return data if options.rate is None else resample(data, options.rate)
