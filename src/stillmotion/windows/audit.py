"""Audit splits for leaks: raw rows, subjects, copies or statistics shared between training and test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from ..signals.recording import Dataset
from .check_statistics import check_statistics
from .crossings import describe_copy, shared_copies, shared_rows
from .duplicates import Copies, find_copies
from .findings import UNSEEN, Audit, Finding
from .origin import source_of, trace
from .places import STRETCH, Source
from .splits import SPLITS, Fold, Splits
from .statistics import Statistics
from .stretches import Rows, Stretches, codes, lay_out
from .windows import Windows


def audit_splits(
    windows: Windows,
    splits: Splits | Iterable[Fold | Sequence[ArrayLike]],
    *,
    statistics: Statistics | Sequence[Statistics] | None = None,
    others: Sequence[Dataset] = (),
) -> Audit:
    """Audit the splits of every fold for leaks: raw rows, subjects, copied stretches and normaliser statistics.

    For every fold: no raw row of a source may lie under windows of two splits, no subject may be in two splits, and
    the given statistics must be those of the training windows. Within the data set, and against ``others``, equal
    stretches of 32 rows or more are duplicates (``find_copies``; also of one channel alone, or under another gain,
    offset or sign): an error where the two stretches are in two splits of a fold or in two data sets, a warning
    otherwise. Rows are those of the raw recordings, before any resampling.
    ``random`` is never clean: how much its splits share is reported instead.

    Args:
        windows: the windows that ``cut`` returned.
        splits: the splits that ``make_splits`` returned for them, or folds of one's own: for each the numbers of its
            windows (or masks), as (train, test) or (train, validation, test).
        statistics: those that the networks are normalised with, one per fold (or one for all folds).
        others: data sets used together with this one, for training or for confirmation.

    Returns:
        The findings; ``clean`` tells whether there is no leak.

    Raises:
        UserError: the splits are of other windows, or a fold names windows that do not exist.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> sm.audit_splits(windows, sm.make_splits(windows, "loso")).clean
        True
        >>> sm.audit_splits(windows, sm.make_splits(windows, "random")).clean
        False
        >>> audit = sm.audit_splits(windows, [(np.arange(0, 30), np.arange(25, 40))])
        >>> [(finding.kind, finding.count) for finding in audit.findings]
        [('samples', 5), ('subjects', 1)]
    """
    if not isinstance(splits, Splits):
        splits = _own_splits(windows, splits)
    splits.require_of(windows)
    findings: list[Finding] = []
    source, extents = trace(windows)
    folds = [[fold.rows(name) for name in SPLITS] for fold in splits.folds]
    for number, fold in enumerate(folds):
        crossing, shared = shared_rows(extents, fold, number)
        if splits.protocol == "random":
            tested = len(fold[2])
            text = (
                f"Windows are split at random: of {tested} test windows {shared.shared} hold raw rows of training "
                f"windows ({shared.shared / tested:.0%}) and {shared.adjacent} more are next to one "
                f"({shared.adjacent / tested:.0%}); {shared.subjects} test subjects are also training subjects."
            )
            findings.append(Finding("random split", "error", number, tested, text))
        findings += crossing
    if statistics is not None:
        findings += check_statistics(windows, splits, statistics)
    findings += _copies_inside(extents, source.recordings, find_copies([source]), folds)
    findings += _same_subjects(windows, others)
    for other in others:
        findings += _copies_across(windows.dataset, source, other)
    checked = {
        "folds": len(splits),
        "windows": len(windows),
        "subjects": len(np.unique(windows.subject_codes)),
        "samples": len(source.signal),
        "statistics": 0 if statistics is None else len(splits),
        "other data sets": len(others),
    }
    return Audit(windows.dataset, splits.protocol, checked, tuple(findings), UNSEEN)


def audit_extents(
    subject: ArrayLike,
    start: ArrayLike,
    end: ArrayLike,
    folds: Iterable[Fold | Sequence[ArrayLike]],
    source: ArrayLike | None = None,
    *,
    name: str = "own windows",
) -> Audit:
    """Audit the splits of windows made elsewhere for shared raw rows and shared subjects.

    Args:
        subject: (n,) subject of each window.
        start: (n,) first row of each window.
        end: (n,) its end, exclusive.
        folds: for each fold the numbers of its windows (or masks): (train, test) or (train, validation, test).
        source: (n,) the array that ``start`` counts rows of; by default one array per subject.
        name: the windows' name in messages.

    Returns:
        The findings; ``clean`` tells whether there is no leak.

    Raises:
        UserError: the columns differ in length, or a fold names windows that do not exist.

    Example:
        >>> from stillmotion.windows import audit_extents
        >>> audit = audit_extents(["ann", "ann", "bob"], [0, 50, 0], [100, 150, 100], [([0, 2], [1])])
        >>> [(finding.kind, finding.count) for finding in audit.findings]
        [('samples', 1), ('subjects', 1)]
    """
    subject = np.asarray(subject).astype(str)
    begin, stop = np.asarray(start).astype(np.int64), np.asarray(end).astype(np.int64)
    array = subject if source is None else np.asarray(source).astype(str)
    if not len({column.shape for column in (subject, begin, stop, array)}) == 1 or subject.ndim != 1:
        raise UserError(f"{name}: subject, start, end and source must have one entry per window.")
    if (stop <= begin).any():
        bad = int(np.argmax(stop <= begin))
        raise UserError(f"{name}: window {bad} ends at row {stop[bad]}, not after its start, row {begin[bad]}.")
    subjects, of_subject = codes(subject.tolist())
    sources, of_source = codes(array.tolist())
    base = lay_out(of_source, begin, stop, len(sources))
    windows = Stretches(sources, subjects, of_source, of_subject, begin, stop, base)
    findings: list[Finding] = []
    count = 0
    for number, fold in enumerate(folds):
        findings += shared_rows(windows, _splits_of(fold, len(windows), f"{name}, fold {number}"), number)[0]
        count += 1
    checked = {"folds": count, "windows": len(windows), "subjects": len(subjects)}
    return Audit(name, "own folds", checked, tuple(findings))


def _own_splits(windows: Windows, folds: Iterable[Fold | Sequence[ArrayLike]]) -> Splits:
    """Make splits of folds that were drawn elsewhere; their subjects are those of their windows."""
    own = []
    for number, fold in enumerate(folds):
        rows = [np.unique(part) for part in _splits_of(fold, len(windows), f"{windows.dataset}, fold {number}")]
        names = [tuple(windows.subjects[code] for code in np.unique(windows.subject_codes[part])) for part in rows]
        own.append(Fold(rows[0], rows[1], rows[2], names[0], names[1], names[2]))
    return Splits(windows.dataset, "own folds", 0, windows.fingerprint, len(windows), tuple(own))


def _splits_of(fold: Fold | Sequence[ArrayLike], count: int, where: str) -> list[Rows]:
    given = [fold.rows(split) for split in SPLITS] if isinstance(fold, Fold) else [np.asarray(part) for part in fold]
    if len(given) == 2:
        given.insert(1, np.empty(0, np.int64))
    if len(given) != 3:
        raise UserError(f"{where}: a fold is (train, test) or (train, validation, test), not {len(given)} parts.")
    splits = [np.flatnonzero(part) if part.dtype == np.bool_ else part.astype(np.int64) for part in given]
    for rows in splits:
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < count:
            raise UserError(f"{where}: windows are numbered 0 to {count - 1}, not {rows.min()} to {rows.max()}.")
    return splits


def _copies_inside(
    windows: Stretches, recordings: Stretches, copies: Copies, folds: Sequence[Sequence[Rows]]
) -> list[Finding]:
    if len(copies) == 0:
        return []
    findings: list[Finding] = []
    for number, fold in enumerate(folds):
        findings += shared_copies(copies, windows, recordings, fold, number)
    if not findings:
        rows = int(copies.length.sum())
        text = (
            f"{rows} raw rows in {len(copies)} stretches occur twice, both times in the same split of every fold, the "
            f"longest {describe_copy(copies, 0, recordings, recordings)}."
        )
        findings.append(Finding("duplicate", "warning", None, rows, text))
    return findings


def _same_subjects(windows: Windows, others: Sequence[Dataset]) -> list[Finding]:
    used = [other.name for other in others]
    same = {
        *windows.same_subjects_as,
        *(other.name for other in others if windows.dataset in other.same_subjects_as),
    }
    findings: list[Finding] = []
    if same & set(used):
        names = ", ".join(sorted(same & set(used)))
        text = f"{windows.dataset} and {names} are recordings of the same subjects: used together they leak."
        findings.append(Finding("same subjects", "error", None, len(same & set(used)), text))
    if same - set(used):
        names = ", ".join(sorted(same - set(used)))
        text = (
            f"{windows.dataset} and {names} are recordings of the same subjects: neither independently confirms the "
            "other."
        )
        findings.append(Finding("same subjects", "note", None, len(same - set(used)), text))
    return findings


def _copies_across(name: str, source: Source, other: Dataset) -> list[Finding]:
    other_source = source_of(other)
    copies = find_copies([source, other_source])
    across = np.flatnonzero(copies.first_in != copies.second_in)
    if len(across) == 0:
        return []
    rows = int(copies.length[across].sum())
    text = (
        f"{rows} raw rows in {len(across)} stretches of {STRETCH} or more are both in {name} and in {other.name}, the "
        f"longest {describe_copy(copies, int(across[0]), source.recordings, other_source.recordings)}."
    )
    return [Finding("duplicate", "error", None, rows, text)]
