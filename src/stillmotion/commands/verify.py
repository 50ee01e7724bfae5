"""`still verify`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..names import make_visible
from .flags import add_json, print_json

HELP = "Verify a bundle: its checksums, and its golden vectors as Keras, C and ONNX; exit code 1 if any differs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder of a bundle, such as STUDY/models/best")
    parser.add_argument("exported", metavar="FILE.onnx", nargs="*", help="files that were exported from it before")
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
    return int(any(check.state == "differs" for check in checks))
