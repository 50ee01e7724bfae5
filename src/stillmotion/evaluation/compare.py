"""What a variant gains over another, how sure that is, and in which words it may be said."""

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
#: Added to ``better`` and ``worse`` where each variant was trained once: it is these models that differ.
ONE_RUN = " in one run"
#: The reference when none is named and there is such a variant.
USUAL = "lm"


@dataclass(frozen=True)
class VariantScore:
    """One variant's pooled scores, averaged over seeds, on all that it was tested on."""

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
        difference: of macro-F1, pooled over subjects and averaged over seeds, with its interval.
        seeds: how many seeds both have.
        folds: how many folds the subjects were tested in.
        flips: sign-flip test over subjects; None for one subject.
        p_adjusted: its p after the max-statistic correction, within the family.
        folds_t: corrected t over folds; None for fewer than two.
        effect: the difference in standard deviations between subjects (of jackknife pseudo-values); None for one
            subject, or where nobody differs.
        gaining: share of subjects whose own macro-F1 (over the classes they have) is higher, half of those equal.
        margin: of non-inferiority.
        not_inferior: whether the interval lies wholly above -margin; None without an interval.
        verdict: ``better``, ``worse`` (both also ``… in one run``), ``not distinguishable``, or that there is none.
        notes: what was left out and what the figures cannot say.
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
    """Everything that ``compare`` found.

    ``family`` names the comparisons that the max-statistic correction covers, ``apart`` those that are a family of
    their own; ``ranks`` is empty for one variant.
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
        """For JSON."""
        return asdict(self)


def compare_variants(
    tally: ConfusionMatrices,
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
    """Scores of every variant, and each of them against one.

    The endpoint is macro-F1 from confusion counts pooled over test subjects, averaged over seeds, as a difference to
    the reference on the subjects and seeds that both have. Its interval draws subjects within folds, crossed with
    seeds. One seed says nothing of others, so the interval then draws whole folds, each of which is a training run.

    A variant is ``better`` or ``worse`` when the sign-flip test after the max-statistic correction rejects *and* the
    interval excludes 0, also at the level that the number of comparisons of the family asks (Bonferroni): the first
    asks subjects, the second training runs too, without which an accident of one run that all subjects of a fold share
    would be called a gain. Otherwise it is ``not distinguishable``, which is no claim
    of equality; that is ``not_inferior``, from the lower end of the interval and a margin fixed beforehand. With one
    seed and one fold nothing can be said of other runs, and the verdict says ``in one run``.

    Args:
        tally: counts (``count_confusion(read_predictions(…))``).
        against: the reference; ``lm`` by default, or the first variant if there is none of that name.
        margin: a loss this small would not matter, as a share (0.01 is one point).
        level: of the intervals; 1 - level is the error rate of the family.
        resamples: of subjects and seeds.
        flips: drawn patterns of the sign-flip test where there are too many to try all.
        seed: of resamples and patterns.
        absent: as in ``macro_f1``.
        apart: variants that answer another question, such as baselines: they are a family of their own, so that
            their number does not decide what the others can show.
    """
    require_level(level)
    if margin < 0:
        raise UserError(f"A margin is 0 or more, not {margin}.")
    if resamples < 2:
        raise UserError(f"Intervals need two or more resamples, not {resamples}.")
    reference = (
        tally.variants[tally.number(against)] if against else USUAL if USUAL in tally.variants else tally.variants[0]
    )
    asked = _Asked(margin, level, resamples, flips, seed, absent)
    notes: list[str] = []
    standings: list[VariantScore] = []
    measured: list[_Measured] = []
    for name in tally.variants:
        try:
            standings.append(_standing(tally, name, asked))
            if name != reference:
                pair, left_out = tally.basis(name, reference)
                measured.append(_against(pair, left_out, asked))
        except UserError as reason:  # an unfinished study is told as far as it goes
            notes.append(f"Not compared: {reason}")
    found = _judged(measured, set(apart), asked)
    everyone: tuple[Rank, ...] = ()
    if found:
        try:
            shared, _ = tally.basis(*(one.variant for one in standings))
            everyone = rank_variants(shared, level=level, resamples=resamples, seed=seed, absent=absent)
        except UserError as reason:
            notes.append(f"No ranks: {reason}")
    return ComparedVariants(
        "macro-F1 from confusion counts pooled over test subjects, averaged over seeds",
        reference if len(tally.variants) > 1 else None,
        tuple(one.variant for one in found if one.variant not in apart),
        tuple(standings),
        found,
        everyone,
        tuple(notes),
        tuple(one.variant for one in found if one.variant in apart),
    )


@dataclass(frozen=True)
class _Asked:
    margin: float
    level: float
    resamples: int
    flips: int
    seed: int
    absent: Absent


@dataclass(frozen=True, eq=False)
class _Measured:
    """A comparison before the tests of its family, the counts that it rests on, and how far it moves."""

    comparison: Comparison
    pair: ConfusionMatrices
    spread: StandardError


def _standing(tally: ConfusionMatrices, name: str, asked: _Asked) -> VariantScore:
    own, notes = tally.basis(name)
    score = PooledF1.of(own.counts, absent=asked.absent)
    subjects, seeds = len(own.subjects), len(own.seeds)
    found = standard_error(score, strata(own.folds), seeds, resamples=asked.resamples, seed=asked.seed)
    pooled = own.counts[0].sum(1)  # (S, C, C)
    f1 = float(macro_f1(pooled, absent=asked.absent).mean())
    return VariantScore(
        name,
        make_interval(f1, found, subjects=subjects, level=asked.level, bounds=(0.0, 1.0)),
        float(weighted_f1(pooled).mean()),
        float(accuracy(pooled).mean()),
        float(balanced_accuracy(pooled).mean()),
        float(cohen_kappa(pooled).mean()),
        subjects,
        seeds,
        notes,
    )


def _against(pair: ConfusionMatrices, notes: tuple[str, ...], asked: _Asked) -> _Measured:
    """All but the test, which is one of the whole family."""
    both = PooledF1.of(pair.counts, absent=asked.absent)
    subjects, seeds, folds = len(pair.subjects), len(pair.seeds), len(set(pair.folds))

    def difference(subjects: Floats, runs: Floats) -> Floats:
        scores = both(subjects, runs)
        return scores[:, :1] - scores[:, 1:]

    value = float(difference(np.ones((1, subjects)), np.full((1, seeds), 1 / seeds))[0, 0])
    group, unit = draw_units(pair.folds, seeds)
    found = standard_error(difference, group, seeds, resamples=asked.resamples, seed=asked.seed, unit=unit)
    sure = make_interval(value, found, subjects=subjects, level=asked.level)
    between = float(np.sqrt(subjects) * _subjects_error(difference, pair))
    own = macro_f1(pair.counts, absent="skip").mean(1)  # (2, P)
    variant, reference = pair.variants
    comparison = Comparison(
        variant,
        reference,
        sure,
        seeds,
        folds,
        None,
        None,
        _folds_t(pair),
        value / between if subjects > 1 and between > 0 else None,
        float(((own[0] > own[1]) + 0.5 * (own[0] == own[1])).mean()),
        asked.margin,
        None if sure.low is None else sure.low > -asked.margin,
        ALONE,
        notes,
    )
    return _Measured(comparison, pair, found)


def _subjects_error(difference: Weighted, pair: ConfusionMatrices) -> float:
    """Standard error of a difference from subjects alone (jackknife)."""
    group, seeds = strata(pair.folds), len(pair.seeds)
    left = difference(leave_one_out(group), np.full((len(group), seeds), 1 / seeds))
    return float(np.sqrt(jackknife_variance(left, group)[0]))


def _folds_t(pair: ConfusionMatrices) -> CorrectedT | None:
    """Over folds, each one's counts pooled, classes that it lacks left out, seeds averaged."""
    names = sorted(set(pair.folds))
    if len(names) < 2:
        return None
    member = np.array([[fold == name for fold in pair.folds] for name in names], np.float64)
    pooled = np.einsum("fp,vspij->vsfij", member, pair.counts)
    scores = macro_f1(pooled, absent="skip").mean(1)  # (2, F)
    return corrected_t_test(scores[0] - scores[1], share=fold_share(pair.folds))


def _limits(one: Comparison, level: float) -> tuple[str, ...]:
    said, subjects = [], one.difference.subjects
    if subjects == 1:
        said.append("One subject: how far others would differ is unknown, so there is no interval and no test.")
    if one.flips is not None and one.flips.smallest > 1 - level:
        said.append(
            f"A difference cannot be shown with {subjects} subjects: no p below {one.flips.smallest:.3g} exists, and "
            f"{1 - level:.2g} is asked."
        )
    if one.seeds == one.folds == 1:
        said.append("One training run each: the figures are about these models; another run may differ more.")
    elif one.seeds == 1 and one.folds < subjects:
        said.append("One seed: whole folds are drawn, whose models stand for other runs; more seeds narrow it.")
    return tuple(said)


def _judged(measured: Sequence[_Measured], apart: set[str], asked: _Asked) -> tuple[Comparison, ...]:
    """Flip the comparisons of more than one subject together, then find the words."""
    judged = {each.comparison.variant: each.comparison for each in measured}
    tested = [each for each in measured if each.comparison.difference.subjects > 1]
    families = [
        [at for at, each in enumerate(tested) if (each.comparison.variant in apart) is other] for other in (False, True)
    ]
    if tested:
        tests, adjusted = flip_families(
            [each.pair for each in tested], families, flips=asked.flips, seed=asked.seed, absent=asked.absent
        )
        for family in families:
            for at in family:
                one = replace(tested[at].comparison, flips=tests[at], p_adjusted=float(adjusted[at]))
                judged[one.variant] = _worded(one, tested[at].spread, len(family), asked.level)
    return tuple(replace(one, notes=(*one.notes, *_limits(one, asked.level))) for one in judged.values())


def _worded(one: Comparison, moves: StandardError, family: int, level: float) -> Comparison:
    """The verdict. Subjects are asked by the flips, training runs by the interval, both about the whole family."""
    apart = abs(one.difference.score)
    if one.p_adjusted is None or one.p_adjusted > 1 - level + 1e-12 or apart <= float(moves.reach(level).item()):
        return replace(one, verdict=ALIKE)
    if apart <= float(moves.reach(1 - (1 - level) / family).item()):
        note = f"The interval alone excludes 0; with the {family} comparisons of the family it does not."
        return replace(one, verdict=ALIKE, notes=(*one.notes, note))
    word = BETTER if one.difference.score > 0 else WORSE
    return replace(one, verdict=word + ONE_RUN if one.seeds == one.folds == 1 else word)
