"""Scores by subject and by class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support, recall_score

from stillmotion.evaluation import count_confusion, rows_by_class, rows_by_subject

from .test_predictions import make_predictions


def test_a_subjects_scores_are_over_its_own_classes_and_averaged_over_seeds():
    predictions = make_predictions("lm", classes=3)
    predictions = predictions.take((predictions.subject != "p1") | (predictions.y != 2))
    rows = {row["subject"]: row for row in rows_by_subject(count_confusion([predictions]))}
    assert list(rows) == ["p1", "p2", "p10"]
    for subject, row in rows.items():
        f1, balanced = [], []
        for seed in (0, 1):
            mask = (predictions.subject == subject) & (predictions.seed == seed)
            present = np.unique(predictions.y[mask])
            f1.append(
                f1_score(
                    predictions.y[mask], predictions.prediction[mask], average="macro", labels=present, zero_division=0
                )
            )
            balanced.append(
                recall_score(predictions.y[mask], predictions.prediction[mask], average="macro", labels=present)
            )
        assert row["macro_f1"] == pytest.approx(np.mean(f1))
        assert row["balanced_accuracy"] == pytest.approx(np.mean(balanced))
        assert row["windows"] == mask.sum()


def test_a_seed_that_never_tested_a_subject_is_no_zero():
    predictions = make_predictions("lm")
    predictions = predictions.take((predictions.subject != "p1") | (predictions.seed == 0))
    (row,) = [row for row in rows_by_subject(count_confusion([predictions])) if row["subject"] == "p1"]
    mask = (predictions.subject == "p1") & (predictions.seed == 0)
    assert row["accuracy"] == pytest.approx((predictions.y[mask] == predictions.prediction[mask]).mean())


def test_a_class_is_pooled_over_subjects_and_averaged_over_seeds():
    predictions = make_predictions("lm", classes=3)
    rows = rows_by_class(count_confusion([predictions]))
    by_seed = [
        precision_recall_fscore_support(
            predictions.y[mask], predictions.prediction[mask], labels=[0, 1, 2], zero_division=0
        )
        for mask in (predictions.seed == 0, predictions.seed == 1)
    ]
    for name, values in zip(("precision", "recall", "f1"), np.mean(by_seed, axis=0), strict=False):
        assert [row[name] for row in rows] == pytest.approx(list(values))
    assert [row["windows"] for row in rows] == list(by_seed[0][3])
    assert [row["subjects"] for row in rows] == [len(set(predictions.subject[predictions.y == c])) for c in range(3)]
