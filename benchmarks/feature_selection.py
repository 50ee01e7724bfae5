"""What dropping window features costs on subjects never seen, and saves on a device.

``python -m benchmarks.feature_selection SPEC.toml… --data DIR --out results/features`` takes data and split of studies'
specifications. In each fold ``select_features`` selects by the training and validation subjects; a softmax regression
on the selected features (``feature-net-xs``) is then trained on the training subjects, by one recipe whose last epoch
counts, and scored on the test subjects, whom nothing else looks at. ``table.csv`` has a row a data set and selection:

- ``all``: the standard features; ``no spectrum``: the group that costs most switched off by hand;
- ``selected``: what ``select_features`` returns by default (half a point of tolerance);
- ``quarter``: the same within a quarter of the operations;
- ``features``, ``parameters``, ``operations`` (FLOPs as ``still cost`` counts them), ``flash`` and ``instructions`` (of
  int8 C on an emulated Cortex-M0, a window pushed and answered; empty without the tools): means over folds;
- ``macro_f1`` of the pooled confusion matrices of all test subjects, mean over seeds; ``difference`` to ``all`` with
  its 95 % interval over subjects and seeds; ``macro_f1_selection``: that of the cross-validation which
  chose, mean over folds;
- ``units``: what is dropped in most folds, with the number of folds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import stillmotion as sm
from stillmotion.bundles import Bundle
from stillmotion.bundles.calibration import spread_rows
from stillmotion.deploy import export_c
from stillmotion.deploy.emulator import measure_export
from stillmotion.errors import UserError
from stillmotion.escaping import write_csv
from stillmotion.evaluation import compare_variants
from stillmotion.features import FeatureSet
from stillmotion.files import atomic_write
from stillmotion.networks import build_network, network_cost, set_feature_statistics
from stillmotion.studies import StudyData, load_study_data, read_study
from stillmotion.studies.counts import Counts, count_labels, pool_folds
from stillmotion.studies.variants import ON_FEATURES
from stillmotion.training import FeatureSelection, Fleet, Replica
from stillmotion.training.progress import Progress

NETWORK, MACHINE = "feature-net-xs", "cortex-m0"
SEEDS = 2
#: Windows that the emulated board answers.
WINDOWS = 4
COLUMNS = (
    *("data", "selection", "features", "parameters", "operations", "flash", "instructions"),
    *("macro_f1", "difference", "difference_low", "difference_high", "macro_f1_selection"),
    *("subjects", "folds", "seeds", "units"),
)
#: Selections by name: the option ``features`` of each fold.
Selections = dict[str, list[str]]
Row = dict[str, Any]


def rows_of(name: str, data: StudyData) -> Iterator[Row]:
    """Yield the rows of a data set."""
    folds, windows = data.index.folds, data.windows
    whole = FeatureSet.of(windows.spec)
    selected: list[FeatureSelection] = []
    quarter: list[FeatureSelection] = []
    for number, fold in enumerate(folds):
        known = np.concatenate([fold.train, fold.validation])
        selected.append(sm.select_features(windows, known))
        quarter.append(selected[-1].within(operations=selected[-1].path[0].operations // 4))
        print(f"{name}, fold {number}: {selected[-1].features.selection}", file=sys.stderr, flush=True)
    groups = [group for group in whole.groups if group != "spectrum"]
    without = FeatureSet.of(windows.spec, groups=groups)
    selections: Selections = {
        "all": [whole.selection] * len(folds),
        "no spectrum": [without.selection] * len(folds),
        "selected": [each.features.selection for each in selected],
        "quarter": [each.features.selection for each in quarter],
    }
    own_scores = {
        "all": [each.path[0].macro_f1 for each in selected],
        "selected": [each.step.macro_f1 for each in selected],
        "quarter": [each.step.macro_f1 for each in quarter],
    }
    counts = {selection: count_test_windows(data, texts) for selection, texts in selections.items()}
    matrices = pool_folds(data.index, counts, "test", SEEDS)
    compared = compare_variants(matrices, against="all")
    differences = {each.variant: each.difference for each in compared.comparisons}
    scores = {each.variant: each.macro_f1.score for each in compared.standings}
    for selection, texts in selections.items():
        row: Row = dict.fromkeys(COLUMNS) | {"data": name, "selection": selection}
        row |= measure_device(data, texts)
        row |= {"macro_f1": round(scores[selection], 4)}
        if selection in differences:
            difference = differences[selection]
            ends = {"": difference.score, "_low": difference.low, "_high": difference.high}
            row |= {f"difference{end}": None if value is None else round(value, 4) for end, value in ends.items()}
        if selection in own_scores:
            row["macro_f1_selection"] = round(float(np.mean(own_scores[selection])), 4)
        row |= {"subjects": len(matrices.subjects), "folds": len(folds), "seeds": SEEDS, "units": name_units(texts)}
        yield row


def count_test_windows(data: StudyData, texts: Sequence[str]) -> list[list[Counts | None]]:
    """Train every fold with its features; return the confusion matrices (P, C, C) of its test windows, by seed."""
    counts: list[list[Counts | None]] = [[None] * SEEDS for _ in texts]
    for text in dict.fromkeys(texts):
        own = [number for number, each in enumerate(texts) if each == text]
        for (number, seed), predicted in train(data, text, own).items():
            counts[number][seed] = count_labels(data.index, data.index.folds[number].test, predicted)
    return counts


def train(data: StudyData, text: str, numbers: Sequence[int]) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Train folds with the same features as one fleet; return the predictions for the test windows by fold and seed."""
    windows, index = data.windows, data.index
    x = np.ascontiguousarray(windows.values(), np.float32)
    statistics = [data.statistics[number] for number in numbers]
    replicas = {
        (number, seed): Replica(
            seed,
            index.folds[number].train,
            index.folds[number].validation,
            ON_FEATURES.hyperparameters,
            each.mean.astype(np.float32),
            each.std.astype(np.float32),
        )
        for number, each in zip(numbers, statistics, strict=True)
        for seed in range(SEEDS)
    }
    fleet = Fleet(
        build_network(NETWORK, windows.spec, features=text),
        "lm",
        list(replicas.values()),
        x,
        index.labels,
        classes=len(windows.spec.classes),
        recipe=replace(ON_FEATURES, keep="last").recipe(),
    )
    results = fleet.train(Progress(enabled=False))
    return {
        key: fleet.student.predict_taps(each.weights, each.state, x[index.folds[key[0]].test])["logits"].argmax(1)
        for key, each in zip(replicas, results, strict=True)
    }


def measure_device(data: StudyData, texts: Sequence[str]) -> Row:
    """Return features, parameters, operations, flash and instructions, means over the folds."""
    measured = {text: measure_one(data, text) for text in dict.fromkeys(texts)}
    each = [measured[text] for text in texts]
    names = ("features", "parameters", "operations", "flash", "instructions")
    return {
        name: None if any(one[name] is None for one in each) else round(float(np.mean([one[name] for one in each])))
        for name in names
    }


def measure_one(data: StudyData, text: str) -> Row:
    """Count and measure the network with some features; its weights are drawn, which changes nothing of it."""
    spec, labelled = data.windows.spec, np.flatnonzero(data.index.labels >= 0)
    model = build_network(NETWORK, spec, features=text)
    windows = np.ascontiguousarray(data.windows.values(spread_rows(labelled)), np.float32)
    set_feature_statistics(model, windows)
    cost = network_cost(model)
    count = len(model.get_layer("window_features").features.names)
    row: Row = {
        "features": count,
        "parameters": cost.params,
        "operations": cost.flops,
        "flash": None,
        "instructions": None,
    }
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        bundle = Bundle.save(Path(scratch) / "bundle", model, spec, calibration=windows)
        try:
            evidence = measure_export(
                export_c(bundle, Path(scratch) / "c", int8=True, name="net"), windows[:WINDOWS], MACHINE
            )
        except UserError as problem:
            print(problem, file=sys.stderr)
            return row
    if evidence.equal != evidence.windows:
        raise SystemExit(f"The emulated board gave other logits than the reference for {text}.")
    return row | {"flash": evidence.constants + evidence.code, "instructions": evidence.instructions}


def name_units(texts: Sequence[str]) -> str:
    """Return the units that are dropped in more than half of the folds, with the number of folds."""
    counted = Counter(part[1:] for text in texts for part in text.split(",") if part.startswith("-"))
    return " ".join(f"{unit}:{count}" for unit, count in counted.most_common() if 2 * count > len(texts))


def main() -> None:
    """Measure data sets and write the table, again after each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "specs", nargs="+", type=Path, help="specifications of studies, such as results/students/*.toml"
    )
    parser.add_argument("--data", type=Path, help="folder that holds NAME/ (default: STILLMOTION_DATA)")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    for path in options.specs:
        study = read_study(path)
        for row in rows_of(study.data.name, load_study_data(study, data=options.data)):
            rows.append(row)
            print(*(row[name] for name in COLUMNS), sep="  ", flush=True)
            cells = [[each[name] for name in COLUMNS] for each in rows]
            atomic_write(options.out / "table.csv", write_csv(list(COLUMNS), cells))


if __name__ == "__main__":
    main()
