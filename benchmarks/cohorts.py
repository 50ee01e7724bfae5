"""Simulate studies in which the differences between variants are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillmotion.evaluation import ConfusionMatrices, macro_f1

Floats = NDArray[np.float64]

#: Subjects of the large study that gives the true values, 10 per fold.
MANY = 3000


@dataclass(frozen=True)
class World:
    """Sources of variation, in logits of the probability that a window is classified correctly.

    Args:
        gain: advantage of the second variant.
        subject: standard deviation between subjects.
        taste: standard deviation of the interaction of subject and variant.
        run: standard deviation between training runs of a fold.
        fold: standard deviation of the interaction of fold and variant, shared by all runs.
        classes: number of classes, each easier than the one before.
        ease: logit of the hardest class.
    """

    gain: float = 0.3
    subject: float = 0.6
    taste: float = 0.3
    run: float = 0.15
    fold: float = 0.0
    classes: int = 5
    ease: float = 0.4


def simulate(
    world: World,
    *,
    subjects: int,
    folds: int,
    seeds: int,
    seed: int,
    gains: Sequence[float] | None = None,
    shared: Sequence[float] | None = None,
) -> ConfusionMatrices:
    """Simulate the confusion matrices of variants on 10 to 59 windows per subject and class.

    Subject i is tested in fold i modulo ``folds``; a wrong prediction is the next class.

    Args:
        world: the sources of variation.
        subjects: number of subjects.
        folds: number of folds.
        seeds: training runs of each fold.
        seed: seed of the draws.
        gains: advantage of each variant over the reference ``plain``, which comes first; by default one variant,
            ``taught``, with ``world.gain``.
        shared: correlation of each variant's interaction with subjects with that of the reference, 0 by default: the
            higher it is, the less their difference varies; without a gain the two stay exchangeable.
    """
    rng = np.random.default_rng(seed)
    advantage = np.array([0.0, *((world.gain,) if gains is None else gains)])
    alike = np.zeros(len(advantage) - 1) if shared is None else np.asarray(shared, np.float64)
    fold = np.arange(subjects) % folds
    windows = rng.integers(10, 60, (subjects, world.classes))
    logit = np.linspace(world.ease, world.ease + 1.6, world.classes) + _apart(
        rng, (subjects,), world.subject, world.classes
    )
    taste = _apart(rng, (len(advantage), 1, subjects), world.taste, world.classes)
    taste[1:] = np.einsum("v,vspc->vspc", np.sqrt(1 - alike**2), taste[1:]) + np.multiply.outer(alike, taste[0])
    logit = logit + taste
    logit = logit + _apart(rng, (len(advantage), seeds, folds), world.run, world.classes)[:, :, fold]
    logit = logit + world.fold * rng.normal(size=(len(advantage), 1, folds, world.classes))[:, :, fold]
    logit += advantage[:, None, None, None]
    hits = rng.binomial(windows, 1 / (1 + np.exp(-logit)))
    counts = np.zeros((*hits.shape, world.classes), np.int64)
    at = np.arange(world.classes)
    counts[..., at, at] = hits
    counts[..., at, (at + 1) % world.classes] = windows - hits
    return ConfusionMatrices(
        ("plain", *(("taught",) if gains is None else (f"taught-{number + 1}" for number in range(len(gains))))),
        tuple(range(seeds)),
        tuple(f"p{number}" for number in range(subjects)),
        tuple(str(number) for number in fold),
        tuple(str(number) for number in at),
        counts,
    )


def truth(world: World) -> tuple[float, float]:
    """Return the true macro-F1 of ``taught`` and its gain over ``plain``, from very many subjects, folds and runs."""
    studies = [simulate(world, subjects=MANY, folds=MANY // 10, seeds=1, seed=10**6 + number) for number in range(5)]
    plain, taught = np.mean([macro_f1(study.counts.sum((1, 2))) for study in studies], axis=0)
    return float(taught), float(taught - plain)


def _apart(rng: np.random.Generator, shape: tuple[int, ...], size: float, classes: int) -> Floats:
    """Draw deviations: one for all classes, plus one for each class."""
    return np.asarray(size * (rng.normal(size=(*shape, 1)) + rng.normal(size=(*shape, classes))))
