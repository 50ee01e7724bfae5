"""Run a benchmark: ``python benchmarks/run.py NAME [--quick] [--data DIR] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import MODULES, run
from stillmotion.errors import UserError
from stillmotion.reports import screen


def main() -> int:
    """Run the named benchmark and print its rows; return 2 for an error that the user can fix."""
    parser = argparse.ArgumentParser(description="Time stillmotion and the usual alternative in turns.")
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(MODULES)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, for a first look")
    parser.add_argument("--data", type=Path, help="folder that holds NAME/ (default: STILLMOTION_DATA)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args()
    try:
        title, rows = run(options.name, data=options.data, quick=options.quick)
    except UserError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"benchmark": options.name, "rows": rows}, indent=2, ensure_ascii=False))
    else:
        screen.show_rows(title, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
