"""`still verify`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..names import make_visible
from .flags import add_json, print_json

HELP = (
    "Verify a bundle, and forms exported from it: checksums, and golden vectors computed again; exit code 1 if any "
    "differs, 2 if a form that was named could not be run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder of a bundle, such as STUDY/models/best")
    parser.add_argument(
        "exported", metavar="FORM", nargs="*", help="what still export wrote before: its folder, or a file in it"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..deploy import verify_bundle

    checks = verify_bundle(options.bundle, options.exported)
    if options.json:
        print_json({"bundle": str(options.bundle), "checks": [check.to_dict() for check in checks]})
    else:
        wide = max(len(check.form) for check in checks)
        for check in checks:
            print(make_visible(f"{check.form:{wide}}  {check.state:11}  {check.text}"))
    if any(check.state == "differs" for check in checks):
        return 1
    named = checks[len(checks) - len(options.exported) :]
    return 2 * any(check.state == "not checked" for check in named)
