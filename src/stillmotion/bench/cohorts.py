"""Simulated studies, in which the difference between two variants is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation import Tally, macro_f1

Floats = NDArray[np.float64]

#: People of the large study that says what is true, 10 in a fold.
MANY = 3000


@dataclass(frozen=True)
class World:
    """How much varies, in logits of getting a window right.

    Args:
        gain: what the second variant has more.
        person: how people differ.
        taste: how people differ in what a variant does for them.
        run: how training runs of one fold differ.
        fold: how much the training people of a fold favour one variant, in every run.
        classes: of growing ease.
    """

    gain: float = 0.3
    person: float = 0.6
    taste: float = 0.3
    run: float = 0.15
    fold: float = 0.0
    classes: int = 5


def simulate(world: World, *, people: int, folds: int, seeds: int, seed: int) -> Tally:
    """Two variants, ``plain`` and ``taught``, on 10 to 59 windows a person and class; person i is tested in fold
    i modulo ``folds``, and a wrong answer is the next class.
    """
    rng = np.random.default_rng(seed)
    fold = np.arange(people) % folds
    windows = rng.integers(10, 60, (people, world.classes))
    logit = np.linspace(0.4, 2.0, world.classes) + _apart(rng, (people,), world.person, world.classes)
    logit = logit + _apart(rng, (2, 1, people), world.taste, world.classes)
    logit = logit + _apart(rng, (2, seeds, folds), world.run, world.classes)[:, :, fold]
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
        tuple(f"p{number}" for number in range(people)),
        tuple(str(number) for number in fold),
        tuple(str(number) for number in at),
        counts,
    )


def truth(world: World) -> tuple[float, float]:
    """Macro-F1 of ``taught``, and by how much it is better than ``plain``, on very many people, folds and runs."""
    studies = [simulate(world, people=MANY, folds=MANY // 10, seeds=1, seed=10**6 + number) for number in range(5)]
    plain, taught = np.mean([macro_f1(study.counts.sum((1, 2))) for study in studies], axis=0)
    return float(taught), float(taught - plain)


def _apart(rng: np.random.Generator, shape: tuple[int, ...], size: float, classes: int) -> Floats:
    """One draw for all classes and one for each."""
    return np.asarray(size * (rng.normal(size=(*shape, 1)) + rng.normal(size=(*shape, classes))))
