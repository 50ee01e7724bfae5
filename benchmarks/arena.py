"""Table of studies that differ in the grouping of subjects, such as HAPT as WHAR Arena cuts it.

``python -m benchmarks.arena FOLDER… --out results/arena-hapt`` reads the folders of studies whose test subjects are
evaluated, or folders of tables that it wrote before (``results/arena-hapt`` itself, to add to it), and writes
``groupings.csv``: a row a model (and with ``refit`` in ``[training]`` one of its refits) and grouping, the seed of the
split; and ``table.csv``, means over groupings. Of two rows of a model and grouping, that of more seeds counts, of as
many that of the first folder. ``macro_f1_folds`` is the mean over folds and seeds (an absent class counts 0),
``macro_f1_pooled`` that of the confusion matrix of all subjects, mean over seeds; ``low`` and ``high`` are the ends of
its 95 % interval over subjects and seeds; ``basic`` and ``transitions`` average the F1 of the classes without and with
``_TO_`` in their names. ``confusion.json`` holds the pooled confusion matrices.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.escaping import write_csv
from stillmotion.evaluation import f1_per_class, macro_f1
from stillmotion.files import atomic_write
from stillmotion.studies import StudyState, read_study_state
from stillmotion.studies.results import compute_results

SCORES = ("macro_f1_folds", "macro_f1_pooled", "low", "high", "basic", "transitions")
COLUMNS = ("model", "parameters", "bytes_int8", *SCORES, "groupings", "seeds")
BY_GROUPING = ("grouping", "model", "parameters", "bytes_int8", *SCORES, "seeds")
Rows = list[dict[str, Any]]


def main() -> None:
    """Read the folders and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    matrices: dict[str, Any] = {}
    for folder in options.folders:
        more, confusion = read_tables(folder) if (folder / "groupings.csv").exists() else measure_study(folder)
        for row in more:
            key = (row["model"], row["grouping"])
            if key not in rows or row["seeds"] > rows[key]["seeds"]:
                rows[key] = row
        for name, grouping in confusion.items():
            known = matrices.setdefault(name, grouping)
            known["counts"] = {**grouping["counts"], **known["counts"]}
    models = list(dict.fromkeys(model for model, _ in rows))
    every = sorted(rows.values(), key=lambda row: (models.index(row["model"]), row["grouping"]))
    means = [average([row for row in every if row["model"] == model]) for model in models]
    write_table(options.out / "groupings.csv", BY_GROUPING, every)
    write_table(options.out / "table.csv", COLUMNS, means)
    atomic_write(options.out / "confusion.json", json.dumps(dict(sorted(matrices.items()))) + "\n")
    for row in means:
        print(*(f"{value:.4f}" if isinstance(value, float) else value for value in row.values()), sep="  ")


def read_tables(folder: Path) -> tuple[Rows, dict[str, Any]]:
    """Return the rows by grouping and the confusion matrices of tables written before."""
    with (folder / "groupings.csv").open(newline="", encoding="utf-8") as file:
        texts = list(csv.DictReader(file))
    whole = ("grouping", "parameters", "bytes_int8", "seeds")
    rows = [
        {
            name: None if not text else text if name == "model" else int(text) if name in whole else float(text)
            for name, text in row.items()
        }
        for row in texts
    ]
    return rows, json.loads((folder / "confusion.json").read_text(encoding="utf-8"))


def measure_study(folder: Path) -> tuple[Rows, dict[str, Any]]:
    """Return the rows of a study and its pooled confusion matrices."""
    with read_study_state(folder) as state:
        grouping, results = state.study.split.seed, compute_results(state)
        rows = [{"grouping": grouping, **row} for row in measure(state)]
        counts = {"classes": list(results.classes), "counts": results.confusion or {}}
        return rows, {f"split seed {grouping}": counts}


def measure(state: StudyState) -> Rows:
    """Return a row for each variant and baseline of one study, and that of its refits, if it has any."""
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
            scores = {
                "macro_f1_folds": macro_f1(counts).mean(),
                "macro_f1_pooled": score.score,
                "low": score.low,
                "high": score.high,
                "basic": by_class[~moving].mean(),
                "transitions": by_class[moving].mean() if moving.any() else None,
            }
            rows.append(
                {
                    "model": model,
                    "parameters": row.parameters,
                    "bytes_int8": row.bytes_int8,
                    **{name: None if value is None else round(float(value), 4) for name, value in scores.items()},
                    "seeds": row.seeds,
                }
            )
    return rows


def average(rows: Rows) -> dict[str, Any]:
    """Return a row of the means over groupings."""
    whole = {name: rows[0][name] for name in ("model", "parameters")}
    scores = {name: [row[name] for row in rows if row[name] is not None] for name in ("bytes_int8", *SCORES)}
    means = {name: round(float(np.mean(values)), 4) if values else None for name, values in scores.items()}
    size = means.pop("bytes_int8")
    stored = {"bytes_int8": None if size is None else round(size)}
    return {**whole, **stored, **means, "groupings": len(rows), "seeds": rows[0]["seeds"]}


def write_table(path: Path, columns: tuple[str, ...], rows: Rows) -> None:
    """Write rows as CSV."""
    atomic_write(path, write_csv(list(columns), [[row[name] for name in columns] for row in rows]))


if __name__ == "__main__":
    main()
