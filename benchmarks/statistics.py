"""Do intervals hold the truth, and verdicts the error rate? On simulated studies, where both are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stillmotion.evaluation import ConfusionMatrices, compare_variants
from stillmotion.evaluation.resampling import PooledF1, strata

from .cohorts import World, simulate, truth

TITLE = "Simulated studies: how often 95 % intervals hold the truth, and verdicts see a difference where there is none"

Row = dict[str, Any]

#: Subjects, folds and seeds: one set of test subjects, cross-validation, one fold a subject.
CASES = (
    *((subjects, folds, seeds) for subjects, folds in ((4, 1), (4, 4), (9, 3)) for seeds in (1, 5)),
    *((subjects, folds, seeds) for subjects, folds in ((23, 1), (23, 4), (30, 10), (30, 30)) for seeds in (1, 5)),
)
#: The same and how many comparisons: subjects who each have a model of their own, and subjects who share few.
FAMILIES = tuple(
    (*design, comparisons)
    for design in ((4, 4, 1), (9, 9, 1), (9, 3, 1), (9, 1, 5), (30, 30, 1), (30, 10, 5))
    for comparisons in (3, 21)
)
#: In logits, about 40 points over a reference that is right in a little under half of its windows.
PLANTED = 2.4
STUDIES, QUICK = 1000, 100


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """One row a design. Everything is drawn, so ``data`` is not read."""
    world, studies = World(), QUICK if quick else STUDIES
    single = [row(world, subjects, folds, seeds, studies=studies) for subjects, folds, seeds in CASES]
    return single + [family(*design, studies=studies // 2) for design in FAMILIES]


def row(world: World, subjects: int, folds: int, seeds: int, *, studies: int, resamples: int = 500) -> Row:
    """Percentages over many studies of one design, and over as many in which the variants are alike.

    ``interval`` and ``score`` say how often our intervals of the difference and of one variant's score hold the
    truth, ``percentile`` how often the plain bootstrap's of the difference does. ``seen`` is the share of studies
    that call the better variant better, ``false`` the share that call one of two alike better or worse, and
    ``flips`` how often the sign-flip test alone would.
    """
    score, gain = truth(world)
    alike = replace(world, gain=0.0)
    held = np.zeros(6)
    width = 0.0
    for number in range(studies):
        study = simulate(world, subjects=subjects, folds=folds, seeds=seeds, seed=number)
        found = compare_variants(study, against="plain", resamples=resamples, flips=resamples, seed=number)
        one, own = found.comparisons[0], found.standings[1].macro_f1
        assert one.difference.low is not None
        assert one.difference.high is not None
        assert own.low is not None
        assert own.high is not None
        low, high = percentile_interval(study, resamples=resamples, seed=number)
        other = simulate(alike, subjects=subjects, folds=folds, seeds=seeds, seed=studies + number)
        null = compare_variants(other, against="plain", resamples=resamples, flips=resamples, seed=number).comparisons[
            0
        ]
        assert null.flips is not None
        held += (
            one.difference.low <= gain <= one.difference.high,
            own.low <= score <= own.high,
            low <= gain <= high,
            one.verdict.startswith("better"),
            null.verdict.startswith(("better", "worse")),
            null.flips.p <= 0.05,
        )
        width += one.difference.high - one.difference.low
    names = ("interval", "score", "percentile", "seen", "false", "flips")
    shares = dict(zip(names, (round(float(share), 1) for share in 100 * held / studies), strict=True))
    design = {"subjects": subjects, "folds": folds, "seeds": seeds}
    return design | shares | {"width_points": round(100 * width / studies, 1)}


def family(subjects: int, folds: int, seeds: int, comparisons: int, *, studies: int, resamples: int = 500) -> Row:
    """Percentages over many studies in which several variants are compared with one reference.

    The variants share their subjects' taste with the reference, from not at all to nearly all, so that their
    differences are correlated and spread unequally, while each is exchangeable with the reference.

    ``false`` is the share of studies that call any of variants that are all alike better or worse, ``flips`` how
    often the max-statistic correction alone would; ``seen`` is the share that call a variant with ``PLANTED`` more
    better.
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
            any(one.verdict.startswith(("better", "worse")) for one in null),
            any(one.p_adjusted is not None and one.p_adjusted <= 0.05 for one in null),
            planted[0].verdict.startswith("better"),
        )
    shares = [round(float(share), 1) for share in 100 * held / studies]
    design = {"subjects": subjects, "folds": folds, "seeds": seeds, "comparisons": comparisons}
    return design | dict(zip(("false", "flips", "seen"), shares, strict=True))


def percentile_interval(study: ConfusionMatrices, *, resamples: int, seed: int) -> tuple[float, float]:
    """The plain bootstrap's 95 %: subjects within folds, crossed with seeds, as many as there are."""
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
