"""Protocols: which subjects or windows train, validate and test."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataWarning, UserError
from ..signals.recording import Note
from .splits import SPLITS, Fold, Splits, resolve_protocol
from .spread import spread
from .stretches import Rows
from .windows import Windows

PROTOCOLS = ("random", "official", "subjects:k", "loso")
RANDOM_TEST = RANDOM_VALIDATION = 0.15  # of all windows, then of the rest (Agac & Incel)


def make_splits(
    windows: Windows,
    protocol: str,
    *,
    seed: int = 0,
    validation: float = 0.2,
    official_test: Sequence[str] = (),
) -> Splits:
    """Split windows by a protocol into training, validation and test windows.

    ``random`` (alias ``published``): one random split of the windows, stratified by class, 15 % test and 15 % of the
    rest validation, as published systems do. It leaks: every subject is in every split.
    ``official``: the publisher's test subjects. ``subjects:k``: grouped k-fold, each group of subjects tested once,
    every class spread over the groups as evenly as possible. ``loso`` (leave-one-subject-out): each subject tested
    once, alone. In these three validation is by subject too, chosen for each fold among those not tested, and no
    subject is in two splits.

    Args:
        windows: the windows that ``cut`` returned.
        protocol: one of the names above.
        seed: of everything random.
        validation: share of the subjects not tested, 0 for none. ``random`` always takes its own 15 %.
        official_test: test subjects of ``official``; by default those of the data set.

    Warns:
        DataWarning: only one subject has a class, or a fold's training subjects lack a class; with counts.

    Returns:
        The folds, each with its windows and subjects.

    Raises:
        UserError: the data set has no such protocol, or too few subjects or windows for it.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> folds = sm.make_splits(windows, "loso").folds
        >>> len(folds), folds[0].test_subjects, len(folds[0].test), len(folds[0].train)
        (4, ('0',), 10, 20)
    """
    tested = tuple(official_test) or windows.official_test
    protocol = resolve_protocol(protocol)
    valid = [name for name in PROTOCOLS if name != "official" or tested]
    count = count_of(protocol, valid, dataset=windows.dataset)
    if not 0 <= validation < 1:
        raise UserError(f"validation is {validation}; expected a share of the subjects, from 0 to below 1.")
    rng = np.random.default_rng([seed, 0])
    if protocol == "random":
        folds = [_random(windows, rng)]
        notes: list[Note] = []
    else:
        subjects, has = _subjects(windows)
        if len(subjects) < max(3, count):
            raise UserError(
                f"{windows.dataset} has windows of {len(subjects)} subjects; {protocol} needs {max(3, count)}: choose "
                "another protocol."
            )
        if protocol == "official":
            groups = [_official(windows, tested, subjects)]
        elif protocol == "loso":
            groups = [np.array([number]) for number in range(len(subjects))]
        else:
            sizes = np.full(count, len(subjects) // count) + (np.arange(count) < len(subjects) % count)
            group = spread(has, sizes, np.outer(sizes / len(subjects), has.sum(axis=0)), rng)
            groups = [np.flatnonzero(group == number) for number in range(count)]
        folds = [
            _fold(windows, subjects, test, _validation(has, test, validation, np.random.default_rng([seed, 1, number])))
            for number, test in enumerate(groups)
        ]
        notes = _remarks(windows, subjects, has, folds)
    return Splits(windows.dataset, protocol, seed, windows.fingerprint, len(windows), tuple(folds), tuple(notes))


def count_of(protocol: str, valid: Sequence[str] = PROTOCOLS, *, dataset: str = "a data set") -> int:
    """Check a protocol's name and return its number of folds.

    Args:
        protocol: the name or its alias.
        valid: the names that exist.
        dataset: the data set's name, for messages.

    Returns:
        The k of ``subjects:k``, else 0.

    Raises:
        UserError: there is no such protocol, or k is below 2.
    """
    protocol = resolve_protocol(protocol)
    name, colon, k = protocol.partition(":")
    if name == "subjects" and colon and k.isascii() and k.isdigit() and len(k) < 10:
        if int(k) < 2:
            raise UserError(f"{protocol} has too few folds; expected at least 2, as in subjects:10.")
        return int(k)
    if protocol not in valid or protocol == "subjects:k":
        raise UserError(f"{dataset} has no protocol {protocol!r}; it has {', '.join(valid)}.")
    return 0


def _random(windows: Windows, rng: np.random.Generator) -> Fold:
    if len(windows) < 3:
        raise UserError(f"{windows.dataset} has {len(windows)} windows; random needs at least 3.")
    everything = np.arange(len(windows))
    test = _stratified(windows.labels[everything], RANDOM_TEST, rng)
    rest = everything[~test]
    validation = _stratified(windows.labels[rest], RANDOM_VALIDATION, rng)
    splits = (rest[~validation], rest[validation], everything[test])
    names = [tuple(windows.subjects[i] for i in np.unique(windows.subject_codes[rows])) for rows in splits]
    return Fold(*splits, *names)


def _stratified(labels: NDArray[np.int16], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a random ``share`` (rounded up) of the windows, stratified by class, as a mask."""
    classes, code, size = np.unique(labels, return_inverse=True, return_counts=True)
    total = math.ceil(share * len(labels) - 1e-9)
    part = size * (total / len(labels))
    quota = np.floor(part).astype(np.int64)
    left = np.lexsort((rng.random(len(classes)), quota - part))  # largest remainder first, equals at random
    quota[left[: total - quota.sum()]] += 1
    shuffled = rng.permutation(len(labels))
    order = shuffled[np.argsort(code[shuffled], kind="stable")]  # by class, at random within
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(size) - size, size)
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order[rank < np.repeat(quota, size)]] = True
    return chosen


def _subjects(windows: Windows) -> tuple[Rows, NDArray[np.bool_]]:
    """List the subjects with windows (codes, in the data set's order), and which classes each has."""
    subjects, subject = np.unique(windows.subject_codes, return_inverse=True)
    has = np.zeros((len(subjects), len(windows.spec.classes) + 1), np.bool_)
    has[subject, windows.labels] = True  # null, -1, falls into the last column
    return subjects.astype(np.int64), has[:, :-1]


def _official(windows: Windows, tested: tuple[str, ...], subjects: Rows) -> Rows:
    names = [windows.subjects[i] for i in subjects]
    absent = [name for name in tested if name not in names]
    present = np.array([i for i, name in enumerate(names) if name in set(tested)], np.int64)
    if len(present) == 0 or len(present) == len(names):
        raise UserError(
            f"{windows.dataset}: {len(present)} of the {len(names)} subjects here are official test subjects "
            f"({', '.join(tested)}); the official split needs subjects to test on and subjects to train on."
        )
    if absent:
        warnings.warn(
            f"{windows.dataset}: {len(absent)} of {len(tested)} official test subjects have no window here: "
            f"{', '.join(absent)}.",
            DataWarning,
            stacklevel=3,
        )
    return present


def _validation(has: NDArray[np.bool_], test: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Choose the validation subjects of a fold: a share of those not tested, each class in both splits if possible."""
    rest = np.setdiff1d(np.arange(len(has)), test)
    if share == 0:
        return rest[:0]
    if len(rest) < 2:
        raise UserError(
            f"A fold with {len(test)} test subjects leaves {len(rest)} of {len(has)} to train and validate on; "
            "choose more folds, or validation=0."
        )
    size = min(max(1, round(share * len(rest))), len(rest) - 1)
    holders = has[rest].sum(axis=0)
    # The only subject with a class is trained on; of two, one validates.
    wanted = np.where(holders >= 2, np.maximum(1.0, holders * size / len(rest)), 0.0)
    group = spread(has[rest], np.array([size, len(rest) - size]), np.stack([wanted, holders - wanted]), rng)
    return np.asarray(rest[group == 0])


def _fold(windows: Windows, subjects: Rows, test: Rows, validation: Rows) -> Fold:
    split = np.zeros(len(windows.subjects), np.int8)  # 0 train, 1 validation, 2 test
    split[subjects[validation]] = 1
    split[subjects[test]] = 2
    of_window = split[windows.subject_codes]
    names = [tuple(windows.subjects[i] for i in subjects[split[subjects] == code]) for code in range(3)]
    train, validated, tested = (np.flatnonzero(of_window == code) for code in range(3))
    return Fold(train, validated, tested, *names)


def _remarks(windows: Windows, subjects: Rows, has: NDArray[np.bool_], folds: list[Fold]) -> list[Note]:
    """Warn about classes that cannot be trained or tested; return notes on the rest."""
    classes, dataset = windows.spec.classes, windows.dataset
    holders = has.sum(axis=0)
    alone = [
        f"{classes[c]} ({windows.subjects[subjects[np.argmax(has[:, c])]]})"
        for c in np.flatnonzero(holders == 1).tolist()
    ]
    if alone:
        text = f"{dataset}: {len(alone)} classes have one subject each and cannot be both trained and tested: "
        warnings.warn(text + ", ".join(alone) + ".", DataWarning, stacklevel=3)
    untrained, untested = [], []
    for number, fold in enumerate(folds):
        counts = {
            name: np.bincount(windows.labels[fold.rows(name)] + 1, minlength=len(classes) + 1)[1:] for name in SPLITS
        }
        elsewhere = counts["validation"] + counts["test"]
        untrained += [
            f"fold {number} lacks {classes[c]} ({elsewhere[c]} validation and test windows)"
            for c in np.flatnonzero((counts["train"] == 0) & (elsewhere > 0)).tolist()
        ]
        lacking = np.flatnonzero((counts["test"] == 0) & (holders > 0))
        untested += [f"fold {number}: {', '.join(classes[c] for c in lacking)}"] if len(lacking) else []
    if untrained:
        text = f"{dataset}: training subjects lack a class in {len(untrained)} cases: {'; '.join(untrained)}."
        warnings.warn(text, DataWarning, stacklevel=3)
    notes = []
    if untested:
        text = f"The test subjects of {len(untested)} of {len(folds)} folds lack a class ({'; '.join(untested)})."
        notes.append(Note("classes absent from a test fold", len(untested), text))
    once = _in_one_session(windows)
    if once:
        text = f"{len(once)} of {len(subjects)} subjects have one session only: {', '.join(once)}."
        notes.append(Note("subjects in one session only", len(once), text))
    return notes


def _in_one_session(windows: Windows) -> list[str]:
    used = np.unique(windows.recording)
    pairs = {(int(windows.recordings.subject[i]), windows.sessions[i]) for i in used.tolist()}
    worn = np.bincount([subject for subject, _ in pairs], minlength=len(windows.subjects))
    return [windows.subjects[i] for i in np.flatnonzero(worn == 1)]
