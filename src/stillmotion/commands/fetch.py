"""`still fetch`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .flags import add_json, print_json

HELP = "Download a data set, or take it from your files, and verify it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", metavar="NAME", help="a data set (see `still datasets`)")
    parser.add_argument("--from", dest="source", metavar="PATH", help="a folder or an archive, instead of downloading")
    parser.add_argument("--to", type=Path, metavar="DIR", help="folder to create NAME/ in (default: STILLMOTION_DATA)")
    parser.add_argument("--accept", action="store_true", help="accept and record counts that differ")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import screen
    from ..signals import fetch

    with screen.progress() as progress:
        fetched = fetch(
            options.name,
            source=options.source,
            to=options.to,
            accept=options.accept,
            progress=progress.bytes,
            say=progress.step,
        )
    if options.json:
        print_json(fetched.to_dict())
    else:
        screen.show_fetched(fetched)
    return 0
