"""Weights of resampled subjects, and pooled scores under them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cohorts import World, simulate
from stillmotion.evaluation import macro_f1
from stillmotion.evaluation.resampling import PooledF1, draw, jackknife_variance, leave_one_out, strata


def test_subjects_are_drawn_within_their_fold_and_lone_ones_together():
    assert strata(["a", "b", "a", "b"]).tolist() == [0, 1, 0, 1]
    assert len(set(strata(["a", "b", "c", "d"]).tolist())) == 1, "one subject a fold: all are exchanged"
    mixed = strata(["a", "b", "a", "c", "c", "d"])
    assert mixed[1] == mixed[5] != mixed[0]
    lone = strata(["a", "a", "a", "b", "b", "c"])
    assert lone[5] == lone[3], "left alone, it joins the smallest"
    assert strata([7]).tolist() == [0]


def test_weights_keep_each_stratum_and_give_the_variance_of_a_mean():
    group = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    weights = draw(group, 40_000, np.random.default_rng(0))
    for stratum, size in ((0, 3), (1, 4), (2, 1)):
        np.testing.assert_allclose(weights[:, group == stratum].sum(1), size)
    values = np.random.default_rng(1).normal(size=8)
    means = (weights * values)[:, group == 1].sum(1) / 4
    assert means.var() == pytest.approx(values[group == 1].var(ddof=1) / 4, rel=0.03)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values, group = np.random.default_rng(0).normal(size=9), np.zeros(9, np.int64)
    left = leave_one_out(group) @ values / 9
    assert jackknife_variance(left, group) == pytest.approx(values.var(ddof=1) / 9)
    two = np.repeat([0, 1], [4, 5])
    by_stratum = [values[two == s].var(ddof=1) / n * (n / 9) ** 2 for s, n in ((0, 4), (1, 5))]
    assert jackknife_variance(leave_one_out(two) @ values / 9, two) == pytest.approx(sum(by_stratum))


def test_pooled_scores_are_macro_f1_of_pooled_counts(monkeypatch):
    study = simulate(World(classes=4), subjects=6, folds=2, seeds=3, seed=0)
    rng = np.random.default_rng(0)
    subjects, seeds = draw(strata(study.folds), 50, rng), draw(np.zeros(3, np.int64), 50, rng) / 3
    found = PooledF1.of(study.counts)(subjects, seeds)
    for row in range(50):
        pooled = np.einsum("p,vspij->vsij", subjects[row], study.counts)
        np.testing.assert_allclose(found[row], macro_f1(pooled) @ seeds[row])
    monkeypatch.setattr("stillmotion.evaluation.resampling.BLOCK", 200)
    np.testing.assert_allclose(PooledF1.of(study.counts)(subjects, seeds), found)


def test_a_class_of_no_subject_counts_0_and_a_class_not_drawn_is_left_out():
    counts = np.zeros((1, 1, 2, 3, 3))
    counts[0, 0, 0, 0, 0] = counts[0, 0, 1, 1, 1] = 5  # class 0 is the first subject's, class 1 the second's
    one = np.ones((1, 1))
    whole, first = np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]])
    zero, skip = PooledF1.of(counts), PooledF1.of(counts, absent="skip")
    assert zero(whole, one)[0, 0] == pytest.approx(2 / 3)
    assert skip(whole, one)[0, 0] == 1
    assert zero(first, one)[0, 0] == pytest.approx(1 / 2)
    assert skip(first, one)[0, 0] == 1
