"""Simulated studies: people who differ, runs that differ, and a difference between variants that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillmotion.evaluation import Tally


@dataclass(frozen=True)
class World:
    """How much what varies, in logits of getting a window right.

    ``gain`` is what the second variant has more; ``person`` and ``taste`` how people differ, alone and in what a
    variant does for them, each by person and by person and class; ``run`` how training runs of one fold differ;
    ``fold`` how the folds' training people favour one variant.
    """

    gain: float = 0.3
    person: float = 0.6
    taste: float = 0.3
    run: float = 0.15
    fold: float = 0.0
    classes: int = 5


def simulate(world: World, *, people: int, folds: int, seeds: int, seed: int) -> Tally:
    """Two variants, ``plain`` and ``taught``; person i is tested in fold i modulo ``folds``."""
    rng = np.random.default_rng(seed)
    fold = np.arange(people) % folds
    windows = rng.integers(10, 60, (people, world.classes))
    ease = np.linspace(0.4, 2.0, world.classes) + _two(rng, (people,), world.person, world.classes)
    logit = ease + _two(rng, (2, 1, people), world.taste, world.classes)
    logit = logit + _two(rng, (2, seeds, folds), world.run, world.classes)[:, :, fold]
    logit = logit + world.fold * rng.normal(size=(2, 1, folds, world.classes))[:, :, fold]
    logit[1] += world.gain
    hits = rng.binomial(windows, 1 / (1 + np.exp(-logit)))
    counts = np.zeros((*hits.shape, world.classes), np.int64)
    at = np.arange(world.classes)
    counts[..., at, at] = hits
    counts[..., at, (at + 1) % world.classes] = windows - hits
    return Tally(
        ("plain", "taught"),
        tuple(range(seeds)),
        tuple(f"p{i}" for i in range(people)),
        tuple(map(str, fold)),
        tuple(map(str, at)),
        counts,
    )


def _two(rng, shape, size, classes):
    """One draw for all classes and one for each."""
    return size * (rng.normal(size=(*shape, 1)) + rng.normal(size=(*shape, classes)))


def truth(world: World) -> float:
    """The difference in macro-F1 on very many people, folds and runs."""
    from stillmotion.evaluation import macro_f1

    scores = [
        macro_f1(simulate(world, people=3000, folds=300, seeds=1, seed=10_000 + i).counts.sum((1, 2))) for i in range(5)
    ]
    return float(np.mean([score[1] - score[0] for score in scores]))
