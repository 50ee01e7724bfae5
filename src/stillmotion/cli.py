"""The ``still`` command. Each subcommand parses its options, calls the Python API and prints the result."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from . import __version__
from .commands import COMMANDS
from .errors import DataWarning, UserError
from .interrupts import STOPPED, end_stopped, stoppable
from .names import make_visible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: command line; by default that of the process, which Ctrl-C then ends.

    Returns:
        0 on success, 1 when an audit finds a leak or a file of a folder cannot be predicted, 2 for an error that the
        user can fix, 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    warnings.simplefilter("always", DataWarning)
    warnings.showwarning = _show_warning
    stopped = _stop_message(options.command, sys.argv[1:] if arguments is None else arguments)
    try:
        with stoppable(stopped):
            return int(options.run(options))
    except UserError as error:
        if options.debug:
            raise
        print(make_visible(f"still {options.command}: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if arguments is None:
            end_stopped(stopped)
        print(f"\n{stopped}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader of the pipe (a pager, head) was closed: no error, but nothing more can be printed.
        sys.stderr.close()
        return 0


def _stop_message(command: str, arguments: Sequence[str]) -> str:
    if command in ("study", "demo"):
        return f"Stopped; finished training is kept. Continue with: still {shlex.join(map(str, arguments))}"
    return f"still {command}: stopped."


def _show_warning(message: Warning | str, category: type[Warning], *location: Any, **options: Any) -> None:
    label = "note" if issubclass(category, DataWarning) else category.__name__
    print(make_visible(f"{label}: {message}", keep="\n"), file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """An argument parser that escapes control characters in its error messages."""

    def error(self, message: str) -> NoReturn:
        """Print the error and the usage, then exit with code 2."""
        super().error(make_visible(message))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="still",
        description="Train small human-activity recognisers with knowledge distillation.",
        epilog="Guides and reference: docs/ in the source tree. `still COMMAND --help` explains each command.",
    )
    parser.add_argument("--version", action="version", version=f"stillmotion {__version__}")
    parser.set_defaults(command=None)
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        added = subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        added.set_defaults(command=name, run=command.run)
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        command.add_arguments(added)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
