"""Intervals have their nominal coverage, and verdicts their nominal error rate."""

from __future__ import annotations

import math

import pytest

from benchmarks.cohorts import World
from benchmarks.statistics import CASES, row


def by_chance(share, studies):
    """Return three standard errors of a share, in percent."""
    return 300 * math.sqrt(share * (1 - share) / studies)


def test_with_four_subjects_the_interval_holds_where_the_plain_bootstrap_does_not():
    found = row(World(), 4, 4, 1, studies=120, resamples=200)
    assert found["interval"] > 95 - by_chance(0.95, 120)
    assert found["percentile"] < 90
    assert found["false"] == 0, "four subjects allow no p below 0.125"


def test_one_seed_in_four_folds_errs_no_more_than_it_may_where_flips_alone_do():
    found = row(World(), 23, 4, 1, studies=120, resamples=200)
    assert found["false"] < 5 + by_chance(0.05, 120)
    assert found["flips"] > found["false"]
    assert found["interval"] > 95 - by_chance(0.95, 120)


@pytest.mark.slow
@pytest.mark.parametrize("fold", [0.0, 0.15])
@pytest.mark.parametrize(("subjects", "folds", "seeds"), CASES)
def test_every_design_holds_what_the_guide_says(subjects, folds, seeds, fold):
    studies = 400
    found = row(World(fold=fold), subjects, folds, seeds, studies=studies)
    if (folds, seeds) == (1, 1) and subjects > 4:
        assert found["interval"] < 90, "one run each: the guide says that this is about these models only"
        return
    slack = by_chance(0.95, studies)
    # What the training subjects of one single fold do to a method, no further seed can show.
    least = 90 if fold and folds == 1 else 92.5
    assert found["interval"] > least - slack
    assert found["score"] > 92 - slack
    assert found["false"] < (10 if fold and folds == 1 else 5) + slack
