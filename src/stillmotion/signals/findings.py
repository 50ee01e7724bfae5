"""Findings: what is wrong in recordings, where, and with what consequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
Consequence = Literal["refused", "warned", "repaired", "noted"]

#: Names that a message lists; the rest are counted.
LISTED = 8


@dataclass(frozen=True)
class Finding:
    """One finding of ``inspect``.

    Args:
        severity: ``error`` if training on these recordings makes no sense, ``warning`` or ``note``.
        kind: what was found, in a word or two.
        text: one sentence with its place.
        subject, file, column: where; empty if it concerns more than one.
        count: how many samples, rows or stretches; 0 if it is not a number of anything.
        repaired: whether it was repaired when the recordings were read.
    """

    severity: Severity
    kind: str
    text: str
    subject: str = ""
    file: str = ""
    column: str = ""
    count: int = 0
    repaired: bool = False

    @property
    def consequence(self) -> Consequence:
        """Whether studies refuse the recordings, or they were repaired, or the user is warned."""
        if self.severity == "error":
            return "refused"
        if self.severity == "warning":
            return "warned"
        return "repaired" if self.repaired else "noted"


def list_names(names: Iterable[str], most: int = LISTED) -> str:
    """Join names for a sentence; of many, the first few and their number.

    Args:
        names: to join.
        most: names that are listed.
    """
    listed: Sequence[str] = list(names)
    if len(listed) <= most:
        return ", ".join(listed)
    return f"{', '.join(listed[:most])} and {len(listed) - most:,} more"
