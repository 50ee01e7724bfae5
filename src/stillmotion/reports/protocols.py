"""The comparison of two protocols, for the terminal and for the page."""

from __future__ import annotations

from rich.table import Table

from ..studies.protocol_gap import INTERVAL, ProtocolGap
from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .screen import console
from .wording import interval, percent


def show_protocol_gap(gap: ProtocolGap) -> None:
    """Print a row for each variant, then notes."""
    headings = ("variant", gap.protocol, gap.other_protocol, "difference, points")
    variants = Table(title=title(gap))
    for number, heading in enumerate(headings):
        variants.add_column(heading, justify="right" if number else "left")
    for row in gap.rows:
        difference = interval(row.difference, sign="+")
        variants.add_row(row.variant, percent(row.score), percent(row.other), difference)
    out = console()
    out.print(variants)
    for text in notes(gap):
        out.print(text, highlight=False)


def section(evidence: Evidence) -> Html:
    """Return the table with notes, or how to request it."""
    gap = evidence.beside
    if gap is None:
        return tag(
            "p",
            "To compare with the same study under another protocol: still report … --beside OTHER.",
            class_="quiet",
        )
    headings = ("variant", f"{gap.protocol} %", f"{gap.other_protocol} %", "points", "from", "to")
    rows, keys = [], []
    for row in gap.rows:
        difference = row.difference
        points = [None if each is None else 100 * each for each in (difference.score, difference.low, difference.high)]
        shown = ["–" if each is None else f"{each:+.1f}".replace("-", "−") for each in points]
        rows.append((row.variant, percent(row.score), percent(row.other), *shown))
        keys.append((None, row.score, row.other, *points))
    names = [row.variant for row in gap.rows]
    return joined(items(notes(gap)), table(title(gap), headings, rows, keys=keys, variants=names))


def title(gap: ProtocolGap) -> str:
    """Return the data set and both protocols."""
    return f"{gap.data}: {gap.other_protocol} compared with {gap.protocol}"


def notes(gap: ProtocolGap) -> list[str]:
    """Explain the table, a sentence each."""
    sentences = [
        f"Macro-F1 in percent of the {gap.subjects} subjects that both protocols test, on {gap.windows:,} of their "
        f"windows under {gap.protocol} and {gap.other_windows:,} under {gap.other_protocol}, mean over seeds.",
        f"{INTERVAL[0].upper()}{INTERVAL[1:]}.",
    ]
    for protocol, leaks in ((gap.protocol, gap.leaks), (gap.other_protocol, gap.other_leaks)):
        if leaks:
            sentences.append(f"{protocol} leaks: subjects, or parts of their recordings, are in both train and test.")
    if gap.seeds == 1:
        sentences.append("One seed: the intervals do not include the variation between training runs.")
    if gap.left_out:
        sentences.append(f"Without a score of these subjects under both protocols: {', '.join(gap.left_out)}.")
    return sentences
