"""`still datasets`."""

from __future__ import annotations

import argparse

from .flags import add_data, add_json, print_json

HELP = "List the built-in data sets with location, licence and citation."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import screen
    from ..signals import list_cards

    if options.json:
        from dataclasses import asdict

        print_json([asdict(card) | {"protocols": card.protocols} for card in list_cards().values()])
    else:
        screen.show_cards(list_cards(), options.data)
    return 0
