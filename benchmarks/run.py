"""Run a benchmark: ``python benchmarks/run.py NAME [--only CONTEST …] [--into FILE] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# In place of this folder, whose statistics.py would hide the standard library's.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import MODULES, merge_rows, run
from stillmotion.errors import UserError
from stillmotion.reports import screen


def main() -> int:
    """Run the named benchmark and print its rows; return 2 for an error that the user can fix."""
    parser = argparse.ArgumentParser(description="Time stillmotion and the usual alternative in turns.")
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(MODULES)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, for a first look")
    parser.add_argument("--data", type=Path, help="folder that holds NAME/ (default: STILLMOTION_DATA)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--only", metavar="CONTEST", nargs="+", default=[], help="such as hapt/motion-net-s or 'hapt/*'"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="JSON file of rows to replace those of the same contest"
    )
    options = parser.parse_args()
    try:
        title, rows = run(options.name, data=options.data, quick=options.quick, only=options.only)
    except UserError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.into is not None:
        merge_rows(options.into, options.name, rows)
    if options.json:
        print(json.dumps({"benchmark": options.name, "rows": rows}, indent=2, ensure_ascii=False))
    else:
        screen.show_rows(title, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
