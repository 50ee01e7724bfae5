"""Whether students that were taught lose more in int8 than students trained alone.

``python -m benchmarks.int8_students FOLDER… --data DIR --out results/int8-students`` reads the folders of studies whose
test subjects are evaluated, with their recordings. Every reported network is quantised as ``still export --int8`` does
it, by 200 windows of its training subjects, and answers the test windows of its fold in NumPy, bit for bit as the C.

``table.csv`` has a row a model: ``taught`` (yes if its variant has a teacher), ``fold``, ``seed``; ``macro_f1_float``
and ``macro_f1_int8`` over the test windows of the fold (without classes that do not occur), ``difference`` in points
(int8 minus float), ``agreement`` (share of windows with one class). ``summary.csv`` has a row a network: means of both
kinds, and ``taught_minus_alone``, the mean over folds and seeds of what the taught student of the same fold and seed
loses more or less, with its standard error.
Float logits are those that the study kept. Each window is answered alone, without decoder. Reading the test windows is
logged in the study as a test-set evaluation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.bundles.calibration import spread_rows
from stillmotion.deploy import fit_counts, read_program
from stillmotion.deploy.program import quantise_program
from stillmotion.errors import UserError
from stillmotion.escaping import write_csv
from stillmotion.evaluation import confusion_matrix, macro_f1
from stillmotion.files import atomic_write
from stillmotion.studies import StudyData, StudyState, load_study_data, read_study_state
from stillmotion.studies.baselines import Baseline
from stillmotion.studies.predict import load_model
from stillmotion.studies.runs import Run
from stillmotion.studies.store import Store

COLUMNS = (
    *("study", "variant", "network", "method", "taught", "fold", "seed", "windows"),
    *("macro_f1_float", "macro_f1_int8", "difference", "agreement"),
)
SUMMARY = (
    *("study", "network", "pairs", "difference_alone", "difference_taught", "agreement_alone", "agreement_taught"),
    *("taught_minus_alone", "standard_error"),
)
Row = dict[str, Any]


def rows_of(state: StudyState, data: StudyData) -> Iterator[Row]:
    """Yield a row for each reported network of a study; raise ``UserError`` where a layer has no int8 form."""
    if not state.tested:
        raise UserError(
            f"The test subjects of {state.folder} have not been evaluated: run still study … --score-test first."
        )
    if data.index.fingerprint != state.index.fingerprint:
        raise UserError(f"The recordings are not those of {state.folder}; give their folder with --data.")
    runs = [(name, run) for (name, _), each in sorted(state.reported.items()) for run in each if run.kind == "network"]
    subjects = len(state.index.subjects_of("test"))
    with closing(Store(state.folder)) as store:
        store.log_test_evaluation(len(runs), subjects, "int8 forms")
    for name, run in runs:
        system = state.study.systems[name]
        taught = not isinstance(system, Baseline) and system.teacher != "none"
        named = {"study": state.study.name, "variant": name, "network": run.model, "method": run.method}
        yield (
            named | {"taught": "yes" if taught else "no", "fold": run.fold, "seed": run.seed} | score(state, data, run)
        )


def score(state: StudyState, data: StudyData, run: Run) -> Row:
    """Return the scores of a run in both forms."""
    rows, (train, _) = data.index.rows(run.fold, "test"), state.planner.rows(run)
    calibration = np.ascontiguousarray(data.windows.values(spread_rows(train)), np.float32)
    counts = fit_counts(data.index.spec, calibration, None)
    integers = quantise_program(read_program(load_model(state, run)), calibration, counts.scales)
    logits = state.logits([run], "test")
    assert logits is not None
    both = logits.argmax(1), integers.run(counts.of(data.windows.values(rows))).argmax(1)
    labels, classes = data.index.labels[rows], data.index.classes
    exact, rounded = (float(macro_f1(confusion_matrix(labels, each, classes), absent="skip")) for each in both)
    return {
        "windows": len(rows),
        "macro_f1_float": round(exact, 5),
        "macro_f1_int8": round(rounded, 5),
        "difference": round(100 * (rounded - exact), 3),
        "agreement": round(float((both[0] == both[1]).mean()), 5),
    }


def summarise(rows: list[Row]) -> list[Row]:
    """Return a row for each study and network that has students of both kinds."""
    summary = []
    for study, network in dict.fromkeys((row["study"], row["network"]) for row in rows):
        own = [row for row in rows if (row["study"], row["network"]) == (study, network)]
        alone = {(row["fold"], row["seed"]): row for row in own if row["taught"] == "no"}
        taught = [row for row in own if row["taught"] == "yes" and (row["fold"], row["seed"]) in alone]
        if not taught:
            continue
        pairs = [(row, alone[row["fold"], row["seed"]]) for row in taught]
        more = np.array([row["difference"] - other["difference"] for row, other in pairs])
        means: Row = {"study": study, "network": network, "pairs": len(pairs)}
        for kind, place in (("alone", 1), ("taught", 0)):
            for name in ("difference", "agreement"):
                means[f"{name}_{kind}"] = round(float(np.mean([pair[place][name] for pair in pairs])), 4)
        error = float(more.std(ddof=1) / np.sqrt(len(more))) if len(more) > 1 else None
        means |= {"taught_minus_alone": round(float(more.mean()), 3)}
        summary.append(means | {"standard_error": None if error is None else round(error, 3)})
    return summary


def main() -> int:
    """Read the folders and write both tables after each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, help="folder that holds NAME/ (default: STILLMOTION_DATA)")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    try:
        for folder in options.folders:
            with read_study_state(folder) as state:
                for row in rows_of(state, load_study_data(state.study, data=options.data)):
                    rows.append(row)
                    print(*row.values(), file=sys.stderr, flush=True)
                    for name, columns, table in (("table", COLUMNS, rows), ("summary", SUMMARY, summarise(rows))):
                        cells = [[each[column] for column in columns] for each in table]
                        atomic_write(options.out / f"{name}.csv", write_csv(list(columns), cells))
    except UserError as problem:
        print(f"int8_students: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
