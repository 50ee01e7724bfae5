"""Intervals by resampling subjects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import f1_score

from stillmotion.errors import UserError
from stillmotion.evaluation import accuracy, cohen_kappa, subject_interval


def cohort(subjects, seed, *, varied=True, windows=30, classes=2, skill=0.75):
    """Confusion matrices of subjects that differ: each one's accuracy is drawn around ``skill``."""
    rng = np.random.default_rng(seed)
    shares = rng.beta(skill * 10, (1 - skill) * 10, (subjects, 1)) if varied else np.full((subjects, 1), skill)
    right = rng.binomial(windows, np.broadcast_to(shares, (subjects, classes)))
    counts = np.zeros((subjects, classes, classes))
    for c in range(classes):
        counts[:, c, c] = right[:, c]
        counts[:, c, (c + 1) % classes] = windows - right[:, c]
    return counts


def labels_of(matrix):
    """Turn a confusion matrix into lists of true and predicted labels."""
    pairs = [(t, p) for t, p in np.ndindex(matrix.shape) for _ in range(int(matrix[t, p]))]
    return np.array(pairs).T


@pytest.mark.parametrize("subjects", [2, 5, 23])
def test_the_interval_is_that_of_a_plain_loop_over_the_same_draws(subjects):
    counts = cohort(subjects, 1, classes=3)
    resamples = 60
    found = subject_interval(counts, resamples=resamples, level=0.8, seed=3)
    draws = np.random.default_rng(3).multinomial(subjects - 1, np.full(subjects, 1 / subjects), size=resamples)
    scores = []
    for draw in draws:
        truth, guess = np.hstack([labels_of(counts[subject]) for subject in np.repeat(np.arange(subjects), draw)])
        scores.append(f1_score(truth, guess, average="macro", labels=range(3), zero_division=0))
    half_width = stats.t.ppf(0.9, subjects - 1) * np.std(scores, ddof=1)
    step = half_width / (found.score * (1 - found.score))
    ends = [special.expit(special.logit(found.score) + sign * step) for sign in (-1, 1)]
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert 0 <= found.low < found.score < found.high <= 1
    truth, guess = labels_of(counts.sum(0))
    assert found.score == pytest.approx(f1_score(truth, guess, average="macro"))
    assert (found.subjects, found.level) == (subjects, 0.8)


def test_subjects_and_not_windows_are_resampled():
    # Ten times as many windows per subject are no more subjects: the interval does not change.
    counts = cohort(12, 2)
    one, longer = subject_interval(counts), subject_interval(10 * counts)
    assert (one.low, one.high) == pytest.approx((longer.low, longer.high))
    alike = subject_interval(np.repeat(counts[:1], 12, axis=0))
    assert alike.low == pytest.approx(alike.high)


def test_other_bounds_hold_too_and_folds_are_drawn_within():
    counts = cohort(9, 5)
    found = subject_interval(counts, score=cohen_kappa, bounds=(-1, 1), folds=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert -1 < found.low < found.score < found.high < 1
    assert found != subject_interval(counts, score=cohen_kappa, bounds=(-1, 1))
    perfect = subject_interval(np.eye(2)[None] * np.array([3, 9, 2])[:, None, None])
    assert (perfect.low, perfect.score, perfect.high) == (1, 1, 1)
    with pytest.raises(UserError, match="2 folds for 9 subjects"):
        subject_interval(counts, folds=[0, 1])


def test_more_subjects_make_it_narrower():
    few, many = subject_interval(cohort(6, 4)), subject_interval(cohort(96, 4))
    assert (many.high - many.low) < 0.5 * (few.high - few.low)


def test_one_subject_has_no_interval():
    found = subject_interval(cohort(1, 0))
    assert found.low is None
    assert found.high is None
    assert str(found) == f"{100 * found.score:.1f} (one subject: no interval)"


def test_any_score_and_seed_can_be_asked_for():
    counts = cohort(8, 3)
    found = subject_interval(counts, score=accuracy, seed=1)
    assert found.score == pytest.approx(np.trace(counts.sum(0)) / counts.sum())
    assert str(found) == "{:.1f} [{:.1f}, {:.1f}]".format(
        *(100 * each for each in (found.score, found.low, found.high))
    )
    assert found == subject_interval(counts, score=accuracy, seed=1)
    assert found != subject_interval(counts, score=accuracy, seed=2)
    assert found.low < found.score < found.high


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        (np.ones((3, 3)), {}, r"needs \(subjects, classes, classes\) confusion matrices, not \(3, 3\)"),
        (np.ones((2, 3, 4)), {}, "confusion matrices"),
        (np.ones((0, 3, 3)), {}, "confusion matrices"),
        (np.ones((2, 3, 3)), {"level": 95}, "A level must be between 0 and 1, not 95"),
    ],
)
def test_invalid_confusion_matrices_are_refused(counts, options, message):
    with pytest.raises(UserError, match=message):
        subject_interval(counts, **options)
