"""The max-statistic correction: against loops over all flips, and its error rate and power on simulated families."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cohorts import World, simulate
from benchmarks.statistics import FAMILIES, family
from stillmotion.errors import UserError
from stillmotion.evaluation import compare_variants, flip_signs, max_statistic
from stillmotion.evaluation.sign_flips import flip_families


def pooled_f1(matrices):
    """Macro-F1 of subjects' confusion matrices, class by class and cell by cell."""
    classes, total = len(matrices[0]), 0.0
    for c in range(classes):
        hits = sum(int(matrix[c][c]) for matrix in matrices)
        true = sum(int(matrix[c][other]) for matrix in matrices for other in range(classes))
        predicted = sum(int(matrix[other][c]) for matrix in matrices for other in range(classes))
        total += 2 * hits / (true + predicted) / classes
    return total


def adjusted_by_loops(counts):
    """Westfall and Young step by step: (V, S, P, C, C) with the reference first; lists, loops and all 2^P flips."""
    variants, seeds, subjects = counts.shape[:3]
    differences = []
    for swap in itertools.product([False, True], repeat=subjects):
        row = []
        for v in range(1, variants):
            by_seed = []
            for s in range(seeds):
                own = [counts[0 if swap[p] else v, s, p] for p in range(subjects)]
                other = [counts[v if swap[p] else 0, s, p] for p in range(subjects)]
                by_seed.append(pooled_f1(own) - pooled_f1(other))
            row.append(sum(by_seed) / seeds)
        differences.append(row)
    sizes = [math.sqrt(sum(row[k] ** 2 for row in differences) / len(differences)) for k in range(variants - 1)]
    observed = [abs(differences[0][k]) / sizes[k] for k in range(variants - 1)]
    left = sorted(range(variants - 1), key=lambda k: -observed[k])
    adjusted, least = {}, 0.0
    while left:
        reached = 0
        for row in differences:
            reached += max(abs(row[k]) / sizes[k] for k in left) >= observed[left[0]] - 1e-6
        least = max(least, reached / len(differences))
        adjusted[left.pop(0)] = least
    return [adjusted[k] for k in range(variants - 1)]


@pytest.mark.parametrize("seed", [0, 1])
def test_p_of_a_family_is_that_of_loops_over_all_flips(seed):
    # Variants that gain, lose and do neither: one-sided p, flips of the wrong axis and a missing step all differ.
    world = World(classes=3, taste=0.6)
    matrices = simulate(world, subjects=5, folds=5, seeds=2, seed=seed, gains=(1.2, -1.2, 0.1), shared=(0.0, 0.9, 0.5))
    found = compare_variants(matrices, against="plain")
    assert [one.p_adjusted for one in found.comparisons] == pytest.approx(adjusted_by_loops(matrices.counts))
    assert all(one.p_adjusted >= one.flips.p for one in found.comparisons)


def test_a_loss_is_as_clear_as_a_gain():
    matrices = simulate(World(taste=0.1), subjects=9, folds=9, seeds=1, seed=0, gains=(2.0, 0.0))
    losing = replace(matrices, variants=("taught-1", "plain", "taught-2"))
    first = compare_variants(matrices, against="plain").comparisons[0]
    second = compare_variants(losing, against="plain").comparisons[0]
    assert first.p_adjusted == second.p_adjusted == first.flips.p == 2 / 2**9
    assert (first.verdict, second.verdict) == ("better", "worse")


def test_the_statistic_is_a_t_so_that_a_large_variance_hides_no_clear_gain():
    rng = np.random.default_rng(0)
    flips = np.array([(1, *rest) for rest in itertools.product([1, -1], repeat=8)])
    calm, wild = 0.02 + 0.001 * rng.normal(size=9), 0.5 * rng.normal(size=9)
    differences = np.stack([flips @ calm, flips @ wild], axis=1) / 9
    assert max_statistic(differences)[0] == pytest.approx(1 / 256)
    in_points = (np.abs(differences).max(1) >= abs(differences[0, 0])).mean()
    assert in_points > 0.5, "the largest difference in points is always that of the wild one"
    # Student's t under every flip orders the flips in the same way.
    t = [row.mean() / (row.std(ddof=1) / 3) for row in flips * wild]
    scale = math.sqrt(np.square(differences[:, 1]).mean())
    size = np.abs(differences[:, 1]) / scale
    np.testing.assert_allclose(np.square(t), 8 * size**2 / (9 - size**2))


def test_drawn_flips_count_the_observed_pattern_and_never_give_0():
    differences = np.array([[1.0, 0.2], [0.1, 0.3], [-0.1, -0.1], [0.2, 0.1]])
    assert max_statistic(differences)[0] == 1 / 4
    many = simulate(World(taste=0.1), subjects=20, folds=20, seeds=1, seed=0, gains=(2.0, 0.0))
    found = compare_variants(many, against="plain", flips=99).comparisons
    assert (found[0].flips.exact, found[0].flips.flips, found[0].p_adjusted) == (False, 99, 1 / 100)
    assert found == compare_variants(many, against="plain", flips=99).comparisons


def test_a_family_of_one_has_the_p_of_the_test_itself_and_equal_variants_have_1():
    matrices = simulate(World(gain=0.4), subjects=7, folds=7, seeds=2, seed=4)
    (one,) = compare_variants(matrices, against="plain").comparisons
    assert one.p_adjusted == one.flips.p == flip_signs(matrices.counts[1], matrices.counts[0]).p
    assert max_statistic(np.zeros((8, 2))).tolist() == [1, 1]
    for wrong in (np.zeros(3), np.zeros((0, 2)), np.array([[np.nan]])):
        with pytest.raises(UserError, match="finite differences"):
            max_statistic(wrong)


def test_subjects_that_one_variant_lacks_are_flipped_alike_in_the_others():
    matrices = simulate(World(gain=0.8, taste=0.5), subjects=6, folds=6, seeds=1, seed=2, gains=(0.8, 0.3))
    counts = matrices.counts.copy()
    counts[2, :, 5] = 0  # the second variant never tested the last subject
    found = compare_variants(replace(matrices, counts=counts), against="plain").comparisons
    assert found[0].flips == flip_signs(counts[1], counts[0])
    five = flip_signs(counts[2, :, :5], counts[0, :, :5])
    assert (found[1].flips.p, found[1].flips.smallest) == (five.p, five.smallest) == (five.p, 2 / 2**5)


def test_a_gain_of_40_points_among_21_comparisons_is_shown_with_nine_subjects():
    matrices = simulate(World(ease=-1.0), subjects=9, folds=1, seeds=3, seed=1, gains=(2.4, *[0.0] * 20))
    found = compare_variants(matrices, against="plain", resamples=500)
    first = found.comparisons[0]
    assert len(found.family) == 21
    assert first.difference.score == pytest.approx(0.4, abs=0.05)
    assert 21 * 2 / 2**9 > 0.05, "no p multiplied by the number of comparisons can reach 0.05"
    assert first.p_adjusted <= 0.05
    assert first.verdict == "better"


@pytest.mark.parametrize("subjects", [4, 5])
def test_with_four_or_five_subjects_a_note_tells_that_nothing_can_be_shown(subjects):
    matrices = simulate(World(taste=0), subjects=subjects, folds=1, seeds=3, seed=0, gains=(3.0, 0.0))
    found = compare_variants(matrices, against="plain").comparisons
    assert found[0].flips.p == found[0].flips.smallest == 2 / 2**subjects
    assert found[0].verdict == "not distinguishable"
    assert any(f"cannot be shown with {subjects} subjects" in note for note in found[0].notes)


def within_chance(percent, studies):
    """At most 5 %, three standard errors allowed for."""
    return percent <= 5 + 300 * math.sqrt(0.05 * 0.95 / studies)


def test_a_family_of_equal_variants_errs_no_more_than_one_comparison_may():
    shared, wrong, studies = np.linspace(0, 0.99, 21), 0, 60
    for seed in range(studies):
        matrices = simulate(World(taste=0.6), subjects=9, folds=9, seeds=1, seed=seed, gains=[0.0] * 21, shared=shared)
        pairs = [matrices.basis(name, "plain")[0] for name in matrices.variants[1:]]
        _, adjusted = flip_families(pairs, [range(21)], flips=1, seed=0, absent="zero")
        wrong += adjusted.min() <= 0.05
    assert within_chance(100 * wrong / studies, studies)


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "folds", "seeds", "comparisons"), FAMILIES)
def test_every_family_errs_no_more_than_the_guide_says(subjects, folds, seeds, comparisons):
    studies = 300
    found = family(subjects, folds, seeds, comparisons, studies=studies)
    assert within_chance(found["false"], studies)
    if subjects == 4:
        assert found["false"] == found["seen"] == 0
    if folds == subjects:  # subjects are what is exchanged: the correction by itself holds the rate
        assert within_chance(found["flips"], studies)
