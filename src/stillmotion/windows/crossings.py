"""Raw rows, subjects and copied rows that two splits of a fold share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .duplicates import Copies
from .findings import Finding
from .stretches import Codes, Cover, Rows, Stretches, expand

PAIRS = ((2, 0), (1, 0), (2, 1))  # train 0, validation 1, test 2; the first of a pair is checked against the second
ADJECTIVE = ("training", "validation", "test")


@dataclass(frozen=True)
class SharedRows:
    """How many test windows share or touch training rows, and how many test subjects are trained on."""

    shared: int = 0
    adjacent: int = 0
    subjects: int = 0


def shared_rows(windows: Stretches, splits: Sequence[Rows], fold: int) -> tuple[list[Finding], SharedRows]:
    """Find raw rows and subjects in two splits of a fold and, where subjects are shared, windows that touch.

    Args:
        windows: extents of all windows.
        splits: numbers of the training, validation and test windows.
        fold: its number, for the findings.

    Returns:
        The findings, and how much the test windows share with the training windows.
    """
    findings, test_shares = [], SharedRows()
    for judged, known in PAIRS:
        rows, known_rows = splits[judged], splits[known]
        cover = Cover.of(windows.left[known_rows], windows.right[known_rows])
        left, right = windows.left[rows], windows.right[rows]
        overlapping = cover.overlapping(left, right)
        hit = np.flatnonzero(overlapping >= 0)
        if len(hit):
            a, b = int(rows[hit[0]]), int(known_rows[overlapping[hit[0]]])
            begin = max(int(windows.begin[a]), int(windows.begin[b]))
            end = min(int(windows.end[a]), int(windows.end[b]))
            common = windows.span(int(windows.source[a]), begin, end, a)
            text = (
                f"{len(hit)} of {len(rows)} {ADJECTIVE[judged]} windows hold raw rows that {ADJECTIVE[known]} windows "
                f"hold too, the first {common}."
            )
            findings.append(Finding("samples", "error", fold, len(hit), text))
        subjects = np.intersect1d(windows.subject[rows], windows.subject[known_rows])
        touching = 0
        if len(subjects):
            findings.append(_shared_subjects(windows, rows, subjects, judged, known, fold))
            touching = int(np.count_nonzero(cover.touched(left - 1, right + 1))) - len(hit)
        if touching:
            text = (
                f"{touching} of {len(rows)} {ADJECTIVE[judged]} windows share no row with {ADJECTIVE[known]} "
                "windows but are next to one."
            )
            findings.append(Finding("adjacent", "warning", fold, touching, text))
        if (judged, known) == (2, 0):
            test_shares = SharedRows(len(hit), touching, len(subjects))
    return findings, test_shares


def _shared_subjects(windows: Stretches, rows: Rows, subjects: Codes, judged: int, known: int, fold: int) -> Finding:
    total = len(np.unique(windows.subject[rows]))
    affected = int(np.isin(windows.subject[rows], subjects).sum())
    names = ", ".join(windows.subjects[i] for i in subjects[:8].tolist()) + (" …" if len(subjects) > 8 else "")
    text = (
        f"{len(subjects)} of {total} {ADJECTIVE[judged]} subjects are {ADJECTIVE[known]} subjects too ({names}), with "
        f"{affected} of {len(rows)} {ADJECTIVE[judged]} windows, {affected / len(rows):.0%}."
    )
    return Finding("subjects", "error", fold, len(subjects), text)


def shared_copies(
    copies: Copies, windows: Stretches, recordings: Stretches, splits: Sequence[Rows], fold: int
) -> list[Finding]:
    """Find rows in one split of a fold whose copies are in another."""
    stretch, place = expand(copies.first, copies.length)
    twin = place + (copies.second - copies.first)[stretch]
    covers = [Cover.of(windows.left[rows], windows.right[rows]) for rows in splits]
    here = [cover.touched(place, place + 1) for cover in covers]
    there = [cover.touched(twin, twin + 1) for cover in covers]
    findings = []
    for judged, known in PAIRS:
        crossing = (here[judged] & there[known]) | (here[known] & there[judged])
        count = int(np.count_nonzero(crossing))
        if count:
            which = np.unique(stretch[crossing])
            text = (
                f"{count} raw rows in {len(which)} stretches lie both under {ADJECTIVE[judged]} and under "
                f"{ADJECTIVE[known]} windows, the longest "
                f"{describe_copy(copies, int(which[0]), recordings, recordings)}."
            )
            findings.append(Finding("duplicate", "error", fold, count, text))
    return findings


def describe_copy(copies: Copies, number: int, first: Stretches, second: Stretches) -> str:
    """Name the rows, source and subject of both stretches of a copy."""
    length = int(copies.length[number])
    here = _where(first, int(copies.first[number]), length)
    how = f" ({copies.how[number]})" if copies.how[number] else ""
    return f"{here} and {_where(second, int(copies.second[number]), length)}{how}"


def _where(recordings: Stretches, left: int, length: int) -> str:
    at = np.array([left])
    number = int(Cover.of(recordings.left, recordings.right).overlapping(at, at + 1)[0])
    source = int(recordings.source[number])
    begin = left - int(recordings.base[source])
    return recordings.span(source, begin, begin + length, number)
