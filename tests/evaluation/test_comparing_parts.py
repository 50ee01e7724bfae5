"""The parts of a comparison against plain loops, SciPy and published examples."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from benchmarks.cohorts import World, simulate
from stillmotion.errors import UserError
from stillmotion.evaluation import (
    compare_variants,
    corrected_t_test,
    critical_difference,
    expected_best,
    flip_signs,
    macro_f1,
    rank_variants,
)
from stillmotion.evaluation.corrected_t import fold_share

from .test_intervals import labels_of


def by_hand(variant, reference, swap):
    """Difference after swapping, from label lists: seeds one by one, averaged at the end."""
    differences = []
    for run in range(len(variant)):
        scores = []
        for own, other in ((variant, reference), (reference, variant)):
            parts = [labels_of((other if swap[p] else own)[run, p]) for p in range(len(swap))]
            scores.append(f1_score(*np.hstack(parts), average="macro", labels=range(own.shape[-1]), zero_division=0))
        differences.append(scores[0] - scores[1])
    return np.mean(differences)


def test_sign_flips_are_a_permutation_done_by_hand():
    reference, variant = simulate(World(gain=0.8, classes=3), subjects=4, folds=2, seeds=2, seed=1).counts
    found = flip_signs(variant, reference)
    every = [by_hand(variant, reference, swap) for swap in itertools.product([0, 1], repeat=4)]
    assert found.difference == pytest.approx(every[0])
    assert found.exact
    assert found.flips == 8
    assert found.p == np.mean(np.abs(every) >= abs(every[0]) - 1e-12)
    assert found.smallest == 2 / 2**4


def test_with_one_class_f1_of_equal_subjects_it_is_the_permutation_test_of_scipy():
    # Two classes, hits alike in both: pooled macro-F1 is then the mean over subjects, which SciPy can permute.
    rng = np.random.default_rng(3)
    hits = rng.integers([[50], [40]], 95, (2, 9))
    counts = np.zeros((2, 1, 9, 2, 2))
    counts[..., 0, 0] = counts[..., 1, 1] = hits[:, None]
    counts[..., 0, 1] = counts[..., 1, 0] = 100 - hits[:, None]
    found = flip_signs(*counts)
    expected = stats.permutation_test(
        hits,
        lambda a, b: np.sum(a) - np.sum(b),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert found.difference == pytest.approx(expected.statistic / 900)
    assert found.p == pytest.approx(expected.pvalue)


def test_many_subjects_are_flipped_at_random_and_agree_with_all_patterns():
    reference, variant = simulate(World(gain=0.1), subjects=16, folds=4, seeds=2, seed=5).counts
    exact = flip_signs(variant, reference)
    assert exact.exact
    assert exact.flips == 2**15
    # The 17th subject has equal predictions from both: every pattern counts twice, so p does not change.
    more = [np.concatenate([one, reference[:, :1]], axis=1) for one in (variant, reference)]
    drawn = flip_signs(*more, flips=20_000, seed=1)
    assert not drawn.exact
    pooled = [np.concatenate([one, reference[:, :1]], axis=1) for one in (variant, reference)]
    assert drawn.difference == pytest.approx(float((macro_f1(pooled[0].sum(1)) - macro_f1(pooled[1].sum(1))).mean()))
    assert drawn.p == pytest.approx(exact.p, abs=0.03)
    assert drawn.smallest == 1 / 20_001
    assert drawn == flip_signs(*more, flips=20_000, seed=1)


def test_a_variant_against_itself_has_p_1():
    one = simulate(World(), subjects=7, folds=2, seeds=2, seed=0).counts[0]
    found = flip_signs(one, one)
    assert (found.difference, found.p) == (0, 1)


def test_p_never_falls_below_what_the_subjects_allow():
    reference, variant = simulate(World(gain=3, taste=0), subjects=5, folds=2, seeds=3, seed=0).counts
    assert flip_signs(variant, reference).p == flip_signs(variant, reference).smallest == 1 / 16


def test_under_no_difference_p_is_below_5_percent_one_time_in_20():
    low = 0
    for study in range(300):
        first, second = simulate(World(gain=0, run=0), subjects=8, folds=2, seeds=1, seed=study).counts
        low += flip_signs(first, second).p <= 0.05
    assert low / 300 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_the_corrected_t_is_that_of_nadeau_and_bengio():
    values, share = np.array([0.02, 0.05, -0.01, 0.03]), 1 / 3
    found = corrected_t_test(values, share=share)
    t = values.mean() / math.sqrt((1 / 4 + share) * values.var(ddof=1))
    assert (found.t, found.p) == pytest.approx((t, 2 * stats.t.sf(t, 3)))
    plain = stats.ttest_1samp(values, 0)
    assert corrected_t_test(values, share=0).p == pytest.approx(plain.pvalue)
    assert found.p > plain.pvalue


def test_the_share_of_cross_validation_is_one_over_the_other_folds():
    assert fold_share(["0", "1", "2", "3"] * 5) == pytest.approx(1 / 3)
    assert corrected_t_test([0.1, 0.1], share=1).p == 0
    assert corrected_t_test([0.0, 0.0], share=1).p == 1
    with pytest.raises(UserError, match="two or more differences"):
        corrected_t_test([0.1], share=1)


def test_the_best_of_n_trials_is_the_mean_over_all_choices_of_n():
    rng = np.random.default_rng(0)
    scores, others = rng.normal(size=7), rng.normal(size=7)
    curve = expected_best(scores, others)
    for n in range(1, 8):
        picks = [list(pick) for pick in itertools.combinations(range(7), n)]
        best = [scores[pick].max() for pick in picks]
        assert curve.expected[n - 1] == pytest.approx(np.mean(best))
        assert curve.low[n - 1] == pytest.approx(np.quantile(best, 0.05, method="inverted_cdf"))
        assert curve.high[n - 1] == pytest.approx(np.quantile(best, 0.95, method="inverted_cdf"))
        assert curve.chosen[n - 1] == pytest.approx(np.mean([others[pick[scores[pick].argmax()]] for pick in picks]))


def test_hundreds_of_trials_do_not_overflow_and_ties_share():
    curve = expected_best(np.linspace(0, 1, 600))
    assert curve.expected[0] == pytest.approx(0.5)
    assert curve.expected[-1] == pytest.approx(1)
    assert np.all(np.diff(curve.expected) > 0)
    assert curve.expected[9] == pytest.approx((10 * 601 / 11 - 1) / 599)  # mean of the highest of 10 out of 1 … 600
    assert expected_best([1, 1, 0], [0.2, 0.4, 0.9]).chosen[-1] == pytest.approx(0.3)
    with pytest.raises(UserError, match="at least one"):
        expected_best([])
    with pytest.raises(UserError, match="2 other scores for 1 trials"):
        expected_best([1.0], [1.0, 2.0])


def test_ranks_follow_the_pooled_score_and_widen_where_subjects_disagree():
    study = simulate(World(gain=2.0), subjects=20, folds=4, seeds=2, seed=0)
    first, second = rank_variants(study)
    assert (first.variant, first.rank, second.rank) == ("plain", 2, 1)
    assert (first.low, first.high, second.low, second.high) == (2, 2, 1, 1)
    unsure = rank_variants(simulate(World(gain=0.0), subjects=20, folds=4, seeds=2, seed=0))
    assert {(one.low, one.high) for one in unsure} == {(1, 2)}
    assert rank_variants(simulate(World(), subjects=1, folds=1, seeds=2, seed=0))[0].low is None


def test_a_rank_is_certain_exactly_where_the_comparison_is():
    for seed in range(12):
        study = simulate(World(gain=0.6), subjects=12, folds=3, seeds=2, seed=seed)
        difference = compare_variants(study, against="plain").comparisons[0].difference
        clear = not difference.low <= 0 <= difference.high
        assert all((one.low == one.high) == clear for one in rank_variants(study)), seed


def test_more_variants_make_each_rank_less_certain():
    pair = simulate(World(gain=0.7), subjects=12, folds=3, seeds=2, seed=1)
    assert rank_variants(pair)[0].low == 2
    eight = replace(pair, variants=tuple("abcdefgh"), counts=np.concatenate([pair.counts] * 4))
    found = rank_variants(eight)
    assert [one.rank for one in found] == [6.5, 2.5] * 4
    assert found[0].low <= 5
    assert found[1].high >= 4


def test_friedman_is_scipys_and_the_distance_is_that_of_the_published_table():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(14, 4)) + np.array([0, 0.2, 1.2, 1.5])
    names, sets = ["a", "b", "c", "d"], [f"set {i}" for i in range(14)]
    found = critical_difference(scores, variants=names, datasets=sets)
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert found.distance == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), rel=1e-3)  # Demšar 2006, q of 4 at 0.05
    places = stats.rankdata(-scores, axis=1).mean(0)
    assert dict(zip(found.variants, found.mean_ranks, strict=True)) == pytest.approx(
        dict(zip(names, places, strict=True))
    )
    assert list(found.mean_ranks) == sorted(found.mean_ranks)
    for group in found.groups:
        at = [found.mean_ranks[found.variants.index(name)] for name in group]
        assert max(at) - min(at) <= found.distance


def test_ties_between_variants_are_allowed_for():
    scores = np.array([[1, 1, 0], [2, 1, 0], [1, 2, 2], [3, 1, 1], [0, 1, 2], [1, 1, 1]])
    found = critical_difference(scores, variants="abc", datasets="uvwxyz")
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)


def test_fewer_than_five_independent_sets_have_no_critical_difference():
    scores, sets = np.random.default_rng(0).normal(size=(5, 3)), ["hapt", "uci-har", "wisdm", "shoaib", "simulated"]
    assert critical_difference(scores, variants="abc", datasets=sets).sets == 5
    with pytest.raises(UserError, match="needs 5 independent data sets, there are 4; show ranks"):
        critical_difference(scores, variants="abc", datasets=sets, same_subjects=[("hapt", "uci-har")])
    with pytest.raises(UserError, match=r"Scores are \(5, 3\)"):
        critical_difference(scores, variants="ab", datasets=sets)
