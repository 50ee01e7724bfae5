"""The table of students beside feature classifiers: who is compared, and the difference with its interval."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.students import compare_teaching, compare_with_classifiers
from stillmotion.evaluation import ConfusionMatrices, Interval, macro_f1
from stillmotion.studies import Data, Networks, Row, Study, Variant

NAMES = ("s-plain", "s-smoothing", "small", "large", "forest", "regression")
PLAIN = {name: Variant("lm", network="feature-net-m" if name in ("small", "large") else "") for name in NAMES[:4]}
STUDY = Study(
    "one",
    variants=NAMES[:4],
    compare=(),
    controls=False,
    data=Data("spar"),
    networks=Networks("feature-net-s"),
    budget="8kB",
    variant=PLAIN,
)


def matrices():
    """Two seeds of five subjects: the better a model in the list of wrong windows, the fewer it has."""
    rng = np.random.default_rng(0)
    counts = np.zeros((len(NAMES), 2, 5, 3, 3), int)
    for model, wrong in enumerate((9, 7, 5, 1, 3, 6)):
        for place in np.ndindex(2, 5):
            for label in range(3):
                counts[(model, *place, label, label)] = 20 - wrong
                counts[(model, *place, label, (label + 1 + rng.integers(2)) % 3)] += wrong
    subjects = tuple("abcde")
    return ConfusionMatrices(NAMES, (0, 1), subjects, tuple("00112"), ("x", "y", "z"), counts)


def rows(counts):
    score = {name: float(macro_f1(counts.counts[place].sum(1)).mean()) for place, name in enumerate(NAMES)}
    facts = {  # kind, bytes, validation
        "s-plain": ("reference", 4000, 0.6),
        "s-smoothing": ("variant", 4000, 0.7),
        "small": ("variant", 7900, 0.8),
        "large": ("variant", 8001, 0.9),
        "forest": ("baseline", 90_000, 0.5),
        "regression": ("baseline", 3000, 0.95),
    }
    return tuple(
        Row(name, "", kind, bytes_int8=size, validation=chosen, macro_f1=Interval(score[name], 0.1, 0.9, 5, 0.95))
        for name, (kind, size, chosen) in facts.items()
    )


def test_the_student_is_chosen_by_validation_within_the_budget_and_the_classifier_by_its_test_score():
    counts = matrices()
    table = rows(counts)
    (row,) = compare_with_classifiers(STUDY, table, counts)
    assert (row["data"], row["student"], row["classifier"]) == ("spar", "small", "forest")
    score = {each.variant: each.macro_f1.score for each in table}
    assert row["difference"] == pytest.approx(score["small"] - score["forest"], abs=1e-4)
    assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
    assert compare_with_classifiers(STUDY, [each for each in table if each.kind != "baseline"], counts) == []


def test_every_training_of_the_student_is_compared_with_plain_training_and_label_smoothing():
    counts = matrices()
    plain, smooth = compare_teaching(STUDY, rows(counts), counts)
    assert (plain["variant"], smooth["variant"]) == ("s-plain", "s-smoothing")
    assert plain["from_plain_score"] is None
    assert smooth["from_plain_score"] == pytest.approx(smooth["macro_f1"] - plain["macro_f1"], abs=2e-4)
    assert plain["from_smoothing_score"] == -smooth["from_plain_score"]
