"""A budget in bytes: how much a model may store on the device."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import UserError

UNITS = {"": 1, "b": 1, "kb": 1000, "kib": 1024, "mb": 1000**2, "mib": 1024**2}


def parse_budget(text: str) -> int | None:
    """Return a budget such as ``8kB``, ``64 KiB`` or ``8000`` in bytes; None for an empty text.

    Args:
        text: a number with a unit.

    Returns:
        The number of bytes.

    Raises:
        UserError: it is no number of bytes above 0.

    Example:
        >>> from stillmotion.studies import parse_budget
        >>> parse_budget("8kB"), parse_budget("1.5 KiB")
        (8000, 1536)
    """
    if not text.strip():
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    size = 0 if match is None or match[2] not in UNITS else int(float(match[1]) * UNITS[match[2]])
    if not 0 < size < 1 << 40:
        raise UserError(f"A budget is a size such as 8kB, 64KiB or 1MB, not {text!r}.")
    return size


def require_one_keep(budget: str, keeps: Mapping[str, str]) -> None:
    """Raise ``UserError`` if a budget compares variants of which some keep the best epoch and some the last.

    A budget chooses by the score on validation subjects; that of an epoch which they have chosen is flattered.

    Args:
        budget: of the study; nothing is required without one.
        keeps: ``keep`` of each variant's recipe by its name.
    """
    first: dict[str, str] = {}
    for name, keep in keeps.items() if budget.strip() else ():
        first.setdefault(keep, name)
    if len(first) > 1:
        parts = " and ".join(f"{name} keeps the {keep} epoch" for keep, name in first.items())
        raise UserError(
            f"With a budget ({budget}) all variants must keep the best epoch or all the last, but {parts}: set keep in "
            f"[training], or in [variant.NAME.training] of those that differ."
        )
