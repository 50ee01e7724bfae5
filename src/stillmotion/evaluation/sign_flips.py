"""Could the variant and the reference have traded places?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .confusion import ConfusionMatrices
from .max_statistic import max_statistic
from .metrics import Absent, Floats
from .resampling import BLOCK, PooledF1

#: Up to so many subjects every pattern of flips is tried: 32,768, since a pattern and its opposite give one size.
EXACT_SUBJECTS = 16


@dataclass(frozen=True)
class SignFlips:
    """A p-value and how far it could go.

    Args:
        difference: variant minus reference, as observed.
        p: two-sided.
        exact: whether every pattern was tried.
        flips: how many patterns were.
        smallest: the smallest p that this number of subjects (and of flips) allows.
    """

    difference: float
    p: float
    exact: bool
    flips: int
    smallest: float


def flip_signs(
    variant: ArrayLike, reference: ArrayLike, *, flips: int = 10_000, seed: int = 0, absent: Absent = "zero"
) -> SignFlips:
    """Two-sided permutation test of a difference in pooled macro-F1, by subjects.

    What is flipped: for each subject on his own, whether the variant's and the reference's confusion counts are
    swapped, those of all seeds together. Each time the counts are pooled over subjects anew, macro-F1 computed for
    every seed and averaged over seeds, and the difference taken. p is the share of patterns whose difference is at
    least as far from 0 as the observed one; with drawn patterns (b + 1) / (flips + 1).

    It is valid when, were there no difference, a subject's two tables could have come the other way round whatever
    the others' did. Subjects in one fold share a model, so this holds for these trained models on new subjects, and
    only roughly for the methods that trained them; ``corrected_t_test`` beside it asks whether folds agree.

    Args:
        variant: (S, P, C, C) counts of seeds and subjects.
        reference: the same seeds and subjects.
        flips: patterns to draw when there are more than ``EXACT_SUBJECTS`` subjects.
        seed: of the draws.
        absent: as in ``macro_f1``.
    """
    pair = np.stack([np.asarray(variant, np.float64), np.asarray(reference, np.float64)])
    if pair.ndim != 5:
        raise UserError(f"Sign flips need (seeds, subjects, classes, classes) counts, not {pair.shape[1:]}.")
    subjects = pair.shape[2]
    differences = _differences([(PooledF1.of(pair, absent=absent), np.arange(subjects))], subjects, flips, seed)
    return _tested(differences[:, 0], subjects, subjects, flips)


def flip_families(
    pairs: Sequence[ConfusionMatrices], families: Sequence[Sequence[int]], *, flips: int, seed: int, absent: Absent
) -> tuple[tuple[SignFlips, ...], Floats]:
    """Flip all comparisons together: each one's test, and its p after the max-statistic correction of its family.

    A pattern says for every subject whether his tables are swapped, in all comparisons alike. The correction asks
    for a little more than each test by itself: that all differences of a subject together could have come with the
    other sign.

    Args:
        pairs: a variant and the reference each, on the subjects and seeds that both have; two subjects or more.
        families: numbers of the pairs that share an error rate; each pair is in one.
        flips: patterns to draw when there are more than ``EXACT_SUBJECTS`` subjects in all pairs together.
        seed: of the draws.
        absent: as in ``macro_f1``.
    """
    names = sorted({name for pair in pairs for name in pair.subjects})
    place = {name: at for at, name in enumerate(names)}
    scores = [
        (PooledF1.of(pair.counts, absent=absent), np.array([place[name] for name in pair.subjects])) for pair in pairs
    ]
    differences = _differences(scores, len(names), flips, seed)
    adjusted = np.ones(len(pairs))
    for family in families:
        if family:
            adjusted[list(family)] = max_statistic(differences[:, list(family)])
    tests = [_tested(differences[:, at], len(pair.subjects), len(names), flips) for at, pair in enumerate(pairs)]
    return tuple(tests), adjusted


def _tested(differences: Floats, own: int, subjects: int, flips: int) -> SignFlips:
    """One comparison's test from its differences; ``own`` of the subjects flipped are in it."""
    exact, allowed = subjects <= EXACT_SUBJECTS, 2.0 ** (1 - own)
    total = len(differences) if exact else flips
    p = float(max_statistic(differences[:, None])[0])
    return SignFlips(float(differences[0]), p, exact, total, allowed if exact else max(allowed, 1 / (total + 1)))


def _differences(scores: Sequence[tuple[PooledF1, NDArray[np.int64]]], subjects: int, flips: int, seed: int) -> Floats:
    """(R, K): each pair of scores under each pattern for its own subjects, the first as observed."""
    if flips < 1:
        raise UserError(f"Sign flips need at least one pattern, not {flips}.")
    step = max(1, BLOCK // max(subjects, *(score.pieces[0, :, 0].size for score, _ in scores)))
    blocks = _every_pattern(subjects, step) if subjects <= EXACT_SUBJECTS else _patterns(subjects, flips, seed, step)
    return np.concatenate(
        [np.stack([_difference(score, swapped[:, own]) for score, own in scores], axis=1) for swapped in blocks]
    )


def _difference(score: PooledF1, swapped: Floats) -> Floats:
    """(R,) differences when subjects are swapped where ``swapped`` (R, P) is 1."""
    variant, reference = score.pieces  # (S, P, 3, C) each
    subjects = variant.shape[1]
    step = np.moveaxis(reference - variant, 1, 0).reshape(subjects, -1)
    first = variant.sum(1) + (swapped @ step).reshape(-1, *variant.sum(1).shape)
    second = (variant + reference).sum(1) - first
    return np.asarray((score.macro(first) - score.macro(second)).mean(-1))


def _every_pattern(subjects: int, step: int) -> Iterator[Floats]:
    """All of them, the first subject never swapped: the opposite patterns give the same sizes."""
    count = 2 ** (subjects - 1)
    bits = np.arange(subjects)
    for start in range(0, count, step):
        codes = np.arange(start, min(start + step, count))[:, None] << 1
        yield ((codes >> bits) & 1).astype(np.float64)


def _patterns(subjects: int, flips: int, seed: int, step: int) -> Iterator[Floats]:
    """Nobody swapped, which is the 1 in (b + 1) / (flips + 1), then patterns drawn."""
    rng = np.random.default_rng(seed)
    yield np.zeros((1, subjects))
    for start in range(0, flips, step):
        yield rng.integers(0, 2, (min(step, flips - start), subjects)).astype(np.float64)
