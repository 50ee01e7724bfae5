"""Format numbers for reports."""

from __future__ import annotations

from ..evaluation import Interval


def percent(value: float | None) -> str:
    """Format a share in percent."""
    return "–" if value is None else f"{100 * value:.1f}"


def interval(value: Interval | None, *, sign: str = "") -> str:
    """Format a score in percent, or a signed difference in points, with its interval if there is one."""
    if value is None:
        return "–"
    score = f"{100 * value.score:{sign}.1f}".replace("-", "−")
    if value.low is None or value.high is None:
        return score
    ends = f"{100 * value.low:{sign}.1f} to {100 * value.high:{sign}.1f}".replace("-", "−")
    return f"{score} ({ends})"


def amount(value: float) -> str:
    """Format a count with three digits: 105 k, 23.6 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def several(number: int, what: str, many: str = "") -> str:
    """Format a number with its noun: 1 subject, 8 subjects."""
    return f"{number} {what if number == 1 else many or what + 's'}"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """List names in a sentence: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
