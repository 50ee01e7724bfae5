"""Simulated studies, in which the differences between variants are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillmotion.evaluation import ConfusionMatrices, macro_f1

Floats = NDArray[np.float64]

#: Subjects of the large study that says what is true, 10 in a fold.
MANY = 3000


@dataclass(frozen=True)
class World:
    """How much varies, in logits of getting a window right.

    Args:
        gain: what the second variant has more.
        subject: how subjects differ.
        taste: how subjects differ in what a variant does for them.
        run: how training runs of one fold differ.
        fold: how much the training subjects of a fold favour one variant, in every run.
        classes: of growing ease.
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
    """Variants on 10 to 59 windows a subject and class; subject i is tested in fold i modulo ``folds``, and a wrong
    answer is the next class.

    Args:
        world: how much varies.
        subjects: how many there are.
        folds: of one training run each and seed.
        seeds: training runs of each fold.
        seed: of the draws.
        gains: what each variant has more than the reference, ``plain``, which stands first; one variant, ``taught``,
            with ``world.gain`` by default.
        shared: correlation of each variant's taste with the reference's, 0 by default: the more they share, the less
            their difference spreads, while without a gain the two stay exchangeable.
    """
    rng = np.random.default_rng(seed)
    own = np.array([0.0, *((world.gain,) if gains is None else gains)])
    alike = np.zeros(len(own) - 1) if shared is None else np.asarray(shared, np.float64)
    fold = np.arange(subjects) % folds
    windows = rng.integers(10, 60, (subjects, world.classes))
    logit = np.linspace(world.ease, world.ease + 1.6, world.classes) + _apart(
        rng, (subjects,), world.subject, world.classes
    )
    taste = _apart(rng, (len(own), 1, subjects), world.taste, world.classes)
    taste[1:] = np.einsum("v,vspc->vspc", np.sqrt(1 - alike**2), taste[1:]) + np.multiply.outer(alike, taste[0])
    logit = logit + taste
    logit = logit + _apart(rng, (len(own), seeds, folds), world.run, world.classes)[:, :, fold]
    logit = logit + world.fold * rng.normal(size=(len(own), 1, folds, world.classes))[:, :, fold]
    logit += own[:, None, None, None]
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
    """Macro-F1 of ``taught``, and by how much it is better than ``plain``, on very many subjects, folds and runs."""
    studies = [simulate(world, subjects=MANY, folds=MANY // 10, seeds=1, seed=10**6 + number) for number in range(5)]
    plain, taught = np.mean([macro_f1(study.counts.sum((1, 2))) for study in studies], axis=0)
    return float(taught), float(taught - plain)


def _apart(rng: np.random.Generator, shape: tuple[int, ...], size: float, classes: int) -> Floats:
    """One draw for all classes and one for each."""
    return np.asarray(size * (rng.normal(size=(*shape, 1)) + rng.normal(size=(*shape, classes))))
