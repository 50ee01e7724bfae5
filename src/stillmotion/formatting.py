"""Format numbers for people: the same on the screen, in Markdown, LaTeX, HTML, figures, messages and documentation.

Shares are shown in percent with one decimal, differences in points with a sign, minus signs are real ones, and what is
missing is a dash. Files for programs (JSON, CSV) hold the plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

#: Shown where there is no value.
MISSING = "–"


class Estimate(Protocol):
    """A score with its interval, such as ``Interval``."""

    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102


def format_number(value: float | None, spec: str = ".1f") -> str:
    """Format a number with a format specification."""
    return MISSING if value is None else format(value, spec).replace("-", "−")


def format_percent(value: float | None, *, sign: str = "") -> str:
    """Format a share in percent, or with the sign ``+`` a difference of shares in points."""
    return format_number(None if value is None else 100 * value, f"{sign}.1f")


def format_interval(value: Estimate | None, *, sign: str = "", unit: str = "") -> str:
    """Format a share in percent, or a difference in points, with its interval: ``+1.2 points [−0.3, +2.7]``."""
    if value is None:
        return MISSING
    text = format_percent(value.score, sign=sign) + (f" {unit}" if unit else "")
    if value.low is None or value.high is None:
        return text
    return f"{text} [{format_percent(value.low, sign=sign)}, {format_percent(value.high, sign=sign)}]"


def format_score(value: Estimate | None) -> str:
    """Format a score for a sentence: ``63.6 % [52.2, 73.6]``."""
    return format_interval(value, unit="%")


def format_points(value: Estimate | None) -> str:
    """Format a difference for a sentence: ``+1.2 points [−0.3, +2.7]``."""
    return format_interval(value, sign="+", unit="points")


def format_gain(value: Estimate | None) -> str:
    """Format a difference for a column of points: ``+1.2 [−0.3, +2.7]``."""
    return format_interval(value, sign="+")


def format_p(value: float | None) -> str:
    """Format a p-value with two digits."""
    return format_number(value, ".2g")


def format_count(value: float | None) -> str:
    """Format a count with separators of thousands."""
    return format_number(value, ",.0f")


def format_kilo(value: float | None) -> str:
    """Format a count in thousands."""
    return format_count(None if value is None else value / 1000)


def format_kib(value: float | None) -> str:
    """Format bytes in KiB with one decimal."""
    return format_number(None if value is None else value / 1024, ",.1f")


def format_amount(value: float) -> str:
    """Format a count with three digits and its prefix: ``105 k``, ``23.6 M``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def format_duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_several(number: int, noun: str, plural: str = "") -> str:
    """Format a number with its noun: ``1 subject``, ``8 subjects``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def format_list(names: Sequence[str]) -> str:
    """List names in a sentence: ``a, b and c``."""
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"
