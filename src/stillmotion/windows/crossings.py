"""What two sides of one fold share: raw rows, subjects, copied rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .duplicates import Copies
from .findings import Finding
from .stretches import Codes, Cover, Rows, Stretches, expand

PAIRS = ((2, 0), (1, 0), (2, 1))  # sides are train 0, validation 1, test 2; the first of a pair is judged
ADJECTIVE = ("training", "validation", "test")


@dataclass(frozen=True)
class SharedRows:
    """How much of the test side training knows."""

    shared: int = 0
    adjacent: int = 0
    subjects: int = 0


def shared_rows(windows: Stretches, sides: Sequence[Rows], fold: int) -> tuple[list[Finding], SharedRows]:
    """Raw rows and subjects on two sides of one fold; and, where subjects are shared, windows that touch.

    Args:
        windows: extents of all windows.
        sides: numbers of the training, validation and test windows.
        fold: its number, for the findings.
    """
    found, tally = [], SharedRows()
    for judged, known in PAIRS:
        mine, theirs = sides[judged], sides[known]
        cover = Cover.of(windows.left[theirs], windows.right[theirs])
        left, right = windows.left[mine], windows.right[mine]
        partner = cover.partner(left, right)
        hit = np.flatnonzero(partner >= 0)
        if len(hit):
            a, b = int(mine[hit[0]]), int(theirs[partner[hit[0]]])
            begin = max(int(windows.begin[a]), int(windows.begin[b]))
            end = min(int(windows.end[a]), int(windows.end[b]))
            common = windows.span(int(windows.source[a]), begin, end, a)
            text = (
                f"{len(hit)} of {len(mine)} {ADJECTIVE[judged]} windows hold raw rows that {ADJECTIVE[known]} windows "
                f"hold too, the first {common}."
            )
            found.append(Finding("samples", "error", fold, len(hit), text))
        who = np.intersect1d(windows.subject[mine], windows.subject[theirs])
        touching = 0
        if len(who):
            found.append(_shared_subjects(windows, mine, who, judged, known, fold))
            touching = int(np.count_nonzero(cover.touched(left - 1, right + 1))) - len(hit)
        if touching:
            text = (
                f"{touching} of {len(mine)} {ADJECTIVE[judged]} windows share no row with {ADJECTIVE[known]} "
                "windows but are next to one."
            )
            found.append(Finding("adjacent", "warning", fold, touching, text))
        if (judged, known) == (2, 0):
            tally = SharedRows(len(hit), touching, len(who))
    return found, tally


def _shared_subjects(windows: Stretches, mine: Rows, who: Codes, judged: int, known: int, fold: int) -> Finding:
    everyone = len(np.unique(windows.subject[mine]))
    theirs = int(np.isin(windows.subject[mine], who).sum())
    names = ", ".join(windows.subjects[i] for i in who[:8].tolist()) + (" …" if len(who) > 8 else "")
    text = (
        f"{len(who)} of {everyone} {ADJECTIVE[judged]} subjects are {ADJECTIVE[known]} subjects too ({names}); theirs "
        f"are {theirs} of {len(mine)} {ADJECTIVE[judged]} windows, {theirs / len(mine):.0%}."
    )
    return Finding("subjects", "error", fold, len(who), text)


def shared_copies(
    copies: Copies, windows: Stretches, recordings: Stretches, sides: Sequence[Rows], fold: int
) -> list[Finding]:
    """Copied rows of which one is on one side of a fold and its copy on another."""
    stretch, place = expand(copies.first, copies.length)
    twin = place + (copies.second - copies.first)[stretch]
    covers = [Cover.of(windows.left[side], windows.right[side]) for side in sides]
    here = [cover.touched(place, place + 1) for cover in covers]
    there = [cover.touched(twin, twin + 1) for cover in covers]
    found = []
    for judged, known in PAIRS:
        crossing = (here[judged] & there[known]) | (here[known] & there[judged])
        count = int(np.count_nonzero(crossing))
        if count:
            which = np.unique(stretch[crossing])
            text = (
                f"{count} raw rows in {len(which)} stretches stand both under {ADJECTIVE[judged]} and under "
                f"{ADJECTIVE[known]} windows, the longest {copied(copies, int(which[0]), recordings, recordings)}."
            )
            found.append(Finding("duplicate", "error", fold, count, text))
    return found


def copied(copies: Copies, number: int, first: Stretches, second: Stretches) -> str:
    """One copy in words: both places."""
    length = int(copies.length[number])
    here = _where(first, int(copies.first[number]), length)
    how = f" ({copies.how[number]})" if copies.how[number] else ""
    return f"{here} and {_where(second, int(copies.second[number]), length)}{how}"


def _where(recordings: Stretches, left: int, length: int) -> str:
    at = np.array([left])
    number = int(Cover.of(recordings.left, recordings.right).partner(at, at + 1)[0])
    source = int(recordings.source[number])
    begin = left - int(recordings.base[source])
    return recordings.span(source, begin, begin + length, number)
