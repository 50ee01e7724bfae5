"""Tables of students and feature classifiers, and of what a teacher adds to a student.

``python -m benchmarks.students FOLDER… --out results/students`` reads the folders of studies whose test subjects are
evaluated. ``table.csv`` has a row a study: the student (a network) within the study's budget that scores highest on
validation subjects, the feature classifier of any size that scores highest on test subjects, and the difference between
the two with its 95 % interval over subjects and seeds. ``distillation.csv`` has a row for each variant of the student
named in ``compare``: its score, and the difference from plain training (``s-plain``) and from label smoothing
(``s-smoothing``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.escaping import write_csv
from stillmotion.evaluation import ConfusionMatrices, Interval, compare_variants
from stillmotion.files import atomic_write
from stillmotion.studies import Row, Study, parse_budget, read_study_state
from stillmotion.studies.results import compute_results

TABLE = (
    "data",
    "student",
    "parameters",
    "bytes_int8",
    "macro_f1",
    "low",
    "high",
    "classifier",
    "classifier_macro_f1",
    "difference",
    "difference_low",
    "difference_high",
    "subjects",
    "seeds",
)
ALONE, SMOOTH = "s-plain", "s-smoothing"
DISTILLATION = (
    "data",
    "variant",
    "title",
    "macro_f1",
    "low",
    "high",
    "seed_std",
    *(f"{kind}_{end}" for kind in ("from_plain", "from_smoothing") for end in ("score", "low", "high")),
    "subjects",
    "seeds",
)


def main() -> None:
    """Read the folders and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    beside, taught = [], []
    for folder in options.folders:
        with read_study_state(folder) as state:
            rows, matrices = compute_results(state).rows, state.confusion("test")
            if matrices is None:
                raise SystemExit(f"{folder} has no test scores yet: run its study with --score-test.")
            beside += compare_with_classifiers(state.study, rows, matrices)
            taught += compare_teaching(state.study, rows, matrices)
    for name, columns, table in (("table", TABLE, beside), ("distillation", DISTILLATION, taught)):
        atomic_write(
            options.out / f"{name}.csv", write_csv(list(columns), [[row[key] for key in columns] for row in table])
        )
        for row in table:
            print(*(f"{value:.4f}" if isinstance(value, float) else value for value in row.values()), sep="  ")


def compare_with_classifiers(study: Study, rows: tuple[Row, ...], matrices: ConfusionMatrices) -> list[dict[str, Any]]:
    """Return the row of the student within the budget and the best feature classifier; none without either."""
    budget = parse_budget(study.budget)
    classifiers = [row for row in rows if row.kind == "baseline" and row.macro_f1 and row.variant != "majority"]
    students = [
        row
        for row in rows
        if row.kind not in ("baseline", "teacher")
        and row.macro_f1
        and (budget is None or (row.bytes_int8 or 0) <= budget)
    ]
    if not classifiers or not students:
        return []
    student = max(students, key=lambda row: row.validation or 0.0)
    best = max(classifiers, key=score_of)
    difference = subtract(matrices, student.variant, best.variant)
    return [
        {
            "data": study.data.name,
            "student": student.variant,
            "parameters": student.parameters,
            "bytes_int8": student.bytes_int8,
            **ends(student.macro_f1),
            "classifier": best.variant,
            "classifier_macro_f1": round(score_of(best), 4),
            **ends(difference, ("difference", "difference_low", "difference_high")),
            "subjects": len(matrices.subjects),
            "seeds": student.seeds,
        }
    ]


def compare_teaching(study: Study, rows: tuple[Row, ...], matrices: ConfusionMatrices) -> list[dict[str, Any]]:
    """Return a row for each way of training the same student; none for a study without ``s-plain``."""
    if not {ALONE, SMOOTH} <= set(matrices.variants):
        return []
    table = []
    for row in rows:
        system = study.all_variants.get(row.variant)
        if row.macro_f1 is None or (row.kind != "teacher" and (system is None or system.network)):
            continue  # A classifier, or another network.
        cells: dict[str, Any] = {
            "data": study.data.name,
            "variant": row.variant,
            "title": row.title,
            **ends(row.macro_f1),
            "seed_std": None if row.seed_std is None else round(row.seed_std, 4),
            "subjects": len(matrices.subjects),
            "seeds": row.seeds,
        }
        for kind, against in (("from_plain", ALONE), ("from_smoothing", SMOOTH)):
            known = row.variant in matrices.variants and row.variant != against
            difference = subtract(matrices, row.variant, against) if known else None
            cells |= ends(difference, tuple(f"{kind}_{end}" for end in ("score", "low", "high")))
        table.append(cells)
    return table


def subtract(matrices: ConfusionMatrices, variant: str, against: str) -> Interval:
    """Return the macro-F1 of a variant minus that of another on the same subjects, with its interval."""
    places = [matrices.variants.index(name) for name in (against, variant)]
    pair = replace(matrices, variants=(against, variant), counts=np.stack([matrices.counts[place] for place in places]))
    return compare_variants(pair, against=against).comparisons[0].difference


def score_of(row: Row) -> float:
    """Return the macro-F1 of a row that has one."""
    return row.macro_f1.score if row.macro_f1 else 0.0


def ends(interval: Interval | None, names: Sequence[str] = ("macro_f1", "low", "high")) -> dict[str, float | None]:
    """Return a score with its interval as columns of these names."""
    values = (None,) * 3 if interval is None else (interval.score, interval.low, interval.high)
    return {name: None if value is None else round(value, 4) for name, value in zip(names, values, strict=True)}


if __name__ == "__main__":
    main()
