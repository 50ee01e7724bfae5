"""Could the variant and the reference have traded places?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .resampling import BLOCK, PooledF1
from .scores import Absent, Floats

#: Up to so many people every pattern of flips is tried: 32,768, since a pattern and its opposite give one size.
EXACT_PEOPLE = 16
#: Two statistics this close are the same one, summed in another order.
TIE = 1e-12


@dataclass(frozen=True)
class SignFlips:
    """A p-value and how far it could go.

    Args:
        difference: variant minus reference, as observed.
        p: two-sided.
        exact: whether every pattern was tried.
        flips: how many patterns were.
        smallest: the smallest p that this number of people (and of flips) allows.
    """

    difference: float
    p: float
    exact: bool
    flips: int
    smallest: float


def sign_flips(
    variant: ArrayLike, reference: ArrayLike, *, flips: int = 10_000, seed: int = 0, absent: Absent = "zero"
) -> SignFlips:
    """Two-sided permutation test of a difference in pooled macro-F1, by people.

    What is flipped: for each person on his own, whether the variant's and the reference's confusion counts are
    swapped, those of all seeds together. Each time the counts are pooled over people anew, macro-F1 computed for
    every seed and averaged over seeds, and the difference taken. p is the share of patterns whose difference is at
    least as far from 0 as the observed one; with drawn patterns (b + 1) / (flips + 1).

    It is valid when, were there no difference, a person's two tables could have come the other way round whatever
    the others' did. People in one fold share a model, so this holds for these trained models on new people, and only
    roughly for the methods that trained them; ``corrected_t`` beside it asks whether folds agree.

    Args:
        variant: (S, P, C, C) counts of seeds and people.
        reference: the same seeds and people.
        flips: patterns to draw when there are more than ``EXACT_PEOPLE`` people.
        seed: of the draws.
        absent: as in ``macro_f1``.
    """
    pair = np.stack([np.asarray(variant, np.float64), np.asarray(reference, np.float64)])
    if pair.ndim != 5:
        raise UserError(f"Sign flips need (seeds, people, classes, classes) counts, not {pair.shape[1:]}.")
    if flips < 1:
        raise UserError(f"Sign flips need at least one pattern, not {flips}.")
    score = PooledF1.of(pair, absent=absent)
    people = pair.shape[2]
    observed = _difference(score, np.zeros((1, people)))[0]
    exact = people <= EXACT_PEOPLE
    far = total = 0
    for swapped in _every_pattern(people, score) if exact else _patterns(people, flips, seed, score):
        found = _difference(score, swapped)
        far += int(np.count_nonzero(np.abs(found) >= abs(observed) - TIE))
        total += len(found)
    allowed = 2.0 ** (1 - people)
    p = far / total if exact else (far + 1) / (total + 1)
    return SignFlips(float(observed), p, exact, total, allowed if exact else max(allowed, 1 / (total + 1)))


def _difference(score: PooledF1, swapped: Floats) -> Floats:
    """(R,) differences when people are swapped where ``swapped`` (R, P) is 1."""
    variant, reference = score.pieces  # (S, P, 3, C) each
    people = variant.shape[1]
    step = np.moveaxis(reference - variant, 1, 0).reshape(people, -1)
    first = variant.sum(1) + (swapped @ step).reshape(-1, *variant.sum(1).shape)
    second = (variant + reference).sum(1) - first
    return np.asarray((score.macro(first) - score.macro(second)).mean(-1))


def _block(score: PooledF1) -> int:
    return max(1, BLOCK // score.pieces[0, :, 0].size)


def _every_pattern(people: int, score: PooledF1) -> Iterator[Floats]:
    """All of them, the first person never swapped: the opposite patterns give the same sizes."""
    count, step = 2 ** (people - 1), _block(score)
    bits = np.arange(people)
    for start in range(0, count, step):
        codes = np.arange(start, min(start + step, count))[:, None] << 1
        yield ((codes >> bits) & 1).astype(np.float64)


def _patterns(people: int, flips: int, seed: int, score: PooledF1) -> Iterator[Floats]:
    rng, step = np.random.default_rng(seed), _block(score)
    for start in range(0, flips, step):
        yield rng.integers(0, 2, (min(step, flips - start), people)).astype(np.float64)
