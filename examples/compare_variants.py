"""Does a gyroscope help? Two nearest-mean classifiers on window features, compared on subjects neither has seen."""

import numpy as np

import stillmotion as sm
from stillmotion.evaluation import Predictions, compare_variants, count_confusion
from stillmotion.features import extract_features


def predictions(variant: str, sensors: str) -> Predictions:
    """Every subject tested once; means and spreads of features come from training subjects."""
    windows = sm.cut(sm.load("simulated", sensors=sensors))
    table = extract_features(windows).values
    said = np.empty_like(windows.labels)
    tested_in = np.empty(len(windows), np.int64)
    for number, fold in enumerate(sm.make_splits(windows, "subjects:4").folds):
        train = table[fold.train]
        scaled = (table - train.mean(0)) / np.maximum(train.std(0), 1e-9)
        classes = range(len(windows.spec.classes))
        means = np.stack([scaled[fold.train][windows.labels[fold.train] == c].mean(0) for c in classes])
        said[fold.test] = np.square(scaled[fold.test, None] - means).sum(2).argmin(1)
        tested_in[fold.test] = number
    return Predictions.of(
        variant,
        subject=[windows.subjects[subject] for subject in windows.subject_codes],
        fold=tested_in,
        seed=0,
        y=windows.labels,
        prediction=said,
        classes=windows.spec.classes,
    )


both = [predictions("acc", "wrist.acc"), predictions("acc-gyr", "wrist.acc,wrist.gyr")]
found = compare_variants(count_confusion(both), against="acc")
for one in found.standings:
    print(f"{one.variant}: macro-F1 {one.macro_f1}, accuracy {one.accuracy:.3f}, {one.subjects} subjects")
for one in found.comparisons:
    assert one.flips
    print(f"{one.variant} - {one.against}: {one.difference}, p {one.flips.p:.2g}: {one.verdict}", *one.notes)
