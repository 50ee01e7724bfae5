"""Two protocols side by side: on the screen, and as a section of the page."""

from __future__ import annotations

from rich.table import Table

from ..studies.protocol_gap import INTERVAL, ProtocolGap
from .evidence import Evidence
from .markup import Html, items, joined, table, tag
from .screen import console
from .wording import interval, percent


def show_beside(found: ProtocolGap) -> None:
    """A row a variant, then what the intervals are of."""
    headings = ("variant", found.protocol, found.other_protocol, "difference, points")
    made = Table(title=title(found))
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="right" if number else "left")
    for row in found.rows:
        gap = interval(row.difference, sign="+")
        made.add_row(row.variant, percent(row.score), percent(row.other), gap)
    out = console()
    out.print(made)
    for text in notes(found):
        out.print(text, highlight=False)


def section(evidence: Evidence) -> Html:
    """The table with what it says and cannot say; how to ask for it where nothing stands beside the study."""
    found = evidence.beside
    if found is None:
        return tag(
            "p",
            "The same study under another protocol stands beside this one with still report … --beside OTHER.",
            class_="quiet",
        )
    headings = ("variant", f"{found.protocol} %", f"{found.other_protocol} %", "points", "from", "to")
    rows, keys = [], []
    for row in found.rows:
        gap = row.difference
        points = [None if each is None else 100 * each for each in (gap.score, gap.low, gap.high)]
        shown = ["–" if each is None else f"{each:+.1f}".replace("-", "−") for each in points]
        rows.append((row.variant, percent(row.score), percent(row.other), *shown))
        keys.append((None, row.score, row.other, *points))
    names = [row.variant for row in found.rows]
    return joined(items(notes(found)), table(title(found), headings, rows, keys=keys, variants=names))


def title(found: ProtocolGap) -> str:
    """What stands beside what."""
    return f"{found.data}: {found.other_protocol} beside {found.protocol}"


def notes(found: ProtocolGap) -> list[str]:
    """What a reader must know of the two columns, a sentence each."""
    said = [
        f"Macro-F1 in percent of the {found.subjects} subjects whom both protocols tested, with {found.windows:,} of "
        f"their windows under {found.protocol} and {found.other_windows:,} under {found.other_protocol}, mean over "
        "seeds.",
        f"{INTERVAL[0].upper()}{INTERVAL[1:]}.",
    ]
    for protocol, leaks in ((found.protocol, found.leaks), (found.other_protocol, found.other_leaks)):
        if leaks:
            said.append(f"{protocol} leaks: subjects, or parts of their recordings, are on both sides of its split.")
    if found.seeds == 1:
        said.append("One seed: the intervals know of no other training run under a protocol of one fold.")
    if found.left_out:
        said.append(f"Without a score of these subjects on one of the sides: {', '.join(found.left_out)}.")
    return said
