"""Compare variants with a reference: difference, confidence interval, p-value and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import UserError
from .confusion import ConfusionMatrices
from .corrected_t import CorrectedT, corrected_t_test, fold_share
from .intervals import Interval, StandardError, Weighted, make_interval, require_level, standard_error
from .metrics import Absent, Floats, accuracy, balanced_accuracy, cohen_kappa, macro_f1, weighted_f1
from .ranks import Rank, rank_variants
from .resampling import PooledF1, draw_units, jackknife_variance, leave_one_out, strata
from .sign_flips import SignFlips, flip_families

BETTER, WORSE, ALIKE, ALONE = "better", "worse", "not distinguishable", "one subject: no verdict"
#: Added to ``better`` and ``worse`` if each variant was trained once: only these two models are known to differ.
ONE_RUN = " in one run"
#: The default reference, if there is such a variant.
DEFAULT_REFERENCE = "lm"


@dataclass(frozen=True)
class VariantScore:
    """A variant's pooled scores, averaged over seeds, on all subjects it was tested on."""

    variant: str
    macro_f1: Interval
    weighted_f1: float
    accuracy: float
    balanced_accuracy: float
    kappa: float
    subjects: int
    seeds: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A variant against the reference.

    Args:
        variant: its name.
        against: the reference.
        difference: of macro-F1, pooled over subjects and averaged over seeds, with its confidence interval.
        seeds: number of seeds that both have.
        folds: number of folds that the subjects were tested in.
        flips: sign-flip test over subjects; None for one subject.
        p_adjusted: its p-value after the max-statistic correction, within the family.
        folds_t: corrected t-test over folds; None for fewer than two.
        effect: the difference in standard deviations between subjects (of jackknife pseudo-values); None for one
            subject, or if no subject differs.
        gaining: share of subjects whose macro-F1 (over the classes they have) is higher; equal ones count half.
        margin: of non-inferiority.
        not_inferior: whether the whole interval lies above -margin; None without an interval.
        verdict: ``better``, ``worse`` (both also ``… in one run``), ``not distinguishable``, or that one subject
            allows no verdict.
        notes: what was left out, and limits of the comparison.
    """

    variant: str
    against: str
    difference: Interval
    seeds: int
    folds: int
    flips: SignFlips | None
    p_adjusted: float | None
    folds_t: CorrectedT | None
    effect: float | None
    gaining: float
    margin: float
    not_inferior: bool | None
    verdict: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparedVariants:
    """Result of ``compare_variants``.

    ``family`` names the comparisons that the max-statistic correction covers, ``apart`` those in a separate family;
    ``ranks`` is empty for one variant.
    """

    endpoint: str
    against: str | None
    family: tuple[str, ...]
    standings: tuple[VariantScore, ...]
    comparisons: tuple[Comparison, ...]
    ranks: tuple[Rank, ...]
    notes: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def compare_variants(
    matrices: ConfusionMatrices,
    *,
    against: str | None = None,
    margin: float = 0.01,
    level: float = 0.95,
    resamples: int = 2000,
    flips: int = 10_000,
    seed: int = 0,
    absent: Absent = "zero",
    apart: Sequence[str] = (),
) -> ComparedVariants:
    """Score every variant, and compare each with a reference.

    The endpoint is macro-F1 from confusion matrices pooled over test subjects, averaged over seeds, as a difference to
    the reference on the subjects and seeds that both have. Its confidence interval resamples subjects within folds,
    crossed with seeds. With one seed, variation between training runs is only seen between folds, so whole folds are
    resampled.

    A variant is ``better`` or ``worse`` if the sign-flip test after the max-statistic correction rejects *and* the
    interval excludes 0, also at the level adjusted for the number of comparisons of the family (Bonferroni). The test
    covers variation between subjects, the interval that between training runs too: without it, chance effects of one
    run that all subjects of a fold share would count as a gain. Otherwise the verdict is ``not distinguishable``,
    which does not claim equality; ``not_inferior`` does, from the lower end of the interval and a margin fixed
    beforehand. With one seed and one fold the verdict holds for these models only and says ``in one run``.

    Args:
        matrices: confusion matrices (``count_confusion(read_predictions(…))``).
        against: the reference; by default ``lm``, or the first variant if there is no ``lm``.
        margin: of non-inferiority, the largest loss that does not matter, as a share (0.01 is one point).
        level: of the intervals; 1 - level is the error rate of the family.
        resamples: number of resamples of subjects and seeds.
        flips: number of sign-flip patterns drawn if there are too many to try all.
        seed: of resamples and patterns.
        absent: as in ``macro_f1``.
        apart: variants in a separate family, such as baselines, so that their number does not weaken the other
            comparisons.

    Returns:
        Scores, comparisons and ranks.

    Raises:
        UserError: the margin, the level or the number of resamples is out of range.
        UnknownName: there is no variant ``against``.

    Example:
        >>> import numpy as np
        >>> from stillmotion.evaluation import Predictions, compare_variants, count_confusion
        >>> y, subject = np.tile([0, 1], 60), np.repeat(np.arange(6), 20)
        >>> columns = {"subject": subject, "fold": subject % 2, "seed": 0, "y": y}
        >>> noise = np.random.default_rng(0).random((2, 120))
        >>> good = Predictions.of("rb-kd", **columns, prediction=np.where(noise[0] < 0.1, 1 - y, y))
        >>> poor = Predictions.of("lm", **columns, prediction=np.where(noise[1] < 0.4, 1 - y, y))
        >>> comparison = compare_variants(count_confusion([poor, good])).comparisons[0]
        >>> comparison.variant, comparison.against, round(comparison.difference.score, 2), comparison.flips.p
        ('rb-kd', 'lm', 0.25, 0.03125)
    """
    require_level(level)
    if margin < 0:
        raise UserError(f"A margin must be 0 or more, not {margin}.")
    if resamples < 2:
        raise UserError(f"Intervals need two or more resamples, not {resamples}.")
    reference = (
        matrices.variants[matrices.number(against)]
        if against
        else DEFAULT_REFERENCE
        if DEFAULT_REFERENCE in matrices.variants
        else matrices.variants[0]
    )
    options = _Options(margin, level, resamples, flips, seed, absent)
    notes: list[str] = []
    standings: list[VariantScore] = []
    measured: list[_Measured] = []
    for name in matrices.variants:
        try:
            standings.append(_score_variant(matrices, name, options))
            if name != reference:
                pair, left_out = matrices.basis(name, reference)
                measured.append(_compare_pair(pair, left_out, options))
        except UserError as reason:  # an unfinished study is compared as far as it is complete
            notes.append(f"Not compared: {reason}")
    comparisons = _test_families(measured, set(apart), options)
    ranks: tuple[Rank, ...] = ()
    if comparisons:
        try:
            shared, _ = matrices.basis(*(score.variant for score in standings))
            ranks = rank_variants(shared, level=level, resamples=resamples, seed=seed, absent=absent)
        except UserError as reason:
            notes.append(f"No ranks: {reason}")
    return ComparedVariants(
        "macro-F1 from confusion matrices pooled over test subjects, averaged over seeds",
        reference if len(matrices.variants) > 1 else None,
        tuple(comparison.variant for comparison in comparisons if comparison.variant not in apart),
        tuple(standings),
        comparisons,
        ranks,
        tuple(notes),
        tuple(comparison.variant for comparison in comparisons if comparison.variant in apart),
    )


@dataclass(frozen=True)
class _Options:
    margin: float
    level: float
    resamples: int
    flips: int
    seed: int
    absent: Absent


@dataclass(frozen=True, eq=False)
class _Measured:
    """A comparison before the tests of its family, with its confusion matrices and standard error."""

    comparison: Comparison
    pair: ConfusionMatrices
    error: StandardError


def _score_variant(matrices: ConfusionMatrices, name: str, options: _Options) -> VariantScore:
    tested, notes = matrices.basis(name)
    score = PooledF1.of(tested.counts, absent=options.absent)
    subjects, seeds = len(tested.subjects), len(tested.seeds)
    error = standard_error(score, strata(tested.folds), seeds, resamples=options.resamples, seed=options.seed)
    pooled = tested.counts[0].sum(1)  # (S, C, C)
    f1 = float(macro_f1(pooled, absent=options.absent).mean())
    return VariantScore(
        name,
        make_interval(f1, error, subjects=subjects, level=options.level, bounds=(0.0, 1.0)),
        float(weighted_f1(pooled).mean()),
        float(accuracy(pooled).mean()),
        float(balanced_accuracy(pooled).mean()),
        float(cohen_kappa(pooled).mean()),
        subjects,
        seeds,
        notes,
    )


def _compare_pair(pair: ConfusionMatrices, notes: tuple[str, ...], options: _Options) -> _Measured:
    """Compare a variant with the reference, all but the sign-flip test, which needs the whole family."""
    both = PooledF1.of(pair.counts, absent=options.absent)
    subjects, seeds, folds = len(pair.subjects), len(pair.seeds), len(set(pair.folds))

    def difference(subjects: Floats, runs: Floats) -> Floats:
        scores = both(subjects, runs)
        return scores[:, :1] - scores[:, 1:]

    value = float(difference(np.ones((1, subjects)), np.full((1, seeds), 1 / seeds))[0, 0])
    group, unit = draw_units(pair.folds, seeds)
    error = standard_error(difference, group, seeds, resamples=options.resamples, seed=options.seed, unit=unit)
    interval = make_interval(value, error, subjects=subjects, level=options.level)
    between = float(np.sqrt(subjects) * _subjects_error(difference, pair))
    by_subject = macro_f1(pair.counts, absent="skip").mean(1)  # (2, P)
    variant, reference = pair.variants
    comparison = Comparison(
        variant,
        reference,
        interval,
        seeds,
        folds,
        None,
        None,
        _folds_t(pair),
        value / between if subjects > 1 and between > 0 else None,
        float(((by_subject[0] > by_subject[1]) + 0.5 * (by_subject[0] == by_subject[1])).mean()),
        options.margin,
        None if interval.low is None else interval.low > -options.margin,
        ALONE,
        notes,
    )
    return _Measured(comparison, pair, error)


def _subjects_error(difference: Weighted, pair: ConfusionMatrices) -> float:
    """Estimate the standard error of a difference from subjects alone (jackknife)."""
    group, seeds = strata(pair.folds), len(pair.seeds)
    left_out = difference(leave_one_out(group), np.full((len(group), seeds), 1 / seeds))
    return float(np.sqrt(jackknife_variance(left_out, group)[0]))


def _folds_t(pair: ConfusionMatrices) -> CorrectedT | None:
    """Test over folds: each fold pooled, without the classes it lacks, averaged over seeds."""
    names = sorted(set(pair.folds))
    if len(names) < 2:
        return None
    member = np.array([[fold == name for fold in pair.folds] for name in names], np.float64)
    pooled = np.einsum("fp,vspij->vsfij", member, pair.counts)
    scores = macro_f1(pooled, absent="skip").mean(1)  # (2, F)
    return corrected_t_test(scores[0] - scores[1], share=fold_share(pair.folds))


def _limits(comparison: Comparison, level: float) -> tuple[str, ...]:
    """Describe what too few subjects or runs cannot show."""
    notes, subjects = [], comparison.difference.subjects
    if subjects == 1:
        notes.append("One subject: variation between subjects is unknown, so there is no interval and no test.")
    if comparison.flips is not None and comparison.flips.smallest > 1 - level:
        notes.append(
            f"A difference cannot be shown with {subjects} subjects: the smallest possible p is "
            f"{comparison.flips.smallest:.3g}, and {1 - level:.2g} is required."
        )
    if comparison.seeds == comparison.folds == 1:
        notes.append("One training run each: the scores hold for these models; another run may differ more.")
    elif comparison.seeds == 1 and comparison.folds < subjects:
        notes.append(
            "One seed: whole folds are resampled, one model each, instead of runs; more seeds narrow the interval."
        )
    return tuple(notes)


def _test_families(measured: Sequence[_Measured], apart: set[str], options: _Options) -> tuple[Comparison, ...]:
    """Test the comparisons of more than one subject together, and add verdicts and notes."""
    comparisons = {entry.comparison.variant: entry.comparison for entry in measured}
    tested = [entry for entry in measured if entry.comparison.difference.subjects > 1]
    families = [
        [at for at, entry in enumerate(tested) if (entry.comparison.variant in apart) is other]
        for other in (False, True)
    ]
    if tested:
        tests, adjusted = flip_families(
            [entry.pair for entry in tested], families, flips=options.flips, seed=options.seed, absent=options.absent
        )
        for family in families:
            for at in family:
                comparison = replace(tested[at].comparison, flips=tests[at], p_adjusted=float(adjusted[at]))
                verdict = _add_verdict(comparison, tested[at].error, len(family), options.level)
                comparisons[comparison.variant] = verdict
    return tuple(
        replace(comparison, notes=(*comparison.notes, *_limits(comparison, options.level)))
        for comparison in comparisons.values()
    )


def _add_verdict(comparison: Comparison, error: StandardError, family: int, level: float) -> Comparison:
    """Add the verdict: sign flips test subjects, the interval training runs too, both for the whole family."""
    size = abs(comparison.difference.score)
    if (
        comparison.p_adjusted is None
        or comparison.p_adjusted > 1 - level + 1e-12
        or size <= float(error.half_width(level).item())
    ):
        return replace(comparison, verdict=ALIKE)
    if size <= float(error.half_width(1 - (1 - level) / family).item()):
        note = f"The interval alone excludes 0; with the {family} comparisons of the family it does not."
        return replace(comparison, verdict=ALIKE, notes=(*comparison.notes, note))
    verdict = BETTER if comparison.difference.score > 0 else WORSE
    return replace(comparison, verdict=verdict + ONE_RUN if comparison.seeds == comparison.folds == 1 else verdict)
