"""Measure the coverage of intervals and the error rate of verdicts on simulated studies, where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.evaluation import ConfusionMatrices, compare_variants
from stillmotion.evaluation.resampling import PooledF1, strata

from .cohorts import World, simulate, truth

TITLE = "Simulated studies: coverage of 95 % intervals, and false verdicts where there is no difference"

Row = dict[str, Any]

#: Subjects, folds and seeds: one set of test subjects, cross-validation, one fold a subject.
CASES = (
    *((subjects, folds, seeds) for subjects, folds in ((4, 1), (4, 4), (9, 3)) for seeds in (1, 5)),
    *((subjects, folds, seeds) for subjects, folds in ((23, 1), (23, 4), (30, 10), (30, 30)) for seeds in (1, 5)),
)
#: The same with the number of comparisons: designs with one model per subject, and with few models for all subjects.
FAMILIES = tuple(
    (*design, comparisons)
    for design in ((4, 4, 1), (9, 9, 1), (9, 3, 1), (9, 1, 5), (30, 30, 1), (30, 10, 5))
    for comparisons in (3, 21)
)
#: True gain in logits: about 40 points over a reference with an accuracy of a little under one half.
PLANTED = 2.4
STUDIES, QUICK = 1000, 100


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return one row per design. All data are simulated, so ``data`` is not read."""
    world, studies = World(), QUICK if quick else STUDIES
    single = [row(world, subjects, folds, seeds, studies=studies) for subjects, folds, seeds in CASES]
    return single + [family(*design, studies=studies // 2) for design in FAMILIES]


def row(world: World, subjects: int, folds: int, seeds: int, *, studies: int, resamples: int = 500) -> Row:
    """Return percentages over many studies of a design, and over as many with two equal variants.

    ``interval`` and ``score`` are the coverage of our intervals of the difference and of one variant's score,
    ``percentile`` the coverage of the plain bootstrap's interval of the difference. ``seen`` is the share of studies
    whose verdict is better for the better variant (power), ``false`` the share with a verdict of better or worse for
    equal variants, and ``flips`` the share in which the sign-flip test alone rejects.
    """
    score, gain = truth(world)
    alike = replace(world, gain=0.0)
    held = np.zeros(6)
    width = 0.0
    for number in range(studies):
        study = simulate(world, subjects=subjects, folds=folds, seeds=seeds, seed=number)
        comparison = compare_variants(study, against="plain", resamples=resamples, flips=resamples, seed=number)
        pair, own_score = comparison.comparisons[0], comparison.standings[1].macro_f1
        assert pair.difference.low is not None
        assert pair.difference.high is not None
        assert own_score.low is not None
        assert own_score.high is not None
        low, high = percentile_interval(study, resamples=resamples, seed=number)
        other = simulate(alike, subjects=subjects, folds=folds, seeds=seeds, seed=studies + number)
        null = compare_variants(other, against="plain", resamples=resamples, flips=resamples, seed=number).comparisons[
            0
        ]
        assert null.flips is not None
        held += (
            pair.difference.low <= gain <= pair.difference.high,
            own_score.low <= score <= own_score.high,
            low <= gain <= high,
            pair.verdict.startswith("better"),
            null.verdict.startswith(("better", "worse")),
            null.flips.p <= 0.05,
        )
        width += pair.difference.high - pair.difference.low
    names = ("interval", "score", "percentile", "seen", "false", "flips")
    shares = dict(zip(names, (round(float(share), 1) for share in 100 * held / studies), strict=True))
    design = {"subjects": subjects, "folds": folds, "seeds": seeds}
    return design | shares | {"width_points": round(100 * width / studies, 1)}


def family(subjects: int, folds: int, seeds: int, comparisons: int, *, studies: int, resamples: int = 500) -> Row:
    """Return percentages over many studies in which several variants are compared with one reference.

    The interaction of subjects and variants is correlated with that of the reference, from 0 to nearly 1, so that the
    differences are correlated and vary unequally, while each variant is exchangeable with the reference.

    ``false`` is the share of studies with any verdict of better or worse among equal variants, ``flips`` the share in
    which the max-statistic correction alone rejects; ``seen`` is the share with a verdict of better for a variant with
    a true gain of ``PLANTED``.
    """
    world = World(taste=0.6, ease=-1.0)
    shared = np.linspace(0, 0.99, comparisons).tolist()
    held = np.zeros(3)
    for number in range(studies):
        null, planted = (
            compare_variants(
                simulate(
                    world,
                    subjects=subjects,
                    folds=folds,
                    seeds=seeds,
                    seed=2 * number + at,
                    gains=(gain, *[0.0] * (comparisons - 1)),
                    shared=shared,
                ),
                against="plain",
                resamples=resamples,
                flips=resamples,
                seed=number,
            ).comparisons
            for at, gain in enumerate((0.0, PLANTED))
        )
        held += (
            any(pair.verdict.startswith(("better", "worse")) for pair in null),
            any(pair.p_adjusted is not None and pair.p_adjusted <= 0.05 for pair in null),
            planted[0].verdict.startswith("better"),
        )
    shares = [round(float(share), 1) for share in 100 * held / studies]
    design = {"subjects": subjects, "folds": folds, "seeds": seeds, "comparisons": comparisons}
    return design | dict(zip(("false", "flips", "seen"), shares, strict=True))


def percentile_interval(study: ConfusionMatrices, *, resamples: int, seed: int) -> tuple[float, float]:
    """Return the plain bootstrap's 95 % interval: resample subjects within folds, crossed with seeds."""
    rng = np.random.default_rng(seed)
    group = strata(study.folds)
    subjects = np.empty((resamples, len(group)))
    for stratum in range(group.max() + 1):
        size = int(np.count_nonzero(group == stratum))
        subjects[:, group == stratum] = rng.multinomial(size, np.full(size, 1 / size), size=resamples)
    seeds = len(study.seeds)
    runs = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    scores = PooledF1.of(study.counts)(subjects, runs)
    low, high = np.quantile(scores[:, 1] - scores[:, 0], [0.025, 0.975])
    return float(low), float(high)
