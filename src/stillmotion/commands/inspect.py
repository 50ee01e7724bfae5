"""`still inspect`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .flags import add_json, add_source, load_dataset, print_json
from .table_flags import proposed, save

HELP = "Report the contents and the quality problems of a data set, by subject; exit code 1 if it is unfit to train on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_source(parser)
    parser.add_argument("--save", type=Path, metavar="TOML", help="write the proposed mapping of a table to this file")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import screen
    from ..signals import inspect
    from ..signals.progress import reporting

    proposal = proposed(options)
    if proposal is not None and not options.json:
        screen.show_proposal(proposal)
    if options.save:
        save(proposal, options)
    with screen.progress() as line, reporting(line.show):
        data = load_dataset(options, None if proposal is None else proposal.mapping())
        line.step("inspecting")
        quality = inspect(data)
    if options.json:
        print_json(quality.to_dict() | ({} if proposal is None else {"proposal": proposal.to_dict()}))
    else:
        screen.show_quality(quality)
    return 0 if quality.usable else 1
