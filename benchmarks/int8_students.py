"""What networks lose in int8: whether students that were taught lose more, and whether training for int8 gives it back.

``python -m benchmarks.int8_students FOLDER… --data DIR --out results/int8-students`` reads the folders of studies whose
test subjects are evaluated, with their recordings. Every reported network is quantised as ``still export --int8`` does
it, by 200 windows of its training subjects, and answers the test windows of its fold in NumPy, bit for bit as the C.

``table.csv`` has a row a model: ``taught`` (yes if its variant has a teacher), ``fold``, ``seed``; ``macro_f1_float``
and ``macro_f1_int8`` over the test windows of the fold (without classes that do not occur), ``difference`` in points
(int8 minus float), ``agreement`` (share of windows with one class). ``summary.csv`` has a row a network: means of both
kinds, and ``taught_minus_alone``, the mean over folds and seeds of what the taught student of the same fold and seed
loses more or less, with its standard error.
With ``--retrain EPOCHS`` every network is also trained on with rounding (``fit`` with ``quantise``; its own float
probabilities alone teach, the epoch is chosen on its validation subjects) and quantised again:
``macro_f1_int8_retrained``, ``difference_retrained`` (points, against the float network before),
``agreement_retrained`` (with it), and ``macro_f1_float_retrained``, what the same epochs change without integers.

Float logits are those that the study kept. Each window is answered alone, without decoder. Reading the test windows is
logged in the study as a test-set evaluation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillmotion.bundles.calibration import spread_rows
from stillmotion.deploy import fit_counts, plan_quantisation, read_program
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
from stillmotion.training import Recipe, fit

COLUMNS = (
    *("study", "variant", "network", "method", "taught", "fold", "seed", "windows"),
    *("macro_f1_float", "macro_f1_int8", "difference", "agreement"),
    *("macro_f1_float_retrained", "macro_f1_int8_retrained", "difference_retrained", "agreement_retrained"),
)
SUMMARY = (
    *("study", "network", "pairs", "difference_alone", "difference_taught", "agreement_alone", "agreement_taught"),
    *("taught_minus_alone", "standard_error"),
)
Row = dict[str, Any]
#: The learning rate of training on, as a part of that of the training.
SLOWER = 0.1
#: KD from the float network's probabilities alone, as they are: what int8 should give.
OWN_LOGITS = {"alpha": 0.0, "temperature": 1.0}


def rows_of(state: StudyState, data: StudyData, *, epochs: int = 0) -> Iterator[Row]:
    """Yield a row for each reported network of a study; raise ``UserError`` where a layer has no int8 form.

    Args:
        state, data: of the study.
        epochs: of training on with rounding, 0 for none.
    """
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
        about: Row = {"taught": "yes" if taught else "no", "fold": run.fold, "seed": run.seed}
        yield named | about | score(state, data, run, epochs=epochs)


def score(state: StudyState, data: StudyData, run: Run, *, epochs: int = 0) -> Row:
    """Return the scores of a run in both forms, and of the network trained on with rounding."""
    rows, model = data.index.rows(run.fold, "test"), load_model(state, run)
    train, validation = state.planner.rows(run)
    calibration = np.ascontiguousarray(data.windows.values(spread_rows(train)), np.float32)
    counts = fit_counts(data.index.spec, calibration, None)
    windows, labels = data.windows.values(rows), data.index.labels[rows]

    def rounded() -> NDArray[np.int64]:
        integers = quantise_program(read_program(model), calibration, counts.scales)
        return np.asarray(integers.run(counts.of(windows)).argmax(1))

    def score_of(predicted: NDArray[np.int64]) -> float:
        return float(macro_f1(confusion_matrix(labels, predicted, data.index.classes), absent="skip"))

    logits = state.logits([run], "test")
    assert logits is not None
    before, after = logits.argmax(1), rounded()
    exact = score_of(before)
    row: Row = {"windows": len(rows), "macro_f1_float": round(exact, 5)} | _compared(before, after, score_of, "")
    if not epochs:
        return row | dict.fromkeys(COLUMNS[-4:])
    fit(
        model,
        data.windows.values(train),
        data.index.labels[train],
        validation=(data.windows.values(validation), data.index.labels[validation]),
        teacher=model,
        method="kd",
        hyperparameters=OWN_LOGITS,
        recipe=Recipe(batch=int(run.recipe["batch"]), epochs=epochs, patience=epochs, schedule="cosine"),
        learning_rate=float(run.hyperparameters.get("learning_rate", run.recipe["learning_rate"])) * SLOWER,
        seed=run.seed,
        quantise=plan_quantisation(model),
        progress=False,
    )
    changed = read_program(model).run(np.asarray(windows, np.float32)).argmax(1)
    row["macro_f1_float_retrained"] = round(score_of(changed), 5)
    return row | _compared(before, rounded(), score_of, "_retrained")


def _compared(
    before: NDArray[np.int64], after: NDArray[np.int64], score_of: Callable[[NDArray[np.int64]], float], suffix: str
) -> Row:
    """Compare the classes of an int8 form with those of the float network."""
    return {
        f"macro_f1_int8{suffix}": round(score_of(after), 5),
        f"difference{suffix}": round(100 * (score_of(after) - score_of(before)), 3),
        f"agreement{suffix}": round(float((before == after).mean()), 5),
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
    parser.add_argument("--retrain", metavar="EPOCHS", type=int, default=0, help="train on with rounding (default: 0)")
    options = parser.parse_args()
    rows: list[Row] = []
    try:
        for folder in options.folders:
            with read_study_state(folder) as state:
                for row in rows_of(state, load_study_data(state.study, data=options.data), epochs=options.retrain):
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
