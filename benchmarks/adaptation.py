"""Macro-F1 of subjects never seen in training against seconds of their own labelled signal, such as HAPT.

``python -m benchmarks.adaptation FOLDER --data DIR --out results/adaptation-hapt`` reads the folder of a study whose
networks are trained, adapts the network of each fold to each of its test subjects (``stillmotion.adapt``), and writes
``table.csv``: a row for each number of ``seconds`` a class. ``windows`` is the mean number of windows a class,
``macro_f1`` that of the confusion matrix of all test subjects, each window alone, with the ends of its 95 % interval
over subjects; ``gain`` is the difference to 0 seconds with its interval.

The first seconds of each class, in time, are adapted to, and at most half of its windows. Scored are, for every number
of seconds, the same windows: those that neither belong to the longest such stretches nor overlap one of their windows.
The scores with seconds are of subjects that the model has seen; only the row of 0 is of unseen ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillmotion.bundles import refit_layer
from stillmotion.bundles.network import split_head
from stillmotion.errors import UserError
from stillmotion.escaping import write_csv
from stillmotion.evaluation import Predictions, compare_variants, count_confusion
from stillmotion.files import atomic_write
from stillmotion.studies import StudyState, load_study_data, read_study_state
from stillmotion.studies.data import StudyData
from stillmotion.studies.index import WindowIndex
from stillmotion.studies.teachers import model_of
from stillmotion.training.functional import Functional

Rows = NDArray[np.int64]
SECONDS = (0, 3, 10, 30)


def main() -> None:
    """Read the folder, adapt, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variant", default="feature-net-s", help="network of the study (default: feature-net-s)")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--split", default="test", choices=("test", "validation"), help="whom to adapt to; validation to choose"
    )
    options = parser.parse_args()
    with read_study_state(options.folder) as state:
        data = load_study_data(state.study, data=options.data)
        rows = measure(state, data, options.variant, options.split)
        specification = (options.folder / "study.toml").read_text(encoding="utf-8")
    cells = [list(row.values()) for row in rows]
    if options.split == "test":
        atomic_write(options.out / "table.csv", write_csv(list(rows[0]), cells))
        atomic_write(options.out / "spec.toml", specification)
    for line in cells:
        print(*line, sep="  ")


def measure(state: StudyState, data: StudyData, variant: str, split: str = "test") -> list[dict[str, Any]]:
    """Return a row for each number of seconds."""
    index, parts, counts = state.index, [], {seconds: [] for seconds in SECONDS}  # type: ignore[var-annotated]
    network = None
    for fold in range(len(index.folds)):
        runs = state.reported.get((variant, fold), ())
        if not runs or runs[0].kind != "network":
            raise UserError(f"{variant} has no trained network in fold {fold}; train the study.")
        network = network or Functional(model_of(runs[0], index), ["embedding", "logits"])
        weights = state.store.weights(runs[0].id)
        network.put(*weights)
        trained, bias = split_head(network.model, variant)[1].get_weights()
        rows = index.rows(fold, split)
        inputs = network.predict_taps(*weights, data.windows.values(rows))["embedding"]
        for subject in np.unique(index.subject_codes[rows]):
            own = np.flatnonzero(index.subject_codes[rows] == subject)
            longest = first_seconds(index, rows[own], max(SECONDS))
            scored = own[~overlaps(index, rows[own], longest)]
            for seconds in SECONDS:
                taken = own[np.isin(rows[own], first_seconds(index, rows[own], seconds))]
                counts[seconds].append(len(taken) / len(np.unique(index.labels[rows[own]])))
                new = (trained, bias)
                if len(taken):
                    new = refit_layer(inputs[taken], trained, bias, index.labels[rows[taken]])
                parts.append((str(seconds), rows[scored], inputs[scored] @ new[0] + new[1], fold))
    compared = compare_variants(count_confusion(_predictions(index, parts)), against="0", flips=1)
    gains = {each.variant: each.difference for each in compared.comparisons}
    subjects = len(np.unique(np.concatenate([index.subject_codes[rows] for _, rows, _, _ in parts])))
    result = []
    for seconds in SECONDS:
        (score,) = (each.macro_f1 for each in compared.standings if each.variant == str(seconds))
        gain = gains.get(str(seconds))
        result.append(
            {
                "model": variant,
                "seconds": seconds,
                "windows": round(float(np.mean(counts[seconds])), 1),
                "subjects": subjects,
                "scored": sum(len(rows) for name, rows, _, _ in parts if name == "0"),
                "macro_f1": round(score.score, 4),
                "low": _rounded(score.low),
                "high": _rounded(score.high),
                "gain": _rounded(None if gain is None else gain.score),
                "gain_low": _rounded(None if gain is None else gain.low),
                "gain_high": _rounded(None if gain is None else gain.high),
            }
        )
    return result


def first_seconds(index: WindowIndex, rows: Rows, seconds: float) -> Rows:
    """Return the windows of the first seconds of each class, at most half of its windows; none without a whole one."""
    spec, taken = index.spec, []
    count = int((seconds * spec.rate - spec.window) // spec.hop) + 1 if seconds * spec.rate >= spec.window else 0
    for label in np.unique(index.labels[rows]):
        own = rows[index.labels[rows] == label]
        own = own[np.lexsort((index.seconds[own], index.recording[own]))]
        taken.append(own[: min(count, len(own) // 2)])
    return np.concatenate(taken)


def overlaps(index: WindowIndex, rows: Rows, taken: Rows) -> NDArray[np.bool_]:
    """Tell which windows share samples with those taken."""
    same = index.recording[rows][:, None] == index.recording[taken]
    apart = np.abs(index.seconds[rows][:, None] - index.seconds[taken])
    return np.asarray((same & (apart < index.spec.seconds - 1e-6)).any(1))


def _predictions(index: WindowIndex, parts: list[tuple[str, Rows, NDArray[np.float32], int]]) -> list[Predictions]:
    result = []
    for name in dict.fromkeys(part[0] for part in parts):
        own = [part for part in parts if part[0] == name]
        rows = np.concatenate([part[1] for part in own])
        result.append(
            Predictions.of(
                name,
                subject=index.subject_names[rows],
                fold=np.repeat([part[3] for part in own], [len(part[1]) for part in own]),
                seed=0,
                y=index.labels[rows],
                scores=np.concatenate([part[2] for part in own]),
                classes=index.spec.classes,
            )
        )
    return result


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


if __name__ == "__main__":
    main()
