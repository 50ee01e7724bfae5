"""Sign-flip test: a permutation test of paired differences by subjects."""

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

#: Most subjects for which all patterns of flips are tried: 32,768, since opposite patterns give the same size.
EXACT_SUBJECTS = 16


@dataclass(frozen=True)
class SignFlips:
    """Result of a sign-flip test.

    Args:
        difference: variant minus reference, as observed.
        p: two-sided p-value.
        exact: whether all patterns were tried.
        flips: number of patterns tried.
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

    A pattern of flips swaps the confusion matrices of variant and reference for some subjects, those of all seeds
    together. Under each pattern the matrices are pooled over subjects, macro-F1 is computed for every seed and averaged
    over seeds, and the difference taken. p is the share of patterns whose difference is at least as far from 0 as the
    observed one; with drawn patterns (b + 1) / (flips + 1).

    The test assumes that, without a difference, the two matrices of a subject are exchangeable, independently of other
    subjects. Subjects in one fold share a model, so this holds for these trained models on new subjects, and only
    approximately for the methods that trained them; ``corrected_t_test`` tests whether folds agree.

    Args:
        variant: (S, P, C, C) confusion matrices of seeds and subjects.
        reference: those of the same seeds and subjects.
        flips: number of patterns to draw for more than ``EXACT_SUBJECTS`` subjects.
        seed: of the draws.
        absent: as in ``macro_f1``.

    Returns:
        The difference and its p-value.

    Raises:
        UserError: the matrices have the wrong shape, or there is no pattern to draw.

    Example:
        >>> import numpy as np
        >>> from stillmotion.evaluation import flip_signs
        >>> reference = np.tile([[[7, 3], [4, 6]]], (1, 6, 1, 1))  # one seed, six subjects
        >>> variant = np.tile([[[9, 1], [2, 8]]], (1, 6, 1, 1))
        >>> test = flip_signs(variant, reference)
        >>> test.p, test.smallest, test.exact
        (0.03125, 0.03125, True)
    """
    pair = np.stack([np.asarray(variant, np.float64), np.asarray(reference, np.float64)])
    if pair.ndim != 5:
        raise UserError(
            f"Sign flips need (seeds, subjects, classes, classes) confusion matrices, not {pair.shape[1:]}."
        )
    subjects = pair.shape[2]
    differences = _differences([(PooledF1.of(pair, absent=absent), np.arange(subjects))], subjects, flips, seed)
    return _sign_flips(differences[:, 0], subjects, subjects, flips)


def flip_families(
    pairs: Sequence[ConfusionMatrices], families: Sequence[Sequence[int]], *, flips: int, seed: int, absent: Absent
) -> tuple[tuple[SignFlips, ...], Floats]:
    """Test all comparisons under the same flips, with the max-statistic correction within families.

    A pattern swaps a subject's confusion matrices in all comparisons alike. The correction assumes slightly more than a
    single test: that the signs of all differences of a subject are exchangeable together.

    Args:
        pairs: each a variant and the reference, on the subjects and seeds that both have; two subjects or more.
        families: for each family the numbers of its pairs; each pair is in one.
        flips: number of patterns to draw for more than ``EXACT_SUBJECTS`` subjects in all pairs together.
        seed: of the draws.
        absent: as in ``macro_f1``.

    Returns:
        The test of each pair, and its p-value after the correction.
    """
    names = sorted({name for pair in pairs for name in pair.subjects})
    index = {name: at for at, name in enumerate(names)}
    scores = [
        (PooledF1.of(pair.counts, absent=absent), np.array([index[name] for name in pair.subjects])) for pair in pairs
    ]
    differences = _differences(scores, len(names), flips, seed)
    adjusted = np.ones(len(pairs))
    for family in families:
        if family:
            adjusted[list(family)] = max_statistic(differences[:, list(family)])
    tests = [_sign_flips(differences[:, at], len(pair.subjects), len(names), flips) for at, pair in enumerate(pairs)]
    return tuple(tests), adjusted


def _sign_flips(differences: Floats, tested: int, subjects: int, flips: int) -> SignFlips:
    """Make a comparison's test from its differences; ``tested`` of the ``subjects`` are in it."""
    exact, allowed = subjects <= EXACT_SUBJECTS, 2.0 ** (1 - tested)
    total = len(differences) if exact else flips
    p = float(max_statistic(differences[:, None])[0])
    return SignFlips(float(differences[0]), p, exact, total, allowed if exact else max(allowed, 1 / (total + 1)))


def _differences(scores: Sequence[tuple[PooledF1, NDArray[np.int64]]], subjects: int, flips: int, seed: int) -> Floats:
    """Compute the difference (R, K) of each pair under each pattern, the first row as observed."""
    if flips < 1:
        raise UserError(f"Sign flips need at least one pattern, not {flips}.")
    step = max(1, BLOCK // max(subjects, *(score.pieces[0, :, 0].size for score, _ in scores)))
    blocks = (
        _every_pattern(subjects, step) if subjects <= EXACT_SUBJECTS else _random_patterns(subjects, flips, seed, step)
    )
    return np.concatenate(
        [np.stack([_difference(score, swapped[:, columns]) for score, columns in scores], axis=1) for swapped in blocks]
    )


def _difference(score: PooledF1, swapped: Floats) -> Floats:
    """Compute the differences (R,) with the subjects swapped where ``swapped`` (R, P) is 1."""
    variant, reference = score.pieces  # (S, P, 3, C) each
    subjects = variant.shape[1]
    step = np.moveaxis(reference - variant, 1, 0).reshape(subjects, -1)
    first = variant.sum(1) + (swapped @ step).reshape(-1, *variant.sum(1).shape)
    second = (variant + reference).sum(1) - first
    return np.asarray((score.macro(first) - score.macro(second)).mean(-1))


def _every_pattern(subjects: int, step: int) -> Iterator[Floats]:
    """Yield all patterns with the first subject not swapped; opposite patterns give the same sizes."""
    count = 2 ** (subjects - 1)
    bits = np.arange(subjects)
    for start in range(0, count, step):
        codes = np.arange(start, min(start + step, count))[:, None] << 1
        yield ((codes >> bits) & 1).astype(np.float64)


def _random_patterns(subjects: int, flips: int, seed: int, step: int) -> Iterator[Floats]:
    """Yield the observed pattern, which is the 1 in (b + 1) / (flips + 1), then random patterns."""
    rng = np.random.default_rng(seed)
    yield np.zeros((1, subjects))
    for start in range(0, flips, step):
        yield rng.integers(0, 2, (min(step, flips - start), subjects)).astype(np.float64)
