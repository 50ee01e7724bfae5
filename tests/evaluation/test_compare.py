"""One variant against another: scores, verdicts, and their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.cohorts import World, simulate
from stillmotion.errors import UnknownName, UserError
from stillmotion.evaluation import (
    ConfusionMatrices,
    balanced_accuracy,
    compare_variants,
    corrected_t_test,
    flip_signs,
    macro_f1,
    weighted_f1,
)
from stillmotion.evaluation.resampling import draw, strata


def study(gain=1.0, subjects=12, folds=3, seeds=3, seed=0, **more):
    return simulate(World(gain=gain, **more), subjects=subjects, folds=folds, seeds=seeds, seed=seed)


def test_the_endpoint_is_pooled_over_subjects_and_averaged_over_seeds():
    matrices = study()
    found = compare_variants(matrices, against="plain")
    pooled = macro_f1(matrices.counts.sum(2)).mean(1)  # not the mean over subjects, nor that of seeds pooled
    assert [score.macro_f1.score for score in found.standings] == pytest.approx(pooled)
    assert found.comparisons[0].difference.score == pytest.approx(pooled[1] - pooled[0])
    by_seed = matrices.counts[1].sum(1)
    assert found.standings[1].weighted_f1 == pytest.approx(weighted_f1(by_seed).mean())
    assert found.standings[1].balanced_accuracy == pytest.approx(balanced_accuracy(by_seed).mean())
    assert found.family == ("taught",)


def test_the_interval_is_students_t_times_the_standard_error_of_crossed_resamples():
    matrices = study(seeds=2, subjects=6, folds=2)
    found = compare_variants(matrices, against="plain", resamples=200, seed=7).comparisons[0].difference
    rng = np.random.default_rng(7)
    subjects = draw(strata(matrices.folds), 200, rng)
    runs = draw(np.zeros(2, np.int64), 200, rng) / 2
    drawn = []
    for subject, run in zip(subjects, runs, strict=True):
        score = macro_f1(np.einsum("p,vspij->vsij", subject, matrices.counts)) @ run
        drawn.append(score[1] - score[0])
    t = (found.high - found.score) / np.std(drawn, ddof=1)
    # Between the t of subjects alone (6 subjects in 2 strata: 4 degrees) and that of two seeds alone (1 degree).
    assert stats.t.ppf(0.975, 4 + 1) < t < stats.t.ppf(0.975, 1)
    assert found.score - found.low == pytest.approx(found.high - found.score)


@pytest.mark.parametrize(("folds", "freedom"), [(9, 8), (1, 8), (3, 2)])
def test_with_one_seed_whole_folds_are_drawn_unless_each_subject_has_its_own_model(folds, freedom):
    matrices = study(seeds=1, subjects=9, folds=folds)
    found = compare_variants(matrices, against="plain", resamples=300).comparisons[0]
    units = 3 if folds == 3 else 9
    weights = draw(np.zeros(units, np.int64), 300, np.random.default_rng(0))
    if folds == 3:
        weights = weights[:, [int(fold) for fold in matrices.folds]]
    pooled = macro_f1(np.einsum("rp,vpij->rvij", weights, matrices.counts[:, 0]))
    error = (pooled[:, 1] - pooled[:, 0]).std(ddof=1)
    assert found.difference.high - found.difference.score == pytest.approx(stats.t.ppf(0.975, freedom) * error)
    notes = " ".join(found.notes)
    assert ("whole folds are resampled" in notes) == (folds == 3)
    assert ("One training run each" in notes) == (folds == 1)


def test_one_run_of_each_is_judged_as_one_run():
    found = compare_variants(study(gain=2.0, subjects=20, folds=1, seeds=1), against="plain").comparisons[0]
    assert found.verdict == "better in one run"
    assert (
        compare_variants(study(gain=2.0, subjects=20, folds=20, seeds=1), against="plain").comparisons[0].verdict
        == "better"
    )


def test_a_clear_gain_is_better_and_the_other_way_round_worse():
    better = compare_variants(study(gain=2.0, subjects=20), against="plain").comparisons[0]
    assert (better.verdict, better.not_inferior) == ("better", True)
    assert better.difference.low > 0
    assert better.p_adjusted == better.flips.p < 0.05
    assert better.gaining > 0.9
    worse = compare_variants(study(gain=2.0, subjects=20), against="taught").comparisons[0]
    assert (worse.verdict, worse.not_inferior, worse.variant) == ("worse", False, "plain")
    assert worse.difference.score == pytest.approx(-better.difference.score)
    assert worse.effect == pytest.approx(-better.effect)


def test_no_gain_is_not_distinguishable_and_equal_only_within_the_margin():
    matrices = study(gain=0.0, subjects=20, taste=0.05)
    found = compare_variants(matrices, against="plain", margin=0.001).comparisons[0]
    assert (found.verdict, found.not_inferior) == ("not distinguishable", False)
    assert compare_variants(matrices, against="plain", margin=0.2).comparisons[0].not_inferior


def test_a_variant_against_itself_differs_by_exactly_0():
    matrices = study()
    twin = replace(matrices, counts=matrices.counts[[0, 0]])
    found = compare_variants(twin, against="plain").comparisons[0]
    assert (found.difference.low, found.difference.score, found.difference.high) == (0, 0, 0)
    assert (found.verdict, found.effect, found.gaining, found.flips.p) == ("not distinguishable", None, 0.5, 1)
    assert found.not_inferior


def test_the_effect_is_the_difference_in_standard_deviations_between_subjects():
    # Perfectly balanced subjects: pooled F1 is the mean over subjects, and the pseudo-values are their own differences.
    hits = np.random.default_rng(0).integers(50, 95, (2, 8))
    counts = np.zeros((2, 1, 8, 2, 2))
    counts[..., 0, 0] = counts[..., 1, 1] = hits[:, None]
    counts[..., 0, 1] = counts[..., 1, 0] = 100 - hits[:, None]
    matrices = ConfusionMatrices(("a", "b"), (0,), tuple("stuvwxyz"), ("0",) * 8, ("0", "1"), counts)
    found = compare_variants(matrices, against="b").comparisons[0]
    own = (hits[0] - hits[1]) / 100
    assert found.effect == pytest.approx(own.mean() / own.std(ddof=1))
    assert found.gaining == pytest.approx((own > 0).mean() + (own == 0).mean() / 2)


def test_folds_are_compared_by_the_corrected_t():
    matrices = study(subjects=12, folds=4)
    found = compare_variants(matrices, against="plain").comparisons[0]
    differences = []
    for fold in "0123":
        own = [at for at, name in enumerate(matrices.folds) if name == fold]
        score = macro_f1(matrices.counts[:, :, own].sum(2)).mean(1)
        differences.append(score[1] - score[0])
    assert found.folds_t == corrected_t_test(differences, share=1 / 3)
    assert compare_variants(study(folds=1), against="plain").comparisons[0].folds_t is None


def test_the_correction_covers_every_comparison_of_the_family_and_apart_is_another_family():
    matrices = study(gain=0.9, subjects=10, seed=3)
    counts = np.concatenate([matrices.counts, matrices.counts[[1]], matrices.counts[[0]]])
    four = replace(matrices, variants=("lm", "a", "forest", "c"), counts=counts)
    found = compare_variants(four)
    assert (found.against, found.family, found.apart) == ("lm", ("a", "forest", "c"), ())
    p = [one.flips.p for one in found.comparisons]
    assert p[0] == p[1] == flip_signs(matrices.counts[1], matrices.counts[0]).p
    # The same variant twice is one comparison under every flip: it costs nothing.
    assert [one.p_adjusted for one in found.comparisons] == [p[0], p[0], 1]
    weaker, noise = (simulate(World(gain=gain), subjects=10, folds=3, seeds=3, seed=8).counts[1] for gain in (0.3, 0))
    other = replace(four, counts=np.stack([counts[0], weaker, noise, counts[3]]))
    together, alone = compare_variants(other), compare_variants(other, apart=("forest", "regression"))
    assert (alone.family, alone.apart) == (("a", "c"), ("forest",))
    assert [one.p_adjusted for one in alone.comparisons] == [one.flips.p for one in alone.comparisons]
    assert max(one.p_adjusted - one.flips.p for one in together.comparisons) > 0


def test_one_subject_has_no_interval_and_one_variant_no_comparison():
    alone = compare_variants(study(subjects=1, folds=1), against="plain").comparisons[0]
    assert (alone.difference.low, alone.flips, alone.p_adjusted, alone.effect) == (None, None, None, None)
    assert alone.not_inferior is None
    assert alone.verdict == "one subject: no verdict"
    assert "so there is no interval and no test" in alone.notes[0]
    matrices = study()
    single = compare_variants(replace(matrices, variants=("only",), counts=matrices.counts[:1]))
    assert (single.comparisons, single.ranks, single.against, len(single.standings)) == ((), (), None, 1)


def test_limits_of_few_subjects_and_seeds_are_noted():
    found = compare_variants(study(subjects=4, folds=1, seeds=1), against="plain").comparisons[0]
    assert found.notes == (
        "A difference cannot be shown with 4 subjects: the smallest possible p is 0.125, and 0.05 is required.",
        "One training run each: the scores hold for these models; another run may differ more.",
    )
    assert found.verdict == "not distinguishable"


def test_missing_runs_leave_out_only_their_seed():
    matrices = study(seeds=3)
    counts = matrices.counts.copy()
    counts[1, 2] = 0  # the last seed of the second variant never ran
    found = compare_variants(replace(matrices, counts=counts), against="plain")
    assert [one.seeds for one in found.standings] == [3, 2]
    assert found.comparisons[0].seeds == 2
    assert found.comparisons[0].notes == ("Left out, incomplete for all of taught, plain: seed 2.",)
    two = macro_f1(matrices.counts[:, :2].sum(2)).mean(1)
    assert found.comparisons[0].difference.score == pytest.approx(two[1] - two[0])


def test_an_unfinished_study_is_compared_as_far_as_it_is_complete():
    matrices = study(subjects=5, seeds=2)
    counts = np.concatenate([matrices.counts] * 2)
    counts[2] = 0  # never ran
    counts[0, 1], counts[3, 0] = 0, 0  # no seed in common with the reference
    found = compare_variants(replace(matrices, variants=("lm", "b", "none", "other"), counts=counts))
    assert [one.variant for one in found.standings] == ["lm", "b", "other"]
    assert found.family == ("b",)
    assert found.ranks == ()
    assert found.notes[:2] == (
        "Not compared: none has tested no subject.",
        "Not compared: other and lm have no subject in common that was tested with the same seed.",
    )
    assert found.notes[2].startswith("No ranks: ")


def test_the_reference_is_lm_where_there_is_one_and_unknown_ones_are_refused():
    matrices = study()
    assert compare_variants(matrices).against == "plain", "the first"
    assert compare_variants(replace(matrices, variants=("rb-kd", "lm"))).against == "lm"
    with pytest.raises(UnknownName, match="Unknown variant 'lm'"):
        compare_variants(matrices, against="lm")
    for wrong, message in (
        ({"margin": -1}, "margin must be 0 or more"),
        ({"level": 2}, "level"),
        ({"resamples": 1}, "two or"),
    ):
        with pytest.raises(UserError, match=message):
            compare_variants(matrices, **wrong)


def test_everything_found_can_be_written_as_json():
    import json

    found = json.loads(json.dumps(compare_variants(study(), against="plain").to_dict()))
    assert found["comparisons"][0]["difference"]["subjects"] == 12
    assert found["comparisons"][0]["flips"]["exact"] is True
