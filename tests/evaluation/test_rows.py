"""Rows a subject and rows a class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support, recall_score

from stillmotion.evaluation import count_confusion, rows_by_class, rows_by_subject

from .test_predictions import made


def test_a_subjects_scores_are_over_his_own_classes_and_averaged_over_seeds():
    one = made("lm", classes=3)
    one = one.take((one.subject != "p1") | (one.y != 2))
    rows = {row["subject"]: row for row in rows_by_subject(count_confusion([one]))}
    assert list(rows) == ["p1", "p2", "p10"]
    for subject, row in rows.items():
        f1, balanced = [], []
        for seed in (0, 1):
            own = (one.subject == subject) & (one.seed == seed)
            there = np.unique(one.y[own])
            f1.append(f1_score(one.y[own], one.prediction[own], average="macro", labels=there, zero_division=0))
            balanced.append(recall_score(one.y[own], one.prediction[own], average="macro", labels=there))
        assert row["macro_f1"] == pytest.approx(np.mean(f1))
        assert row["balanced_accuracy"] == pytest.approx(np.mean(balanced))
        assert row["windows"] == own.sum()


def test_a_seed_that_never_tested_a_subject_is_no_zero():
    one = made("lm")
    one = one.take((one.subject != "p1") | (one.seed == 0))
    (row,) = [row for row in rows_by_subject(count_confusion([one])) if row["subject"] == "p1"]
    own = (one.subject == "p1") & (one.seed == 0)
    assert row["accuracy"] == pytest.approx((one.y[own] == one.prediction[own]).mean())


def test_a_class_is_pooled_over_subjects_and_averaged_over_seeds():
    one = made("lm", classes=3)
    rows = rows_by_class(count_confusion([one]))
    by_seed = [
        precision_recall_fscore_support(one.y[own], one.prediction[own], labels=[0, 1, 2], zero_division=0)
        for own in (one.seed == 0, one.seed == 1)
    ]
    for name, values in zip(("precision", "recall", "f1"), np.mean(by_seed, axis=0), strict=False):
        assert [row[name] for row in rows] == pytest.approx(list(values))
    assert [row["windows"] for row in rows] == list(by_seed[0][3])
    assert [row["subjects"] for row in rows] == [len(set(one.subject[one.y == c])) for c in range(3)]
