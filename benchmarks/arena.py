"""Table of studies that differ in the grouping of subjects, such as HAPT as WHAR Arena cuts it.

``python -m benchmarks.arena FOLDER… --out results/arena-hapt`` reads the folders of studies whose test subjects are
evaluated, and writes ``table.csv``: a row a model (and with ``refit`` in ``[training]`` one of its refits), scores
averaged over groupings; of two folders with one grouping, the first that has a model counts. ``macro_f1_folds`` is the
mean over folds and seeds (an absent class counts 0), ``macro_f1_pooled`` that of the confusion matrix of all subjects,
mean over seeds; ``low`` and ``high`` are the ends of its 95 % interval over subjects and seeds; ``basic`` and
``transitions`` average the F1 of the classes without and with ``_TO_`` in their names.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.escaping import write_csv
from stillmotion.evaluation import f1_per_class, macro_f1
from stillmotion.files import atomic_write
from stillmotion.studies import StudyState, read_study_state
from stillmotion.studies.results import compute_results

COLUMNS = (
    "model",
    "parameters",
    "bytes_int8",
    "macro_f1_folds",
    "macro_f1_pooled",
    "low",
    "high",
    "basic",
    "transitions",
    "groupings",
    "seeds",
)


def main() -> None:
    """Read the folders and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    matrices: dict[str, Any] = {}
    for folder in options.folders:
        with read_study_state(folder) as state:
            seed = state.study.split.seed
            for row in measure(state):
                rows.setdefault(row["model"], {}).setdefault(seed, row)
            results = compute_results(state)
            grouping = matrices.setdefault(f"split seed {seed}", {"classes": list(results.classes), "counts": {}})
            grouping["counts"] = {**(results.confusion or {}), **grouping["counts"]}
    every = [list(by_grouping.values()) for by_grouping in rows.values()]
    means = [{**each[0], **average(each), "groupings": len(each)} for each in every]
    cells = [[row[name] for name in COLUMNS] for row in means]
    atomic_write(options.out / "table.csv", write_csv(list(COLUMNS), cells))
    atomic_write(options.out / "confusion.json", json.dumps(matrices) + "\n")
    for line in cells:
        print(*(f"{value:.4f}" if isinstance(value, float) else value for value in line), sep="  ")


def measure(state: StudyState) -> list[dict[str, Any]]:
    """Return a row for each variant and baseline of one study, and beside it that of its refits, if it has any."""
    results = compute_results(state)
    refits = {each.variant: each for each in results.refits}
    moving = np.array(["_TO_" in name for name in state.index.spec.classes])
    rows = []
    for row in results.rows:
        scored = [(row.variant, row.macro_f1, state.reported)]
        if row.variant in refits:
            scored.append((f"{row.variant}, refit", refits[row.variant].macro_f1, state.refits))
        for model, score, every in scored:
            runs = [each for (name, _), each in sorted(every.items()) if name == row.variant]
            if row.kind == "teacher" or score is None or not runs:
                continue
            counts = np.array([[state.counts([run], "test") for run in each] for each in runs]).sum(2)  # (F, S, C, C)
            by_class = f1_per_class(counts.sum(0)).mean(0)
            rows.append(
                {
                    "model": model,
                    "parameters": row.parameters,
                    "bytes_int8": row.bytes_int8,
                    "macro_f1_folds": float(macro_f1(counts).mean()),
                    "macro_f1_pooled": score.score,
                    "low": score.low,
                    "high": score.high,
                    "basic": float(by_class[~moving].mean()),
                    "transitions": float(by_class[moving].mean()) if moving.any() else None,
                    "seeds": row.seeds,
                }
            )
    return rows


def average(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of each score over groupings."""
    names = ("macro_f1_folds", "macro_f1_pooled", "low", "high", "basic", "transitions")
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in names}


if __name__ == "__main__":
    main()
