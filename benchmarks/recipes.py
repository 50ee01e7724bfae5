"""Table of recipes for one network, compared on the sets that recipes are chosen on.

``python -m benchmarks.recipes FOLDER… --out results/hybrid-recipes`` reads the folders of studies whose variants differ
in their recipes and whose test subjects are evaluated, and writes ``table.csv``, a row for each set and recipe: the
macro-F1 of validation subjects (``validation``, which chooses) and of test subjects with its 95 % interval, and the
standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stillmotion.escaping import write_csv
from stillmotion.files import atomic_write
from stillmotion.studies import open_study

COLUMNS = ("data", "recipe", "validation", "macro_f1", "low", "high", "seed_std", "subjects", "seeds")


def main() -> None:
    """Read the folders and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    cells = []
    for results in map(open_study, options.folders):
        for row in results.rows:
            if row.macro_f1 is None or row.validation is None:
                raise SystemExit(f"{results.name} has no test scores yet: run its study with --score-test.")
            score = row.macro_f1
            numbers = (row.validation, score.score, score.low, score.high, row.seed_std)
            rounded = (None if each is None else round(each, 4) for each in numbers)
            cells.append([results.data, row.variant, *rounded, results.subjects, row.seeds])
    atomic_write(options.out / "table.csv", write_csv(list(COLUMNS), cells))


if __name__ == "__main__":
    main()
