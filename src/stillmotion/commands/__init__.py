"""The subcommands of ``still``: one file each, with its help, its options and what it runs.

A command parses its options, calls the Python API and prints the result. Nothing heavy is imported before it runs.
"""

from . import adapt, audit, compare, cost, datasets, demo, export, fetch, inspect, live, predict, report, study, verify

#: In the order of ``still --help``.
COMMANDS = (demo, datasets, fetch, inspect, audit, cost, compare, study, report, export, verify, predict, live, adapt)

__all__ = ["COMMANDS"]
