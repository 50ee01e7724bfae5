"""The comparison of two protocols, for the terminal and for the page."""

from __future__ import annotations

from ..studies.protocol_gap import INTERVAL, ProtocolGap, VariantGap
from .screen import console
from .table import Table, make_gain, make_percent, make_text


def protocols_table(gap: ProtocolGap) -> Table[VariantGap]:
    """Return the scores of every variant under both protocols."""
    return Table(
        f"{gap.data}: {gap.other_protocol} compared with {gap.protocol}",
        [
            make_text("variant", lambda row: row.variant),
            make_percent("score", lambda row: row.score, f"{gap.protocol}, %"),
            make_percent("other", lambda row: row.other, f"{gap.other_protocol}, %"),
            make_gain("difference", lambda row: row.difference, "difference, points"),
        ],
        gap.rows,
    )


def show_protocol_gap(gap: ProtocolGap) -> None:
    """Print a row for each variant, then notes."""
    out = console()
    out.print(protocols_table(gap).to_terminal())
    for text in explain_protocols(gap):
        out.print(text, highlight=False)


def explain_protocols(gap: ProtocolGap) -> list[str]:
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
