"""`still report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..names import make_visible
from .flags import add_json, print_json

HELP = "Write the report of a study: one HTML page, figures and tables."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of the study, finished or not")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where the report goes (default: the study's folder)")
    parser.add_argument("--published", action="store_true", help="add the published results of Agac & Incel")
    parser.add_argument(
        "--beside", metavar="OTHER", type=Path, help="the same study under another protocol, to compare"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import write_report
    from ..studies import read_protocol_gap

    gap = None if options.beside is None else read_protocol_gap(options.folder, options.beside)
    path = write_report(options.folder, options.out, published=options.published, beside=gap)
    if options.json:
        print_json({"report": str(path)} | ({} if gap is None else {"beside": gap.to_dict()}))
        return 0
    if gap is not None:
        from ..reports.protocols import show_protocol_gap

        show_protocol_gap(gap)
    print(make_visible(str(path)))
    return 0
