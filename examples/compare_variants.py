"""Compare two classifiers on test subjects: does a gyroscope help a nearest-mean classifier on window features?"""

import numpy as np

import stillmotion as sm
from stillmotion.evaluation import Predictions, compare_variants, count_confusion
from stillmotion.features import extract_features
from stillmotion.formatting import format_points, format_score


def predict(variant: str, sensors: str) -> Predictions:
    """Predict every subject once; means and standard deviations of features come from training subjects."""
    windows = sm.cut(sm.load("simulated", sensors=sensors))
    features = extract_features(windows).values
    predicted = np.empty_like(windows.labels)
    folds = np.empty(len(windows), np.int64)
    for number, fold in enumerate(sm.make_splits(windows, "subjects:4").folds):
        train = features[fold.train]
        scaled = (features - train.mean(0)) / np.maximum(train.std(0), 1e-9)
        classes = range(len(windows.spec.classes))
        means = np.stack([scaled[fold.train][windows.labels[fold.train] == c].mean(0) for c in classes])
        predicted[fold.test] = np.square(scaled[fold.test, None] - means).sum(2).argmin(1)
        folds[fold.test] = number
    return Predictions.of(
        variant,
        subject=[windows.subjects[subject] for subject in windows.subject_codes],
        fold=folds,
        seed=0,
        y=windows.labels,
        prediction=predicted,
        classes=windows.spec.classes,
    )


predictions = [predict("acc", "wrist.acc"), predict("acc-gyr", "wrist.acc,wrist.gyr")]
result = compare_variants(count_confusion(predictions), against="acc")
for score in result.standings:
    scores = f"macro-F1 {format_score(score.macro_f1)}, accuracy {100 * score.accuracy:.1f} %"
    print(f"{score.variant}: {scores}, {score.subjects} subjects")
for pair in result.comparisons:
    assert pair.flips  # the sign-flip test over subjects
    print(
        f"{pair.variant} against {pair.against}: {format_points(pair.difference)}, p {pair.flips.p:.2g}: {pair.verdict}"
    )
