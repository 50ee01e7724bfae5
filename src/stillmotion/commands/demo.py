"""`still demo`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "Train, compare and choose on real subjects (SPAR; simulated ones without it), then write the report."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to (default: demo)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports.demo import demo

    demo(options.out)
    return 0
