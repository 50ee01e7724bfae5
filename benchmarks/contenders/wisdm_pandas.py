"""Repair WISDM's raw file with pandas; the settings choose the way of reading, and a turn is one repair."""

import io
import json
import sys
import time

import pandas as pd

NAMES = ["user", "activity", "timestamp", "x", "y", "z"]


def repaired(path: str, *, words: bool) -> pd.DataFrame:
    """Return the records that have six cells.

    With ``words``, every cell is read as a string and converted to a number afterwards; without, pandas infers types,
    which is faster while every cell of a column is a number.
    """
    with open(path) as file:  # noqa: PTH123 (runs where pandas is, without this package)
        text = file.read().replace(",;", ";").replace(";", "\n")
    kinds = {"dtype": str} if words else {}
    frame = pd.read_csv(io.StringIO(text), header=None, names=NAMES, on_bad_lines="skip", **kinds).dropna()
    for name in NAMES:
        if name != "activity":
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame.dropna()


def main() -> None:
    """Print the number of rows and the time of each turn."""
    path, settings = sys.argv[1], json.loads(sys.argv[2])
    rows = len(repaired(path, words=settings["words"]))
    print(json.dumps({"rows": rows}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        rows = len(repaired(path, words=settings["words"]))
        print(json.dumps({"rows": rows, "milliseconds": 1000 * (time.perf_counter() - start)}), flush=True)


main()
