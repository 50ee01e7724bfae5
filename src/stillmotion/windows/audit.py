"""Prove that nothing crosses a split, or show what does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from ..signals.recording import Dataset
from .check_statistics import check_statistics
from .crossings import copied, shared_copies, shared_rows
from .duplicates import Copies, find_copies
from .findings import UNSEEN, Audit, Finding
from .origin import source_of, trace
from .places import STRETCH, Source
from .splits import SIDES, Fold, Splits
from .statistics import Statistics
from .stretches import Rows, Stretches, codes, lay_out
from .windows import Windows


def audit_splits(
    windows: Windows,
    splits: Splits,
    *,
    statistics: Statistics | Sequence[Statistics] | None = None,
    others: Sequence[Dataset] = (),
) -> Audit:
    """Search a split for what crosses it: raw rows, subjects, copied stretches and normaliser statistics.

    For every fold: no raw row of a source may lie under windows of two sides, no subject may be on two sides, and
    the given statistics must be those of the training windows. Across the data set, and against ``others``, stretches
    of 32 rows or more that are equal are a copy (``find_copies``; also of one channel alone, or under another gain,
    offset or sign): an error where its two places are on two sides of a fold or in two data sets, a warning otherwise.
    Rows are those of the recordings as they came, whatever was resampled since.
    ``published`` is never clean: how much it shares is reported instead.

    Args:
        windows: what ``cut`` gave.
        splits: what ``make_splits`` gave for them.
        statistics: what the networks are normalised with, one for each fold (one alone: used in all folds).
        others: data sets that are used beside this one, to train on or to confirm it.

    Returns:
        What was found; ``clean`` says whether nothing crosses.

    Raises:
        UserError: the splits are of other windows.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> sm.audit_splits(windows, sm.make_splits(windows, "loso")).clean
        True
        >>> sm.audit_splits(windows, sm.make_splits(windows, "published")).clean
        False
    """
    splits.require_of(windows)
    found: list[Finding] = []
    own, extents = trace(windows)
    sides = [[fold.side(name) for name in SIDES] for fold in splits.folds]
    for number, side in enumerate(sides):
        shared, tally = shared_rows(extents, side, number)
        if splits.protocol == "published":
            tested = len(side[2])
            text = (
                f"Windows are split at random: of {tested} test windows {tally.shared} hold raw rows of training "
                f"windows ({tally.shared / tested:.0%}) and {tally.adjacent} more are next to one "
                f"({tally.adjacent / tested:.0%}); {tally.subjects} test subjects are trained on."
            )
            found.append(Finding("random split", "error", number, tested, text))
        found += shared
    if statistics is not None:
        found += check_statistics(windows, splits, statistics)
    found += _copies_inside(extents, own.recordings, find_copies([own]), sides)
    found += _same_subjects(windows, others)
    for other in others:
        found += _copies_across(windows.dataset, own, other)
    checked = {
        "folds": len(splits),
        "windows": len(windows),
        "subjects": len(np.unique(windows.subject_codes)),
        "samples": len(own.signal),
        "statistics": 0 if statistics is None else len(splits),
        "other data sets": len(others),
    }
    return Audit(windows.dataset, splits.protocol, checked, tuple(found), UNSEEN)


def audit_extents(
    subject: ArrayLike,
    start: ArrayLike,
    end: ArrayLike,
    folds: Iterable[Fold | Sequence[ArrayLike]],
    source: ArrayLike | None = None,
    *,
    name: str = "own windows",
) -> Audit:
    """Search a split of windows that were made elsewhere for raw rows and subjects that cross it.

    Args:
        subject: (n,) whose each window is.
        start, end: (n,) its rows, ``end`` exclusive.
        folds: for each fold the numbers of its windows (or masks): (train, test) or (train, validation, test).
        source: (n,) the array that ``start`` counts rows of; by default every subject has one.
        name: what to call them.

    Returns:
        What was found; ``clean`` says whether nothing crosses.

    Raises:
        UserError: the columns do not fit each other, or a fold names windows that are not there.

    Example:
        >>> from stillmotion.windows import audit_extents
        >>> crossings = audit_extents(["ann", "ann", "bob"], [0, 50, 0], [100, 150, 100], [([0, 2], [1])])
        >>> [(finding.kind, finding.count) for finding in crossings.findings]
        [('samples', 1), ('subjects', 1)]
    """
    subject = np.asarray(subject).astype(str)
    begin, stop = np.asarray(start).astype(np.int64), np.asarray(end).astype(np.int64)
    array = subject if source is None else np.asarray(source).astype(str)
    if not len({column.shape for column in (subject, begin, stop, array)}) == 1 or subject.ndim != 1:
        raise UserError(f"{name}: subject, start, end and source must be lists of one length, one entry a window.")
    if (stop <= begin).any():
        bad = int(np.argmax(stop <= begin))
        raise UserError(f"{name}: window {bad} ends at row {stop[bad]}, not after its start, row {begin[bad]}.")
    subjects, of_subject = codes(subject.tolist())
    sources, of_source = codes(array.tolist())
    base = lay_out(of_source, begin, stop, len(sources))
    windows = Stretches(sources, subjects, of_source, of_subject, begin, stop, base)
    found: list[Finding] = []
    count = 0
    for number, fold in enumerate(folds):
        found += shared_rows(windows, _sides(fold, len(windows), f"{name}, fold {number}"), number)[0]
        count += 1
    checked = {"folds": count, "windows": len(windows), "subjects": len(subjects)}
    return Audit(name, "own folds", checked, tuple(found))


def _sides(fold: Fold | Sequence[ArrayLike], count: int, where: str) -> list[Rows]:
    given = [fold.side(side) for side in SIDES] if isinstance(fold, Fold) else [np.asarray(part) for part in fold]
    if len(given) == 2:
        given.insert(1, np.empty(0, np.int64))
    if len(given) != 3:
        raise UserError(f"{where}: a fold is (train, test) or (train, validation, test), not {len(given)} parts.")
    sides = [np.flatnonzero(part) if part.dtype == np.bool_ else part.astype(np.int64) for part in given]
    for side in sides:
        if len(side) and not 0 <= int(side.min()) <= int(side.max()) < count:
            raise UserError(f"{where}: windows are numbered 0 to {count - 1}, not {side.min()} to {side.max()}.")
    return sides


def _copies_inside(
    windows: Stretches, recordings: Stretches, copies: Copies, sides: Sequence[Sequence[Rows]]
) -> list[Finding]:
    if len(copies) == 0:
        return []
    found: list[Finding] = []
    for number, side in enumerate(sides):
        found += shared_copies(copies, windows, recordings, side, number)
    if not found:
        rows = int(copies.length.sum())
        text = (
            f"{rows} raw rows in {len(copies)} stretches stand in two places, on one side of every fold, the longest "
            f"{copied(copies, 0, recordings, recordings)}."
        )
        found.append(Finding("duplicate", "warning", None, rows, text))
    return found


def _same_subjects(windows: Windows, others: Sequence[Dataset]) -> list[Finding]:
    used = [other.name for other in others]
    claimed = {
        *windows.same_subjects_as,
        *(other.name for other in others if windows.dataset in other.same_subjects_as),
    }
    found: list[Finding] = []
    if claimed & set(used):
        names = ", ".join(sorted(claimed & set(used)))
        text = f"{windows.dataset} and {names} are recordings of the same subjects: used together they leak."
        found.append(Finding("same subjects", "error", None, len(claimed & set(used)), text))
    if claimed - set(used):
        names = ", ".join(sorted(claimed - set(used)))
        text = f"{windows.dataset} and {names} are recordings of the same subjects: neither confirms the other."
        found.append(Finding("same subjects", "note", None, len(claimed - set(used)), text))
    return found


def _copies_across(name: str, own: Source, other: Dataset) -> list[Finding]:
    source = source_of(other)
    copies = find_copies([own, source])
    across = np.flatnonzero(copies.first_in != copies.second_in)
    if len(across) == 0:
        return []
    rows = int(copies.length[across].sum())
    text = (
        f"{rows} raw rows in {len(across)} stretches of {STRETCH} or more stand in {name} and in {other.name}, the "
        f"longest {copied(copies, int(across[0]), own.recordings, source.recordings)}."
    )
    return [Finding("duplicate", "error", None, rows, text)]
